# SPDX-License-Identifier: GPL-2.0-only OR MIT
. "$LAB_DIR/lib/bench-guest.sh"

usage() {
  cat <<'USAGE'
usage: ./enlighten bench [NAME ...] [options]

  vmbus          the two below
  vmbus-native   the ring natively: ns per packet, against itself without checks, a plain ring in C,
                 and memcpy of the same bytes
  vmbus-guest    our bus against the in-tree one, under both storage drivers
  storvsc        our hv_storvsc against the in-tree one
  netvsc         our hv_netvsc against the in-tree one, on TAP interfaces of the nested machine: the
                 two below
  netvsc-serial  guest and host take turns on one CPU, so the rate says what all of it costs
  netvsc-parallel
                 guest and host work at once, on two CPUs, as on a real machine; without floods of
                 datagrams
  loop           core against host in one process: ns per request
  netvsc-native  core against host in one process: ns per frame, against memcpy of the same bytes
  instructions   callgrind: instructions per request in the core of storvsc

In a guest, the four of them: in two guests that take turns, A B A B, each of which measures one of
the two. Ratios of IOPS, or of Mbit/s, round trips and datagrams; signals, interrupts and CPU time
per I/O or packet. Without a NAME: vmbus, loop, storvsc.

  --against DIR  of storvsc and netvsc: against the same driver of another tree of this project (a
                 clone of an older commit, say) instead of the in-tree one
  --json         a JSON object for each benchmark on stdout, all else on stderr (not of
                 instructions)
  --pairs N      pairs of guests (default 5)
  --seconds N    in a guest: seconds per measurement, in several turns (default 4)
  --cpus N       of each guest (default 1)
  --accel auto|kvm|nested
USAGE
}

main() {
  local names=() name
  accel=auto pairs=5 seconds=4 cpus=1 json=0 against=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --json) json=1; shift ;;
      --accel | --pairs | --seconds | --cpus | --against)
        [ $# -ge 2 ] || usage_error "$1 needs a value"
        case $1 in
          --accel) accel=$2 ;;
          --against) against=$2 ;;
          *)
            case $2 in '' | *[!0-9]* | 0* | ????*) usage_error "$1 '$2': give a number" ;; esac
            case $1 in --pairs) pairs=$2 ;; --seconds) seconds=$2 ;; *) cpus=$2 ;; esac ;;
        esac
        shift 2 ;;
      -*) usage_error "unknown option '$1'" ;;
      vmbus) names+=(vmbus-native vmbus-guest); shift ;;
      netvsc) names+=(netvsc-serial netvsc-parallel); shift ;;
      vmbus-native | vmbus-guest | storvsc | netvsc-serial | netvsc-parallel | netvsc-native | \
        loop | instructions)
        names+=("$1")
        shift ;;
      *)
        usage_error "unknown benchmark '$1': give vmbus, vmbus-native, vmbus-guest, storvsc," \
          "netvsc, netvsc-serial, netvsc-parallel, loop, netvsc-native or instructions" ;;
    esac
  done
  case $accel in
    auto | kvm | nested) ;;
    *) usage_error "--accel '$accel': give auto, kvm or nested" ;;
  esac
  [ "$cpus" -ge 1 ] && [ "$cpus" -le 16 ] || usage_error "--cpus $cpus: give a number from 1 to 16"
  [ "$seconds" -ge 2 ] || usage_error "--seconds $seconds: give 2 or more"
  if [ -n "$against" ]; then
    [ -e "$against/ports/linux/Makefile" ] ||
      usage_error "--against '$against': there is no tree of this project"
    [ ${#names[@]} -gt 0 ] || names=(storvsc)
    for name in "${names[@]}"; do
      case $name in
        storvsc | netvsc-*l) ;;
        *) usage_error "--against: give storvsc, netvsc, netvsc-serial or netvsc-parallel" ;;
      esac
    done
  fi
  [ ${#names[@]} -gt 0 ] || names=(vmbus-native loop vmbus-guest storvsc)
  ensure_packages
  for name in "${names[@]}"; do
    tell "== $name"
    case $name in
      storvsc) bench_storvsc ;;
      netvsc-serial) bench_netvsc 1 tcp-out tcp-in ping-pong udp-64-out udp-64-in ;;
      netvsc-parallel) bench_netvsc 2 tcp-out tcp-in ping-pong ;;
      vmbus-guest) bench_vmbus_guest ;;
      vmbus-native) bench_native vmbus_bench ;;
      loop) bench_native loop_bench ;;
      netvsc-native) bench_native netvsc_bench ;;
      instructions)
        build_preset release loop_bench
        "$TOP_DIR/bench/instructions" "$BUILD_DIR/release/bench" ;;
    esac
  done
}

bench_native() {
  build_preset release "$1"
  local options=()
  [ "$json" = 0 ] || options=(--json)
  "$BUILD_DIR/release/bench/$1" "${options[@]}"
}
