// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/support/fake_machine.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "core/wire/ring.hpp"

namespace hv::test {

using hv::wire::kPageSize;

class FakeMachine::Pages final : public host::Mapping {
 public:
  Pages(FakeMachine& machine, std::byte* base, size_t size)
      : machine_(machine), base_(base), size_(size) {
    const std::lock_guard lock(machine_.mutex_);
    machine_.mappings_++;
  }
  ~Pages() override {
    ::munmap(base_, size_);
    const std::lock_guard lock(machine_.mutex_);
    machine_.mappings_--;
  }
  std::span<std::byte> bytes() override { return {base_, size_}; }

 private:
  FakeMachine& machine_;
  std::byte* base_;
  size_t size_;
};

FakeMachine::FakeMachine(size_t pages, uint32_t vp_count)
    : vp_count_(vp_count), size_(pages * kPageSize) {
  fd_ = ::memfd_create("fake-machine", MFD_CLOEXEC);
  if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(size_)) != 0)
    throw std::runtime_error("no memory for the fake machine");
  void* base = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (base == MAP_FAILED) throw std::runtime_error("no memory for the fake machine");
  base_ = static_cast<std::byte*>(base);
}

FakeMachine::~FakeMachine() {
  ::munmap(base_, size_);
  ::close(fd_);
}

std::optional<std::span<std::byte>> FakeMachine::memory(uint64_t gpa, size_t length) {
  if (gpa > size_ || length > size_ - gpa) return std::nullopt;
  return std::span(base_ + gpa, length);
}

std::unique_ptr<host::Mapping> FakeMachine::map_pages(std::span<const uint64_t> frames) {
  if (frames.empty()) return nullptr;
  for (const uint64_t frame : frames) {
    if (frame >= size_ / kPageSize) return nullptr;
  }
  const size_t size = frames.size() * kPageSize;
  void* area = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return nullptr;
  auto* base = static_cast<std::byte*>(area);
  for (size_t i = 0; i < frames.size(); i++) {
    void* page = ::mmap(base + i * kPageSize, kPageSize, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, fd_, static_cast<off_t>(frames[i] * kPageSize));
    if (page == MAP_FAILED) {
      ::munmap(base, size);
      return nullptr;
    }
  }
  return std::make_unique<Pages>(*this, base, size);
}

bool FakeMachine::post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                               std::span<const std::byte> payload) {
  const std::lock_guard lock(mutex_);
  if (vp >= vp_count_ || messages_.size() >= message_limit_) return false;
  messages_.push_back({vp, sint, message_type, {payload.begin(), payload.end()}});
  return true;
}

void FakeMachine::drop_messages() {
  const std::lock_guard lock(mutex_);
  messages_.clear();
}

void FakeMachine::signal_event(uint32_t vp, uint32_t sint, uint32_t flag) {
  std::unique_lock lock(mutex_);
  if (on_event_) {
    const auto call = on_event_;
    lock.unlock();
    call({vp, sint, flag});
    return;
  }
  events_.push_back({vp, sint, flag});
  event_came_.notify_all();
}

bool FakeMachine::bind_signal(uint32_t connection_id, int event_fd) {
  const std::lock_guard lock(mutex_);
  if (event_fd < 0) {
    signals_.erase(connection_id);
    return true;
  }
  return signals_.emplace(connection_id, event_fd).second;
}

bool FakeMachine::signal_host(uint32_t connection_id) {
  const std::lock_guard lock(mutex_);
  const auto at = signals_.find(connection_id);
  if (at == signals_.end()) return false;
  const uint64_t one = 1;
  return ::write(at->second, &one, sizeof(one)) == sizeof(one);
}

std::optional<FakeMachine::Posted> FakeMachine::take_message() {
  const std::lock_guard lock(mutex_);
  if (messages_.empty()) return std::nullopt;
  Posted message = std::move(messages_.front());
  messages_.erase(messages_.begin());
  return message;
}

std::vector<FakeMachine::Event> FakeMachine::take_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

bool FakeMachine::wait_event() {
  std::unique_lock lock(mutex_);
  return event_came_.wait_for(lock, std::chrono::minutes(5), [this] { return !events_.empty(); });
}

void FakeMachine::on_event(std::function<void(Event)> call) {
  const std::lock_guard lock(mutex_);
  on_event_ = std::move(call);
}

void FakeMachine::limit_messages(size_t count) {
  const std::lock_guard lock(mutex_);
  message_limit_ = count;
}

size_t FakeMachine::mappings() const {
  const std::lock_guard lock(mutex_);
  return mappings_;
}

size_t FakeMachine::bound() const {
  const std::lock_guard lock(mutex_);
  return signals_.size();
}

}  // namespace hv::test
