// SPDX-License-Identifier: GPL-2.0-only
/* References that are given away on the way out: a task to a map, a record to a ring buffer. */
#include "more.h"

struct holder {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct holder);
} holders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} ring SEC(".maps");

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;

SEC("tp_btf/sys_enter")
int given_away(void *ctx)
{
	struct task_struct *task, *old;
	struct bpf_dynptr record;
	struct holder *holder;
	u64 word = 1;
	u32 key = 0;

	if (!once())
		return 0;
	holder = bpf_map_lookup_elem(&holders, &key);
	if (!holder)
		return 0;
	task = bpf_task_from_pid(1);
	if (!task)
		return 0;
	linger();
	old = bpf_kptr_xchg(&holder->task, task);
	if (old)
		bpf_task_release(old);
	bpf_ringbuf_reserve_dynptr(&ring, sizeof(word), 0, &record);
	bpf_dynptr_write(&record, 0, &word, sizeof(word), 0);
	bpf_ringbuf_submit_dynptr(&record, 0);
	out[2] = 1;
	return 0;
}

SEC("tp_btf/sys_exit")
int look(void *ctx)
{
	struct holder *holder;
	u32 key = 0;

	holder = bpf_map_lookup_elem(&holders, &key);
	out[0] = holder && holder->task;
	out[1] = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	return 0;
}
