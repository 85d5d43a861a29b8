// SPDX-License-Identifier: GPL-2.0-only
/*
 * Results of which the verifier knows more than that they are numbers: an index, a
 * pointer that is never NULL, a length.
 */
#include "more.h"

VALUES(values);
char text[16] = "text";

extern const struct rq runqueues __ksym;

SEC("raw_tp/sys_enter")
int results(void *ctx)
{
	struct task_struct *task;
	const struct rq *rq;
	struct value *v;
	char copy[16];
	u32 cpu;
	long n;

	if (!once())
		return 0;
	v = element(&values, 1);
	if (!v)
		return 0;
	linger();
	cpu = bpf_get_smp_processor_id();
	out[0] = cpu;
	v->slot[cpu] = 0x4747474747474747ULL;		/* the verifier: as many as there are */
	task = bpf_get_current_task_btf();
	out[3] = task->pid;
	rq = bpf_this_cpu_ptr(&runqueues);
	out[4] = rq->cpu;
	n = bpf_probe_read_kernel_str(copy, sizeof(copy), text);
	out[5] = n;
	if (n >= 0)
		v->slot[n] = 0x4848484848484848ULL;	/* the verifier: 0..16 */
	out[6] = 1;
	return 0;
}

SEC("raw_tp/sys_exit")
int look(void *ctx)
{
	look_at(element(&values, 0));
	return 0;
}
