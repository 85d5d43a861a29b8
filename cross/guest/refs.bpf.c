// SPDX-License-Identifier: GPL-2.0-only
/* How many references are there to a task? User space cannot see that. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "refs.h"

char LICENSE[] SEC("license") = "GPL";

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;

SEC("syscall")
int count(struct refs *refs)
{
	struct task_struct *task = bpf_task_from_pid(refs->pid);

	refs->users = 0;
	if (!task)
		return 0;
	/* Our own is none. */
	refs->users = BPF_CORE_READ(task, rcu_users.refs.counter) - 1;
	bpf_task_release(task);
	return 0;
}
