# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Whether the kernel has complained since this was asked last: part of every guest session, after
# each test and at the end. Shows what it said; all of its log is in /tmp/said then.
CALM_NOT='WARNING: CPU|(^|[^E])BUG|Call Trace|cut here|INFO: (task|rcu)|soft lockup|hard LOCKUP'
CALM_NOT="$CALM_NOT|blocked for more than|rcu.*(stall|starved)|general protection|Oops"
CALM_NOT="$CALM_NOT|kernel stack|stack guard|list_(add|del) corruption|UBSAN|KASAN|refcount_t"
CALM_NOT="$CALM_NOT|ODEBUG|[Ll]eaked|Objects remaining|Bad page"
CALM_NOT="$CALM_NOT|scheduling while atomic|irq .*nobody cared|possible (circular|recursive)"
CALM_NOT="$CALM_NOT|DMA-API: .*(out of memory|disabl|exceed)|kobject.*(tried|not init)"
CALM_NOT="$CALM_NOT|possible .* detected|suspicious RCU"
CALM_NOT="$CALM_NOT|inconsistent lock state|lock order detected|bad unlock balance|held lock freed"
CALM_NOT="$CALM_NOT|lock held when returning|locking correctness validator|sleeping function"
CALM_NOT="$CALM_NOT|kmemleak: .*([Dd]isabled|empty|Cannot|suspected)"
# A debug kernel reports the races of all of the kernel: those count that our modules take part in.
of_us() {
  awk '
    /BUG: KCSAN/ { inside = 1; text = ""; ours = 0 }
    !inside { print; next }
    { text = text $0 "\n" }
    /\[hv_(vmbus|storvsc|netvsc)\]/ { ours = 1 }
    /={60}/ { inside = 0; if (ours) printf "%s", text }
    END { if (inside && ours) printf "%s", text }'
}
kernel_is_calm() { dmesg -c >/tmp/said && ! of_us </tmp/said | grep -E "$CALM_NOT"; }
