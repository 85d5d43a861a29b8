/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * More than 64 references held at once: iterators on the stack, tasks in the
 * registers of several functions.
 */
#ifndef MANY_H
#define MANY_H

#include "more.h"

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;

/* A function that holds four tasks, and @nr iterators, while it calls @call with its argument. */
#define HOLD_TASKS(name, call)					\
static __noinline u64 name(struct bpf_iter_num *it)		\
{								\
	struct task_struct *a, *b, *c, *d;			\
	u64 r = 0;						\
								\
	a = bpf_task_from_pid(1);				\
	if (!a)							\
		return 0;					\
	b = bpf_task_from_pid(1);				\
	if (!b)							\
		goto put_a;					\
	c = bpf_task_from_pid(1);				\
	if (!c)							\
		goto put_b;					\
	d = bpf_task_from_pid(1);				\
	if (!d)							\
		goto put_c;					\
	r = call(it);						\
	bpf_task_release(d);					\
put_c:								\
	bpf_task_release(c);					\
put_b:								\
	bpf_task_release(b);					\
put_a:								\
	bpf_task_release(a);					\
	return r;						\
}

/* An address that is computed anew wherever it is used: kept ones need room of their own. */
#define ITERATOR(held, i)					\
({								\
	struct bpf_iter_num *first = (held);			\
								\
	asm volatile("" : "+r"(first));				\
	first + (i);						\
})

#define HOLD_ITERATORS(name, nr, call)				\
static __noinline u64 name(struct bpf_iter_num *it)		\
{								\
	struct bpf_iter_num held[nr];				\
	u64 r;							\
	int i;							\
								\
	_Pragma("unroll")					\
	for (i = 0; i < (nr); i++)				\
		bpf_iter_num_new(ITERATOR(held, i), 0, 0);	\
	r = call(it);						\
	_Pragma("unroll")					\
	for (i = 0; i < (nr); i++)				\
		bpf_iter_num_destroy(ITERATOR(held, i));	\
	return r;						\
}

/* The function hold_many, which calls @call in the eighth frame. */
#define HOLD_MANY(call)						\
HOLD_TASKS(tasks_four, call)					\
HOLD_TASKS(tasks_three, tasks_four)				\
HOLD_TASKS(tasks_two, tasks_three)				\
HOLD_TASKS(tasks_one, tasks_two)				\
HOLD_ITERATORS(iterators, 24, tasks_one)			\
HOLD_ITERATORS(hold_many, 24, iterators)

#endif
