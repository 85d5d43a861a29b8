/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the demonstration have in common. Each of them is one
 * that the verifier accepts, and that runs for very much longer than anybody
 * wants to wait: for one event, when it is told to.
 */
#ifndef DEMO_H
#define DEMO_H

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "state.h"

/* The most turns that a bpf_loop(), a bpf_for(), and the may_goto of one function take. */
#define MOST	(8 << 20)

char LICENSE[] SEC("license") = "GPL";

volatile struct demo_state state SEC(".data.demo");

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;
void bpf_preempt_disable(void) __ksym;
void bpf_preempt_enable(void) __ksym;
void *bpf_obj_new_impl(u64 type, void *meta) __ksym;
void bpf_obj_drop_impl(void *object, void *meta) __ksym;

#define bpf_obj_new(type) \
	((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_obj_drop(object)	bpf_obj_drop_impl(object, NULL)

/* False once a function has asked MOST times. */
#define can_loop						\
({								\
	__label__ leave, out;					\
	bool again = true;					\
								\
	asm volatile goto("may_goto %l[leave]" :::: leave);	\
	goto out;						\
leave:								\
	again = false;						\
out:								\
	again;							\
})

/* Whether this event is the one to run away with. */
static __always_inline bool begins(void)
{
	if (!state.armed || bpf_get_smp_processor_id() != state.cpu)
		return false;
	return __sync_lock_test_and_set(&state.armed, 0);
}

static __always_inline bool begins_for_task(void)
{
	return bpf_get_current_pid_tgid() >> 32 == state.pid && begins();
}

static __always_inline void hold(enum demo_resource what)
{
	state.held[what]++;
}

static __always_inline void release(enum demo_resource what)
{
	state.released[what]++;
}

/* All that it holds is held: say how much it is going to do. */
static __always_inline void run(u64 turns)
{
	state.all_turns = turns;
	state.began = bpf_ktime_get_ns();
	state.running = 1;
}

static __always_inline void end(void)
{
	state.ended = 1;
}

static __always_inline void turn(void)
{
	state.turns++;
}

#endif
