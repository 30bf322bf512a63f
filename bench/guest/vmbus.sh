# SPDX-License-Identifier: GPL-2.0-only OR MIT
# One bus, the in-tree one or ours as the guest was made: under the in-tree storage driver
# (`job,inbox`), under ours (`job,enlighten`), and as they come, in-tree under in-tree against ours
# under ours (`job,whole`).
if [ "$WHOSE" = enlighten ]; then
  ours hv_vmbus || fail "hv_vmbus is not ours"
else
  ! ours hv_vmbus || fail "hv_vmbus is ours"
fi

load_storvsc() { # load_storvsc inbox|enlighten
  local modules
  modules=/lib/modules/$(uname -r)
  rmmod hv_storvsc
  case $1 in
    inbox) insmod "$modules/kernel/drivers/scsi/hv_storvsc.ko" ;;
    *) insmod "$modules/updates/hv_storvsc.ko" ;;
  esac
  within 60 device $SCSI 0 >/dev/null || fail "no disk with $1"
  within 20 test -b "$(scsi 0)"
  sleep 1
}

modprobe scsi_transport_fc
load_storvsc inbox
measure_random ,inbox
[ "$WHOSE" = inbox ] || load_storvsc enlighten
measure_random ,whole
[ "$WHOSE" = enlighten ] || load_storvsc enlighten
measure_random ,enlighten
