# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A set of our modules in the Debian guest: module index and initrd, made by the guest's own depmod
# and initramfs-tools.

# ensure_modset RELEASE [MODULE.ko...] -> sets MODSET_DIR with initrd and files/ (to be put into the
# root file system). Needs ensure_debian. Remade when a module changes; the root file system is not.
ensure_modset() {
  local release=$1 hash
  shift
  hash=$(hash_inputs "$@" <<<"$DEBIAN_DIR $release $(basename -a "$@" /) $(type make_modset)")
  MODSET_DIR=$CACHE_DIR/modset-$release-$hash
  in_cache "$MODSET_DIR" modset "modset-$release-*" \
    "making the guest's initrd (its own initramfs-tools, $# modules of ours)" \
    make_modset "$release" "$@"
}

make_modset() {
  local release=$1 part=$MODSET_DIR.part tree=$MODSET_DIR.tree modules
  shift
  [ "$(id -u)" = 0 ] ||
    die "the guest's initrd is made in a chroot, which needs root:" \
      "run as root, or use --guest minimal"
  mkdir -p "$part/files/usr/lib/modules/$release/updates"
  cp -al "$DEBIAN_DIR/tree" "$tree"
  modules=$tree/usr/lib/modules/$release
  rm -rf "$modules"
  cp -a "$DEBIAN_DIR/tree/usr/lib/modules/$release" "$modules"
  mkdir -p "$modules/updates"
  [ $# -eq 0 ] || cp "$@" "$part/files/usr/lib/modules/$release/updates/"
  [ $# -eq 0 ] || cp "$@" "$modules/updates/"
  chroot "$tree" depmod "$release"
  chroot "$tree" mkinitramfs -o /tmp/initrd "$release"
  cp "$tree/tmp/initrd" "$part/initrd"
  cp "$modules"/modules.{dep,dep.bin,alias,alias.bin,symbols,symbols.bin,softdep,devname} \
    "$part/files/usr/lib/modules/$release/"
}

# make_root_disk FILE FOLDER...: a throw-away copy of the root file system with the files of the
# FOLDERs in it.
make_root_disk() {
  local disk=$1 folder path commands=''
  shift
  cp --reflink=auto --sparse=always "$DEBIAN_DIR/root.ext4" "$disk"
  for folder in "$@"; do
    while read -r path; do
      if [ -d "$folder/$path" ]; then
        commands+="mkdir /$path"$'\n'
      else
        commands+="rm /$path"$'\n'"write $folder/$path /$path"$'\n'
      fi
    done < <(cd "$folder" && find . -mindepth 1 | sed 's,^\./,,' | sort)
  done
  debugfs -w -f - "$disk" <<<"$commands" >/dev/null 2>"$disk.err"
  if grep -v -e '^debugfs' -e 'Ext2 directory already exists' -e 'File not found by ext2_lookup' \
    "$disk.err" >&2; then
    die "could not put our files into the guest's root file system"
  fi
  rm -f "$disk.err"
}
