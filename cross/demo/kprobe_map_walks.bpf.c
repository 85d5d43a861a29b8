// SPDX-License-Identifier: GPL-2.0-only
/*
 * For each element of a map, for each element of the map, for each element of
 * the map: a full join, where somebody goes to sleep. Its result is a dynptr
 * into a ring buffer.
 */
#include "demo.h"

#define ELEMENTS	65536ULL

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ELEMENTS);
	__type(key, u32);
	__type(value, u32);
} elements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

static long inner(struct bpf_map *map, u32 *key, u32 *value, void *data)
{
	turn();
	return 0;
}

static long middle(struct bpf_map *map, u32 *key, u32 *value, void *data)
{
	bpf_for_each_map_elem(&elements, inner, NULL, 0);
	return 0;
}

static long outer(struct bpf_map *map, u32 *key, u32 *value, void *data)
{
	bpf_for_each_map_elem(&elements, middle, NULL, 0);
	return 0;
}

SEC("kprobe/hrtimer_nanosleep")
int kprobe_map_walks(struct pt_regs *ctx)
{
	struct bpf_dynptr record;

	if (!begins_for_task())
		return 0;
	if (!bpf_ringbuf_reserve_dynptr(&records, 4096, 0, &record))
		hold(DEMO_RECORD);
	run(ELEMENTS * ELEMENTS * ELEMENTS);

	bpf_for_each_map_elem(&elements, outer, NULL, 0);

	bpf_ringbuf_discard_dynptr(&record, 0);
	release(DEMO_RECORD);
	end();
	return 0;
}
