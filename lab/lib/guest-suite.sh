# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The guest suite: makes everything its sessions need, boots a node for each, and reports what
# tests/guest/node/session says.

# The sessions: KIND DRIVERS KERNEL CPUS [CHANNELS of a disk controller]. All the minimal guest's
# tests run in each minimal one. {our, in-tree} bus x {our, in-tree} storage and network, spread
# over kernels and CPUs. switch:NAME[=VALUE]: the minimal guest on a host with other options, and
# the tests of tests/guest/switches/NAME.sh alone, and those of the minimal guest that it names.
# examples: those of help texts and documents, run as they are printed. What takes longest begins
# first.
GUEST_SESSIONS="minimal enlighten 6.1 4 4
minimal inbox 6.1 4
minimal inbox,hv_storvsc=enlighten,hv_netvsc=enlighten 6.1 2
minimal inbox,hv_vmbus=enlighten 6.12 2
minimal enlighten 6.12 1
switch:xdp inbox 6.1 1
debian enlighten 6.1 4
debian inbox 6.1 2
kexec enlighten 6.12 2
kdump enlighten 6.1 2
qemu enlighten 6.1 2
switch:pause enlighten 6.1 2
switch:pause inbox 6.1 2
switch:faults enlighten 6.1 2
switch:vmbus-version=5.2 enlighten 6.1 2
switch:vmbus-version=5.0 inbox 6.12 1
switch:vmbus-version=4.1 enlighten 6.12 1
switch:vmbus-version=3.0 inbox 6.1 1
switch:vmbus-version=2.4 enlighten 6.1 1
switch:timers-message enlighten 6.1 2
switch:timers-message enlighten 6.12 4
switch:timers-message inbox 6.1 2
switch:timers-arat enlighten 6.1 2
switch:timers-kexec=message enlighten 6.12 2
switch:timers-kdump=message enlighten 6.1 2
switch:monitor enlighten 6.1 2
switch:monitor inbox 6.1 2"
# What takes long: every count of it ten times what the suite has time for.
SOAK_SESSIONS="minimal enlighten 6.1 2
minimal inbox 6.1 1
minimal enlighten 6.12 8 8
kexec inbox 6.1 2
kdump inbox 6.1 2
hostile enlighten 6.1 2
examples
switch:faults enlighten 6.12 2
switch:faults inbox 6.1 2
switch:vmbus-version=5.2 inbox 6.1 2
switch:vmbus-version=5.0 enlighten 6.12 1
switch:vmbus-version=4.1 inbox 6.12 1
switch:vmbus-version=3.0 enlighten 6.1 1
switch:vmbus-version=2.4 inbox 6.1 1
switch:timers-message enlighten 6.12 1
switch:timers-message inbox 6.12 4
switch:timers-kexec=message,arat enlighten 6.1 2
switch:timers-kdump=message,arat enlighten 6.12 2
switch:timers-kexec=message inbox 6.1 2
switch:timers-hibernate enlighten 6.12 2
switch:timers-hibernate enlighten 6.1 2
switch:timers-hibernate inbox 6.12 1
switch:timers-none enlighten 6.1 2
switch:timers-none inbox 6.12 2
switch:monitor enlighten 6.12 2
switch:monitor inbox 6.12 2"
# What the hostile host draws from; guest_seeds is for more of them.
GUEST_SEEDS="1 2 3 4"

QEMU_BIOS=/usr/share/seabios/bios-256k.bin

# What the tests of the minimal guest count; empty: their own choice. VERIFY is the MiB that fio
# writes and verifies, LARGE those of the file that is fetched.
GUEST_COUNTS="RELOADS='' HOTPLUGS='' ADAPTERS='' VERIFY=64 LARGE=16 LIMIT=3600"
SOAK_COUNTS="RELOADS=100 HOTPLUGS=200 ADAPTERS=10 VERIFY=1024 LARGE=256 LIMIT=7200"

# In place of these the environment may give guest_sessions, guest_seeds and guest_counts, to look
# at one of them, and guest_node_cpus.
suite_guest() {
  run_sessions "${guest_sessions:-$GUEST_SESSIONS}" "${guest_seeds:-$GUEST_SEEDS}" \
    "$GUEST_COUNTS ${guest_counts:-}"
}

suite_soak() {
  local wire=1
  ensure_packages tshark
  run_sessions "${guest_sessions:-$SOAK_SESSIONS}" "${guest_seeds:-$(seq -s ' ' 50)}" \
    "$SOAK_COUNTS ${guest_counts:-}"
}

# run_sessions SESSIONS SEEDS COUNTS: each in a node of its own, several nodes side by side; the
# first in the list begin first.
run_sessions() {
  local sessions=$1 seeds=$2 counts=$3 job common=() number=0 next=0 nodes running=() name jobs=()
  built release enlighten-host enlighten-agent enlighten-bridge enlighten-xdp enlighten-turns ||
    return 0
  choose_accel "$accel"
  [ "$ACCEL" = kvm ] || ensure_node_image
  scratch_dir
  job=$SCRATCH/guest
  prepare_guests
  while read -r name; do
    session_has_tests "${name%% *}" || continue
    [ "$name" != examples ] || { jobs+=(examples); continue; }
    # shellcheck disable=SC2086
    session_has_kernel $name || continue
    number=$((number + 1))
    jobs+=("$number")
    # shellcheck disable=SC2086
    prepare_session $name
  done <<<"$sessions"
  # Side by side with sessions, too.
  [ "${debug:-0}" = 1 ] || [ -z "$(commands_wanted)" ] ||
    jobs=("${jobs[@]:0:1}" commands "${jobs[@]:1}")
  nodes=$(nodes_at_once)
  while [ "$next" -lt "${#jobs[@]}" ] || [ ${#running[@]} -gt 0 ]; do
    while [ "$next" -lt "${#jobs[@]}" ] && [ ${#running[@]} -lt "$nodes" ]; do
      session "${jobs[next]}" &
      on_exit "end_tree $!"
      running+=("$!")
      next=$((next + 1))
    done
    wait -n "${running[@]}" || :
    for name in "${!running[@]}"; do
      kill -0 "${running[name]}" 2>/dev/null || unset "running[$name]"
    done
  done
  for name in "${jobs[@]}"; do collect_session "$name"; done
  check guest/ours_needs_no_more_interrupts_again_than_in_tree test_repeats
}

# What is no session's: the commands themselves, with machines of their own. By name, the check.
declare -gA COMMAND_CHECKS=(
  [nothing_is_left_after_an_interrupt]=test_interrupts
  [a_busy_port_is_said]=test_busy_port
  [a_reboot_at_a_console_boots_again]=test_reboot
  [the_hosts_switches_pass_through_run]=test_run_switches
)
commands_wanted() { printf '%s\n' "${!COMMAND_CHECKS[@]}" | sort | matching "${only:-*}"; }
check_commands() {
  local name
  for name in $(commands_wanted); do check "guest/$name" "${COMMAND_CHECKS[$name]}"; done
}

# As many as have a CPU each, and memory.
nodes_at_once() {
  local n mib
  [ "$ACCEL" = nested ] || { echo 1; return; }
  n=$(nproc)
  mib=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
  [ "$n" -le $((mib / 4096)) ] || n=$((mib / 4096))
  [ "$n" -ge 1 ] || n=1
  [ "$n" -le 8 ] || n=8
  echo "$n"
}

# What all sessions have: their tests, and what those use. Sets common, the node's files.
prepare_guests() {
  local kind tests dir=$TOP_DIR/tests/guest name guest files more
  mkdir -p "$job"
  ensure_tools
  guest_media
  for kind in minimal races kexec kdump hostile; do
    mkdir -p "$job/tests/$kind"
    files=("$dir/$kind"/*.sh)
    case $kind in
      minimal) ;;
      races) files=("${RACES_TESTS[@]/#/$dir/minimal/}") ;;
      *) cp "$dir/minimal/00-lib.sh" "$dir/resume.sh" "$job/tests/$kind/" ;;
    esac
    cp "${files[@]}" "$job/tests/$kind/"
    test_parameters "${files[@]}"
  done
  for name in "$dir"/switches/*.sh; do
    kind=switch-$(basename "$name" .sh)
    mkdir -p "$job/tests/$kind"
    guest=$(sed -n 's/^# guest: //p' "$name")
    cp "$dir"/minimal/*.sh "$dir/resume.sh" "$job/tests/$kind/"
    [ -z "$guest" ] || cp "$dir/$guest"/*.sh "$job/tests/$kind/"
    cp "$name" "$job/tests/$kind/switch.sh"
    more=$(sed -n 's/^# tests: //p' "$name")
    test_parameters "$name" ${more:+"$dir/minimal/$more"}
  done
  echo "$counts" >"$job/counts"
  echo "$seeds" >"$job/seeds"
  cp "$dir/node/run-tests" "$dir/node/session" "$dir/debian-test" "$dir/qemu-test" "$dir/calm.sh" \
    "$job/"
  [ "$ACCEL" = kvm ] || : >"$job/nested"
  for name in "$job"/*; do common+=(--file "$name"); done
}

# test_parameters FILE...: writes which tests of these files sessions of $kind run.
test_parameters() {
  tests=$(sed -n 's/^test_\([a-z0-9_]*\)() .*/\1/p' "$@" | matching "${only:-*}")
  printf "TESTS='%s'\nONLY='%s'\n%s\n" "$tests" "${only:-*}" "$counts" \
    >"$job/tests/$kind/parameters"
}

# session_has_tests KIND: a session of a switch is not booted for tests that it does not have.
session_has_tests() {
  local name=${1#switch:}
  if [ "$name" = examples ]; then
    [ -n "$(matching "${only:-*}" <<<examples_run_as_printed)" ]
    return
  fi
  [ "$name" != "$1" ] || return 0
  name=${name%%=*}
  [ -e "$job/tests/switch-$name" ] || die "session $1: there is no tests/guest/switches/$name.sh"
  ! grep -qx "TESTS=''" "$job/tests/switch-$name/parameters"
}

# session_has_kernel KIND DRIVERS KERNEL...: what cannot be had fails its sessions, and the others
# run.
session_has_kernel() {
  attempt ensure_kernel "$3"
  [ "$ATTEMPT" != 0 ] || return 0
  record failed 0 "guest/$1-$2-$3" "the kernel $3 is not to be had"
  return 1
}

# prepare_session KIND DRIVERS KERNEL CPUS [CHANNELS]: what its node is given, in the folder
# $SCRATCH/NUMBER.
prepare_session() {
  local kind=$1 drivers=$2 dir=$SCRATCH/$number modules=() node_args name
  ensure_kernel "$3"
  build_modules "$KERNEL_RELEASE"
  parse_drivers "$drivers"
  for name in $OUR_DRIVERS; do modules+=("$MODULES_DIR/$name.ko"); done
  [ "$drivers" = inbox ] || [ ${#modules[@]} -gt 0 ] || die "there is no module of ours yet"
  mkdir -p "$dir"
  echo "$*" >"$dir/session"
  node_args=(--file "$KERNEL_IMAGE:boot/kernel")
  case $kind in
    debian)
      ensure_debian
      ensure_modset "$KERNEL_RELEASE" "${modules[@]}"
      mkdir -p "$SCRATCH/files/usr/lib/enlighten"
      cp "$AGENT" "$SCRATCH/files/usr/lib/enlighten/agent"
      make_root_disk "$dir/root.raw" "$SCRATCH/files" "$MODSET_DIR/files"
      node_args+=(--file "$MODSET_DIR/initrd:boot/initrd" --disk "$dir/root.raw,name=root") ;;
    *)
      ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "${modules[@]}"
      node_args+=(--file "$MINIMAL_INITRD:boot/initrd") ;;
  esac
  if [ "$kind" = qemu ]; then
    node_args+=(--bin "$(command -v qemu-system-x86_64)" --file "$QEMU_BIOS:qemu/bios-256k.bin"
      --file /usr/share/qemu/kvmvapic.bin:qemu/kvmvapic.bin
      --file /usr/share/qemu/linuxboot_dma.bin:qemu/linuxboot_dma.bin)
  fi
  if [ "$kind" = minimal ] && [ "${wire:-0}" = 1 ] && [ "$ACCEL" = nested ]; then
    : >"$dir/wire"
    : >"$dir/wire.pcapng"
    node_args+=(--file "$dir/wire" --bin "$(command -v dumpcap)" --bin "$(command -v ethtool)"
      --out "wire=$dir/wire.pcapng")
  fi
  printf '%s\n' "${node_args[@]}" >"$dir/arguments"
}

# session NUMBER, as a process of its own: its lines come as its tests end; what they come to is in
# its folder's `results`.
session() {
  local SCRATCH=$SCRATCH/$1 RESULTS=() BEGUN_ANEW=0
  CLEANUPS=()
  mkdir -p "$SCRATCH"
  [ -e "$SCRATCH/session" ] || echo "$1" >"$SCRATCH/session"
  # A process of its own has none of them, and this one has a machine to end.
  set_traps
  case $1 in
    examples) check guest/examples_run_as_printed test_examples ;;
    commands) check_commands ;;
    *) run_session "$1" ;;
  esac
  { printf '%s\n' "$BEGUN_ANEW"; printf '%s\n' "${RESULTS[@]}"; } >"$SCRATCH/results"
}

# A session that left no results has failed.
collect_session() {
  local results=$SCRATCH/$1/results lines
  [ -s "$results" ] || {
    record failed 0 "guest/$(tr ' :' '--' <"$SCRATCH/$1/session")" "it came to no end"
    return 0
  }
  mapfile -t lines <"$results"
  BEGUN_ANEW=$((BEGUN_ANEW + lines[0]))
  RESULTS+=("${lines[@]:1}")
}

# run_session NUMBER: until it comes to its end. A guest that fails is a failure. What can end too
# is the machine under it, or a guest by a triple fault in it: QEMU's emulation of SVM does that,
# with the in-tree drivers alone too (lab/README.md). The session begins anew in a new machine then.
# What failed in it before counts; what passed is seen again.
run_session() {
  local try=1 ended prefix session
  session=$(<"$SCRATCH/session")
  prefix=guest/$(awk '{ print $1 "-" $2 "-" $3 "-" $4 "cpu" (NF > 4 ? "-" $5 "channels" : "") }' \
    <<<"${session/switch:/switch-}")
  until boot_session "$1-$try"; do
    keep_failures
    if [ "$try" = "$NODE_TRIES" ]; then
      record failed 0 "$prefix" "the emulation ended $try times under it"
      return 0
    fi
    try=$((try + 1)) BEGUN_ANEW=$((BEGUN_ANEW + 1))
    echo "the emulation ended under the session '$session': it begins anew in a new machine," \
      "try $try of $NODE_TRIES"
  done
  [ ! -s "$SCRATCH/wire.pcapng" ] || check "$prefix/frames_on_the_wire_are_whole" test_wire
}

# boot_session NAME: one boot of its node; 0 when the session came to its end. In a nested machine
# of one CPU: the emulation does not end it, and as many fit side by side (lab/README.md).
boot_session() {
  local test='' text='' status=0 arguments limit node_cpus=1
  ended=0
  # Races are met by CPUs that run at once.
  case $session in races\ *) node_cpus=2 ;; esac
  mapfile -t arguments <"$SCRATCH/arguments"
  limit=$(. "$job/counts"; echo "$LIMIT")
  # shellcheck disable=SC2086
  node_talk $((limit + 60)) guest_says --accel "$ACCEL" \
    --smp "${guest_node_cpus:-$node_cpus}" --memory 3G --disk "$TOOLS_DISK,ro,name=tools" \
    --bin "$(command -v iperf3)" \
    "${common[@]}" "${arguments[@]}" --log "$LOG_DIR/node-kernel-$1.log" \
    -- sh ./session $session || status=$?
  printf '%s' "$text"
  [ "$ended" = 1 ]
}

# What came on the wire is whole: no sum is wrong, nothing is longer than the wire takes, and it was
# enough to say so.
test_wire() {
  local kind count wrong
  cp "$SCRATCH/wire.pcapng" "$LOG_DIR/wire-${SCRATCH##*/}.pcapng"
  frames() {
    tshark -r "$SCRATCH/wire.pcapng" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
      -o udp.check_checksum:TRUE -Y "$1"
  }
  wrong='ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0'
  frames "$wrong || frame.len > 1514" | head -n 20 >"$SCRATCH/wrong"
  [ ! -s "$SCRATCH/wrong" ] || { echo "wrong frames:"; cat "$SCRATCH/wrong"; return 1; }
  for kind in 'ip && tcp.len == 1448' 'ipv6 && tcp.len == 1428' 'ip && udp' 'ipv6 && udp'; do
    count=$(frames "$kind && (tcp.checksum.status == 1 || udp.checksum.status == 1)" | wc -l)
    echo "$count frames with a right sum: $kind"
    [ "$count" -ge 100 ] || return 1
  done
}

# Of the results so far only those that failed.
keep_failures() {
  local result all=("${RESULTS[@]}")
  RESULTS=()
  for result in "${all[@]}"; do
    case $result in failed*) RESULTS+=("$result") ;; esac
  done
}

# matching PATTERNS: of the names on stdin those that match one of the patterns, in one line.
matching() {
  local name pattern patterns
  read -ra patterns <<<"$1"
  while read -r name; do
    for pattern in "${patterns[@]}"; do
      # shellcheck disable=SC2053
      [[ $name != $pattern ]] || { printf '%s ' "$name"; break; }
    done
  done
}

# Turns a line of the node's into results, as they come.
guest_says() {
  local words
  read -ra words <<<"$line"
  case $line in
    '@begin '*) test=${words[1]} text='' ;;
    '@end '*)
      record "${words[2]}" "${words[3]}" "$prefix/${words[1]}"
      [ "${words[2]}" = passed ] || printf '%s' "$text"
      test='' text='' ;;
    '@repeated '*) note_repeat "$session" "${line#@repeated }" ;;
    '@ended '*)
      ended=1
      note_repeat "$session"
      if [ "${words[1]}" != 0 ]; then
        record failed "${words[2]}" "$prefix/${test:-boots_and_powers_off}" \
          "the guest ended with status ${words[1]}"
        printf '%s' "$text"
      else
        record passed "${words[2]}" "$prefix/boots_and_powers_off"
      fi
      text='' ;;
    *) text+="    $line"$'\n' ;;
  esac
}

# The disks that hold something: two ISO images and an ext4 disk.
guest_media() {
  mkdir -p "$SCRATCH/dvd" "$SCRATCH/other-dvd" "$SCRATCH/ide"
  head -c 3000000 "$TOOLS_DISK" >"$SCRATCH/dvd/data"
  (cd "$SCRATCH/dvd" && md5sum data >sums)
  genisoimage -quiet -r -V ENLIGHTEN -o "$job/dvd.iso" "$SCRATCH/dvd"
  echo 'another disc' >"$SCRATCH/other-dvd/hello"
  genisoimage -quiet -r -V OTHER -o "$job/other-dvd.iso" "$SCRATCH/other-dvd"
  echo 'hello from IDE' >"$SCRATCH/ide/hello"
  truncate -s 16M "$job/ide.raw"
  mke2fs -q -t ext4 -F -d "$SCRATCH/ide" "$job/ide.raw"
}

