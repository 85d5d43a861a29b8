// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that calls itself, as often as the kernel lets it, and loops before
 * each call, with an object that it has allocated. What is held has to be given
 * back before the call.
 */
#include "demo.h"

#define EACH	(1 << 20)
/* The kernel follows 33 tail calls. */
#define CALLS	34

struct object {
	u64 data[32];
};

int tracepoint_tail_calls(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, int ());
} self SEC(".maps") = {
	.values = { [0] = (void *)&tracepoint_tail_calls },
};

SEC("tracepoint/syscalls/sys_enter_getpgid")
int tracepoint_tail_calls(void *ctx)
{
	struct object *object;
	int i, j;

	if (!state.running) {
		if (!begins_for_task())
			return 0;
		run((u64)CALLS * EACH * EACH);
	} else if (bpf_get_current_pid_tgid() >> 32 != state.pid || state.ended) {
		return 0;
	}
	object = bpf_obj_new(struct object);
	if (!object)
		return 0;
	hold(DEMO_OBJECT);

	bpf_for(i, 0, EACH)
		bpf_for(j, 0, EACH)
			turn();

	bpf_obj_drop(object);
	release(DEMO_OBJECT);
	bpf_tail_call(ctx, &self, 0);
	end();
	return 0;
}
