// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/exec_session.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "vmm/console.hpp"
#include "vmm/failure.hpp"

namespace hv::vmm {

ExecSession::ExecSession(std::string command, bool pass_input, EndBox& end)
    : command_(std::move(command)),
      pass_input_(pass_input),
      end_(end),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      stream_({
          .ready =
              [this] {
                ready_.store(true, std::memory_order_release);
                wake();
              },
          .output =
              [this](std::span<const std::byte> bytes) { write_all(STDOUT_FILENO, bytes, end_); },
          .error =
              [this](std::span<const std::byte> bytes) { write_all(STDERR_FILENO, bytes, end_); },
          .exit =
              [this](uint32_t status) {
                status_.store(status, std::memory_order_relaxed);
                exited_.store(true, std::memory_order_release);
                wake();
              },
          .broken =
              [this](std::string_view why) {
                end_.report(
                    {EndReason::HostError, "the guest's agent sent " + std::string(why), 0});
              },
      }) {
  if (!event_) fail_errno("eventfd");
}

void ExecSession::wake() {
  const uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

void ExecSession::on_event(serial::Uart& port) {
  uint64_t count;
  (void)!::read(event_.get(), &count, sizeof count);
  if (!ready() || command_sent_) return;
  command_sent_ = true;
  port.feed(serial::agent_frame('C', command_));
  if (!pass_input_) port.feed(serial::agent_frame('E', ""));
}

int ExecSession::input(serial::Uart& port) const {
  constexpr size_t kEnough = 16 * 1024;
  return command_sent_ && pass_input_ && !status() && port.waiting() < kEnough ? STDIN_FILENO : -1;
}

void ExecSession::read_input(serial::Uart& port) {
  std::array<char, 4096> buffer;
  const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (count > 0) {
    port.feed(
        serial::agent_frame('I', std::string_view(buffer.data(), static_cast<size_t>(count))));
  } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
    pass_input_ = false;
    port.feed(serial::agent_frame('E', ""));
  }
}

std::optional<uint32_t> ExecSession::status() const {
  if (!exited_.load(std::memory_order_acquire)) return std::nullopt;
  return status_.load(std::memory_order_relaxed);
}

}  // namespace hv::vmm
