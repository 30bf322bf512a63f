# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The QEMU of the nested machine: that of Debian 13's backports and its libraries, unpacked in the
# cache and not installed. The one of Debian 12 itself (7.2) runs as well, but its emulation of SVM
# loses interrupts and ends guests of several CPUs (lab/README.md).

QEMU_SUITES="trixie trixie-backports" # the last is preferred
QEMU_DIR=$CACHE_DIR/qemu-${QEMU_SUITES##* }

# unpacked_qemu DIR -> sets QEMU, the words that start the one in DIR: by the C library that it was
# built for, not by this machine's.
unpacked_qemu() {
  local libraries=$1/usr/lib/x86_64-linux-gnu
  QEMU=(env QEMU_MODULE_DIR="$libraries/qemu" "$1/usr/lib64/ld-linux-x86-64.so.2"
    --library-path "$libraries" "$1/usr/bin/qemu-system-x86_64"
    -L "$1/usr/share/qemu" -L "$1/usr/share/seabios")
}

# ensure_qemu -> sets QEMU, the words that start it.
ensure_qemu() {
  unpacked_qemu "$QEMU_DIR"
  [ ! -d "$QEMU_DIR" ] || return 0
  attempt in_cache "$QEMU_DIR" qemu '' "downloading QEMU from Debian's backports" fetch_qemu
  if [ "$ATTEMPT" != 0 ]; then
    say "going on with the installed QEMU; its emulation can end a guest of several CPUs"
    QEMU=(qemu-system-x86_64)
  fi
}

# qemu_version: as "QEMU 11.1.3"; fails when it is not there yet.
qemu_version() {
  unpacked_qemu "$QEMU_DIR"
  "${QEMU[@]}" --version 2>/dev/null | sed -n '1s/^QEMU emulator version \([^ ]*\).*/QEMU \1/p' |
    grep .
}

fetch_qemu() {
  local part=$QEMU_DIR.part work=$QEMU_DIR.tree package apt mirror suite
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$part"
  # By the mirror that serves Debian 12 here, without a change to this machine's own sources.
  mirror=$(debian_sources | sed -n 's/^deb \([^ ]*\) bookworm main$/\1/p' | head -n 1)
  [ -n "$mirror" ] ||
    die "APT has no source for Debian 12 (bookworm) here: add one, then run 'apt-get update'"
  for suite in $QEMU_SUITES; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$work/sources.list"
  # With nothing installed, as far as APT sees, so that all the libraries come along.
  : >"$work/status"
  # In a process group of its own, and not for ever: APT does not end when an interrupt ends the
  # programs that it fetches by.
  apt=(timeout 300 apt-get -o Dir::Etc::sourcelist="$work/sources.list"
    -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists"
    -o Dir::State::status="$work/status" -o Dir::Cache="$work" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  "${apt[@]}" -y --no-install-recommends --download-only -t "${QEMU_SUITES##* }" \
    install qemu-system-x86
  for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$part"; done
  rm -rf "$part/usr/share/doc" "$part/usr/share/man" "$part/usr/share/locale"
  unpacked_qemu "$part"
  "${QEMU[@]}" --version
}
