// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The guest's half of `--exec`: takes one command over the second serial port, runs it by /bin/sh,
// sends back what it writes and its exit status, then powers the guest off. With --run it takes
// none: a kernel that was started by another goes on with what the first was told. A frame is a
// type byte, a little-endian length and a payload.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kMagic = "\nENLIGHTEN-AGENT 1\n";
constexpr size_t kMaxPayload =
    1 << 20;  ///< bytes; the longest command or input frame that is taken

struct Frame {
  char type;
  std::string payload;
};

void write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) {
      data += written;
      size -= static_cast<size_t>(written);
    }
  }
}

void send(int tty, char type, std::string_view payload) {
  std::string frame(1, type);
  for (int shift = 0; shift < 32; shift += 8)
    frame.push_back(static_cast<char>(payload.size() >> shift));
  frame.append(payload);
  write_all(tty, frame.data(), frame.size());
}

/// Takes bytes as they come and gives whole frames.
class FrameReader {
 public:
  void push(std::string_view bytes) { buffer_.append(bytes); }
  bool take(Frame& frame) {
    if (buffer_.size() < 5) return false;
    uint32_t length = 0;
    for (int i = 0; i < 4; ++i)
      length |= static_cast<uint32_t>(static_cast<unsigned char>(buffer_[1 + i])) << (8 * i);
    if (length > kMaxPayload) {
      buffer_.clear();
      return false;
    }
    if (buffer_.size() < 5 + length) return false;
    frame = {buffer_[0], buffer_.substr(5, length)};
    buffer_.erase(0, 5 + length);
    return true;
  }

 private:
  std::string buffer_;
};

int open_tty(const char* path) {
  const int tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (tty < 0) return -1;
  termios settings{};
  if (tcgetattr(tty, &settings) == 0) {
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL;
    cfsetspeed(&settings, B115200);
    tcsetattr(tty, TCSANOW, &settings);
  }
  return tty;
}

/// Reads from the port once and queues what came; false at its end.
bool fill(int tty, FrameReader& reader) {
  std::array<char, 4096> bytes;
  const ssize_t count = read(tty, bytes.data(), bytes.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  reader.push({bytes.data(), static_cast<size_t>(count)});
  return count > 0;
}

struct Child {
  pid_t pid;
  int in, out, err;
};

Child spawn(const std::string& command) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    return {-1, -1, -1, -1};
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  return {pid, in[1], out[0], err[0]};
}

/// Sends what a pipe holds; closes it at its end.
void forward(int tty, int& fd, char type) {
  std::array<char, 16384> bytes;
  const ssize_t count = read(fd, bytes.data(), bytes.size());
  if (count > 0) {
    send(tty, type, {bytes.data(), static_cast<size_t>(count)});
  } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
    close(fd);
    fd = -1;
  }
}

/// Runs the command to its end. A process it leaves in the background does not hold it up.
int run(int tty, FrameReader& reader, const std::string& command) {
  Child child = spawn(command);
  if (child.pid < 0) return 126;
  bool ended = false;
  int status = 0;
  while (true) {
    for (Frame frame; reader.take(frame);) {
      if (frame.type == 'I' && child.in >= 0)
        write_all(child.in, frame.payload.data(), frame.payload.size());
      if (frame.type == 'E' && child.in >= 0) {
        close(child.in);
        child.in = -1;
      }
    }
    std::array<pollfd, 3> polled{
        {{child.out, POLLIN, 0}, {child.err, POLLIN, 0}, {tty, POLLIN, 0}}};
    const int ready = poll(polled.data(), polled.size(), ended ? 50 : 200);
    if (polled[0].revents != 0) forward(tty, child.out, 'O');
    if (polled[1].revents != 0) forward(tty, child.err, 'F');
    if ((polled[2].revents & POLLIN) != 0) fill(tty, reader);
    if (ended && (ready == 0 || (child.out < 0 && child.err < 0))) break;
    if (!ended && waitpid(child.pid, &status, WNOHANG) == child.pid) ended = true;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int shell(const std::string& command) {
  const Child child = spawn(command);
  int status = 0;
  if (child.pid > 0) waitpid(child.pid, &status, 0);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::string wait_command, off_command, run_command;
  const char* path = "/dev/ttyS1";
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--wait" && i + 1 < argc) {
      wait_command = argv[++i];
    } else if (option == "--run" && i + 1 < argc) {
      run_command = argv[++i];
    } else if (option == "--off" && i + 1 < argc) {
      off_command = argv[++i];
    } else if (option.starts_with("/")) {
      path = argv[i];
    } else {
      fprintf(stderr,
              "usage: enlighten-agent [--wait COMMAND] [--off COMMAND] [--run COMMAND] [TTY]\n");
      return 2;
    }
  }
  signal(SIGPIPE, SIG_IGN);
  const int tty = open_tty(path);
  if (tty < 0) {
    fprintf(stderr, "enlighten-agent: cannot open %s: %s\n", path, strerror(errno));
    return 1;
  }
  if (!wait_command.empty()) shell(wait_command);
  FrameReader reader;
  Frame frame{'C', run_command};
  if (run_command.empty()) {
    write_all(tty, kMagic.data(), kMagic.size());
    send(tty, 'R', {});
    frame.type = 0;
  }
  while (frame.type != 'C') {
    if (!reader.take(frame) && !fill(tty, reader)) return 1;
  }
  const auto status = static_cast<uint32_t>(run(tty, reader, frame.payload));
  std::string payload;
  for (int shift = 0; shift < 32; shift += 8) payload.push_back(static_cast<char>(status >> shift));
  send(tty, 'X', payload);
  tcdrain(tty);
  if (!off_command.empty()) shell(off_command);
  return 0;
}
