// SPDX-License-Identifier: GPL-2.0-only OR MIT
// In the nested machine: holds a virtual machine of KVM that never runs, and creates FILE when it is there. `hold FILE`.
//
// KVM switches branches in the kernel's text (static keys) when its first virtual machine comes and when its last one goes.
// QEMU before 8.1 may translate such an instruction on one emulated CPU while another CPU rewrites it, and then keeps the
// old one for good. With the branch in the scheduler that tells KVM of a vCPU's thread leaving its CPU, vCPUs then run on with the
// state of others: guests die of triple faults, and sometimes the machine under them. Held from before the second CPU
// starts, these branches are switched once, with nobody looking.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: hold FILE\n", stderr);
    return 2;
  }
  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) != 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0) {
    std::perror("hold: a virtual machine of KVM");
    return 1;
  }
  if (open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0) {
    std::perror(argv[1]);
    return 1;
  }
  for (;;) pause();
}
