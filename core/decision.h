/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decisions: what becomes of an instruction in the stub image, why a call is kept, and what
 * the stub of one that is skipped returns. struct fastterm_decision itself is part of the
 * verifier's data on an instruction: see <linux/fastterm_types.h>.
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
 * enum fastterm_kind - what a site is
 * @FASTTERM_NO_SITE: not one
 * @FASTTERM_HELPER: call of a helper
 * @FASTTERM_KFUNC: call of a kernel function
 * @FASTTERM_SUBPROG: call of another function of the program, which has a stub
 *		      image of its own and is skipped if it is a global one
 * @FASTTERM_TAIL_CALL: tail call, which is not taken
 * @FASTTERM_LOOP: the test of a loop that the verifier itself put there, and
 *		   whose exit it has explored: the exit is taken
 * @FASTTERM_KINDS: their number
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
 * @FASTTERM_SKIP: it is not
 * @FASTTERM_UNSEEN: the verifier never visited it, or has since replaced it by
 *		     something else
 * @FASTTERM_RELEASES: it releases or consumes a reference
 * @FASTTERM_LOCKS: it takes or drops a lock, or enters or leaves a section
 * @FASTTERM_OBJECT: it constructs, changes or destroys an iterator or a dynptr
 * @FASTTERM_FILLS: it fills memory in a way that a stub cannot do for it
 * @FASTTERM_RESULT: no value that says failure is among its results
 * @FASTTERM_NO_RETURN: it does not return here
 * @FASTTERM_SUBPROG_CALL: the function has a stub image of its own
 * @FASTTERM_INLINED: verifier or JIT put instructions in its place
 * @FASTTERM_WHYS: their number
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
 * enum fastterm_value - what a stub may return, the best first
 * @FASTTERM_NULL: a pointer that is NULL
 * @FASTTERM_ECANCELED: -ECANCELED
 * @FASTTERM_EPERM: -1, where the errno above is out of range
 * @FASTTERM_ZERO: 0
 * @FASTTERM_ONE: 1, with which a callback says "stop"
 * @FASTTERM_VALUES: their number
 */
enum fastterm_value {
	FASTTERM_NULL,
	FASTTERM_ECANCELED,
	FASTTERM_EPERM,
	FASTTERM_ZERO,
	FASTTERM_ONE,
	FASTTERM_VALUES,
};

/* The flag in fastterm_decision.fill that some memory has to be filled. */
#define FASTTERM_FILL	BIT(0)

/**
 * fastterm_fill_arg() - the argument whose memory the stub of a call zeroes
 * @d: what was decided: the call is skipped, and FASTTERM_FILL is set
 *
 * Context: any.
 * Return: the argument, counted from 1.
 */
static inline u8 fastterm_fill_arg(const struct fastterm_decision *d)
{
	return __ffs(d->fill & ~FASTTERM_FILL);
}

/**
 * fastterm_result() - what the stub of a call returns
 * @d: what was decided: the call is skipped
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
 * fastterm_returns_nothing() - does a call have no result that a program could look at?
 * @d: what was decided: the call is skipped
 *
 * Context: any.
 * Return: true if every value is allowed, which is so only where R0 is not readable.
 */
static inline bool fastterm_returns_nothing(const struct fastterm_decision *d)
{
	return d->values == BIT(FASTTERM_VALUES) - 1 && !(d->fill & FASTTERM_FILL);
}

/**
 * fastterm_same_action() - do two decisions let the stub image do the same?
 * @a: one of them
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
/* Bits of enum fastterm_why: reasons for which nothing is kept, as if the rule were wrong. */
extern unsigned long fastterm_blind;
#endif

void fastterm_keep(struct fastterm_decision *d, enum fastterm_why why, u8 arg);
void fastterm_decide_first(const struct bpf_verifier_env *env, const struct bpf_insn *insn,
			   bool is_part, bool throws, struct fastterm_decision *d);
void fastterm_decide(struct bpf_verifier_env *env, const struct bpf_verifier_state *before,
		     const struct bpf_insn *insn, struct fastterm_decision *d);
void fastterm_decide_last(const struct bpf_insn *insn, struct fastterm_decision *d);
s64 fastterm_value(const struct fastterm_decision *d);
void *fastterm_stub(enum fastterm_value value, u8 fill);

#endif /* _BPF_FASTTERM_DECISION_H */
