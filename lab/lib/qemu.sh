# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The QEMU of the nested machine: that of Debian 12's backports, unpacked in the cache and not installed. The one of Debian 12 itself (7.2)
# runs as well, but its emulation of SVM ends guests of several CPUs now and then (lab/README.md).

QEMU_PACKAGES="qemu-system-x86 qemu-system-common qemu-system-data seabios"
QEMU_DIR=$CACHE_DIR/qemu-backports

# ensure_qemu -> sets QEMU, the words that start it. Its libraries are those of the installed one.
ensure_qemu() {
  if [ ! -d "$QEMU_DIR" ] && ! (CLEANUPS=(); trap run_cleanups EXIT; with_lock qemu fetch_qemu_once); then
    say "going on with the installed QEMU; its emulation can end a guest of several CPUs"
    QEMU=(qemu-system-x86_64)
    return 0
  fi
  QEMU=("$QEMU_DIR/usr/bin/qemu-system-x86_64" -L "$QEMU_DIR/usr/share/qemu" -L "$QEMU_DIR/usr/share/seabios")
}

# qemu_version PROGRAM: as "QEMU 10.0.2"; fails when it does not start.
qemu_version() { "$1" --version 2>/dev/null | sed -n '1s/^QEMU emulator version \([^ ]*\).*/QEMU \1/p' | grep .; }

fetch_qemu_once() {
  [ ! -d "$QEMU_DIR" ] || return 0
  making "$QEMU_DIR"
  step "downloading QEMU from Debian's backports" fetch_qemu
}

fetch_qemu() {
  local part=$QEMU_DIR.part package apt
  rm -rf "$part"
  mkdir -p "$part/lists/partial" "$part/archives/partial" "$part/tree"
  # The backports by the mirror that serves Debian 12 here, without a change to this machine's own sources.
  debian_sources | sed -n 's/^deb \([^ ]*\) bookworm main$/deb [signed-by=\/usr\/share\/keyrings\/debian-archive-keyring.gpg] \1 bookworm-backports main/p' |
    head -n 1 >"$part/sources.list"
  [ -s "$part/sources.list" ] || die "APT has no source for Debian 12 (bookworm) here: add one, then run 'apt-get update'"
  apt=(apt-get -o Dir::Etc::sourcelist="$part/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$part/lists"
    -o Dir::Cache="$part" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  # shellcheck disable=SC2086,SC2046
  (cd "$part" && "${apt[@]}" download $(printf '%s/bookworm-backports ' $QEMU_PACKAGES))
  for package in "$part"/*.deb; do dpkg-deb -x "$package" "$part/tree"; done
  rm -rf "$part/tree/usr/share/doc" "$part/tree/usr/share/man"
  "$part/tree/usr/bin/qemu-system-x86_64" --version
  mv "$part/tree" "$QEMU_DIR"
  rm -rf "$part"
}
