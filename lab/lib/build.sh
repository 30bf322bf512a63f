# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Building the host, the agent and the modules.

HOST=$BUILD_DIR/enlighten-host
AGENT=$BUILD_DIR/enlighten-agent

# The modules that are ours: a folder each.
our_modules() {
  local kbuild
  for kbuild in "$TOP_DIR"/ports/linux/*/Kbuild; do
    [ ! -e "$kbuild" ] || basename "$(dirname "$kbuild")"
  done
}

build_programs() {
  if [ ! -e "$BUILD_DIR/build.ninja" ]; then
    step "configuring" cmake -S "$TOP_DIR" -B "$BUILD_DIR" -G Ninja -DCMAKE_C_COMPILER=gcc-12 -DCMAKE_CXX_COMPILER=g++-12
  fi
  step "building the host" ninja -C "$BUILD_DIR" enlighten-host enlighten-agent enlighten-bridge
}

# build_modules RELEASE -> sets MODULES_DIR with the .ko files.
build_modules() {
  local release=$1
  MODULES_DIR=$BUILD_DIR/modules/$release
  [ -n "$(our_modules)" ] || return 0
  if [ ! -e "/lib/modules/$release/build" ]; then
    [ "$(id -u)" = 0 ] || die "the headers of the kernel $release are missing: run as root 'apt-get install linux-headers-$release'"
    step "installing the kernel headers linux-headers-$release" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "linux-headers-$release"
  fi
  step "building the modules for $release" make -s -C "$TOP_DIR/ports/linux" KDIR="/lib/modules/$release/build" OUT="$MODULES_DIR"
}
