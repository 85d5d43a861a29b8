// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goes through all tasks again and again, on every entry to the kernel, with
 * preemption off, in a section that RCU has to wait for, and with the iterator's
 * reference to a task.
 */
#include "demo.h"

struct bpf_iter_task;
int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
		      unsigned int flags) __ksym;
struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

SEC("raw_tracepoint/sys_enter")
int raw_tracepoint_tasks(void *ctx)
{
	struct task_struct *task;
	int i, j;

	if (!begins_for_task())
		return 0;
	bpf_rcu_read_lock();
	bpf_preempt_disable();
	hold(DEMO_SECTION);
	hold(DEMO_SECTION);
	hold(DEMO_ITERATOR);
	run((u64)MOST * MOST);

	bpf_for(i, 0, MOST)
		bpf_for_each(task, task, NULL, BPF_TASK_ITER_ALL_PROCS)
			bpf_for(j, 0, MOST)
				turn();

	release(DEMO_ITERATOR);
	bpf_preempt_enable();
	release(DEMO_SECTION);
	bpf_rcu_read_unlock();
	release(DEMO_SECTION);
	end();
	return 0;
}
