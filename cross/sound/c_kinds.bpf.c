// SPDX-License-Identifier: GPL-2.0-only
/* Loops over iterators of three kinds, in each other; each next() is kept. */
#include "more.h"

u64 all_bits = ~0ULL;

struct bpf_iter_bits;
int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *words, u32 nr) __ksym;
int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

struct bpf_iter_task;
int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
		      unsigned int flags) __ksym;
struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

SEC("raw_tp/sys_enter")
int immune_kinds(void *ctx)
{
	struct bpf_iter_task tasks;
	struct bpf_iter_num it;
	struct bpf_iter_bits bits;

	if (!once())
		return 0;
	bpf_iter_num_new(&it, 0, MOST);
	bpf_iter_num_next(&it);
	while (odd_next(bpf_iter_num_next, &it)) {
		bpf_iter_task_new(&tasks, NULL, BPF_TASK_ITER_ALL_PROCS);
		bpf_iter_task_next(&tasks);
		while (odd_next(bpf_iter_task_next, &tasks)) {
			bpf_iter_bits_new(&bits, &all_bits, 1);
			bpf_iter_bits_next(&bits);
			while (odd_next(bpf_iter_bits_next, &bits))
				out[0]++;
			bpf_iter_bits_destroy(&bits);
		}
		bpf_iter_task_destroy(&tasks);
	}
	bpf_iter_num_destroy(&it);
	out[1] = 1;
	return 0;
}
