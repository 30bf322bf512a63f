# SPDX-License-Identifier: GPL-2.0-only OR MIT
# For tests in which one kernel starts another: the second goes on with the tests behind the one
# that started it. Its kernel is on LUN 5, the initramfs that both have on LUN 6.

# load_next TEST OPTIONS...: loads the next kernel, which goes on behind TEST, by kexec with
# OPTIONS. Leaves the tools mounted.
load_next() {
  local test=$1 tree=/tmp/next
  shift
  mount_tools
  mkdir -p $tree
  { echo "AFTER=$test"; cat /tests; } >$tree/resume
  cat "$(scsi 5)" >/tmp/kernel
  # The kernel unpacks several archives one behind the other, and steps over zeros between them.
  { cat "$(scsi 6)"; (cd $tree && echo resume | cpio -o -H newc 2>/dev/null); } >/tmp/initrd
  tool kexec --initrd=/tmp/initrd "$@" /tmp/kernel
  rm -f /tmp/kernel /tmp/initrd
}

# in_kernel NAME: what follows is of that kernel, and says nothing when another runs it because the
# step before failed.
in_kernel() {
  grep -q "enlighten.kernel=$1" /proc/cmdline ||
    fail "this is not the $1 kernel: $(cat /proc/cmdline)"
}

expected_drivers() {
  local module
  for module in hv_vmbus hv_storvsc; do
    if wanted $module; then
      ours $module || fail "$module is not ours"
    else
      ! ours $module || fail "$module is ours"
    fi
  done
}
