# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The guest suite: makes everything the node needs, boots it once, and reports what tests/guest/node/suite says.

# The sessions: KIND DRIVERS KERNEL CPUS [CHANNELS of a disk controller]. All the minimal guest's tests run in each minimal one.
# {our, in-tree} bus x {our, in-tree} storage and network, spread over kernels and CPUs. Those of 4 CPUs, whom the emulation forgives least, are
# last, when nothing runs beside them any more.
GUEST_SESSIONS="minimal inbox 6.1 1
minimal enlighten 6.12 1
minimal inbox,hv_storvsc=enlighten,hv_netvsc=enlighten 6.1 2
minimal inbox,hv_vmbus=enlighten 6.12 2
kexec enlighten 6.12 2
kdump enlighten 6.1 2
debian inbox 6.1 2
qemu enlighten 6.1 2
debian enlighten 6.1 4
minimal enlighten 6.1 4 4
minimal inbox 6.1 4"
# What takes long: every count of it ten times what the suite has time for.
SOAK_SESSIONS="minimal enlighten 6.1 2
minimal enlighten 6.12 8 8
kexec inbox 6.1 2
kdump inbox 6.1 2
hostile enlighten 6.1 2"
# What the hostile host draws from; guest_seeds is for more of them.
GUEST_SEEDS="1 2 3 4"

QEMU_BIOS=/usr/share/seabios/bios-256k.bin

# What the tests of the minimal guest count; empty: their own choice. LARGE is the MiB of the file that is fetched.
GUEST_COUNTS="RELOADS='' HOTPLUGS='' ADAPTERS='' LARGE=16 LIMIT=600"
SOAK_COUNTS="RELOADS=100 HOTPLUGS=200 ADAPTERS=10 LARGE=256 LIMIT=3600"

# In place of these the environment may give guest_sessions, guest_seeds and guest_counts, to look at one of them.
suite_guest() {
  local most
  most=$(cut -d ' ' -f 4 <<<"${guest_sessions:-$GUEST_SESSIONS}" | sort -n | tail -n 1)
  run_sessions "${guest_sessions:-$GUEST_SESSIONS}" "${guest_seeds:-$GUEST_SEEDS}" "$GUEST_COUNTS ${guest_counts:-}" "$(node_cpus "$most")"
}

# In a nested machine of one CPU: slower, and the emulation does not end it (lab/README.md).
suite_soak() {
  local wire=1
  ensure_packages tshark
  run_sessions "${guest_sessions:-$SOAK_SESSIONS}" "${guest_seeds:-$(seq -s ' ' 50)}" "$SOAK_COUNTS ${guest_counts:-}" 1
  ! grep -q '^minimal ' <<<"${guest_sessions:-$SOAK_SESSIONS}" || [ ! -s "$SCRATCH/wire.pcapng" ] || check soak/frames_on_the_wire_are_whole test_wire
}

# run_sessions SESSIONS SEEDS COUNTS NODE_CPUS
run_sessions() {
  local sessions=$1 seeds=$2 counts=$3 cpus=$4 dir=$TOP_DIR/tests/guest kind drivers kernel modules name tests job node_args=() done_boots=' '
  built release enlighten-host enlighten-agent enlighten-bridge enlighten-xdp enlighten-turns || return 0
  choose_accel "$accel"
  scratch_dir
  job=$SCRATCH/guest
  mkdir -p "$job"
  printf '%s\n' "$sessions" >"$job/sessions"
  while read -r kind drivers kernel _; do
    case $done_boots in *" $kind-$drivers-$kernel "*) continue ;; esac
    done_boots="$done_boots$kind-$drivers-$kernel "
    ensure_kernel "$kernel"
    build_modules "$KERNEL_RELEASE"
    parse_drivers "$drivers"
    modules=()
    for name in $OUR_DRIVERS; do modules+=("$MODULES_DIR/$name.ko"); done
    [ "$drivers" = inbox ] || [ ${#modules[@]} -gt 0 ] || die "there is no module of ours yet"
    mkdir -p "$job/boot/$kernel"
    ln -sf "$KERNEL_IMAGE" "$job/boot/$kernel/kernel"
    if [ "$kind" != debian ]; then
      ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "${modules[@]}"
      ln -sf "$MINIMAL_INITRD" "$job/boot/$kernel/$drivers.$kind"
      [ "$kind" != qemu ] || node_args+=(--bin "$(command -v qemu-system-x86_64)" --file "$QEMU_BIOS:qemu/bios-256k.bin"
        --file /usr/share/qemu/kvmvapic.bin:qemu/kvmvapic.bin --file /usr/share/qemu/linuxboot_dma.bin:qemu/linuxboot_dma.bin)
    else
      ensure_debian
      ensure_modset "$KERNEL_RELEASE" "${modules[@]}"
      ln -sf "$MODSET_DIR/initrd" "$job/boot/$kernel/$drivers.debian"
      mkdir -p "$SCRATCH/files/usr/lib/enlighten"
      cp "$AGENT" "$SCRATCH/files/usr/lib/enlighten/agent"
      make_root_disk "$SCRATCH/$drivers-$kernel.raw" "$SCRATCH/files" "$MODSET_DIR/files"
      node_args+=(--disk "$SCRATCH/$drivers-$kernel.raw,name=$drivers-$kernel")
    fi
  done <"$job/sessions"
  ensure_tools
  guest_media
  for kind in minimal kexec kdump hostile; do
    mkdir -p "$job/tests/$kind"
    [ "$kind" = minimal ] || cp "$dir/minimal/00-lib.sh" "$dir/resume.sh" "$job/tests/$kind/"
    cp "$dir/$kind"/*.sh "$job/tests/$kind/"
    tests=$(cat "$dir/$kind"/*.sh | sed -n 's/^test_\([a-z0-9_]*\)() .*/\1/p' | matching "${only:-*}")
    printf "TESTS='%s'\nONLY='%s'\n%s\n" "$tests" "${only:-*}" "$counts" >"$job/tests/$kind/parameters"
  done
  echo "$counts" >"$job/counts"
  echo "$seeds" >"$job/seeds"
  cp "$dir/node/run-tests" "$dir/node/suite" "$dir/debian-test" "$dir/qemu-test" "$dir/calm.sh" "$job/"
  for name in "$job"/*; do node_args+=(--file "$name"); done
  check guest/nothing_is_left_after_an_interrupt test_interrupts
  check guest/a_busy_port_is_said test_busy_port
  [ "$ACCEL" = kvm ] || : >"$job/nested"
  [ ! -e "$job/nested" ] || node_args+=(--file "$job/nested")
  if [ "${wire:-0}" = 1 ] && [ -e "$job/nested" ]; then
    : >"$job/wire"
    : >"$SCRATCH/wire.pcapng"
    node_args+=(--file "$job/wire" --bin "$(command -v dumpcap)" --bin "$(command -v ethtool)" --out "wire=$SCRATCH/wire.pcapng")
  fi
  local try=1
  until run_guests; do
    # A guest that fails ends its session only. What ended here is the machine under all of them, or a guest by a triple fault in
    # it: QEMU's emulation of SVM does that to guests of several CPUs, with the in-tree drivers alone too (lab/README.md). The session
    # begins anew in a new machine. What failed in it before counts; what passed is seen again.
    if [ "$ENDED_SESSIONS" != 0 ]; then
      sed -i "1,${ENDED_SESSIONS}d" "$job/sessions"
      try=1
    fi
    [ -s "$job/sessions" ] || return 0
    keep_failures "$SESSION_RESULTS"
    if [ "$try" = "$NODE_TRIES" ]; then
      record failed 0 "guest/$(head -n 1 "$job/sessions" | tr ' ' -)" "the emulation ended $try times under it"
      return 0
    fi
    try=$((try + 1)) BEGUN_ANEW=$((BEGUN_ANEW + 1))
    echo "the emulation ended under the session '$(head -n 1 "$job/sessions")': it begins anew in a new machine, try $try of $NODE_TRIES"
  done
}

# What came on the wire is whole: no sum is wrong, nothing is longer than the wire takes, and it was enough to say so.
test_wire() {
  local kind count
  cp "$SCRATCH/wire.pcapng" "$LOG_DIR/"
  frames() { tshark -r "$SCRATCH/wire.pcapng" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -Y "$1"; }
  frames 'ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || frame.len > 1514' | head -n 20 >"$SCRATCH/wrong"
  [ ! -s "$SCRATCH/wrong" ] || { echo "wrong frames:"; cat "$SCRATCH/wrong"; return 1; }
  for kind in 'ip && tcp.len == 1448' 'ipv6 && tcp.len == 1428' 'ip && udp' 'ipv6 && udp'; do
    count=$(frames "$kind && (tcp.checksum.status == 1 || udp.checksum.status == 1)" | wc -l)
    echo "$count frames with a right sum: $kind"
    [ "$count" -ge 100 ] || return 1
  done
}

# keep_failures FROM: of the results from the index FROM on only those that failed.
keep_failures() {
  local result since=("${RESULTS[@]:$1}")
  RESULTS=("${RESULTS[@]:0:$1}")
  for result in "${since[@]}"; do
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

# One boot of the node; sets ENDED_SESSIONS, the number of sessions that came to their end.
run_guests() {
  local prefix=guest test='' text='' status=0
  ENDED_SESSIONS=0 SESSION_RESULTS=${#RESULTS[@]}
  # Each session has a limit of its own.
  node_talk $(($(. "$job/counts"; echo "$LIMIT") + 60)) guest_says --accel "$ACCEL" --smp "$cpus" --memory 3G --disk "$TOOLS_DISK,ro,name=tools" \
    --bin "$(command -v iperf3)" "${node_args[@]}" --log "$LOG_DIR/node-kernel-$BEGUN_ANEW.log" -- sh ./suite || status=$?
  printf '%s' "$text"
  return "$status"
}

# Turns a line of the node's into results, as they come.
guest_says() {
  local words
  read -ra words <<<"$line"
  case $line in
    '@session '*) prefix="guest/${words[1]}-${words[2]}-${words[3]}-${words[4]}cpu${words[5]:+-${words[5]}channels}" test='' text='' ;;
    '@begin '*) test=${words[1]} text='' ;;
    '@end '*)
      record "${words[2]}" "${words[3]}" "$prefix/${words[1]}"
      [ "${words[2]}" = passed ] || printf '%s' "$text"
      test='' text='' ;;
    '@lost '*) LOST=$((LOST + ${words[1]:-0})) ;;
    '@ended '*)
      ENDED_SESSIONS=$((ENDED_SESSIONS + 1))
      if [ "${words[1]}" != 0 ]; then
        record failed "${words[2]}" "$prefix/${test:-boots_and_powers_off}" "the guest ended with status ${words[1]}"
        printf '%s' "$text"
      else
        record passed "${words[2]}" "$prefix/boots_and_powers_off"
      fi
      text='' SESSION_RESULTS=${#RESULTS[@]} ;;
    *) text+="    $line"$'\n' ;;
  esac
}

# The disks that hold something: an ISO image and an ext4 disk.
guest_media() {
  mkdir -p "$SCRATCH/dvd" "$SCRATCH/ide"
  head -c 3000000 "$TOOLS_DISK" >"$SCRATCH/dvd/data"
  (cd "$SCRATCH/dvd" && md5sum data >sums)
  genisoimage -quiet -r -V ENLIGHTEN -o "$job/dvd.iso" "$SCRATCH/dvd"
  echo 'hello from IDE' >"$SCRATCH/ide/hello"
  truncate -s 16M "$job/ide.raw"
  mke2fs -q -t ext4 -F -d "$SCRATCH/ide" "$job/ide.raw"
}

