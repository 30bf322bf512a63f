# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Runs in the minimal guest. What the tests use; then each test is a function test_NAME, run in the
# order of its file.
# Lines for the node start with '@': `@begin NAME`, `@end NAME passed|failed SECONDS`,
# `@host METHOD key=value...`.
export PATH=/tools/bin:$PATH

SCSI=ba6163d9-04a1-4d29-b605-72e2ffb1dc7f
IDE=32412632-86cb-44a2-9b5c-50d1417354f5
NET=f8615163-df3e-46c5-913f-f2d2f965ed0e
NIC0=00:15:5d:00:00:10
NIC1=00:15:5d:00:00:11
NIC2=00:15:5d:00:00:12

# A command that is started costs tens of milliseconds in the nested machine, so what is asked often
# is asked of the shell alone.

# value_of FILE: sets VALUE to its first line; fails if it cannot be read.
value_of() { { read -r VALUE <"$1"; } 2>/dev/null; }
# holds FILE TEXT: that this is its first line.
holds() { local VALUE; value_of "$1" && [ "$VALUE" = "$2" ]; }
now() { local VALUE; value_of /proc/uptime; echo "${VALUE%% *}"; }
fail() { echo "$*"; exit 1; }
# What cannot be tested here, and why.
skip() { echo "$*"; exit 77; }

# Whether the module of that name is loaded, and ours.
ours() {
  local VALUE
  value_of "/sys/module/$1/version" && case $VALUE in enlighten-*) ;; *) return 1 ;; esac
}
# Whether DRIVERS asks for our module of that name.
wanted() {
  case ",$DRIVERS," in
    *",$1=enlighten,"*) ;;
    *",$1=inbox,"*) return 1 ;;
    ",enlighten,"*) ;;
    *) return 1 ;;
  esac
}

# within SECONDS COMMAND...: waits until it succeeds. On a slow kernel that may take SLOW times as
# long (README.md).
within() {
  local VALUE end_of_wait
  value_of /proc/uptime
  end_of_wait=$((${VALUE%%.*} + $1 * ${SLOW:-1}))
  shift
  until "$@"; do
    value_of /proc/uptime
    [ "${VALUE%%.*}" -lt "$end_of_wait" ] || return 1
    sleep 0.2
  done
}

# unload MODULE: the kernel's SCSI core holds the module for as long as it probes a disk, and rmmod
# does not wait for that.
unload() { within 60 rmmod "$1" 2>/tmp/rmmod || { cat /tmp/rmmod; false; }; }

# device CLASS LUN: the block device (sda, sr0) at that LUN of a controller of that class; fails if
# there is none.
device() {
  local vmbus block
  for vmbus in /sys/bus/vmbus/devices/*; do
    holds "$vmbus/class_id" "{$1}" || continue
    for block in "$vmbus"/host*/target*/*:"$2"/block/*; do
      [ ! -e "$block" ] || { echo "${block##*/}"; return 0; }
    done
  done
  return 1
}
# nic MAC: the interface with that address; fails if there is none.
nic() {
  local file
  for file in /sys/bus/vmbus/devices/*/net/*/address; do
    holds "$file" "$1" || continue
    file=${file%/address}
    echo "${file##*/}"
    return 0
  done
  return 1
}
answers() { ping -A -q -c 3 -W $((10 * ${SLOW:-1})) "$@"; }
scsi() { echo "/dev/$(within 60 device $SCSI "$1")"; }
sectors() { cat "/sys/block/${1#/dev/}/size"; }
tool() { # fio and its libraries live on a disk of their own
  LD_LIBRARY_PATH=/tools/lib "$@"
}
mount_tools() { [ -d /tools/bin ] || { mkdir -p /tools && mount -o ro "$(scsi 3)" /tools; }; }

# end_children PID: with what they have started themselves.
end_children() {
  local VALUE stat child parent
  for stat in /proc/[0-9]*/stat; do
    value_of "$stat" || continue
    child=${VALUE%% *} parent=${VALUE##*) ? }
    [ "${parent%% *}" = "$1" ] || continue
    kill -STOP "$child" 2>/dev/null || :
    end_children "$child"
    kill -KILL "$child" 2>/dev/null || :
  done
}
# A test that fails leaves nothing running that disturbs the next ones.
end_test() {
  case $1 in 0 | 77) return ;; esac
  read -r self _ </proc/self/stat
  end_children "$self"
}
run_test() { # in a subshell: a test that fails ends alone
  local name=$1 start end status=passed
  echo "@begin $name"
  start=$(now)
  (trap 'end_test $?' EXIT; set -e; "test_$name") >/tmp/log 2>&1
  case $? in 0) ;; 77) status=skipped ;; *) status=failed ;; esac
  kernel_is_calm >/tmp/complaints 2>&1 || {
    status=failed
    tail -n 100 /tmp/said | sed 's/^@/ @/'
    { echo 'the kernel complains:'; cat /tmp/complaints; } >>/tmp/log
  }
  [ "$status" = passed ] || tail -n 60 /tmp/log | sed 's/^@/ @/'
  # Who waits, and for what.
  [ "$status" != failed ] || {
    echo w >/proc/sysrq-trigger
    dmesg | tail -n 400
    dmesg -c >/dev/null
  }
  end=$(now)
  end=$((${end%.*}${end#*.} - ${start%.*}${start#*.}))  # hundredths, as both have two digits there
  echo "@end $name $status $((end / 100)).$((end / 10 % 10))"
}
# What a test writes goes to a log; what it asks of the node has to get out.
exec 4>&1
ask_host() { echo "@host $*" >&4; }
# strikes_of NAME: how often the host has done that fault, or a little less: the node serves its
# last answer by TAP.
strikes_of() {
  local count
  ask_host fault.list
  count=$(wget -q -O - http://10.9.0.1:8080/answer | awk -v name="\"$1\"," '
    $1 == "\"name\":" { found = $2 == name }
    found && $1 == "\"struck\":" { print $2 + 0 }')
  echo "${count:-0}"
}
