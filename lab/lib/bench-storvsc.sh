# SPDX-License-Identifier: GPL-2.0-only OR MIT
# ./enlighten bench storvsc: ours against in-tree in one boot of one guest; ratios by pair, the median of them counts.

bench_storvsc() {
  local dir=$TOP_DIR/bench/guest job line status=0
  build_programs
  choose_accel "$accel"
  scratch_dir
  job=$SCRATCH/bench
  mkdir -p "$job"
  ensure_kernel 6.1
  build_modules "$KERNEL_RELEASE"
  [ -e "$MODULES_DIR/hv_storvsc.ko" ] || die "the module hv_storvsc.ko was not built in $MODULES_DIR"
  ensure_minimal "$KERNEL_DIR" "$KERNEL_RELEASE" "$AGENT" "$MODULES_DIR/hv_storvsc.ko"
  ensure_tools
  { printf 'PAIRS=%s SECONDS_EACH=%s\n' "$pairs" "$seconds"; cat "$TOP_DIR/tests/guest/minimal/00-lib.sh" "$dir/storvsc.sh"; } >"$job/exec"
  echo "$cpus" >"$job/cpus"
  echo $((200 + pairs * 6 * (seconds + 12))) >"$job/limit"
  [ "$ACCEL" = kvm ] || ensure_node_image
  echo "in-tree and ours in turn, $pairs pairs, $seconds s each, $cpus CPUs, $ACCEL: about $((60 + pairs * 6 * (seconds + 6))) s"
  mkfifo "$SCRATCH/stream"
  "$LAB_DIR/node" --accel "$ACCEL" --smp "$(node_cpus)" --memory 3G --disk "$TOOLS_DISK,ro,name=tools" --file "$KERNEL_IMAGE:kernel" \
    --file "$MINIMAL_INITRD:initrd" --file "$job/exec" --file "$job/cpus" --file "$job/limit" --file "$dir/node" -- sh ./node \
    >"$SCRATCH/stream" 2>&1 </dev/null &
  NODE_PID=$!
  on_exit "kill -TERM $NODE_PID 2>/dev/null && wait $NODE_PID"
  while IFS= read -r line; do
    line=${line%$'\r'}
    case $line in
      @*) printf '%s\n' "$line" >>"$SCRATCH/lines" ;;
      *) printf '%s\n' "$line" >&2 ;;
    esac
    case $line in '@result '*) printf '%s\n' "$line" | awk '{ printf "  pair %s  %-9s  %-17s %8d IOPS %8d KiB/s\n", $2, $3, $4, $5, $6 }' ;; esac
  done <"$SCRATCH/stream"
  wait "$NODE_PID" || status=$?
  [ "$status" = 0 ] && [ -s "$SCRATCH/lines" ] || die "the benchmark's guest ended with status $status"
  report_storvsc "$SCRATCH/lines"
}

# Medians of the ratios ours / in-tree, and signals (guest to host) and interrupts (host to guest) per I/O.
report_storvsc() {
  awk '
    function median(list, n,  i, j, t) {
      for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
      return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    $1 == "@result" { iops[$2, $3, $4] = $5; if ($2 > pairs) pairs = $2; if (!($4 in seen)) { seen[$4] = 1; job[++jobs] = $4 } }
    $1 == "@counters" && $5 == "start" { si[$2, $3, $4] = $6; so[$2, $3, $4] = $7; pk[$2, $3, $4] = $8 }
    $1 == "@counters" && $5 == "end" {
      si[$2, $3, $4] = $6 - si[$2, $3, $4]; so[$2, $3, $4] = $7 - so[$2, $3, $4]; pk[$2, $3, $4] = $8 - pk[$2, $3, $4]
      signals[$3, $4] += si[$2, $3, $4]; interrupts[$3, $4] += so[$2, $3, $4]; packets[$3, $4] += pk[$2, $3, $4]
    }
    END {
      printf "%-18s %22s %16s %26s %26s\n", "", "ours / in-tree (IOPS)", "lowest-highest", "signals per I/O", "interrupts per I/O"
      for (j = 1; j <= jobs; j++) {
        n = 0
        for (p = 1; p <= pairs; p++) if (iops[p, "inbox", job[j]] > 0 && iops[p, "enlighten", job[j]] > 0) r[++n] = iops[p, "enlighten", job[j]] / iops[p, "inbox", job[j]]
        if (n == 0) continue
        m = median(r, n)
        for (i = 0; i < 2; i++) {
          d = i ? "enlighten" : "inbox"; k = packets[d, job[j]] ? packets[d, job[j]] : 1
          s[i] = signals[d, job[j]] / k; t[i] = interrupts[d, job[j]] / k
        }
        printf "%-18s %22.3f %8.3f-%.3f %16.3f (in-tree %.3f) %9.3f (in-tree %.3f)\n", job[j], m, r[1], r[n], s[1], s[0], t[1], t[0]
      }
    }' "$1"
}
