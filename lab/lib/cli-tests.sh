# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Bad input: each has to give one line that names the thing, and its exit status; nothing is booted.

# refuses STATUS WORDS-IN-THE-LINE ARGS...
refuses() {
  local want=$1 words=$2 status out
  shift 2
  set +e
  out=$("$TOP_DIR/enlighten" "$@" 2>&1 </dev/null)
  status=$?
  set -e
  if [ "$status" != "$want" ] || [ "$(printf '%s\n' "$out" | wc -l)" != 1 ] ||
    [[ $out != *"$words"* ]]; then
    printf './enlighten %s\n  status %s, expected %s; a line with "%s" expected, said:\n%s\n' \
      "$*" "$status" "$want" "$words" "$out"
    bad=1
  fi
}

# without_packages STATUS WORDS-IN-THE-LINE ARGS...: on a machine whose package lists are empty.
without_packages() {
  mkdir -p "$dir/bin"
  printf '#!/bin/sh\n' >"$dir/bin/apt-cache"
  chmod 755 "$dir/bin/apt-cache"
  PATH=$dir/bin:$PATH refuses "$@"
}

# with_full_disk STATUS WORDS-IN-THE-LINE ARGS...: nothing is in the cache, and little fits there.
with_full_disk() {
  local full=$dir/full
  mkdir -p "$full/bin"
  printf '#!/bin/sh\necho Filesystem\necho none 9 9 102400 99%% /\n' >"$full/bin/df"
  chmod 755 "$full/bin/df"
  PATH=$full/bin:$PATH ENLIGHTEN_CACHE=$full/cache refuses "$@"
  [ -z "$(find "$full/cache" -type f)" ] || { find "$full/cache" -type f; bad=1; }
}

test_bad_input() {
  local bad=0 dir
  scratch_dir
  dir=$(mktemp -d "$SCRATCH/cli.XXXXXX")
  truncate -s 1000 "$dir/odd.raw"
  truncate -s 1M "$dir/good.raw"
  truncate -s 1536 "$dir/three.raw"
  : >"$dir/empty"
  echo text >"$dir/text"
  refuses 2 "unknown command 'fly'" fly
  refuses 2 "unknown option '--fly'" run --fly
  refuses 2 "unknown option 'fly'" doctor fly
  refuses 2 "unknown suite 'fly'" test fly
  refuses 2 "unknown benchmark 'fly'" bench fly
  refuses 2 "--cpus '0'" run --cpus 0
  refuses 2 "--cpus 17" run --cpus 17
  refuses 2 "--cpus 'two'" run --cpus two
  refuses 2 "--memory 64M" run --memory 64M
  refuses 2 "--memory 9G" run --memory 9G
  refuses 2 "--memory '1T'" run --memory 1T
  refuses 2 "--cpus needs a value" run --cpus
  refuses 2 "--guest 'windows'" run --guest windows
  refuses 2 "--drivers: unknown 'fly'" run --drivers fly
  refuses 2 "--drivers: no driver 'hv_fly'" run --drivers inbox,hv_fly=enlighten
  refuses 2 "--fault 'modify-delay'" run --fault modify-delay
  refuses 2 "--fault 'refuse-open=x'" run --fault refuse-open=x
  refuses 2 "--fault 'refuse-open=1,dev=nic'" run --fault refuse-open=1,dev=nic
  refuses 2 "--fault fly=1: there is no fault 'fly'" run --fault fly=1
  refuses 2 "--pause 'long'" run --pause long
  refuses 2 "--pause '5,for=3'" run --pause 5,for=3
  refuses 2 "--repeat-lost 'maybe'" run --repeat-lost maybe
  refuses 2 "--net 'wifi'" run --net wifi
  refuses 2 "queues=65" run --net user,queues=65
  refuses 2 "queues=0" run --net null,queues=0
  refuses 2 "mac=01:02" run --net user,mac=01:02
  refuses 2 "mac=01:15:5d:01:02:03" run --net user,mac=01:15:5d:01:02:03
  refuses 2 "mtu=9000" run --net user,mtu=9000
  refuses 2 "'' is no" run --net user,
  refuses 2 "none has no properties" run --net none,queues=1
  refuses 2 "tap=nosuchtap0: there is no such interface" run --net tap=nosuchtap0
  refuses 2 "tap=lo: that is no TAP interface" run --net tap=lo
  refuses 2 "tap='../lo': no interface has such a name" run --net tap=../lo
  refuses 2 "--forward 'tcp:22'" run --net user --forward tcp:22
  refuses 2 "--forward 'sctp:22-:22'" run --forward sctp:22-:22
  refuses 2 "a port is from 1 to 65535" run --forward tcp:65536-:22
  refuses 2 "a port is from 1 to 65535" run --forward tcp:2222-:0
  refuses 2 "300.0.0.1 is no address" run --forward tcp:300.0.0.1:2222-:22
  refuses 2 "only with --net user" run --net none --forward tcp:127.0.0.1:2222-:22
  refuses 2 "--accel 'fast'" run --accel fast
  refuses 2 "--kernel '5.10'" run --kernel 5.10
  refuses 2 "--kernel '6.12rt'" run --guest minimal --kernel 6.12rt
  refuses 2 "--kernel kasan: only with --guest minimal" run --kernel kasan
  with_full_disk 1 "where 100 MiB are free: make room" run --guest minimal --kernel kasan
  without_packages 1 "the package linux-source-6.12 is not known here" \
    run --guest minimal --kernel kasan
  refuses 2 "--vmbus-version '9'" run --vmbus-version 9
  refuses 2 "--timers 'fast'" run --timers fast
  refuses 2 "--exec is empty" run --exec ''
  refuses 2 "unknown 'rw'" run --disk "$dir/good.raw,rw"
  refuses 1 "$dir/none.raw does not exist" run --disk "$dir/none.raw"
  refuses 1 "$dir is neither" run --disk "$dir"
  refuses 1 "$dir/empty is empty" run --disk "$dir/empty"
  refuses 2 "block_size=1000: give 512 or 4096" run --disk "$dir/good.raw,block_size=1000"
  refuses 2 "unknown 'block_size=4096'" run --dvd "$dir/good.raw,block_size=4096"
  refuses 1 "no multiple of 4096" run --disk "$dir/three.raw,block_size=4096"
  refuses 1 "no multiple of 512" run --disk "$dir/odd.raw"
  refuses 1 "the dvd $dir/none.iso does not exist" run --dvd "$dir/none.iso"
  refuses 1 "the kernel $dir/none does not exist" run --kernel "$dir/none" --initrd "$dir/text"
  refuses 1 "is no bzImage" run --kernel "$dir/text" --initrd "$dir/text"
  refuses 1 "the initrd $dir/none does not exist" run --initrd "$dir/none"
  refuses 1 "the DKMS package comes later" package
  [ "$(stat -c %s "$dir/odd.raw")" = 1000 ] || { echo "a disk was changed"; bad=1; }
  rm -rf "$dir"
  return "$bad"
}
