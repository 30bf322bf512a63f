# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Making initramfs trees: busybox, kernel modules with what they need, programs with their
# libraries.

# tree_base DIR: an empty root with busybox.
tree_base() {
  local dir=$1 applet busybox
  busybox=$(command -v busybox) || die "busybox is missing: install busybox-static"
  mkdir -p "$dir"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,run,tmp,root,mnt,lib,lib64,usr/lib}
  cp "$busybox" "$dir/bin/busybox"
  for applet in $("$busybox" --list-full | grep -v '/busybox$'); do
    mkdir -p "$dir/$(dirname "$applet")"
    ln -sf /bin/busybox "$dir/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
  echo 'root:x:0:' >"$dir/etc/group"
}

# tree_program DIR FILE [DEST]: a program and the shared libraries it needs.
tree_program() {
  local dir=$1 file=$2 dest=${3:-} lib
  dest=${dest:-/usr/bin/$(basename "$file")}
  install -D -m 755 "$file" "$dir$dest"
  for lib in $(
    ldd "$file" 2>/dev/null |
      sed -n 's/^.*=> \(\/[^ ]*\) .*$/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*$/\1/p'
  ); do
    [ -e "$dir$lib" ] || install -D -m 755 "$lib" "$dir$lib"
  done
}

# tree_modules DIR KERNEL_DIR RELEASE MODULE...: modules with their dependencies, found by
# modprobe's own rules.
tree_modules() {
  local dir=$1 from=$2 release=$3 module line
  shift 3
  for module in "$@"; do
    modprobe -d "$from" -S "$release" --show-depends "$module" 2>/dev/null |
      sed -n 's/^insmod \([^ ]*\).*/\1/p' >"$dir/.modules" || :
    while read -r line; do
      line=${line#"$from"}
      line=${line#/}
      case $line in
        *.xz)
          mkdir -p "$dir/$(dirname "$line")"
          [ -e "$dir/${line%.xz}" ] || xz -dc "$from/$line" >"$dir/${line%.xz}"
          ;;
        *) [ -e "$dir/$line" ] || install -D -m 644 "$from/$line" "$dir/$line" ;;
      esac
    done <"$dir/.modules"
  done
  rm -f "$dir/.modules"
  mkdir -p "$dir/lib/modules/$release"
  cp "$from/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} \
    "$dir/lib/modules/$release/" 2>/dev/null || :
}

# tree_pack DIR FILE: the tree as an uncompressed newc archive owned by root (unpacks fastest under
# emulation).
tree_pack() {
  (cd "$1" && find . -mindepth 1 -print0 | sort -z | cpio --null --quiet -o -H newc -R 0:0) >"$2"
}
