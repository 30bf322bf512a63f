// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hv::lab {

/// What the two ends of a link tell each other: a header, then `length` bytes, of Data alone.
struct FrameHeader {
  enum class Kind : uint32_t {
    Open = 1,  ///< a connection with a number that was never used
    Data = 2,
    End = 3,   ///< no more bytes come this way
    Gone = 4,  ///< nor are any taken
  };
  uint32_t connection;
  Kind kind;
  uint32_t length;
};
static_assert(sizeof(FrameHeader) == 12);
inline constexpr size_t kMostData = 65536;  ///< bytes of one frame

/// A frame taken off the front of what has come.
struct LinkFrame {
  FrameHeader header;
  std::string_view data;
  size_t size;  ///< header included
};
enum class FrameError : uint8_t { Incomplete, Nonsense };
/// The first frame in `bytes`; `error` says why there is none. Pure.
std::optional<LinkFrame> first_frame(std::string_view bytes, FrameError& error);

/// Many connections over one link, each with both directions and the end of each; one of these at
/// either end of it. Connections begin at the end with the listener. Concurrency: one thread.
class Mux {
 public:
  /// Gives a connected socket for a new connection, or -1: not yet.
  using Connect = std::function<int()>;

  /// `link` is of any kind that can be polled; it is not closed. `listener`: a listening socket, or
  /// -1 at the end that connects. The process ignores SIGPIPE.
  Mux(int link, int listener, Connect connect);
  ~Mux();
  Mux(const Mux&) = delete;
  Mux& operator=(const Mux&) = delete;

  /// Serves until the link ends. False: what came over it was nonsense.
  bool run();

 private:
  struct Peer {
    int fd = -1;  ///< -1: not connected yet
    std::string out;
    bool read_ended = false;   ///< the link was told
    bool write_ended = false;  ///< by the link; shut as soon as `out` is empty
    bool shut = false;
  };
  void tell(uint32_t connection, FrameHeader::Kind kind, std::string_view data = {});
  bool take_link();
  bool take_frames();
  void take_frame(const LinkFrame& frame);
  bool write_link();
  void accept_peer();
  void connect_waiting();
  /// Each returns false when the peer is to go.
  bool read_peer(uint32_t connection, Peer& peer);
  bool write_peer(Peer& peer);
  void drop(uint32_t connection);

  const int link_;
  const int listener_;
  const Connect connect_;
  std::string in_;
  std::string out_;
  std::map<uint32_t, Peer> peers_;
  uint32_t next_ = 1;
};

}  // namespace hv::lab
