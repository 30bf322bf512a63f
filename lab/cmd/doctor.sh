# SPDX-License-Identifier: GPL-2.0-only OR MIT
usage() {
  cat <<'USAGE'
usage: ./enlighten doctor

Says what this machine has, what is missing, which acceleration works and why not. Changes nothing.
Exit status: 0 when './enlighten run' can work here (missing packages it would install), else 1.
USAGE
}

line() { printf '%-14s %s\n' "$1" "$2"; }

main() {
  case ${1:-} in
    --help | -h) usage; exit 0 ;;
    '') ;;
    *) usage_error "unknown option '$1'" ;;
  esac
  local bad=0 missing system=unknown memory space series rest
  [ ! -r /etc/os-release ] || system=$(. /etc/os-release && echo "$PRETTY_NAME")
  line system "$system, kernel $(uname -r), $(uname -m)"
  case $(. /etc/os-release 2>/dev/null; echo "${VERSION_CODENAME:-}") in
    bookworm) ;;
    *) line '' "made for Debian 12 (bookworm); elsewhere the packages may not be found" ;;
  esac
  [ "$(uname -m)" = x86_64 ] || { line '' "needs an x86-64 machine"; bad=1; }
  memory=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  line processors "$(nproc)"
  rest=''
  [ "$memory" -ge 2048 ] || rest='; a guest of 1G nested needs about 2048 MiB'
  line memory "$memory MiB free$rest"
  mkdir -p "$CACHE_DIR" 2>/dev/null || {
    line cache "$CACHE_DIR cannot be written: set ENLIGHTEN_CACHE"
    bad=1
  }
  space=$(df -Pm "$CACHE_DIR" 2>/dev/null | awk 'NR == 2 { print $4 }')
  rest=''
  [ "${space:-0}" -ge 4000 ] || rest='; the images need about 4000 MiB'
  line cache "$CACHE_DIR, ${space:-?} MiB free$rest"
  missing=$(missing_packages | tr '\n' ' ')
  if [ -z "$missing" ]; then
    line packages "all there"
  elif [ "$(id -u)" = 0 ]; then
    line packages "missing, will be installed when needed: $missing"
  else
    line packages "missing, install them as root: apt-get install $missing"
    bad=1
  fi
  for series in 6.1 6.12; do
    if (resolve_kernel "$series") 2>/dev/null; then
      resolve_kernel "$series"
      rest=''
      [ -e "/lib/modules/$KERNEL_RELEASE/build" ] || rest=', headers not installed'
      line "kernel $series" "$KERNEL_RELEASE ($KERNEL_VERSION)$rest"
    else
      line "kernel $series" "not known to APT here: run 'apt-get update'"
    fi
  done
  if [ ! -e /dev/kvm ]; then
    line kvm "no /dev/kvm here"
  elif probe_kvm; then
    line kvm "usable: tried, with real guest instructions"
  else
    line kvm "present, not usable: $PROBE_LINE"
  fi
  if command -v qemu-system-x86_64 >/dev/null; then
    rest=$(qemu_version || echo 'QEMU of the backports, fetched when needed,')
    line nested "usable: $rest emulates AMD SVM"
  else
    line nested "QEMU is missing: install qemu-system-x86"
  fi
  if [ -e /dev/kvm ] && probe_kvm; then
    line acceleration kvm
  else
    line acceleration "nested (as --accel auto chooses)"
  fi
  exit "$bad"
}
