# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Benchmarks in a guest: ours against in-tree, in turn; ratios by pair, the median of them counts.

# ./enlighten bench storvsc
bench_storvsc() {
  bench_guest_prepare hv_storvsc
  bench_guest_other hv_storvsc
  bench_guest_initrd enlighten "$MODULES_DIR/hv_storvsc.ko"
  bench_guest_run storvsc $((300 + 6 * (seconds * 3 + 30)))
}

# ./enlighten bench vmbus, in the guest: both buses, each under both storage drivers.
bench_vmbus_guest() {
  bench_guest_prepare hv_vmbus hv_storvsc
  bench_guest_initrd inbox "$MODULES_DIR/hv_storvsc.ko"
  bench_guest_initrd enlighten "$MODULES_DIR/hv_storvsc.ko" "$MODULES_DIR/hv_vmbus.ko"
  bench_guest_run vmbus $((300 + 12 * (seconds * 3 + 30)))
}

# ./enlighten bench netvsc: on TAP interfaces of a nested machine of that many CPUs.
bench_netvsc() { # bench_netvsc CPUS JOB...
  bench_guest_prepare hv_netvsc
  [ "$ACCEL" = nested ] ||
    die "the network is measured in the nested machine, where its TAP interfaces are made:" \
      "give --accel nested"
  bench_guest_other hv_netvsc
  bench_guest_initrd enlighten "$MODULES_DIR/hv_netvsc.ko"
  : >"$BENCH_JOB/network"
  BENCH_NODE_CPUS=$1 BENCH_JOBS=${*:2}
  BENCH_NODE+=(--bin "$(command -v iperf3)")
  bench_guest_run netvsc $((300 + 10 * (seconds * 3 + 30)))
}

# bench_guest_prepare MODULE...: builds all that is needed, these modules of ours among it -> sets
# BENCH_JOB.
bench_guest_prepare() {
  local module
  build_programs
  choose_accel "$accel"
  scratch_dir
  BENCH_JOB=$SCRATCH/bench
  rm -rf "$BENCH_JOB" "$SCRATCH/lines"
  mkdir -p "$BENCH_JOB"
  BENCH_FILES=() BENCH_NODE=(--bin "$(command -v chrt)") BENCH_NODE_CPUS=1 BENCH_JOBS=''
  ensure_kernel 6.1
  build_modules "$KERNEL_RELEASE"
  for module; do
    [ -e "$MODULES_DIR/$module.ko" ] || die "the module $module.ko was not built in $MODULES_DIR"
  done
  ensure_tools
}

# bench_guest_other MODULE: the guest that ours is compared with: in-tree, or with another tree's.
bench_guest_other() {
  local out=$SCRATCH/against
  [ -n "$against" ] || { bench_guest_initrd inbox; return; }
  step "building the modules of $against" make -s -j"$(nproc)" -C "$against/ports/linux" \
    KDIR="/lib/modules/$KERNEL_RELEASE/build" OUT="$out"
  bench_guest_initrd inbox "$out/$1.ko"
}

# bench_guest_initrd inbox|enlighten MODULE.ko...: the minimal guest that measures it, with these
# modules of ours.
bench_guest_initrd() {
  ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "${@:2}"
  BENCH_FILES+=(--file "$MINIMAL_INITRD:$1.initrd")
}

# bench_guest_run SCRIPT LIMIT: bench/guest/SCRIPT.sh in all pairs of guests, none longer than LIMIT
# seconds, and the report. A nested machine of one CPU is not ended by the emulation
# (lab/README.md), and no figure depends on which thread is where; one of two may be. A pair that
# does not come to its end is measured anew.
bench_guest_run() {
  local script=$1 limit=$2 name pair whose order try=1 failed='' anew=0
  echo "$cpus" >"$BENCH_JOB/cpus"
  echo "$limit" >"$BENCH_JOB/limit"
  for pair in $(seq "$pairs"); do
    # Who comes first alternates, too.
    order='inbox enlighten'
    [ $((pair % 2)) = 1 ] || order='enlighten inbox'
    for whose in $order; do
      {
        echo "PAIR=$pair WHOSE=$whose SECONDS_EACH=$seconds JOBS='$BENCH_JOBS' AGAINST='$against'"
        cat "$TOP_DIR/tests/guest/minimal/00-lib.sh" "$TOP_DIR/bench/guest/lib.sh" \
          "$TOP_DIR/bench/guest/$script.sh"
        echo 'echo @turn; read -r _ # the node has seen the last counters then'
      } >"$BENCH_JOB/exec$pair$whose"
      printf '%s ' "$whose.initrd" "exec$pair$whose" >>"$BENCH_JOB/boots"
    done
    echo >>"$BENCH_JOB/boots"
  done
  for name in "$BENCH_JOB"/*; do BENCH_FILES+=(--file "$name"); done
  [ "$ACCEL" = kvm ] || {
    ensure_node_image
    : >"$BENCH_JOB/nested"
    BENCH_FILES+=(--file "$BENCH_JOB/nested")
  }
  tell "${against:-in-tree} and ours in turn, $pairs pairs of guests," \
    "$seconds s each measurement, $cpus CPUs, $ACCEL"
  while [ -s "$BENCH_JOB/boots" ]; do
    : >"$SCRATCH/lines.boot"
    node_talk $((limit + 60)) bench_guest_says --accel "$ACCEL" --smp "$BENCH_NODE_CPUS" \
      --memory 3G --disk "$TOOLS_DISK,ro,name=tools" \
      --file "$KERNEL_IMAGE:kernel" "${BENCH_FILES[@]}" "${BENCH_NODE[@]}" \
      --file "$TOP_DIR/bench/guest/node" -- sh ./node || :
    [ -z "$failed" ] || die "the benchmark's guest ended with status $failed"
    [ -s "$BENCH_JOB/boots" ] || break
    [ "$ACCEL" = nested ] && [ "$try" -lt "$NODE_TRIES" ] ||
      die "the benchmark's machine ended before its work was done, $try times"
    try=$((try + 1)) anew=$((anew + 1))
    say "the emulation ended under a pair of guests: its measurements are made anew," \
      "try $try of $NODE_TRIES"
  done
  [ -s "$SCRATCH/lines" ] || die "the benchmark's guests said nothing"
  [ "$anew" = 0 ] || tell "begun anew because the emulation ended under them: $anew pairs"
  bench_guest_report "$SCRATCH/lines"
}

# What the node says of a pair of guests counts when both have come to their end.
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
    '@counters '*' end '*) tell "$(bench_guest_line "$line")" ;;
  esac
}

# A guest has done a job, as these counters say: how it was, in words.
bench_guest_line() {
  awk -v pair="$(cut -d ' ' -f 2 <<<"$1")" -v whose="$(cut -d ' ' -f 3 <<<"$1")" \
    -v job="$(cut -d ' ' -f 4 <<<"$1")" '
    $1 == "@window" && $2 == pair && $3 == whose && $4 == job {
      rate += $5; cpu += $6; unit = NF > 6 ? $7 : "IOPS"; n++
    }
    END {
      form = "  pair %s  %-9s  %-27s %10.1f %-11s %8.1f us of CPU each, mean of %d turns\n"
      if (n) printf form, pair, whose, job, rate / n, unit, cpu / n, n
    }' "$SCRATCH/lines.boot"
}

# With --json only the report is on stdout.
tell() { if [ "$json" = 1 ]; then printf '%s\n' "$*" >&2; else printf '%s\n' "$*"; fi; }

# The ratio ours / in-tree (or the other tree's) is that of two turns one behind the other; of a
# pair of guests their median, and of the pairs the median, beside it the lowest and the highest.
# Per I/O or packet: signals (guest to host), interrupts (host to guest), the guest's CPU time.
bench_guest_report() {
  awk -v json="$json" -v other="${against:+other}" '
    function sort(list, n,  i, j, t) {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
          t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
        }
    }
    function median(list, n) {
      sort(list, n)
      return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    function both(ours, theirs, digits) {
      return sprintf("%.*f (%s %.*f)", digits, ours, other, digits, theirs)
    }
    $1 == "@window" {
      turn = ++turns[$2, $3, $4]
      rate[$2, $3, $4, turn] = $5; cpu[$2, $3, $4, turn] = $6
      unit[$4] = NF > 6 ? $7 : "IOPS"
      if ($2 > pairs) pairs = $2
      if (!($4 in seen)) { seen[$4] = 1; job[++jobs] = $4 }
    }
    $1 == "@frames" { frames[$2, $3, $4] = $5; per = "packet" }
    $1 == "@counters" && $5 == "start" {
      si[$2, $3, $4] = $6; so[$2, $3, $4] = $7; pk[$2, $3, $4] = $8; ex[$2, $3, $4] = $9
    }
    $1 == "@counters" && $5 == "end" {
      # Frames that the guest has counted itself are what a network is measured by.
      if (($2, $3, $4) in frames) { $8 = frames[$2, $3, $4]; pk[$2, $3, $4] = 0 }
      signals[$3, $4] += $6 - si[$2, $3, $4]; interrupts[$3, $4] += $7 - so[$2, $3, $4]
      packets[$3, $4] += $8 - pk[$2, $3, $4]; exits[$3, $4] += $9 - ex[$2, $3, $4]
    }
    END {
      if (!per) per = "I/O"
      key = other ? "other" : "in_tree"
      if (!other) other = "in-tree"
      if (json) printf "{\"pairs\": %d, \"per\": \"%s\", \"jobs\": [", pairs, per
      else
        printf "%-27s %21s %15s %24s %24s %24s %26s\n", "",
          "ours / " other (per == "I/O" ? " (IOPS)" : " (rate)"), "lowest-highest",
          "signals per " per, "interrupts per " per, "exits per " per, "CPU us per " per
      split("inbox enlighten", names, " ")
      for (j = 1; j <= jobs; j++) {
        n = 0; split("", count)
        for (p = 1; p <= pairs; p++) {
          m = 0
          for (t = 1; ((p, "inbox", job[j], t) in rate) &&
               ((p, "enlighten", job[j], t) in rate); t++) {
            q[++m] = rate[p, "enlighten", job[j], t] / rate[p, "inbox", job[j], t]
            for (i = 1; i <= 2; i++) {
              v[i, ++count[i]] = rate[p, names[i], job[j], t]
              c[i, count[i]] = cpu[p, names[i], job[j], t]
            }
          }
          if (m) r[++n] = median(q, m)
        }
        if (n == 0) continue
        for (i = 1; i <= 2; i++) {
          k = packets[names[i], job[j]] ? packets[names[i], job[j]] : 1
          s[i] = signals[names[i], job[j]] / k
          w[i] = interrupts[names[i], job[j]] / k
          e[i] = exits[names[i], job[j]] / k
          for (m = 1; m <= count[i]; m++) q[m] = c[i, m]
          u[i] = median(q, count[i])
          for (m = 1; m <= count[i]; m++) q[m] = v[i, m]
          x[i] = median(q, count[i])
        }
        ratio = median(r, n)
        if (json) {
          printf "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"turns\": %d",
            said++ ? "," : "", job[j], unit[job[j]], count[1]
          printf ", \"ratio\": %.4f, \"ratio_low\": %.4f, \"ratio_high\": %.4f", ratio, r[1], r[n]
          for (i = 2; i >= 1; i--) {
            printf ", \"%s\": {\"rate\": %.2f, \"signals\": %.4f, \"interrupts\": %.4f",
              i == 2 ? "ours" : key, x[i], s[i], w[i]
            printf ", \"exits\": %.4f, \"cpu_us\": %.2f}", e[i], u[i]
          }
          printf "}"
          continue
        }
        printf "%-27s %21.3f %7.3f-%-7.3f %24s %24s %24s %26s\n", job[j], ratio, r[1], r[n],
          both(s[2], s[1], 4), both(w[2], w[1], 4), both(e[2], e[1], 3), both(u[2], u[1], 1)
      }
      if (json) print "\n]}"
    }' "$1"
}
