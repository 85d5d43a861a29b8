// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sleepable program that reads user memory over and over where a file is
 * opened, with a reference to a task.
 */
#include "demo.h"

static long inner(u32 i, u64 *from)
{
	u64 word;

	turn();
	bpf_copy_from_user(&word, sizeof(word), (void *)*from);
	return 0;
}

static long outer(u32 i, u64 *from)
{
	bpf_loop(MOST, inner, from, 0);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(lsm_sleepable_reads, struct file *file)
{
	struct task_struct *task;
	u64 from;

	if (!begins_for_task())
		return 0;
	task = bpf_task_from_pid(state.task);
	if (!task)
		return 0;
	hold(DEMO_TASK);
	from = bpf_get_current_task_btf()->mm->start_stack & ~15ULL;
	run((u64)MOST * MOST);

	bpf_loop(MOST, outer, &from, 0);

	bpf_task_release(task);
	release(DEMO_TASK);
	end();
	return 0;
}
