# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Building the host, the agent and the modules.

# The modules that are ours: a folder each.
our_modules() {
  local kbuild
  for kbuild in "$TOP_DIR"/ports/linux/*/Kbuild; do
    [ ! -e "$kbuild" ] || basename "$(dirname "$kbuild")"
  done
}

# build_preset PRESET [TARGET...]: a preset of CMakePresets.json, in build/PRESET.
build_preset() {
  local preset=$1
  shift
  # So that ccache finds in every clone what was compiled in another.
  export CCACHE_BASEDIR=$TOP_DIR CCACHE_NOHASHDIR=1
  if [ ! -e "$BUILD_DIR/$preset/build.ninja" ]; then
    step "configuring $preset" cmake -S "$TOP_DIR" --preset "$preset"
  fi
  step "building $preset" cmake --build "$BUILD_DIR/$preset" ${1:+--target "$@"}
}

build_programs() {
  build_preset release enlighten-host enlighten-agent enlighten-bridge enlighten-xdp enlighten-turns
}

# build_modules RELEASE -> sets MODULES_DIR with the .ko files. Once for each kernel. Headers: those
# of KERNEL_DIR, where they come with the kernel, else the installed ones.
MODULES_BUILT=' '
build_modules() {
  local release=$1 headers compiler=()
  MODULES_DIR=$BUILD_DIR/modules/$release
  [ -n "$(our_modules)" ] || return 0
  case $MODULES_BUILT in *" $release "*) return 0 ;; esac
  headers=${KERNEL_DIR:-}/lib/modules/$release/build
  if [ -e "$headers" ]; then
    compiler=(CC=gcc-12 CXX=g++-12)  # as lib/debug-kernel.sh; Debian's headers say it themselves
  else
    headers=/lib/modules/$release/build
  fi
  if [ ! -e "$headers" ]; then
    [ "$(id -u)" = 0 ] ||
      die "the headers of the kernel $release are missing:" \
        "run as root 'apt-get install linux-headers-$release'"
    step "installing the kernel headers linux-headers-$release" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "linux-headers-$release"
  fi
  step "building the modules for $release" make -s -j"$(nproc)" -C "$TOP_DIR/ports/linux" \
    KDIR="$headers" OUT="$MODULES_DIR" "${compiler[@]}"
  MODULES_BUILT="$MODULES_BUILT$release "
}
