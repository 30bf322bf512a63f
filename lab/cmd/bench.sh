# SPDX-License-Identifier: GPL-2.0-only OR MIT
. "$LAB_DIR/lib/bench-storvsc.sh"

usage() {
  cat <<'USAGE'
usage: ./enlighten bench [storvsc|ring|loop ...] [options]

  storvsc   our hv_storvsc against the in-tree one, in one boot of one guest, A B A B: ratios, signals and interrupts per I/O
  ring      the ring natively: ns per packet, against memcpy of the same bytes
  loop      core against host in one process: ns per request

  --pairs N      storvsc: pairs of runs (default 5)
  --seconds N    storvsc: seconds per measurement (default 4)
  --cpus N       storvsc: the guest's CPUs (default 2)
  --accel auto|kvm|nested
USAGE
}

main() {
  local names=() name program
  accel=auto pairs=5 seconds=4 cpus=2
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --accel | --pairs | --seconds | --cpus)
        [ $# -ge 2 ] || usage_error "$1 needs a value"
        case $1 in
          --accel) accel=$2 ;;
          *)
            case $2 in '' | *[!0-9]* | 0* | ????*) usage_error "$1 '$2': give a number" ;; esac
            case $1 in --pairs) pairs=$2 ;; --seconds) seconds=$2 ;; *) cpus=$2 ;; esac ;;
        esac
        shift 2 ;;
      -*) usage_error "unknown option '$1'" ;;
      storvsc | ring | loop) names+=("$1"); shift ;;
      *) usage_error "unknown benchmark '$1': give storvsc, ring or loop" ;;
    esac
  done
  case $accel in auto | kvm | nested) ;; *) usage_error "--accel '$accel': give auto, kvm or nested" ;; esac
  [ "$cpus" -ge 1 ] && [ "$cpus" -le 16 ] || usage_error "--cpus $cpus: give a number from 1 to 16"
  [ ${#names[@]} -gt 0 ] || names=(ring loop storvsc)
  ensure_packages
  for name in "${names[@]}"; do
    echo "== $name"
    case $name in
      storvsc) bench_storvsc ;;
      *)
        build_preset release "${name}_bench"
        program=$BUILD_DIR/release/bench/${name}_bench
        "$program" ;;
    esac
  done
}
