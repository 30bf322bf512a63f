// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <map>
#include <string>
#include <thread>

#include "host/control/rpc.hpp"

namespace hv::host::control {

/// Serves JSON-RPC 2.0 on a Unix socket: one request a line (or the rest when the client stops
/// writing), one answer a line. One thread, several clients; methods run in that thread. The socket
/// file is of mode 0600 and goes away with the object.
class ControlSocket {
 public:
  static constexpr size_t kRequestLimit =
      1u << 20;  ///< bytes of one request; a longer one is refused and the client dropped
  static constexpr size_t kAnswerLimit =
      16u << 20;  ///< bytes that wait for a client that does not read; then it is dropped
  static constexpr size_t kClientLimit = 32;

  /// Listens at once. A socket file that nobody serves any more is replaced. Throws
  /// std::runtime_error naming `path`: someone else serves it, it is no socket, it cannot be made.
  ControlSocket(std::string path, Methods& methods);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  struct Client {
    std::string in;
    std::string out;
    bool ending = false;  ///< no more requests: what is answered is sent, then it is closed
  };
  void listen();
  void serve();
  void accept_client();
  bool read_from(int fd, Client& client);
  void answer_lines(Client& client);
  bool write_to(int fd, Client& client);
  void end(int fd);

  std::string path_;
  Methods& methods_;
  int listener_ = -1;
  int stop_ = -1;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  std::map<int, Client> clients_;
  std::thread thread_;
};

}  // namespace hv::host::control
