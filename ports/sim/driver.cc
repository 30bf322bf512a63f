// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/driver.hpp"

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"

namespace hv::sim {

using hv::vmbus::Gpadl;

namespace {
constexpr uint32_t kRingPages = 4;    ///< both rings: a control page and a page of data each
constexpr uint32_t kExtraPages = 40;  ///< takes a GPADL body
constexpr hv::vmbus::Time kDrainLimit = 180'000;
}  // namespace

Driver::Driver(Kernel& kernel, hv::vmbus::Channel& channel, unsigned requests)
    : ChannelDriver(channel), kernel_(kernel), wanted_(requests), packet_buffer_(65536) {}

void Driver::stop(bool release) {
  stopping_ = true;
  releasing_ = releasing_ || release;
  if (state_ == State::Idle && releasing_) state_ = State::Unregister;
}

std::unique_ptr<ChannelDriver> Driver::driver_of(hv::vmbus::Channel& sub_channel) {
  return std::make_unique<Driver>(kernel_, sub_channel, 4 + kernel_.rng().below(16));
}

const char* Driver::stuck() const {
  if (waits_for_host()) return "a driver waits for the host";
  if (!io_done() && state_ == State::Running)
    return "requests are not completed: a wake-up was lost";
  return state_ == State::Drain ? "requests are not completed while closing: a wake-up was lost"
                                : nullptr;
}

void Driver::start_again() {
  stopping_ = false;
  wanted_ += 8;
  attempts_ = 0;
  if (state_ == State::Idle) state_ = State::Share;
}

bool Driver::runnable() const {
  switch (state_) {
    case State::WaitRing:
    case State::WaitOpen:
    case State::WaitBuffer:
    case State::WaitTeardown:
      return !waiter_.waiting;
    case State::Running:
      return stopping_ || channel_.rescinded() || broken_ ||
             (submitted_ < wanted_ && in_flight_ < flight_.size() && !blocked_);
    case State::Drain:
      return in_flight_ == 0 || broken_ || drain_over_ || channel_.rescinded();
    case State::Close:
      return !kernel_.sub_drivers_in_use(channel_);  // a primary closes after its sub-channels
    case State::Unregister:
    case State::Release:
      return !kernel_.has_sub_drivers(channel_);
    case State::Idle:
    case State::Finished:
      return false;
    default:
      return true;
  }
}

bool Driver::allocate(Buffer& buffer, uint32_t pages) {
  if (kernel_.allocation_fails()) return false;
  const auto first = kernel_.memory().allocate(pages);
  if (!first) return false;
  buffer.first = *first;
  buffer.pages = pages;
  buffer.frames.clear();
  for (uint32_t i = 0; i < pages; i++) buffer.frames.push_back(*first + i);
  if (kernel_.profile().isolated) kernel_.memory().set_shared(*first, pages, true);
  return true;
}

void Driver::create(Buffer& buffer) {
  auto begun =
      kernel_.connection().create_gpadl(channel_, buffer.gpadl, buffer.frames, buffer.pages * 4096,
                                        0, waiter_.request, kernel_.now());
  if (begun) {
    kernel_.wait(waiter_);
  } else {
    waiter_.result.ok = false;
    waiter_.result.error = begun.error();
  }
}

/// Memory goes back when the host does not have it; otherwise when it says so.
void Driver::give_back(std::unique_ptr<Buffer>& buffer) {
  if (!buffer) return;
  if (!kernel_.connection().take_back(buffer->gpadl) && !HV_MUTANT(18)) {
    kernel_.keep_until_released(std::move(buffer));
  } else {
    kernel_.hand_back(std::move(buffer));
  }
  buffer.reset();
}

void Driver::device_put() {
  if (--device_.references == 0) device_.gone = true;
  if (device_.references < 0) fail("a device put once too often");
}

void Driver::step() {
  auto& connection = kernel_.connection();
  const bool stop = stopping_ || channel_.rescinded();
  switch (state_) {
    case State::New:
      device_.references = 1;
      if (stop) {
        state_ = State::Unregister;
      } else if (kernel_.allocation_fails()) {
        // Registering the device failed: its last reference frees it, nobody else does.
        device_put();
        if (HV_MUTANT(23)) device_put();
        state_ = State::Release;
      } else {
        registered_ = true;
        device_.references++;
        state_ = State::Share;
      }
      break;
    case State::Share:
      if (stop || attempts_++ > 3) {
        state_ = State::Free;
        break;
      }
      ring_ = std::make_unique<Buffer>();
      if (!allocate(*ring_, kRingPages)) {
        ring_.reset();
        state_ = State::Free;
        break;
      }
      for (const uint32_t offset : {0u, 2u}) {
        auto memory = hv::vmbus::RingMemory::create(
            {kernel_.memory().at(ring_->first + offset), 2 * Memory::kPage});
        memory.value().reset();
      }
      state_ = State::CreateRing;
      break;
    case State::CreateRing:
      create(*ring_);
      state_ = State::WaitRing;
      break;
    case State::WaitRing:
      state_ = !waiter_.result.ok ? State::Free : stop ? State::Teardown : State::ChooseCpu;
      break;
    case State::ChooseCpu:
      cpu_ = kernel_.any_cpu();
      state_ = State::Open;
      break;
    case State::Open: {
      if (stop) {
        state_ = State::Teardown;
        break;
      }
      // Choosing and listing are one: the CPU may have gone in between.
      if (!kernel_.cpu_usable(cpu_) && !HV_MUTANT(12)) cpu_ = kernel_.any_cpu();
      in_.emplace(hv::vmbus::RingReader::create(
                      hv::vmbus::RingMemory::create(
                          {kernel_.memory().at(ring_->first + 2), 2 * Memory::kPage})
                          .value())
                      .value());
      out_.emplace(
          hv::vmbus::RingWriter::create(
              hv::vmbus::RingMemory::create({kernel_.memory().at(ring_->first), 2 * Memory::kPage})
                  .value())
              .value());
      callback_set_ = true;
      sleeping_ = true;
      blocked_ = broken_ = tasklet_ = signal_pending_ = false;
      auto begun =
          connection.open(channel_, ring_->gpadl, 2, cpu_, {}, waiter_.request, kernel_.now());
      if (!begun) {
        callback_set_ = false;
        state_ = State::Teardown;
        break;
      }
      kernel_.used_cpu(cpu_);
      kernel_.wait(waiter_);
      state_ = State::WaitOpen;
      break;
    }
    case State::WaitOpen:
      state_ = waiter_.result.ok ? State::CreateBuffer : State::Teardown;
      if (!waiter_.result.ok) callback_set_ = false;
      break;
    case State::CreateBuffer:
      if (stop || kernel_.rng().chance(600)) {
        state_ = State::Running;
        break;
      }
      extra_ = std::make_unique<Buffer>();
      if (!allocate(*extra_, kExtraPages)) {
        extra_.reset();
        state_ = State::Running;
        break;
      }
      create(*extra_);
      state_ = State::WaitBuffer;
      break;
    case State::WaitBuffer:
      if (!waiter_.result.ok) give_back(extra_);
      state_ = State::Running;
      break;
    case State::Running:
      if (stop || broken_) {
        state_ = State::Drain;
        kernel_.stop_sub_drivers(channel_, releasing_ || channel_.rescinded());
        drain_deadline_ = kernel_.now() + kDrainLimit;
      } else {
        submit();
      }
      break;
    case State::Drain:
      drain_deadline_.reset();
      drain_over_ = false;
      fail_requests();
      state_ = State::Close;
      break;
    case State::Close:
      callback_set_ = tasklet_ = signal_pending_ = false;
      (void)connection.close(channel_);
      state_ = State::Teardown;
      break;
    case State::Teardown:
    case State::WaitTeardown: {
      // The extra buffer first, then the ring.
      if (state_ == State::WaitTeardown && !waiter_.result.ok &&
          waiter_.result.error == Error::Exhausted && attempts_++ < 20) {
        state_ = State::Teardown;  // the host was not told: again
      } else if (state_ == State::WaitTeardown) {
        give_back(extra_ ? extra_ : ring_);
      }
      auto& buffer = extra_ ? extra_ : ring_;
      if (!buffer) {
        state_ = State::Free;
        break;
      }
      auto begun = connection.teardown_gpadl(buffer->gpadl, &waiter_.request, kernel_.now());
      if (begun) {
        kernel_.wait(waiter_);
        state_ = State::WaitTeardown;
      } else {
        give_back(buffer);
        state_ = State::Teardown;
      }
      break;
    }
    case State::Free:
      give_back(extra_);
      give_back(ring_);
      in_.reset();
      out_.reset();
      state_ = stop && (releasing_ || channel_.rescinded()) ? State::Unregister : State::Idle;
      kernel_.log()("relid %u idle", channel_.relid());
      break;
    case State::Unregister:
      // Whoever takes the device away needs it until he is done: his reference goes last.
      if (registered_) device_put();
      registered_ = false;
      if (HV_MUTANT(7)) device_put();
      if (device_.gone) fail("a device used after its last reference was given back");
      if (!HV_MUTANT(7)) device_put();
      state_ = State::Release;
      break;
    case State::Release: {
      // Refused while there is a sub-channel that we have not heard of yet.
      if (connection.release(channel_)) state_ = State::Finished;
      break;
    }
    case State::Idle:
    case State::Finished:
      break;
  }
}

}  // namespace hv::sim
