# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Which acceleration is used: KVM where it was tried and works, else the nested machine.

# probe_kvm: tries KVM; PROBE_LINE says in a line why not.
probe_kvm() {
  PROBE_LINE=''
  if [ ! -x "$HOST" ]; then
    PROBE_LINE="enlighten-host is not built yet: run './enlighten build'"
    return 1
  fi
  local out status=0
  out=$(timeout 20 "$HOST" probe 2>&1 >/dev/null </dev/null) || status=$?
  PROBE_LINE=${out##*$'\n'}
  PROBE_LINE=${PROBE_LINE#enlighten-host: KVM is not usable here: }
  [ -n "$PROBE_LINE" ] || PROBE_LINE="the probe ended with status $status"
  return "$status"
}

# choose_accel MODE -> sets ACCEL to kvm or nested.
choose_accel() {
  case $1 in
    nested) ACCEL=nested ;;
    kvm)
      probe_kvm || die "--accel kvm: KVM is not usable here: $PROBE_LINE; use --accel nested"
      ACCEL=kvm ;;
    auto) if probe_kvm; then ACCEL=kvm; else ACCEL=nested; fi ;;
    *) usage_error "--accel '$1': give auto, kvm or nested" ;;
  esac
  if [ "$ACCEL" = nested ] && ! command -v qemu-system-x86_64 >/dev/null; then
    die "neither KVM (${PROBE_LINE:-not asked for}) nor QEMU can be used: install qemu-system-x86"
  fi
}
