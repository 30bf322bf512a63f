# SPDX-License-Identifier: GPL-2.0-only OR MIT
usage() {
  cat <<'USAGE'
usage: ./enlighten build [--images] [--kernel 6.1|6.12]

Builds enlighten-host, the guest's agent and our modules (for both kernels, or the one given).
  --images    makes the kernels and guest images too, so that the next run starts at once
USAGE
}

main() {
  local images=0 series kernels="6.1 6.12"
  while [ $# -gt 0 ]; do
    case $1 in
      --images) images=1; shift ;;
      --kernel)
        [ $# -ge 2 ] || usage_error "--kernel needs a value"
        [ "$2" = 6.1 ] || [ "$2" = 6.12 ] || usage_error "--kernel '$2': give 6.1 or 6.12"
        kernels=$2; shift 2 ;;
      --help | -h) usage; exit 0 ;;
      *) usage_error "unknown option '$1'" ;;
    esac
  done
  ensure_packages
  build_programs
  for series in $kernels; do
    resolve_kernel "$series"
    build_modules "$KERNEL_RELEASE"
  done
  if [ "$images" = 1 ]; then
    parse_drivers enlighten
    ensure_qemu
    ensure_node_image
    ensure_tools
    ensure_debian
    for series in $kernels; do
      ensure_kernel "$series"
      build_modules "$KERNEL_RELEASE"
      # shellcheck disable=SC2046,SC2086
      ensure_modset "$KERNEL_RELEASE" $(printf "$MODULES_DIR/%s.ko " $OUR_DRIVERS)
    done
  fi
}
