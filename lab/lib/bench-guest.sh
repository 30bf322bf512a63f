# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Benchmarks in a guest: ours against in-tree, in turn; ratios by pair, the median of them counts.

# ./enlighten bench storvsc: both drivers in one boot of a guest.
bench_storvsc() {
  bench_guest_prepare hv_storvsc
  bench_guest_initrd ours "$MODULES_DIR/hv_storvsc.ko"
  bench_guest_boot ours storvsc "PAIRS=$pairs"
  bench_guest_run $((120 + pairs * 12 * (seconds + 12) * 3))
}

# ./enlighten bench vmbus, in the guest: both buses, each under both storage drivers; a boot each time.
bench_vmbus_guest() {
  local pair bus
  bench_guest_prepare hv_vmbus hv_storvsc
  bench_guest_initrd inbox "$MODULES_DIR/hv_storvsc.ko"
  bench_guest_initrd enlighten "$MODULES_DIR/hv_storvsc.ko" "$MODULES_DIR/hv_vmbus.ko"
  for pair in $(seq "$pairs"); do
    for bus in $(if [ $((pair % 2)) = 1 ]; then echo inbox enlighten; else echo enlighten inbox; fi); do bench_guest_boot "$bus" vmbus "PAIR=$pair BUS=$bus"; done
  done
  bench_guest_run $((120 + 4 * (seconds + 12) * 3))
}

# ./enlighten bench netvsc: as storvsc, on a TAP interface of the nested machine.
bench_netvsc() {
  bench_guest_prepare hv_netvsc
  [ "$ACCEL" = nested ] || die "the network is measured in the nested machine, where its TAP interface is made: give --accel nested"
  bench_guest_initrd ours "$MODULES_DIR/hv_netvsc.ko"
  : >"$BENCH_JOB/network"
  BENCH_NODE+=(--bin "$(command -v iperf3)")
  bench_guest_boot ours netvsc "PAIRS=$pairs"
  bench_guest_run $((120 + pairs * 20 * (seconds + 12) * 2))
}

# bench_guest_prepare MODULE...: builds all that is needed, these modules of ours among it -> sets BENCH_JOB.
bench_guest_prepare() {
  local module
  build_programs
  choose_accel "$accel"
  scratch_dir
  BENCH_JOB=$SCRATCH/bench
  rm -rf "$BENCH_JOB" "$SCRATCH/lines"
  mkdir -p "$BENCH_JOB"
  : >"$BENCH_JOB/boots"
  BENCH_FILES=() BENCH_NODE=(--bin "$(command -v chrt)")
  ensure_kernel 6.1
  build_modules "$KERNEL_RELEASE"
  for module; do [ -e "$MODULES_DIR/$module.ko" ] || die "the module $module.ko was not built in $MODULES_DIR"; done
  ensure_tools
}

# bench_guest_initrd NAME MODULE.ko...: the minimal guest with these modules of ours.
bench_guest_initrd() {
  ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "${@:2}"
  BENCH_FILES+=(--file "$MINIMAL_INITRD:$1.initrd")
}

# bench_guest_boot INITRD SCRIPT VARIABLES: one boot, in which bench/guest/SCRIPT.sh runs.
bench_guest_boot() {
  local number
  number=$(wc -l <"$BENCH_JOB/boots")
  { echo "$3 SECONDS_EACH=$seconds"; cat "$TOP_DIR/tests/guest/minimal/00-lib.sh" "$TOP_DIR/bench/guest/lib.sh" "$TOP_DIR/bench/guest/$2.sh"; } \
    >"$BENCH_JOB/exec$number"
  echo "$1.initrd exec$number" >>"$BENCH_JOB/boots"
}

# bench_guest_run LIMIT: all boots, none longer than LIMIT seconds, and the report. In a nested machine of one CPU: the emulation does not end it
# (lab/README.md), and no figure depends on which thread is where. Should a boot not come to its end all the same, its measurements are made anew.
bench_guest_run() {
  local name try=1 failed='' anew=0
  echo "$cpus" >"$BENCH_JOB/cpus"
  echo "$1" >"$BENCH_JOB/limit"
  for name in "$BENCH_JOB"/*; do BENCH_FILES+=(--file "$name"); done
  [ "$ACCEL" = kvm ] || { ensure_node_image; : >"$BENCH_JOB/nested"; BENCH_FILES+=(--file "$BENCH_JOB/nested"); }
  tell "in-tree and ours in turn, $pairs pairs, $seconds s each measurement, $cpus CPUs, $ACCEL, $(wc -l <"$BENCH_JOB/boots") boots"
  while [ -s "$BENCH_JOB/boots" ]; do
    : >"$SCRATCH/lines.boot"
    node_talk $(($1 + 60)) bench_guest_says --accel "$ACCEL" --smp 1 --memory 3G --disk "$TOOLS_DISK,ro,name=tools" \
      --file "$KERNEL_IMAGE:kernel" "${BENCH_FILES[@]}" "${BENCH_NODE[@]}" --file "$TOP_DIR/bench/guest/node" -- sh ./node || :
    [ -z "$failed" ] || die "the benchmark's guest ended with status $failed"
    [ -s "$BENCH_JOB/boots" ] || break
    [ "$ACCEL" = nested ] && [ "$try" -lt "$NODE_TRIES" ] || die "the benchmark's machine ended before its work was done, $try times"
    try=$((try + 1)) anew=$((anew + 1))
    say "the emulation ended under a boot: its measurements are made anew, try $try of $NODE_TRIES"
  done
  [ -s "$SCRATCH/lines" ] || die "the benchmark's guests said nothing"
  [ "$anew" = 0 ] || tell "begun anew because the emulation ended under them: $anew boots"
  bench_guest_report "$SCRATCH/lines"
}

# What the node says of a boot counts when that boot has come to its end.
bench_guest_says() {
  case $line in
    @booted)
      cat "$SCRATCH/lines.boot" >>"$SCRATCH/lines"
      : >"$SCRATCH/lines.boot"
      sed -i 1d "$BENCH_JOB/boots"
      try=1 ;;
    '@failed '*) failed=${line#@failed } ;;
    @*) printf '%s\n' "$line" >>"$SCRATCH/lines.boot" ;;
    *) printf '%s\n' "$line" >&2 ;;
  esac
  case $line in
    '@result '*) tell "$(bench_guest_line "$line")" ;;
  esac
}

# The words of a result line: of an I/O or, with a unit of its own, of packets.
bench_guest_line() {
  awk '
    NF == 7 { printf "  pair %s  %-9s  %-27s %8d IOPS %8d KiB/s %8.1f us of CPU per I/O\n", $2, $3, $4, $5, $6, $7 }
    NF == 8 { printf "  pair %s  %-9s  %-27s %10.1f %-11s %8d packets/s %8.1f us of CPU per packet\n", $2, $3, $4, $5, $8, $6, $7 }' <<<"$1"
}

# With --json only the report is on stdout.
tell() { if [ "$json" = 1 ]; then printf '%s\n' "$1" >&2; else printf '%s\n' "$1"; fi; }

# Medians of the ratios ours / in-tree, each of the better of a pair's measurements, and per I/O or packet: signals (guest to host), interrupts
# (host to guest), the guest's CPU time.
bench_guest_report() {
  awk -v json="$json" '
    function sort(list, n,  i, j, t) {
      for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    }
    function median(list, n) { return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2 }
    function both(ours, theirs, digits) { return sprintf("%.*f (in-tree %.*f)", digits, ours, digits, theirs) }
    $1 == "@result" {
      if (iops[$2, $3, $4] < $5) { iops[$2, $3, $4] = $5; cpu[$2, $3, $4] = $7 }
      unit[$4] = NF == 8 ? $8 : "IOPS"
      if ($2 > pairs) pairs = $2
      if (!($4 in seen)) { seen[$4] = 1; job[++jobs] = $4 }
    }
    $1 == "@frames" { frames[$2, $3, $4] = $5; per = "packet" }
    $1 == "@counters" && $5 == "start" { si[$2, $3, $4] = $6; so[$2, $3, $4] = $7; pk[$2, $3, $4] = $8 }
    $1 == "@counters" && $5 == "end" {
      # Frames that the guest has counted itself are what a network is measured by.
      if (($2, $3, $4) in frames) { $8 = frames[$2, $3, $4]; pk[$2, $3, $4] = 0 }
      signals[$3, $4] += $6 - si[$2, $3, $4]; interrupts[$3, $4] += $7 - so[$2, $3, $4]; packets[$3, $4] += $8 - pk[$2, $3, $4]
    }
    END {
      if (!per) per = "I/O"
      if (json) printf "{\"pairs\": %d, \"per\": \"%s\", \"jobs\": [", pairs, per
      else printf "%-27s %21s %15s %24s %24s %26s\n", "", per == "I/O" ? "ours / in-tree (IOPS)" : "ours / in-tree (rate)", "lowest-highest",
        "signals per " per, "interrupts per " per, "CPU us per " per
      for (j = 1; j <= jobs; j++) {
        n = 0
        for (p = 1; p <= pairs; p++) if (iops[p, "inbox", job[j]] > 0 && iops[p, "enlighten", job[j]] > 0) {
          r[++n] = iops[p, "enlighten", job[j]] / iops[p, "inbox", job[j]]
          for (i = 0; i < 2; i++) {
            d = i ? "enlighten" : "inbox"
            v[i, n] = iops[p, d, job[j]]; c[i, n] = cpu[p, d, job[j]]
          }
        }
        if (n == 0) continue
        sort(r, n)
        for (i = 0; i < 2; i++) {
          d = i ? "enlighten" : "inbox"; k = packets[d, job[j]] ? packets[d, job[j]] : 1
          s[i] = signals[d, job[j]] / k; t[i] = interrupts[d, job[j]] / k
          for (p = 1; p <= n; p++) m[p] = c[i, p]
          sort(m, n); u[i] = median(m, n)
          for (p = 1; p <= n; p++) m[p] = v[i, p]
          sort(m, n); w[i] = median(m, n)
        }
        if (json) {
          printf "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"ratio\": %.4f, \"ratio_low\": %.4f, \"ratio_high\": %.4f", said++ ? "," : "", job[j], unit[job[j]],
            median(r, n), r[1], r[n]
          for (i = 1; i >= 0; i--) printf ", \"%s\": {\"rate\": %.2f, \"signals\": %.4f, \"interrupts\": %.4f, \"cpu_us\": %.2f}", i ? "ours" : "in_tree", w[i], s[i], t[i], u[i]
          printf "}"
          continue
        }
        printf "%-27s %21.3f %7.3f-%-7.3f %24s %24s %26s\n", job[j], median(r, n), r[1], r[n], both(s[1], s[0], 3), both(t[1], t[0], 3), both(u[1], u[0], 1)
      }
      if (json) print "\n]}"
    }' "$1"
}
