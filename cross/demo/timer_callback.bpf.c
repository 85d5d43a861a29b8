// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timer's callback, which runs by itself, long after the program that has
 * started the timer is done.
 */
#include "demo.h"

#define CLOCK_MONOTONIC	1

struct value {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct value);
} timers SEC(".maps");

static int fires(void *map, u32 *key, struct value *value)
{
	struct task_struct *task;
	int i, j;

	if (!begins())
		return 0;
	task = bpf_task_from_pid(state.task);
	if (!task)
		return 0;
	hold(DEMO_TASK);
	state.in_timer = 1;
	run((u64)MOST * MOST);

	bpf_for(i, 0, MOST)
		bpf_for(j, 0, MOST)
			turn();

	bpf_task_release(task);
	release(DEMO_TASK);
	end();
	return 0;
}

SEC("syscall")
int timer_callback(void *ctx)
{
	struct value *value;
	u32 key = 0;

	if (!state.armed || bpf_get_current_pid_tgid() >> 32 != state.pid)
		return 0;
	value = bpf_map_lookup_elem(&timers, &key);
	if (!value)
		return 0;
	/* It stays what it is when it is there already. */
	bpf_timer_init(&value->timer, &timers, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&value->timer, fires);
	bpf_timer_start(&value->timer, 0, 0);
	return 0;
}
