// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Puts a small XDP program on an interface, or takes it away: what the guest's tests need of
// bpftool and a compiler.
//   xdp INTERFACE pass|drop|aborted|tx|redirect=INTERFACE|off
// The program is native (XDP_FLAGS_DRV_MODE), and stays when this ends. Fails with what the kernel
// says.
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace {

using Program = std::vector<bpf_insn>;

bpf_insn move(uint8_t to, int32_t value) {
  bpf_insn insn{
      .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = value};
  insn.dst_reg = to & 15;
  return insn;
}
bpf_insn call(int32_t function) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = function};
}
bpf_insn leave() {
  return {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
}

Program answer(xdp_action action) { return {move(BPF_REG_0, action), leave()}; }

unsigned index_of(const char* name) {
  const unsigned index = if_nametoindex(name);
  if (index == 0) std::fprintf(stderr, "xdp: no interface %s\n", name);
  return index;
}

std::optional<Program> program_of(std::string_view what) {
  constexpr std::string_view kRedirect = "redirect=";
  if (what == "pass") return answer(XDP_PASS);
  if (what == "drop") return answer(XDP_DROP);
  if (what == "aborted") return answer(XDP_ABORTED);
  if (what == "tx") return answer(XDP_TX);
  if (what.starts_with(kRedirect)) {
    const unsigned to = index_of(what.data() + kRedirect.size());
    if (to == 0) return std::nullopt;
    return Program{move(BPF_REG_1, static_cast<int32_t>(to)), move(BPF_REG_2, 0),
                   call(BPF_FUNC_redirect), leave()};
  }
  std::fprintf(stderr, "xdp: pass, drop, aborted, tx, redirect=INTERFACE or off\n");
  return std::nullopt;
}

/// Its file descriptor, or -1.
int load(const Program& program) {
  std::array<char, 4096> log{};
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_XDP;
  attr.insns = reinterpret_cast<uintptr_t>(program.data());
  attr.insn_cnt = static_cast<uint32_t>(program.size());
  attr.license = reinterpret_cast<uintptr_t>("GPL");
  attr.log_buf = reinterpret_cast<uintptr_t>(log.data());
  attr.log_size = log.size();
  attr.log_level = 1;
  const long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
  if (fd < 0)
    std::fprintf(stderr, "xdp: the program does not load: %s\n%s", std::strerror(errno),
                 log.data());
  return static_cast<int>(fd);
}

/// RTM_SETLINK with IFLA_XDP.
struct Request {
  nlmsghdr header;
  ifinfomsg link;
  rtattr xdp;
  rtattr fd_head;
  int32_t fd;
  rtattr flags_head;
  uint32_t flags;
};

Request request_of(unsigned index, int fd) {
  Request request{};
  request.header = {.nlmsg_len = sizeof(request),
                    .nlmsg_type = RTM_SETLINK,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                    .nlmsg_seq = 1,
                    .nlmsg_pid = 0};
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = static_cast<int>(index);
  request.xdp = {.rta_len = static_cast<unsigned short>(sizeof(request) - offsetof(Request, xdp)),
                 .rta_type = NLA_F_NESTED | IFLA_XDP};
  request.fd_head = {.rta_len = sizeof(rtattr) + sizeof(int32_t), .rta_type = IFLA_XDP_FD};
  request.fd = fd;
  request.flags_head = {.rta_len = sizeof(rtattr) + sizeof(uint32_t), .rta_type = IFLA_XDP_FLAGS};
  request.flags = XDP_FLAGS_DRV_MODE;
  return request;
}

/// What the kernel says beside the number of an error; with NETLINK_CAP_ACK it stands right behind
/// it.
const char* message_of(const char* at, const char* end) {
  while (end - at >= static_cast<long>(sizeof(nlattr))) {
    nlattr head;
    std::memcpy(&head, at, sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > end - at) return "";
    if ((head.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) return at + sizeof(head);
    at += NLA_ALIGN(head.nla_len);
  }
  return "";
}

int put(const Request& request) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  const int on = 1;
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  alignas(nlmsghdr) std::array<char, 8192> answer{};
  if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0) {
    std::perror("xdp: netlink");
    return 1;
  }
  const ssize_t size = recv(fd, answer.data(), answer.size() - 1, 0);
  close(fd);
  constexpr size_t kHead = NLMSG_HDRLEN + sizeof(nlmsgerr);
  if (size < static_cast<ssize_t>(kHead)) {
    std::fprintf(stderr, "xdp: netlink gives no answer\n");
    return 1;
  }
  nlmsgerr error;
  std::memcpy(&error, answer.data() + NLMSG_HDRLEN, sizeof(error));
  if (error.error == 0) return 0;
  std::fprintf(stderr, "xdp: %s: %s\n", std::strerror(-error.error),
               message_of(answer.data() + kHead, answer.data() + size));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: xdp INTERFACE pass|drop|aborted|tx|redirect=INTERFACE|off\n");
    return 2;
  }
  const unsigned index = index_of(argv[1]);
  if (index == 0) return 1;
  if (std::string_view(argv[2]) == "off") return put(request_of(index, -1));
  const auto program = program_of(argv[2]);
  if (!program) return 2;
  const int fd = load(*program);
  return fd < 0 ? 1 : put(request_of(index, fd));
}
