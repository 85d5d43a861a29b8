// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_loop() in bpf_loop() in bpf_loop(), for one packet. Meanwhile it keeps a
 * record of a ring buffer, and with it everything that comes behind.
 */
#include "demo.h"

#define EACH	(1ULL << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

static long inner(u32 i, void *data)
{
	turn();
	return 0;
}

static long middle(u32 i, void *data)
{
	bpf_loop(EACH, inner, NULL, 0);
	return 0;
}

static long outer(u32 i, void *data)
{
	bpf_loop(EACH, middle, NULL, 0);
	return 0;
}

SEC("xdp")
int xdp_nested_loops(struct xdp_md *ctx)
{
	u64 *record;

	if (!begins())
		return XDP_PASS;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return XDP_PASS;
	hold(DEMO_RECORD);
	*record = ctx->ingress_ifindex;
	run(EACH * EACH * EACH);

	bpf_loop(EACH, outer, NULL, 0);

	bpf_ringbuf_submit(record, 0);
	release(DEMO_RECORD);
	end();
	return XDP_PASS;
}
