/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions. Only this file may test the version.
 */
#ifndef _BPF_FASTTERM_COMPAT_H
#define _BPF_FASTTERM_COMPAT_H

#include <linux/bpf_verifier.h>
#include <linux/context_tracking_state.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

/**
 * struct fastterm_locks - locks that are held, and sections, in a state of the verifier
 * @ptr: the map or BTF of the held spin lock; NULL if none
 * @id: which of the locks in @ptr
 * @rcu: in an RCU read-side section
 * @preempt: depth of sections without preemption
 */
struct fastterm_locks {
	void *ptr;
	u32 id;
	u32 rcu;
	u32 preempt;
};

static inline void fastterm_locks(const struct bpf_verifier_state *state,
				  struct fastterm_locks *locks)
{
	locks->ptr = state->active_lock.ptr;
	locks->id = state->active_lock.id;
	locks->rcu = state->active_rcu_lock;
	locks->preempt = state->active_preempt_lock;
}

/* The references that are held in the current frame and its callers' frames. */
static inline const struct bpf_reference_state *
fastterm_refs(const struct bpf_verifier_state *state, u32 *nr)
{
	const struct bpf_func_state *func = state->frame[state->curframe];

	*nr = func->acquired_refs;
	return func->refs;
}

/*
 * Has the NMI that is being handled woken this CPU? Then it was idle also as RCU sees it. While the
 * idle task switches to another one, programs run in it.
 */
static __always_inline bool fastterm_nmi_woke(void)
{
#ifdef CONFIG_CONTEXT_TRACKING_IDLE
	/* ct_nmi_enter() has seen that. */
	return ct_nmi_nesting() == 1;
#else
	return is_idle_task(current) && preempt_count() == NMI_OFFSET + HARDIRQ_OFFSET;
#endif
}

/*
 * Were interrupts on in the interrupted context? Without a backend nothing is interrupted,
 * and the architecture need not be able to tell.
 */
static inline bool fastterm_irqs_were_on(struct pt_regs *regs)
{
#ifndef CONFIG_BPF_FASTTERM_BACKEND
	return true;
#elif defined(interrupts_enabled)
	return interrupts_enabled(regs);
#else
	return !regs_irqs_disabled(regs);
#endif
}

/**
 * fastterm_is_awake() - does a CPU execute kernel code?
 * @cpu: the CPU
 * @residency: receives a number that changes whenever the CPU becomes idle or leaves that
 *	       state; if the CPU is isolated, also when it goes to user mode and comes back
 *
 * Context: any.
 * Return: false if the CPU is idle, or isolated and in user mode.
 */
static inline bool fastterm_is_awake(int cpu, u32 *residency)
{
#ifdef CONFIG_CONTEXT_TRACKING_IDLE
	*residency = ct_rcu_watching_cpu_acquire(cpu);
	return *residency & CT_RCU_WATCHING;
#else
	return false;
#endif
}

#ifdef CONFIG_PERF_EVENTS
/**
 * fastterm_callchain() - take the stack trace of the kernel that perf would take
 * @regs: the registers where it begins
 * @depth: how many entries at most
 *
 * At first, 6.12 also wanted to be told how many entries there are already. Which of the two a
 * kernel has is told by the type, since vendors take single fixes.
 *
 * Context: any that cannot be preempted.
 * Return: the trace, which the next one on this CPU overwrites; or NULL.
 */
static inline struct perf_callchain_entry *fastterm_callchain(struct pt_regs *regs, u32 depth)
{
	struct perf_callchain_entry *(*first)(struct pt_regs *regs, u32 nr, bool kernel, bool user,
					      u32 depth, bool crosstask, bool add_mark);
	struct perf_callchain_entry *(*later)(struct pt_regs *regs, bool kernel, bool user,
					      u32 depth, bool crosstask, bool add_mark);

	first = (void *)get_perf_callchain;
	later = (void *)get_perf_callchain;
	if (__builtin_types_compatible_p(typeof(get_perf_callchain), typeof(*first)))
		return first(regs, 0, true, false, depth, false, false);
	return later(regs, true, false, depth, false, false);
}
#endif

/*
 * Record the current instruction in the history of a state. The verifier's function for this has
 * been renamed, together with the type of an entry. Where explore.h calls it, one of the two has
 * been defined, which its declaration here means; the other one is never called.
 */
#define fastterm_push_history(env, state) ({					\
	int push_jmp_history(struct bpf_verifier_env *verifier,			\
			     struct bpf_verifier_state *to, int flags, u64 regs);	\
	int push_insn_history(struct bpf_verifier_env *verifier,		\
			      struct bpf_verifier_state *to, int flags, u64 regs);	\
	struct bpf_verifier_state *__state = (state);				\
	struct bpf_verifier_env *__env = (env);					\
										\
	__builtin_types_compatible_p(typeof(__env->cur_hist_ent),		\
				     struct bpf_jmp_history_entry *) ?		\
	push_jmp_history(__env, __state, 0, 0) :				\
	push_insn_history(__env, __state, 0, 0);				\
})

#endif /* _BPF_FASTTERM_COMPAT_H */
