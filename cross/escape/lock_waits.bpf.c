// SPDX-License-Identifier: GPL-2.0-only
/* A program runs away under a lock that the others wait for, all with interrupts off. */
#include "h.h"
/* One bucket, and so one lock, which is a raw spin lock: the others hold it, or wait. */
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, u32); __type(value, u32); } one SEC(".maps");
SEC("raw_tp/sys_enter") int waits(void *ctx)
{
	u32 i, v = 0, k = 1;
	bpf_for(i, 0, 3) {
		bpf_map_update_elem(&one, &k, &v, BPF_ANY);
		bpf_map_delete_elem(&one, &k);
	}
	return 0;
}
/* The lock is held while an element is taken from the list of free ones. */
SEC("fentry/__pcpu_freelist_pop") int holds(void *ctx) { if (one_in(211)) run_away(); return 0; }
