// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a function returns, looks in a map for every pair of keys that there could be,
 * instead of those that are there, with a record of a ring buffer for the result.
 */
#include "demo.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

SEC("kretprobe.multi/hrtimer_nanosleep")
int kretprobe_multi_pairs(struct pt_regs *ctx)
{
	u64 *slot, *other, *record;
	u32 i, j;

	if (!begins_for_task())
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return 0;
	hold(DEMO_RECORD);
	run((u64)MOST * MOST);

	*record = 0;
	bpf_for(i, 0, MOST) {
		slot = bpf_map_lookup_elem(&slots, &i);
		bpf_for(j, 0, MOST) {
			turn();
			other = bpf_map_lookup_elem(&slots, &j);
			if (slot && other && *other > *slot)
				*record = *other;
		}
	}

	bpf_ringbuf_discard(record, 0);
	release(DEMO_RECORD);
	end();
	return 0;
}
