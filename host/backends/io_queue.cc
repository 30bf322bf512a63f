// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/io_queue.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace hv::host {
namespace {

/// A buffered write copies into the page cache. io_uring hands it to a worker thread, which costs
/// about as much again and takes each out of its batch; above this size a worker is worth it.
constexpr uint64_t kWriteHere = 64 * 1024;

bool at_once(const BlockIo& io) {
  switch (io.kind) {
    case BlockIo::Kind::Read:
    case BlockIo::Kind::Flush:
      return false;
    case BlockIo::Kind::Write:
      return !io.durable && io.length <= kWriteHere;
    case BlockIo::Kind::Punch:
    case BlockIo::Kind::Zero:
      return true;  // falls back to writing zeros, and the backend knows how
  }
  return false;
}

bool needs_retry(int64_t result) { return result == -EINTR || result == -EAGAIN; }

}  // namespace

IoQueue::IoQueue(bool allow_uring) {
  if (!allow_uring) return;
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = 8 * kEntries;
  int result = io_uring_queue_init_params(kEntries, &ring_, &params);
  if (result == -EINVAL) {  // before Linux 6.1
    params = {};
    params.flags =
        IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;  // completions come without being asked for
    params.cq_entries = 8 * kEntries;
    result = io_uring_queue_init_params(kEntries, &ring_, &params);
  }
  uring_ = result == 0;
}

IoQueue::~IoQueue() {
  if (!uring_) return;
  for (Watch& watch : watches_) {
    if (!watch.armed) continue;
    io_uring_sqe* cancel = entry();
    io_uring_prep_cancel64(cancel, watch.token, 0);
    cancel->user_data = kInternal;
  }
  // The kernel writes the count into this object: it must have let go of it first.
  while (watches_[0].armed || watches_[1].armed) {
    const bool first = watches_[0].armed, second = watches_[1].armed;
    const int result = io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR) break;
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
      if (first && cqe->user_data == watches_[0].token) watches_[0].armed = false;
      if (second && cqe->user_data == watches_[1].token) watches_[1].armed = false;
      io_uring_cqe_seen(&ring_, cqe);
    }
  }
  io_uring_queue_exit(&ring_);
}

io_uring_sqe* IoQueue::entry() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (!sqe) {
    system_calls_++;
    io_uring_submit(&ring_);
    queued_ = 0;
    sqe = io_uring_get_sqe(&ring_);
  }
  queued_++;
  return sqe;
}

void IoQueue::note(uint64_t token, int64_t result) { ready_.push_back({token, result}); }

void IoQueue::submit(BlockBackend& backend, const BlockIo& io, uint64_t token) {
  const int fd = backend.descriptor();
  if (!uring_ || fd < 0 || at_once(io)) {
    int64_t result = 0;
    do {
      result = backend.perform(io);
    } while (needs_retry(result));
    note(token, result);
    return;
  }
  io_uring_sqe* sqe = entry();
  // More than that is a short transfer, which the caller goes on with.
  const auto count = static_cast<unsigned>(std::min<size_t>(io.buffers.size(), IOV_MAX));
  switch (io.kind) {
    case BlockIo::Kind::Read:
      if (count == 1) {
        io_uring_prep_read(sqe, fd, io.buffers[0].iov_base,
                           static_cast<unsigned>(io.buffers[0].iov_len), io.offset);
      } else {
        io_uring_prep_readv(sqe, fd, io.buffers.data(), count, io.offset);
      }
      break;
    case BlockIo::Kind::Write:
      if (count == 1) {
        io_uring_prep_write(sqe, fd, io.buffers[0].iov_base,
                            static_cast<unsigned>(io.buffers[0].iov_len), io.offset);
      } else {
        io_uring_prep_writev(sqe, fd, io.buffers.data(), count, io.offset);
      }
      if (io.durable) sqe->rw_flags = RWF_DSYNC;
      break;
    case BlockIo::Kind::Flush:
    case BlockIo::Kind::Punch:
    case BlockIo::Kind::Zero:
      io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
      break;
  }
  sqe->user_data = token;
}

void IoQueue::watch(int event_fd, uint64_t token) {
  for (Watch& watch : watches_) {
    if (watch.fd >= 0) continue;
    watch.fd = event_fd;
    watch.token = token;
    // The ring's read waits for the first signal only where the descriptor would.
    if (uring_) ::fcntl(event_fd, F_SETFL, ::fcntl(event_fd, F_GETFL) & ~O_NONBLOCK);
    return;
  }
}

void IoQueue::arm(Watch& watch) {
  io_uring_sqe* sqe = entry();
  io_uring_prep_read(sqe, watch.fd, &watch.count, sizeof(watch.count), 0);
  sqe->user_data = watch.token;
  watch.armed = true;
}

void IoQueue::reap() {
  io_uring_cqe* cqe = nullptr;
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    seen++;
    if (cqe->user_data == kInternal) continue;
    Watch* watched = nullptr;
    for (Watch& watch : watches_) {
      if (watch.armed && watch.token == cqe->user_data) watched = &watch;
    }
    if (!watched) {
      events_.push_back({cqe->user_data, cqe->res});
      continue;
    }
    watched->armed = false;
    if (cqe->res == sizeof(watched->count))
      events_.push_back({watched->token, static_cast<int64_t>(watched->count)});
  }
  io_uring_cq_advance(&ring_, seen);
}

std::span<const IoQueue::Event> IoQueue::collect(bool wait) {
  events_.clear();
  events_.swap(ready_);
  if (!uring_) {
    collect_without_uring(wait && events_.empty());
    return events_;
  }
  while (true) {
    const bool block = wait && events_.empty();
    if (block) {
      for (Watch& watch : watches_) {
        if (watch.fd >= 0 && !watch.armed) arm(watch);
      }
    }
    if (block || queued_ > 0 ||
        (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) &
         (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))) {
      system_calls_++;
      const int result =
          block ? io_uring_submit_and_wait(&ring_, 1) : io_uring_submit_and_get_events(&ring_);
      if (result >= 0) queued_ = 0;
    }
    reap();
    if (!wait || !events_.empty()) return events_;
  }
}

void IoQueue::collect_without_uring(bool wait) {
  std::array<pollfd, 2> fds{};
  nfds_t count = 0;
  for (const Watch& watch : watches_) {
    if (watch.fd >= 0) fds[count++] = {watch.fd, POLLIN, 0};
  }
  do {
    system_calls_++;
    if (::poll(fds.data(), count, wait ? -1 : 0) <= 0) continue;
    for (nfds_t i = 0; i < count; i++) {
      if (!(fds[i].revents & POLLIN)) continue;
      uint64_t value = 0;
      if (::read(fds[i].fd, &value, sizeof(value)) == sizeof(value)) {
        events_.push_back({watches_[i].token, static_cast<int64_t>(value)});
      }
    }
  } while (wait && events_.empty());
}

}  // namespace hv::host
