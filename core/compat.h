/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions. Only this file may test the version.
 */
#ifndef _BPF_FASTTERM_COMPAT_H
#define _BPF_FASTTERM_COMPAT_H

#include <linux/bpf_verifier.h>
#include <linux/ptrace.h>

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

#endif /* _BPF_FASTTERM_COMPAT_H */
