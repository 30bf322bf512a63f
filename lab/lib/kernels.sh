# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Debian's kernels, downloaded and unpacked in the cache; none is installed on this machine.

# What there is beside 6.1 and 6.12 is for the minimal guest alone: Debian's with PREEMPT_RT, and
# the debug kernels of lib/debug-kernel.sh.
KERNELS="6.1, 6.12, 6.1-rt, 6.12-rt, kasan, kcsan"
is_debug_kernel() { [ "$1" = kasan ] || [ "$1" = kcsan ]; }

# kernel_metapackage SERIES -> the package that names the newest kernel of that series.
kernel_metapackage() {
  case $1 in
    6.1) echo linux-image-cloud-amd64 ;;
    6.12) echo linux-image-6.12-cloud-amd64 ;;
    6.1-rt) echo linux-image-rt-amd64 ;;
    6.12-rt) echo linux-image-6.12-rt-amd64 ;;
    *) return 1 ;;
  esac
}

# resolve_kernel SERIES -> sets KERNEL_PACKAGE, KERNEL_VERSION (package) and KERNEL_RELEASE
# (uname -r). APT is slow: each is asked for once.
declare -A KERNELS_RESOLVED=()
resolve_kernel() {
  local meta
  if [ -n "${KERNELS_RESOLVED[$1]:-}" ]; then
    read -r KERNEL_PACKAGE KERNEL_VERSION KERNEL_RELEASE <<<"${KERNELS_RESOLVED[$1]}"
    return 0
  fi
  meta=$(kernel_metapackage "$1") || die "no kernel '$1': give $KERNELS or a bzImage file"
  KERNEL_PACKAGE=$(apt-cache depends "$meta" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
  [ -n "$KERNEL_PACKAGE" ] ||
    die "the package $meta is not known here:" \
      "run 'apt-get update' (Debian 12 with its security updates)"
  KERNEL_VERSION=$(apt-cache policy "$KERNEL_PACKAGE" | sed -n 's/^ *Candidate: //p')
  KERNEL_RELEASE=${KERNEL_PACKAGE#linux-image-}
  KERNELS_RESOLVED[$1]="$KERNEL_PACKAGE $KERNEL_VERSION $KERNEL_RELEASE"
}

# ensure_kernel SERIES -> sets KERNEL_DIR (with boot/vmlinuz-RELEASE, lib/modules/RELEASE, the .deb)
# and KERNEL_RELEASE.
ensure_kernel() {
  ! is_debug_kernel "$1" || { ensure_debug_kernel "$1"; return; }
  resolve_kernel "$1"
  KERNEL_DIR=$CACHE_DIR/kernel-${KERNEL_RELEASE}_${KERNEL_VERSION//[:~+]/-}
  KERNEL_IMAGE=$KERNEL_DIR/boot/vmlinuz-$KERNEL_RELEASE
  in_cache "$KERNEL_DIR" "kernel-$KERNEL_RELEASE" '' "downloading the kernel $KERNEL_RELEASE" \
    fetch_kernel
}

fetch_kernel() {
  local tree=$KERNEL_DIR.tree part=$KERNEL_DIR.part
  mkdir -p "$tree" "$part"
  chmod 755 "$tree" "$part"
  (cd "$tree" && apt-get download -o APT::Sandbox::User=root "$KERNEL_PACKAGE=$KERNEL_VERSION")
  mv "$tree"/*.deb "$part/kernel.deb"
  dpkg-deb -x "$part/kernel.deb" "$part"
  rm -rf "${part:?}/usr"
  depmod -b "$part" -F "$part/boot/System.map-$KERNEL_RELEASE" "$KERNEL_RELEASE" ||
    depmod -b "$part" "$KERNEL_RELEASE"
}
