// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>

namespace hv::vmm::serial {

/// A 16550A. Transmitting takes no time: a byte is out as soon as it is written, and THRE says so
/// whenever the guest looks. The interrupt for it comes when the 16-byte FIFO has been filled, or
/// at the next look at another register, or at tick(): so a driver that fills the FIFO pays one
/// interrupt for 16 bytes, and none while it polls. The guest finds kBurst bytes
/// at most, and more only two ticks after it has seen that there are no more: its interrupt handler
/// reads for as long as there is something, and what takes no time to arrive would keep a CPU in
/// it, however slowly it reads.
/// Any thread; the callbacks run under the port's lock and must not call back.
class Uart {
 public:
  static constexpr size_t kFifo = 16;
  static constexpr size_t kBurst = 1024;

  struct Callbacks {
    std::function<void(std::span<const std::byte>)> transmit;  ///< bytes from the guest, in order
    std::function<void(bool)> set_interrupt;                   ///< called at changes only
  };

  explicit Uart(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  /// The guest reads or writes register `offset` (0..7).
  uint8_t read(uint8_t offset);
  void write(uint8_t offset, uint8_t value);

  /// Bytes for the guest. They wait until it reads them; the caller bounds how many (waiting()).
  void feed(std::span<const std::byte> bytes);
  size_t waiting();

  /// To be called every few milliseconds: passes on what still sits in the FIFO, and lets more be
  /// read.
  void tick();

 private:
  void flush();
  void look();  // the guest looks at the state: what was written is out
  void update_interrupt();
  uint8_t interrupt_id() const;
  void see_end();
  bool readable() const { return !in_.empty() && burst_left_ != 0; }
  bool fifo_on() const { return (fifo_control_ & 1) != 0; }

  Callbacks callbacks_;
  std::mutex mutex_;
  std::array<std::byte, kFifo> out_{};
  size_t out_count_ = 0;
  std::deque<std::byte> in_;
  size_t burst_left_ = kBurst;
  int rest_ = 0;  ///< ticks, and one, since the guest saw a burst's end; 0: it has not
  bool transmitter_empty_due_ =
      false;                  ///< the THRE interrupt, until IIR is read or a byte is written
  bool transmitted_ = false;  ///< bytes were written since the guest last looked
  bool interrupt_ = false;
  uint8_t interrupt_enable_ = 0;
  uint8_t fifo_control_ = 0;
  uint8_t line_control_ = 0;
  uint8_t modem_control_ = 0;
  uint8_t scratch_ = 0;
  uint16_t divisor_ = 1;
};

}  // namespace hv::vmm::serial
