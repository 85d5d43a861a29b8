/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verifier finds out when it explores a program and its stub image together: the
 * trace of the ways through them, how long the longest one is, and the verdict on the stub
 * image.
 */
#ifndef _BPF_FASTTERM_VERDICT_H
#define _BPF_FASTTERM_VERDICT_H

#include <linux/fastterm_types.h>
#include <linux/limits.h>
#include <linux/types.h>

struct bpf_prog;

/**
 * struct fastterm_run - instructions that were run one after the other
 * @insn: the first one
 * @nr: their number
 */
struct fastterm_run {
	u32 insn;
	u32 nr;
};

/**
 * struct fastterm_node - a node of a trace
 * @parent: its parent
 * @first: the first of its runs
 * @nr: their number
 * @cover: a node that says what comes after its runs; 0 if none does
 * @open: how many states or nodes below it are not complete
 * @entry: of which function that is explored on its own
 * @apart: it is not on a way from its parent
 * @loops: @cover was not complete: the verifier has closed a loop
 * @returns: it ends where a callback returns to a call that is kept
 */
struct fastterm_node {
	u32 parent;
	u32 first;
	u32 nr;
	u32 cover;
	u32 open;
	u16 entry;
	bool apart;
	bool loops;
	bool returns;
};

/**
 * struct fastterm_trace - which ways there are through a program and its stub image
 * @nodes: the nodes
 * @nr_nodes: their number
 * @max_nodes: and for how many there is room
 * @runs: what nodes have run
 * @nr_runs: see @nr_nodes
 * @max_runs: see @max_nodes
 * @order: nodes in the order in which they have become complete
 * @nr_order: see @nr_nodes
 * @max_order: see @max_nodes
 * @starts: the first instructions of the functions that have been explored on their own,
 *	    from 1
 * @nr_entries: how many have been
 * @max_entries: see @max_nodes
 * @callees: for each instruction of the program as it was loaded, which of these functions it
 *	     calls in the stub image; CALLS_BACK if the function of the kernel that it calls
 *	     there runs a callback; 0 if neither
 * @failed: there was no memory for it
 */
struct fastterm_trace {
	struct fastterm_node *nodes;
	u32 nr_nodes;
	u32 max_nodes;
	struct fastterm_run *runs;
	u32 nr_runs;
	u32 max_runs;
	u32 *order;
	u32 nr_order;
	u32 max_order;
	u32 *starts;
	u32 nr_entries;
	u32 max_entries;
	u16 *callees;
	bool failed;
};

/* For fastterm_trace_calls(): the callee is a kernel function, which runs a callback. */
#define FASTTERM_CALLBACK_OF	U32_MAX

/**
 * struct fastterm_loop - what is run most often in the longest run of a stub image
 * @times: how often; 0 if nothing is run more than once
 * @first: its first instruction, in the program as it was loaded
 * @last: its last one
 */
struct fastterm_loop {
	u32 times;
	u32 first;
	u32 last;
};

void fastterm_trace_begin(struct fastterm_trace *t);
void fastterm_trace_entry(struct fastterm_trace *t, u32 start);
void fastterm_trace_free(struct fastterm_trace *t);
void fastterm_trace_step(struct fastterm_trace *t, struct fastterm_vstate *st, u32 insn);
void fastterm_trace_back(struct fastterm_trace *t);
u32 fastterm_trace_node(struct fastterm_trace *t, const struct fastterm_vstate *st, u32 open);
void fastterm_trace_branch(struct fastterm_trace *t, struct fastterm_vstate *st,
			   struct fastterm_vstate *other);
void fastterm_trace_fork(struct fastterm_trace *t, struct fastterm_vstate *st);
void fastterm_trace_end(struct fastterm_trace *t, const struct fastterm_vstate *st, bool loops,
			bool returns);
void fastterm_trace_calls(struct fastterm_trace *t, u32 nr, u32 insn, u32 start);
u32 fastterm_trace_bound(const struct fastterm_trace *t, const u32 *weights, u32 nr,
			 struct fastterm_loop *loop);
void fastterm_bound(struct bpf_prog *prog, struct fastterm_prog *fprog);

/**
 * enum fastterm_refusal - what is wrong with a program's stub image
 * @FASTTERM_REFUSED_NOT: nothing
 * @FASTTERM_REFUSED_VERIFIER: what the verifier says
 * @FASTTERM_REFUSED_LIMIT: it takes the verifier too many instructions
 * @FASTTERM_REFUSED_MEMORY: there was none to explore it
 * @FASTTERM_REFUSED_CHANGED: decisions did not come to rest
 * @FASTTERM_REFUSED_ALONE: it reaches an instruction that the program does not
 * @FASTTERM_REFUSED_OTHER: an instruction stands for something else in it
 * @FASTTERM_REFUSED_MORE: it needs what the program does not: of the stack, of the context
 * @FASTTERM_REFUSED_LOST: an instruction was rewritten, and is not what was decided on
 * @FASTTERM_REFUSED_UNBOUNDED: nothing bounds how long it runs
 * @FASTTERM_REFUSALS: their number
 */
enum fastterm_refusal {
	FASTTERM_REFUSED_NOT,
	FASTTERM_REFUSED_VERIFIER,
	FASTTERM_REFUSED_LIMIT,
	FASTTERM_REFUSED_MEMORY,
	FASTTERM_REFUSED_CHANGED,
	FASTTERM_REFUSED_ALONE,
	FASTTERM_REFUSED_OTHER,
	FASTTERM_REFUSED_MORE,
	FASTTERM_REFUSED_LOST,
	FASTTERM_REFUSED_UNBOUNDED,
	FASTTERM_REFUSALS,
};

/**
 * struct fastterm_verdict - what came of the check of a program's stub image
 * @why: what is wrong with it
 * @insn: where, in the program as it was loaded
 * @sentence: the last sentence of the verifier's about the stub image
 * @insns: instructions that the verifier has looked at in the original
 * @stub_insns: and in the stub image
 * @again: decisions have changed, and both were explored once more
 * @alone: the original was explored once more on its own
 * @calls_global: the program calls a global function
 * @unbounded: nothing bounds how long the stub image runs
 * @bound: after a redirect, the most instructions until the program has left
 * @native_bound: the same in native instructions; 0 if it is not known
 * @calls: and the most calls that are kept
 * @loop: what takes most of it
 */
struct fastterm_verdict {
	enum fastterm_refusal why;
	u32 insn;
	char sentence[FASTTERM_SENTENCE];
	u32 insns;
	u32 stub_insns;
	bool again;
	bool alone;
	bool calls_global;
	bool unbounded;
	u32 bound;
	u32 native_bound;
	u32 calls;
	struct fastterm_loop loop;
};

/**
 * struct fastterm_checked - a verdict, and what it holds for
 * @verdict: the verdict
 * @trace: how it was reached
 * @nr: number of @assumed
 * @assumed: for each instruction of the program as it was loaded, fastterm_assumption()
 */
struct fastterm_checked {
	struct fastterm_verdict verdict;
	struct fastterm_trace trace;
	u32 nr;
	u8 assumed[] __counted_by(nr);
};

u8 fastterm_assumption(const struct fastterm_decision *d, bool calls_back);

#endif /* _BPF_FASTTERM_VERDICT_H */
