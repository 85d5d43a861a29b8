// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to a map and reads it again, for each connection that is made by a
 * process of a cgroup, with a reference to a task.
 */
#include "demo.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} seen SEC(".maps");

static long inner(u32 i, void *data)
{
	u64 value = i;

	turn();
	bpf_map_update_elem(&seen, &i, &value, BPF_ANY);
	return 0;
}

static long outer(u32 i, void *data)
{
	bpf_loop(MOST, inner, NULL, 0);
	return 0;
}

SEC("cgroup/connect4")
int cgroup_connect_updates(struct bpf_sock_addr *ctx)
{
	struct task_struct *task;

	if (!begins_for_task())
		return 1;
	task = bpf_task_from_pid(state.task);
	if (!task)
		return 1;
	hold(DEMO_TASK);
	run((u64)MOST * MOST);

	bpf_loop(MOST, outer, NULL, 0);

	bpf_task_release(task);
	release(DEMO_TASK);
	end();
	return 1;
}
