# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The Debian guest's root file system: made once by mmdebstrap from this machine's own APT sources,
# then only copied.

DEBIAN_SERIES="6.1 6.12"

# ensure_debian -> sets DEBIAN_DIR with tree/ (the root file system as a folder) and root.ext4.
ensure_debian() {
  local series kernels='' hash KERNEL_DIR KERNEL_RELEASE KERNEL_IMAGE KERNEL_PACKAGE KERNEL_VERSION
  for series in $DEBIAN_SERIES; do
    ensure_kernel "$series"
    kernels="$kernels $KERNEL_DIR/kernel.deb"
  done
  hash=$(hash_inputs "$LAB_DIR"/guest/debian/* "$LAB_DIR/guest/table" \
    <<<"$kernels $(type make_debian)")
  DEBIAN_DIR=$CACHE_DIR/debian-$hash
  [ -d "$DEBIAN_DIR" ] || [ "$(id -u)" = 0 ] ||
    die "the Debian image has to be made first, which needs root:" \
      "run 'sudo env ENLIGHTEN_CACHE=$CACHE_DIR ./enlighten build --images'," \
      "or use --guest minimal"
  in_cache "$DEBIAN_DIR" debian 'debian-*' \
    "making the Debian root file system (mmdebstrap, takes a minute or two)" \
    make_debian "$kernels"
}

make_debian() {
  local part=$DEBIAN_DIR.part kernels=$1 kernel hook hooks=()
  mkdir -p "$part"
  debian_sources >"$part/sources.list"
  [ -s "$part/sources.list" ] ||
    die "APT has no source for Debian 12 (bookworm) here: add one, then run 'apt-get update'"
  apt-config dump | grep -E '^Acquire::(http|https|ftp)::Proxy' >"$part/apt.conf" || :
  for kernel in $kernels; do
    # The kernel's own package, but no initrd yet: that is made for each set of modules.
    hook="cp '$kernel' \"\$1/kernel.deb\"; INITRD=No chroot \"\$1\" dpkg -i /kernel.deb"
    hooks+=(--customize-hook="$hook; rm \"\$1/kernel.deb\"")
  done
  mmdebstrap --variant=minbase --format=directory --aptopt="$part/apt.conf" \
    --include="$(grep -v '^#' "$LAB_DIR/guest/debian/packages" | paste -sd,)" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "${hooks[@]}" --customize-hook="$LAB_DIR/guest/debian/customize" \
    bookworm "$part/tree" "$part/sources.list"
  truncate -s 4G "$part/root.ext4"
  mke2fs -q -t ext4 -L enlighten -m 0 -E lazy_itable_init=0,lazy_journal_init=0 \
    -d "$part/tree" "$part/root.ext4"
}
