// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop with a spin lock held, for one packet that is sent: interrupts are off
 * on its CPU. Nothing may be called with the lock held, and may_goto ends it
 * after MOST turns: this one comes back by itself.
 */
#include "demo.h"

struct value {
	struct bpf_spin_lock lock;
	u64 sums[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct value);
} values SEC(".maps");

SEC("tcx/egress")
int tc_locked(struct __sk_buff *skb)
{
	struct value *value;
	u32 key = 0, i;

	if (!begins())
		return TCX_PASS;
	value = bpf_map_lookup_elem(&values, &key);
	if (!value)
		return TCX_PASS;
	run(MOST);

	bpf_spin_lock(&value->lock);
	hold(DEMO_LOCK);
	while (can_loop) {
		turn();
		for (i = 0; i < 64; i++)
			value->sums[i] += skb->len;
	}
	release(DEMO_LOCK);
	bpf_spin_unlock(&value->lock);
	end();
	return TCX_PASS;
}
