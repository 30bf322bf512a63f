# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The debug suite: sessions of the guest suite on kernels that report what Debian's hide
# (debug-kernel.sh), and on Debian's with PREEMPT_RT.

DEBUG_SESSIONS="minimal enlighten kasan 2 2
minimal inbox,hv_vmbus=enlighten kasan 1
minimal inbox,hv_storvsc=enlighten,hv_netvsc=enlighten kasan 2
races enlighten kcsan 2 2
hostile enlighten kasan 2
minimal enlighten 6.12-rt 2
minimal enlighten 6.1-rt 2"
DEBUG_SEEDS="1 2 3"
DEBUG_COUNTS="RELOADS=4 HOTPLUGS=3 ADAPTERS=2 VERIFY=32 LARGE=2 LIMIT=2400"

# What a session of kind races takes of the minimal guest's tests: data, and what comes and goes.
RACES_TESTS=(00-lib.sh 10-driver.sh 15-bus.sh 20-data.sh 30-devices.sh 35-network.sh
  36-network-changes.sh 36-tap.sh 40-hotplug.sh 45-cpus.sh)

suite_debug() {
  local debug=1 kernel outer sessions=${guest_sessions:-$DEBUG_SESSIONS}
  scratch_dir
  outer=$SCRATCH
  # Its sessions are numbered as those of the suite before it.
  local SCRATCH=$outer/debug
  mkdir -p "$SCRATCH"
  for kernel in kasan kcsan; do
    grep -q " $kernel " <<<"$sessions" || continue
    attempt ensure_kernel "$kernel"
    if [ "$ATTEMPT" != 0 ]; then
      record failed 0 "debug/kernel-$kernel" "it could not be built"
      return 0
    fi
    check "debug/the_checks_are_in_our_modules_for_$kernel" test_instrumented "$kernel"
  done
  run_sessions "$sessions" "${guest_seeds:-$DEBUG_SEEDS}" \
    "$DEBUG_COUNTS ${guest_counts:-}"
}

# test_instrumented KERNEL: each object of the core's C++ that does anything calls what that kernel
# checks with, and each module does so for all of its checks, from C and from C++.
test_instrumented() {
  local marks=() mark module object objects bad=0
  case $1 in
    kasan) marks=(__asan_report_ __ubsan_handle_) ;;
    kcsan) marks=(__tsan_) ;;
  esac
  ensure_kernel "$1"
  build_modules "$KERNEL_RELEASE"
  for module in $(our_modules); do
    for mark in "${marks[@]}"; do
      nm -u "$MODULES_DIR/$module.ko" | grep " U $mark" >/dev/null ||
        { echo "$module.ko: nothing of $mark"; bad=1; }
    done
    objects=0
    for object in "$MODULES_DIR/$module"/core_*.o "$MODULES_DIR/$module"/ports_*.o; do
      [ -e "$object" ] || continue
      nm --defined-only "$object" | grep -i ' t ' >/dev/null || continue
      objects=$((objects + 1))
      nm -u "$object" | grep " U ${marks[0]}" >/dev/null ||
        { echo "$object: nothing of ${marks[0]}"; bad=1; }
    done
    [ "$objects" -gt 0 ] || { echo "$module: no object of the core was found"; bad=1; }
  done
  return "$bad"
}
