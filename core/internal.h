/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the generic part share.
 */
#ifndef _BPF_FASTTERM_INTERNAL_H
#define _BPF_FASTTERM_INTERNAL_H

#include <linux/fastterm.h>
#include <linux/fastterm_types.h>
#include <linux/types.h>

/**
 * enum fastterm_kind - what a site is
 * @FASTTERM_NO_SITE: not one
 * @FASTTERM_HELPER: call of a helper
 * @FASTTERM_KFUNC: call of a kernel function
 * @FASTTERM_SUBPROG: call of another function of the program, which has a stub
 *		      image of its own and is never skipped
 * @FASTTERM_TAIL_CALL: tail call, which is not taken
 * @FASTTERM_LOOP: the test of a loop that the verifier itself put there, and
 *		   whose exit it has explored: the exit is taken
 */
enum fastterm_kind {
	FASTTERM_NO_SITE,
	FASTTERM_HELPER,
	FASTTERM_KFUNC,
	FASTTERM_SUBPROG,
	FASTTERM_TAIL_CALL,
	FASTTERM_LOOP,
};

/**
 * enum fastterm_why - why an instruction is kept
 * @FASTTERM_SKIP: it is not
 * @FASTTERM_UNSEEN: the verifier never visited it, or has since replaced it by
 *		     something else
 * @FASTTERM_RELEASES: it releases or consumes a reference
 * @FASTTERM_ACQUIRES: it acquires a reference and has no result that says it
 *		       did not
 * @FASTTERM_LOCKS: it takes or drops a lock, or enters or leaves a section
 * @FASTTERM_OBJECT: it constructs, changes or destroys an iterator or a dynptr
 * @FASTTERM_FILLS: it fills memory in a way that a stub cannot do for it
 * @FASTTERM_RESULT: no value that says failure is among its results
 * @FASTTERM_NO_RETURN: it does not return here
 * @FASTTERM_SUBPROG_CALL: the function has a stub image of its own
 * @FASTTERM_TOO_MANY: more references are held than we compare
 */
enum fastterm_why {
	FASTTERM_SKIP,
	FASTTERM_UNSEEN,
	FASTTERM_RELEASES,
	FASTTERM_ACQUIRES,
	FASTTERM_LOCKS,
	FASTTERM_OBJECT,
	FASTTERM_FILLS,
	FASTTERM_RESULT,
	FASTTERM_NO_RETURN,
	FASTTERM_SUBPROG_CALL,
	FASTTERM_TOO_MANY,
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

/**
 * enum fastterm_long - why a program can run for long
 * @FASTTERM_SHORT: it cannot, and gets no image
 * @FASTTERM_BACK_EDGE: it jumps back
 * @FASTTERM_CALLBACK: it hands a callback to a function that iterates
 * @FASTTERM_ITERATOR: it has an open-coded iterator
 * @FASTTERM_MAY_GOTO: it has a may_goto
 * @FASTTERM_TAIL: it has a tail call
 * @FASTTERM_SLEEPABLE: it may sleep
 */
enum fastterm_long {
	FASTTERM_SHORT,
	FASTTERM_BACK_EDGE,
	FASTTERM_CALLBACK,
	FASTTERM_ITERATOR,
	FASTTERM_MAY_GOTO,
	FASTTERM_TAIL,
	FASTTERM_SLEEPABLE,
};

/**
 * struct fastterm_site - an instruction that is decided upon
 * @insn: its index in the program as the verifier left it, "xlated"
 * @decision: what becomes of it
 * @value: the enum fastterm_value that the stub returns if it is skipped
 */
struct fastterm_site {
	u32 insn;
	struct fastterm_decision decision;
	u8 value;
};

/**
 * struct fastterm_prog - what we know of a program
 * @why_long: why it can run for long
 * @nr_sites: number of @sites
 * @sites: its sites, by @insn
 */
struct fastterm_prog {
	enum fastterm_long why_long;
	u32 nr_sites;
	struct fastterm_site sites[] __counted_by(nr_sites);
};

#endif /* _BPF_FASTTERM_INTERNAL_H */
