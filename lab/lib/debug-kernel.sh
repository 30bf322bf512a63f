# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Kernels that report what Debian's hide: Debian's source of 6.12, as little of it as boots the
# minimal guest (lab/debug), built once and kept in the cache.

DEBUG_SOURCE=linux-source-6.12
# What only building a kernel needs.
DEBUG_PACKAGES="bc bison flex libelf-dev"
# While it is built: the source, the objects, what is kept.
DEBUG_BUILD_MIB=5000

# resolve_debug_source -> sets DEBUG_SOURCE_VERSION, that of the package.
resolve_debug_source() {
  DEBUG_SOURCE_VERSION=$(apt-cache policy "$DEBUG_SOURCE" 2>/dev/null |
    sed -n 's/^ *Candidate: //p')
  case $DEBUG_SOURCE_VERSION in
    '' | '(none)') die "the package $DEBUG_SOURCE is not known here:" \
      "run 'apt-get update' (Debian 12 with its security updates)" ;;
  esac
}

# ensure_debug_kernel kasan|kcsan -> sets what ensure_kernel sets. The headers that modules are
# built against are in KERNEL_DIR, too: lib/modules/RELEASE/build.
ensure_debug_kernel() {
  local kind=$1 version hash
  resolve_debug_source
  version=$DEBUG_SOURCE_VERSION
  # Comments may change.
  hash=$(sed '/^#/d' "$LAB_DIR/debug/common.config" "$LAB_DIR/debug/$kind.config" |
    cat - <(echo "$version"; type make_debug_kernel configure_debug_kernel) | hash_inputs)
  KERNEL_RELEASE=${version%%-*}-enlighten-$kind
  KERNEL_DIR=$CACHE_DIR/kernel-$KERNEL_RELEASE-$hash
  KERNEL_IMAGE=$KERNEL_DIR/boot/vmlinuz-$KERNEL_RELEASE
  [ -d "$KERNEL_DIR" ] || with_lock "kernel-$KERNEL_RELEASE" make_debug_kernel_once "$kind" \
    "$version"
}

make_debug_kernel_once() {
  local kind=$1 version=$2 mib deb
  [ ! -d "$KERNEL_DIR" ] || return 0
  # shellcheck disable=SC2086
  ensure_packages $DEBUG_PACKAGES
  mib=$(df -Pk "$CACHE_DIR" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$mib" -ge "$DEBUG_BUILD_MIB" ] ||
    die "building the debug kernel $kind takes $DEBUG_BUILD_MIB MiB in $CACHE_DIR," \
      "where $mib MiB are free: make room, or set ENLIGHTEN_CACHE"
  deb=$CACHE_DIR/${DEBUG_SOURCE}_${version//[:~+]/-}.deb
  if [ ! -e "$deb" ]; then
    making "$deb"
    step "downloading the kernel's source ($DEBUG_SOURCE $version)" fetch_debug_source "$deb" \
      "$version"
  fi
  making "$KERNEL_DIR"
  exec {DEBUG_TOLD}>&2
  step "building the debug kernel $kind" make_debug_kernel "$kind" "$deb"
  exec {DEBUG_TOLD}>&-
  find "$CACHE_DIR" -maxdepth 1 -name "kernel-*-enlighten-$kind-*" ! -path "$KERNEL_DIR*" \
    -exec rm -rf {} +
}

# fetch_debug_source DEB VERSION
fetch_debug_source() {
  rm -rf "$1.tree"
  mkdir -p "$1.tree"
  (cd "$1.tree" && apt-get download -o APT::Sandbox::User=root "$DEBUG_SOURCE=$2")
  mv "$1.tree"/*.deb "$1.part"
  rm -rf "$1.tree"
  mv "$1.part" "$1"
}

# Says each minute how far it is: a line for the one who waits, who may have no terminal.
tell_debug_build() {
  local start=$SECONDS log=$1
  while sleep 60; do
    printf '[%4ds] ... %d files are compiled\n' $((SECONDS - start)) \
      "$(grep -c '^  CC' "$log")" >&"$DEBUG_TOLD"
  done
}

# configure_debug_kernel KIND SOURCE OBJECTS: fails when something of what is wanted is not taken.
configure_debug_kernel() {
  local wanted=$3/wanted.config line bad=0
  cat "$LAB_DIR/debug/common.config" "$LAB_DIR/debug/$1.config" >"$wanted"
  make -s -C "$2" O="$3" CC=gcc-12 HOSTCC=gcc-12 KCONFIG_ALLCONFIG="$wanted" allnoconfig
  while IFS= read -r line; do
    case $line in
      CONFIG_*=n) ! grep -q "^${line%n}" "$3/.config" || { echo "not off: $line"; bad=1; } ;;
      CONFIG_*) grep -qxF -e "$line" "$3/.config" || { echo "not taken: $line"; bad=1; } ;;
    esac
  done <"$wanted"
  return "$bad"
}

# make_debug_kernel KIND DEB
make_debug_kernel() {
  local kind=$1 part=$KERNEL_DIR.part tree=$KERNEL_DIR.tree source objects build teller make
  source=$part/$DEBUG_SOURCE objects=$part/objects build=$tree/lib/modules/$KERNEL_RELEASE/build
  rm -rf "$part" "$tree"
  mkdir -p "$objects" "$tree/boot"
  chmod 755 "$part" "$tree"
  dpkg-deb --fsys-tarfile "$2" | tar -xO "./usr/src/$DEBUG_SOURCE.tar.xz" |
    tar -xJ -C "$part" --no-same-owner
  configure_debug_kernel "$kind" "$source" "$objects"
  # So that ccache finds again what a change of the configuration leaves as it is.
  export CCACHE_BASEDIR=$part CCACHE_NOHASHDIR=1
  export KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=enlighten KBUILD_BUILD_HOST=enlighten
  make=(nice -n 5 make -C "$source" O="$objects" "CC=ccache gcc-12" "HOSTCC=ccache gcc-12")
  tell_debug_build "$part/log" &
  teller=$!
  trap 'kill "$teller" 2>/dev/null' EXIT
  "${make[@]}" -j"$(nproc)" bzImage modules >"$part/log" 2>&1 || { tail -n 40 "$part/log"; exit 1; }
  kill "$teller"
  trap - EXIT
  [ "$(cat "$objects/include/config/kernel.release")" = "$KERNEL_RELEASE" ]
  "${make[@]}" -s INSTALL_MOD_PATH="$tree" modules_install
  rm -f "$build"
  "${make[@]}" -s KBUILD_RUN_COMMAND="$source/scripts/package/install-extmod-build $build" \
    run-command
  cp "$objects/arch/x86/boot/bzImage" "$tree/boot/vmlinuz-$KERNEL_RELEASE"
  cp "$objects/System.map" "$tree/boot/System.map-$KERNEL_RELEASE"
  cp "$objects/.config" "$tree/boot/config-$KERNEL_RELEASE"
  rm -rf "$part"
  mv "$tree" "$KERNEL_DIR"
}
