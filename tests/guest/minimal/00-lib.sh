# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Runs in the minimal guest. What the tests use; then each test is a function test_NAME, run in the order of its file.
# Lines for the node start with '@': `@begin NAME`, `@end NAME passed|failed SECONDS`, `@host METHOD key=value...`.
export PATH=/tools/bin:$PATH

SCSI=ba6163d9-04a1-4d29-b605-72e2ffb1dc7f
IDE=32412632-86cb-44a2-9b5c-50d1417354f5
NET=f8615163-df3e-46c5-913f-f2d2f965ed0e
NIC0=00:15:5d:00:00:10
NIC1=00:15:5d:00:00:11

now() { cut -d ' ' -f 1 /proc/uptime; }
fail() { echo "$*"; exit 1; }
# What cannot be tested here, and why.
skip() { echo "$*"; exit 77; }

# Whether the module of that name is loaded, and ours.
ours() { case $(cat "/sys/module/$1/version" 2>/dev/null) in enlighten-*) ;; *) return 1 ;; esac; }
# Whether DRIVERS asks for our module of that name.
wanted() {
  case ",$DRIVERS," in
    *",$1=enlighten,"*) ;;
    *",$1=inbox,"*) return 1 ;;
    # What "enlighten" does not mean yet (lab/lib/drivers.sh).
    ",enlighten,"*) [ "$1" != hv_netvsc ] || return 1 ;;
    *) return 1 ;;
  esac
}

# within SECONDS COMMAND...: waits until it succeeds.
within() {
  local end
  end=$(($(now | cut -d . -f 1) + $1))
  shift
  until "$@"; do
    [ "$(now | cut -d . -f 1)" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# device CLASS LUN: the block device (sda, sr0) at that LUN of a controller of that class; empty if there is none.
device() {
  local vmbus block
  for vmbus in /sys/bus/vmbus/devices/*; do
    grep -q "$1" "$vmbus/class_id" || continue
    for block in "$vmbus"/host*/target*/*:"$2"/block/*; do
      [ ! -e "$block" ] || { basename "$block"; return 0; }
    done
  done
  return 1
}
# nic MAC: the interface with that address; fails if there is none.
nic() { grep -lix "$1" /sys/bus/vmbus/devices/*/net/*/address 2>/dev/null | sed 's,/address$,,; s,.*/,,' | grep .; }
answers() { ping -A -q -c 3 -W 10 "$@"; }
scsi() { within 30 device $SCSI "$1" >/dev/null; echo "/dev/$(device $SCSI "$1")"; }
sectors() { cat "/sys/block/${1#/dev/}/size"; }
tool() { # fio and its libraries live on a disk of their own
  LD_LIBRARY_PATH=/tools/lib "$@"
}
mount_tools() { [ -d /tools/bin ] || { mkdir -p /tools && mount -o ro "$(scsi 3)" /tools; }; }

run_test() { # in a subshell: a test that fails ends alone
  local name=$1 start status=passed
  echo "@begin $name"
  start=$(now)
  (set -e; "test_$name") >/tmp/log 2>&1
  case $? in 0) ;; 77) status=skipped ;; *) status=failed ;; esac
  kernel_is_calm >>/tmp/log 2>&1 || { status=failed; dmesg -c >>/tmp/log; }
  [ "$status" = passed ] || tail -n 60 /tmp/log | sed 's/^@/ @/'
  [ "$status" != failed ] || dmesg | tail -n 30
  echo "@end $name $status $(echo "$(now) $start" | awk '{ print $1 - $2 }')"
}
# What a test writes goes to a log; what it asks of the node has to get out.
exec 4>&1
ask_host() { echo "@host $*" >&4; }
