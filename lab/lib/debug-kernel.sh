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

# name_debug_kernel kasan|kcsan -> sets what ensure_kernel sets. The headers that modules are built
# against are in KERNEL_DIR, too: lib/modules/RELEASE/build.
name_debug_kernel() {
  local kind=$1 version hash
  resolve_debug_source
  version=$DEBUG_SOURCE_VERSION
  # Comments may change.
  hash=$(sed '/^#/d' "$LAB_DIR/debug/common.config" "$LAB_DIR/debug/$kind.config" |
    cat - <(echo "$version"; type make_debug_kernel configure_debug_kernel) | hash_inputs)
  KERNEL_RELEASE=${version%%-*}-enlighten-$kind
  KERNEL_DIR=$CACHE_DIR/kernel-$KERNEL_RELEASE-$hash
  KERNEL_IMAGE=$KERNEL_DIR/boot/vmlinuz-$KERNEL_RELEASE
}

# check_debug_room KIND: that there is room to build it, unless it is there.
check_debug_room() {
  local mib
  name_debug_kernel "$1"
  [ ! -d "$KERNEL_DIR" ] || return 0
  need_cache
  mib=$(df -Pk "$CACHE_DIR" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$mib" -ge "$DEBUG_BUILD_MIB" ] ||
    die "building the debug kernel $1 takes $DEBUG_BUILD_MIB MiB in $CACHE_DIR," \
      "where $mib MiB are free: make room, or set ENLIGHTEN_CACHE"
}

# ensure_debug_kernel KIND: named, and there.
ensure_debug_kernel() {
  local kind=$1
  check_debug_room "$kind"
  [ -d "$KERNEL_DIR" ] || prepare_debug_build
  exec {DEBUG_TOLD}>&2
  in_cache "$KERNEL_DIR" "kernel-$KERNEL_RELEASE" "kernel-*-enlighten-$kind-*" \
    "building the debug kernel $kind" make_debug_kernel "$kind"
  exec {DEBUG_TOLD}>&-
}

# prepare_debug_build: what building needs is there; sets DEBUG_DEB.
prepare_debug_build() {
  # shellcheck disable=SC2086
  ensure_packages $DEBUG_PACKAGES
  DEBUG_DEB=$CACHE_DIR/${DEBUG_SOURCE}_${DEBUG_SOURCE_VERSION//[:~+]/-}.deb
  in_cache "$DEBUG_DEB" "$DEBUG_SOURCE" "${DEBUG_SOURCE}_*.deb" \
    "downloading the kernel's source ($DEBUG_SOURCE $DEBUG_SOURCE_VERSION)" fetch_debug_source
}

fetch_debug_source() {
  mkdir -p "$DEBUG_DEB.tree"
  (cd "$DEBUG_DEB.tree" &&
    apt-get download -o APT::Sandbox::User=root "$DEBUG_SOURCE=$DEBUG_SOURCE_VERSION")
  mv "$DEBUG_DEB.tree"/*.deb "$DEBUG_DEB.part"
}

# Says each minute how far it is: a line for the one who waits, who may have no terminal.
tell_debug_build() {
  local start=$SECONDS log=$1 nap=''
  # A shell that sleeps in its foreground leaves its sleep behind.
  trap 'kill "$nap" 2>/dev/null; exit' TERM
  while :; do
    sleep 60 &
    nap=$!
    wait "$nap"
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

# make_debug_kernel KIND: from DEBUG_DEB.
make_debug_kernel() {
  local kind=$1 work=$KERNEL_DIR.tree tree=$KERNEL_DIR.part source objects build teller make
  source=$work/$DEBUG_SOURCE objects=$work/objects build=$tree/lib/modules/$KERNEL_RELEASE/build
  mkdir -p "$objects" "$tree/boot"
  chmod 755 "$work" "$tree"
  dpkg-deb --fsys-tarfile "$DEBUG_DEB" | tar -xO "./usr/src/$DEBUG_SOURCE.tar.xz" |
    tar -xJ -C "$work" --no-same-owner
  configure_debug_kernel "$kind" "$source" "$objects"
  # So that ccache finds again what a change of the configuration leaves as it is.
  export CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
  export KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=enlighten KBUILD_BUILD_HOST=enlighten
  make=(nice -n 5 make -C "$source" O="$objects" "CC=ccache gcc-12" "HOSTCC=ccache gcc-12")
  tell_debug_build "$work/log" &
  teller=$!
  trap 'kill "$teller" 2>/dev/null' EXIT
  "${make[@]}" -j"$(nproc)" bzImage modules >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
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
}
