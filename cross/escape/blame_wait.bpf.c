// SPDX-License-Identifier: GPL-2.0-only
/* A timer's callback runs away, armed by a program that may not sleep; others cancel the timer, and delete the element that it is in, and wait. */
#include "h.h"
#define CLOCK_MONOTONIC 1
struct t { struct bpf_timer timer; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, u32); __type(value, struct t); } timers SEC(".maps");
static int fires(void *map, u32 *key, struct t *value) { run_away(); return 0; }
SEC("tcx/egress") int arms(struct __sk_buff *skb)
{
	struct t zero = {}, *v;
	u32 k = bpf_get_smp_processor_id() & 7;
	bpf_map_update_elem(&timers, &k, &zero, BPF_NOEXIST);
	v = bpf_map_lookup_elem(&timers, &k);
	if (v && !bpf_timer_init(&v->timer, &timers, CLOCK_MONOTONIC)) {
		bpf_timer_set_callback(&v->timer, fires);
		bpf_timer_start(&v->timer, 0, 0);
	}
	return TCX_NEXT;
}
/* On each CPU, of the timers of the others. */
SEC("tcx/ingress") int cancels(struct __sk_buff *skb)
{
	u32 i, k = bpf_get_prandom_u32() & 7;
	struct t *v = bpf_map_lookup_elem(&timers, &k);
	if (v)
		bpf_timer_cancel(&v->timer);
	bpf_for(i, 0, 3)
		turns++;
	return TCX_NEXT;
}
SEC("cgroup_skb/ingress") int deletes(struct __sk_buff *skb)
{
	u32 i, k = bpf_get_prandom_u32() & 7;
	if (one_in(7))
		bpf_map_delete_elem(&timers, &k);
	bpf_for(i, 0, 3)
		turns++;
	return 1;
}
