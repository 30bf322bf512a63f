// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/serial/uart.hpp"

namespace hv::vmm::serial {

namespace {

constexpr uint8_t kData = 0;
constexpr uint8_t kInterruptEnable = 1;
constexpr uint8_t kInterruptId = 2;  // read; written it is the FIFO control
constexpr uint8_t kLineControl = 3;
constexpr uint8_t kModemControl = 4;
constexpr uint8_t kLineStatus = 5;
constexpr uint8_t kModemStatus = 6;
constexpr uint8_t kScratch = 7;

constexpr uint8_t kDivisorLatch = 0x80;
constexpr uint8_t kLoop = 0x10;
constexpr uint8_t kEnableReceive = 0x01;
constexpr uint8_t kEnableTransmit = 0x02;
constexpr uint8_t kStatusData = 0x01;
constexpr uint8_t kStatusTransmitterEmpty = 0x60;  // THRE and TEMT
constexpr uint8_t kIdNone = 0x01;
constexpr uint8_t kIdTransmit = 0x02;
constexpr uint8_t kIdReceive = 0x04;
constexpr uint8_t kIdFifo = 0xc0;
constexpr uint8_t kClearReceive = 0x02;
constexpr uint8_t kModemReady = 0xb0;  // carrier, data set ready, clear to send

}  // namespace

void Uart::flush() {
  if (out_count_ == 0) return;
  callbacks_.transmit(std::span(out_).first(out_count_));
  out_count_ = 0;
}

void Uart::look() {
  if (!transmitted_) return;
  transmitted_ = false;
  flush();
  transmitter_empty_due_ = true;
}

/// The guest looks whether there is something to read.
void Uart::see_end() {
  if (burst_left_ == 0 && rest_ == 0) rest_ = 1;
}

uint8_t Uart::interrupt_id() const {
  if ((interrupt_enable_ & kEnableReceive) != 0 && readable()) return kIdReceive;
  if ((interrupt_enable_ & kEnableTransmit) != 0 && transmitter_empty_due_) return kIdTransmit;
  return kIdNone;
}

void Uart::update_interrupt() {
  const bool wanted = interrupt_id() != kIdNone;
  if (wanted == interrupt_) return;
  interrupt_ = wanted;
  callbacks_.set_interrupt(wanted);
}

uint8_t Uart::read(uint8_t offset) {
  const std::lock_guard lock(mutex_);
  uint8_t value = 0;
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case kData:
      if (latch) {
        value = static_cast<uint8_t>(divisor_);
      } else if (readable()) {
        value = std::to_integer<uint8_t>(in_.front());
        in_.pop_front();
        burst_left_--;
      }
      break;
    case kInterruptEnable:
      value = latch ? static_cast<uint8_t>(divisor_ >> 8) : interrupt_enable_;
      break;
    case kInterruptId:
      look();
      see_end();
      value = interrupt_id();
      if (value == kIdTransmit) transmitter_empty_due_ = false;
      if (fifo_on()) value |= kIdFifo;
      break;
    case kLineControl:
      value = line_control_;
      break;
    case kModemControl:
      value = modem_control_;
      break;
    case kLineStatus:
      look();
      see_end();
      value = kStatusTransmitterEmpty | (readable() ? kStatusData : 0);
      break;
    case kModemStatus:
      // In loop-back the four outputs come back as the four inputs.
      value = (modem_control_ & kLoop) == 0 ? kModemReady
                                            : static_cast<uint8_t>((modem_control_ & 0x0c) << 4 |
                                                                   (modem_control_ & 0x02) << 3 |
                                                                   (modem_control_ & 0x01) << 5);
      break;
    case kScratch:
      value = scratch_;
      break;
    default:
      break;
  }
  update_interrupt();
  return value;
}

void Uart::write(uint8_t offset, uint8_t value) {
  const std::lock_guard lock(mutex_);
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case kData:
      if (latch) {
        divisor_ = static_cast<uint16_t>((divisor_ & 0xff00) | value);
        break;
      }
      transmitter_empty_due_ = false;
      if ((modem_control_ & kLoop) != 0) {
        if (in_.size() < kFifo) in_.push_back(std::byte{value});
        transmitter_empty_due_ = true;
        break;
      }
      out_[out_count_++] = std::byte{value};
      transmitted_ = true;
      if (out_count_ == kFifo || !fifo_on()) look();
      break;
    case kInterruptEnable:
      if (latch) {
        divisor_ = static_cast<uint16_t>((divisor_ & 0x00ff) | value << 8);
        break;
      }
      look();
      // Switching the transmit interrupt on while the transmitter is empty raises it.
      if ((value & kEnableTransmit) != 0 && (interrupt_enable_ & kEnableTransmit) == 0)
        transmitter_empty_due_ = true;
      interrupt_enable_ = value & 0x0f;
      break;
    case kInterruptId:
      if ((value & kClearReceive) != 0 && (fifo_control_ & 1) == 0) in_.clear();
      fifo_control_ = value;
      break;
    case kLineControl:
      line_control_ = value;
      break;
    case kModemControl:
      modem_control_ = value & 0x1f;
      break;
    case kScratch:
      scratch_ = value;
      break;
    default:
      break;
  }
  update_interrupt();
}

void Uart::feed(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  in_.insert(in_.end(), bytes.begin(), bytes.end());
  update_interrupt();
}

size_t Uart::waiting() {
  const std::lock_guard lock(mutex_);
  return in_.size();
}

void Uart::tick() {
  const std::lock_guard lock(mutex_);
  constexpr int kRest = 2;
  look();
  if (rest_ != 0 && rest_++ == kRest) {
    burst_left_ = kBurst;
    rest_ = 0;
  }
  update_interrupt();
}

}  // namespace hv::vmm::serial
