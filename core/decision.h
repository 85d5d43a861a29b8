/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decisions: whether the stub image skips an instruction, why it keeps a call, and what the
 * stub of a skipped call returns. struct fastterm_decision itself is part of the verifier's
 * data on an instruction: see <linux/fastterm_types.h>.
 */
#ifndef _BPF_FASTTERM_DECISION_H
#define _BPF_FASTTERM_DECISION_H

#include <linux/bitops.h>
#include <linux/fastterm_types.h>
#include <linux/types.h>

struct bpf_insn;
struct bpf_verifier_env;
struct bpf_verifier_state;

/**
 * enum fastterm_kind - the kind of a site
 * @FASTTERM_NO_SITE: the instruction is not a site
 * @FASTTERM_HELPER: call of a helper
 * @FASTTERM_KFUNC: call of a kernel function
 * @FASTTERM_SUBPROG: call of another function of the program, which has a stub image of its
 *		      own; a global function is skipped
 * @FASTTERM_TAIL_CALL: tail call, which is not taken
 * @FASTTERM_LOOP: the test of a loop that the verifier itself has inserted, and whose exit
 *		   it has explored: the exit is taken
 * @FASTTERM_KINDS: number of kinds
 */
enum fastterm_kind {
	FASTTERM_NO_SITE,
	FASTTERM_HELPER,
	FASTTERM_KFUNC,
	FASTTERM_SUBPROG,
	FASTTERM_TAIL_CALL,
	FASTTERM_LOOP,
	FASTTERM_KINDS,
};

/**
 * enum fastterm_why - why an instruction is kept
 * @FASTTERM_SKIP: it is not kept
 * @FASTTERM_UNSEEN: the verifier has never visited it, or has replaced it since
 * @FASTTERM_RELEASES: it releases or consumes a reference
 * @FASTTERM_LOCKS: it takes or drops a lock, or enters or leaves a section
 * @FASTTERM_OBJECT: it constructs, changes or destroys an iterator or a dynptr
 * @FASTTERM_FILLS: it fills memory in a way that no stub can imitate
 * @FASTTERM_RESULT: none of its results says failure
 * @FASTTERM_NO_RETURN: it does not return
 * @FASTTERM_SUBPROG_CALL: the function has a stub image of its own
 * @FASTTERM_INLINED: the verifier or the JIT replaces it by other instructions
 * @FASTTERM_WHYS: number of reasons
 */
enum fastterm_why {
	FASTTERM_SKIP,
	FASTTERM_UNSEEN,
	FASTTERM_RELEASES,
	FASTTERM_LOCKS,
	FASTTERM_OBJECT,
	FASTTERM_FILLS,
	FASTTERM_RESULT,
	FASTTERM_NO_RETURN,
	FASTTERM_SUBPROG_CALL,
	FASTTERM_INLINED,
	FASTTERM_WHYS,
};

/**
 * enum fastterm_value - what a stub may return, the best value first
 * @FASTTERM_NULL: a pointer that is NULL
 * @FASTTERM_ECANCELED: -ECANCELED
 * @FASTTERM_EPERM: -1, where -ECANCELED is out of range
 * @FASTTERM_ZERO: 0
 * @FASTTERM_ONE: 1, by which a callback ends the iteration
 * @FASTTERM_VALUES: number of values
 */
enum fastterm_value {
	FASTTERM_NULL,
	FASTTERM_ECANCELED,
	FASTTERM_EPERM,
	FASTTERM_ZERO,
	FASTTERM_ONE,
	FASTTERM_VALUES,
};

/* In fastterm_decision.fill: some memory has to be filled. */
#define FASTTERM_FILL	BIT(0)

/**
 * fastterm_fill_arg() - get the argument whose memory the stub of a call zeroes
 * @d: the decision, which is to skip the call, with FASTTERM_FILL set
 *
 * Context: any.
 * Return: the argument, counted from 1.
 */
static inline u8 fastterm_fill_arg(const struct fastterm_decision *d)
{
	return __ffs(d->fill & ~FASTTERM_FILL);
}

/**
 * fastterm_result() - get what the stub of a call returns
 * @d: the decision, which is to skip the call
 *
 * Context: any.
 * Return: the best of the values that all visits allow; fastterm_value() is the number.
 */
static inline enum fastterm_value fastterm_result(const struct fastterm_decision *d)
{
	if ((d->fill & FASTTERM_FILL) || !d->values)
		return FASTTERM_ECANCELED;
	return __ffs(d->values);
}

/**
 * fastterm_returns_nothing() - does a call have no result that the program could read?
 * @d: the decision, which is to skip the call
 *
 * Context: any.
 * Return: true if every value is allowed, which is the case only if R0 is not readable.
 */
static inline bool fastterm_returns_nothing(const struct fastterm_decision *d)
{
	return d->values == BIT(FASTTERM_VALUES) - 1 && !(d->fill & FASTTERM_FILL);
}

/**
 * fastterm_same_action() - do two decisions make the stub image do the same?
 * @a: one decision
 * @b: the other one
 *
 * Context: any.
 * Return: true if they do.
 */
static inline bool fastterm_same_action(const struct fastterm_decision *a,
					const struct fastterm_decision *b)
{
	if (a->why || b->why)
		return a->why && b->why;
	if (a->kind != b->kind || (a->fill ^ b->fill) & FASTTERM_FILL)
		return false;
	return a->fill & FASTTERM_FILL ? fastterm_fill_arg(a) == fastterm_fill_arg(b) :
					 fastterm_result(a) == fastterm_result(b);
}

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
/* Bits of enum fastterm_why: reasons that are ignored, to test the product check. */
extern unsigned long fastterm_blind;
#endif

void fastterm_keep(struct fastterm_decision *d, enum fastterm_why why, u8 arg);
void fastterm_decide_first(const struct bpf_verifier_env *env, const struct bpf_insn *insn,
			   bool is_part, bool throws, struct fastterm_decision *d);
/*
 * Calls that handle at most FASTTERM_LIGHT_SIZE bytes are light: so many as FASTTERM_HEAVY count as
 * one that may handle more.
 */
#define FASTTERM_LIGHT_SIZE	4096u
#define FASTTERM_HEAVY		20u

u32 fastterm_call_weight(const struct bpf_verifier_env *env, const struct bpf_insn *insn);
void fastterm_decide(struct bpf_verifier_env *env, const struct bpf_verifier_state *before,
		     const struct bpf_insn *insn, struct fastterm_decision *d);
u32 fastterm_leaves_unwritten(const struct bpf_verifier_env *env,
			      const struct bpf_verifier_state *before, const struct bpf_insn *insn,
			      const struct fastterm_decision *d);
void fastterm_decide_last(const struct bpf_insn *insn, struct fastterm_decision *d);
s64 fastterm_value(const struct fastterm_decision *d);
void *fastterm_stub(enum fastterm_value value, u8 fill);

#endif /* _BPF_FASTTERM_DECISION_H */
