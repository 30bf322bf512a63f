# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Interrupts that the host has given again, as the guest had not taken them for half a second
# (vmm/README.md): no real host does that. What each session had of it, ours against in tree.

# Where all sessions of all suites that ran leave a line for each that was looked into: KIND DRIVERS
# KERNEL CPUS CHANNELS vp=N sint=N what=... count=N needed=true|false taken=true|false vcpu=WORD,
# and one that ends at CHANNELS for each session that came to its end.
REPEATS=$LOG_DIR/repeats

# note_repeat SESSION [LINE]: SESSION as the list has it.
note_repeat() {
  # shellcheck disable=SC2086
  set -- $1 "${2:-}"
  if [ $# -eq 5 ]; then
    echo "$1 $2 $3 $4 - $5" >>"$REPEATS"
  else
    echo "$1 $2 $3 $4 $5 $6" >>"$REPEATS"
  fi
}

# The table: by session, vCPU, SINT and channel how many, how often their interrupt was given, and
# how many were needed.
show_repeats() {
  [ -s "$REPEATS" ] && grep -q ' vp=' "$REPEATS" || return 0
  echo 'interrupts given again, as they were not taken for half a second:'
  awk '
    $6 == "" { next }
    {
      for (i = 6; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
      bus = $2 ~ /^enlighten|hv_vmbus=enlighten/ ? "ours" : "in-tree"
      key = sprintf("%-48s %-8s %4s %4s  %-18s %-12s", $1 " " $2 " " $3 " " $4, bus, field["vp"],
        field["sint"], field["what"], field["vcpu"])
      many[key]++
      given[key] += field["count"]
      taken[key] += field["taken"] == "true"
      needed[key] += field["needed"] == "true"
    }
    END {
      printf "  %-48s %-8s %4s %4s  %-18s %-12s %5s %6s %6s %6s\n", "session", "bus", "vCPU",
        "SINT", "channel", "vCPU was", "stood", "given", "taken", "needed"
      fflush()
      for (key in many) {
        line = sprintf("  %s %5d %6d %6d %6d", key, many[key], given[key], taken[key], needed[key])
        print line | "sort"
      }
    }' "$REPEATS"
}

# Fails for each session with our bus that needed them more often than the same one with the
# kernel's: same kind, kernel and CPUs, where both ran.
test_repeats() {
  [ -e "$REPEATS" ] || return 0  # no session that counts
  awk '
    {
      session = $1 " " $3 " " $4
      bus = $2 ~ /^enlighten|hv_vmbus=enlighten/ ? "ours" : "in-tree"
      ran[session, bus] = 1
      sessions[session] = 1
      if ($0 ~ / needed=true/) needed[session, bus]++
    }
    END {
      for (session in sessions) {
        ours = needed[session, "ours"] + 0
        theirs = needed[session, "in-tree"] + 0
        if (!ran[session, "ours"] || !ran[session, "in-tree"]) continue
        printf "%s: ours needed %d, in tree %d\n", session, ours, theirs
        if (ours > theirs) bad = 1
      }
      exit bad
    }' "$REPEATS"
}
