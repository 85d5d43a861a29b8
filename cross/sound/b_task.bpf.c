// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two bpf_iter_task_next() of one iterator; the kept one would give a task and a
 * reference to it.
 */
#include "more.h"

struct bpf_iter_task;
int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
		      unsigned int flags) __ksym;
struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

SEC("raw_tp/sys_enter")
int task(void *ctx)
{
	struct bpf_iter_task it;

	if (!once())
		return 0;
	linger();
	bpf_iter_task_new(&it, NULL, BPF_TASK_ITER_ALL_PROCS);
	if (!bpf_iter_task_next(&it))
		out[0] = odd_next(bpf_iter_task_next, &it);	/* the verifier: 0 */
	bpf_iter_task_destroy(&it);
	out[3] = 1;
	return 0;
}
