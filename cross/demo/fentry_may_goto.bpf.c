// SPDX-License-Identifier: GPL-2.0-only
/*
 * may_goto in a function and in the one that it calls, where a file is opened,
 * with a reference to another task.
 */
#include "demo.h"

__noinline int inner(void)
{
	while (can_loop)
		turn();
	return 0;
}

SEC("fentry/vfs_open")
int BPF_PROG(fentry_may_goto)
{
	struct task_struct *task;

	if (!begins_for_task())
		return 0;
	task = bpf_task_from_pid(state.task);
	if (!task)
		return 0;
	hold(DEMO_TASK);
	run((u64)MOST * MOST);

	while (can_loop)
		inner();

	bpf_task_release(task);
	release(DEMO_TASK);
	end();
	return 0;
}
