// SPDX-License-Identifier: GPL-2.0-only
/*
 * A profiler that takes the stack of each event, for a count that was meant to be
 * small; it keeps a record of a ring buffer that the stack is for.
 */
#include "demo.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

struct record {
	u64 stack[64];
};

struct taken {
	void *ctx;
	struct record *record;
};

static long inner(u32 i, struct taken *taken)
{
	turn();
	bpf_get_stack(taken->ctx, taken->record->stack, sizeof(taken->record->stack), 0);
	return 0;
}

static long outer(u32 i, struct taken *taken)
{
	bpf_loop(MOST, inner, taken, 0);
	return 0;
}

SEC("perf_event")
int perf_event_stacks(struct bpf_perf_event_data *ctx)
{
	struct taken taken = { .ctx = ctx };

	if (!begins_for_task())
		return 0;
	taken.record = bpf_ringbuf_reserve(&records, sizeof(*taken.record), 0);
	if (!taken.record)
		return 0;
	hold(DEMO_RECORD);
	run((u64)MOST * MOST);

	bpf_loop(MOST, outer, &taken, 0);

	bpf_ringbuf_discard(taken.record, 0);
	release(DEMO_RECORD);
	end();
	return 0;
}
