// SPDX-License-Identifier: GPL-2.0-only
/* Healthy programs, some with interrupts off, while the whole machine is stopped for half a minute, and its clock jumps. */
#include "h.h"
#define MS 1000000
static __always_inline void stay(void)
{
	u64 begin = bpf_ktime_get_ns();
	int i;
	bpf_for(i, 0, MOST)
		if (bpf_ktime_get_ns() - begin > 20 * MS)
			break;
}
SEC("tp_btf/sched_switch") int masked(void *ctx) { if (one_in(3)) stay(); return 0; }
SEC("raw_tp/sys_enter") int unmasked(void *ctx) { if (one_in(5)) stay(); return 0; }
