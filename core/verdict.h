/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verifier finds out when it explores a program and its stub image together: the
 * trace of the paths through them, the length of the longest path, and the verdict on the
 * stub image.
 */
#ifndef _BPF_FASTTERM_VERDICT_H
#define _BPF_FASTTERM_VERDICT_H

#include <linux/fastterm_types.h>
#include <linux/limits.h>
#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;

/**
 * struct fastterm_run - consecutive instructions
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
 * @first: its first run
 * @nr: number of its runs
 * @cover: a node whose paths continue behind the runs of this one; 0 if there is none
 * @open: how many states or nodes below it are not complete
 * @entry: the function to which it belongs, of those that are explored on their own
 * @apart: no path leads here from its parent
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
 * struct fastterm_trace - the paths through a program and its stub image
 * @nodes: the nodes
 * @nr_nodes: number of nodes
 * @max_nodes: for how many nodes there is room
 * @runs: the runs of all nodes
 * @nr_runs: see @nr_nodes
 * @max_runs: see @max_nodes
 * @order: nodes in the order in which they have become complete
 * @nr_order: see @nr_nodes
 * @max_order: see @max_nodes
 * @starts: the first instructions of the functions that have been explored on their own,
 *	    from index 1
 * @nr_entries: number of these functions
 * @max_entries: see @max_nodes
 * @callees: for each instruction of the program as it was loaded, which of these functions
 *	     it calls in the stub image; CALLS_BACK if it calls a kernel function there that
 *	     runs a callback; 0 if neither
 * @failed: there was not enough memory
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
 * struct fastterm_loop - the loop with the most iterations on the longest path of a stub image
 * @times: number of iterations; 0 if no instruction is run more than once
 * @first: its first instruction, in the program as it was loaded
 * @last: its last instruction
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
 * enum fastterm_refusal - why a program's stub image is refused
 * @FASTTERM_REFUSED_NOT: it is not refused
 * @FASTTERM_REFUSED_VERIFIER: the verifier has found a fault
 * @FASTTERM_REFUSED_LIMIT: the verifier has to process too many instructions
 * @FASTTERM_REFUSED_MEMORY: there was not enough memory to explore it
 * @FASTTERM_REFUSED_CHANGED: decisions still changed in the second exploration
 * @FASTTERM_REFUSED_ALONE: it reaches an instruction that the program does not reach
 * @FASTTERM_REFUSED_OTHER: the verifier would rewrite an instruction in another way for it
 * @FASTTERM_REFUSED_MORE: it needs more of the stack or of the context than the program
 * @FASTTERM_REFUSED_LOST: an instruction was rewritten, and the decision on it does not
 *			   hold
 * @FASTTERM_REFUSED_UNBOUNDED: there is no bound of how long it runs
 * @FASTTERM_REFUSALS: number of reasons
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
 * struct fastterm_verdict - the result of the check of a program's stub image
 * @why: why it is refused
 * @insn: the instruction, in the program as it was loaded
 * @sentence: the verifier's last message about the stub image
 * @insns: how many instructions of the original the verifier has processed
 * @stub_insns: how many instructions of the stub image the verifier has processed
 * @again: decisions have changed, and both images were explored again
 * @alone: the original was explored again on its own
 * @calls_global: the program calls a global function
 * @visits: how many calls of kernel functions and of global functions the verifier has
 *	    processed in the original
 * @weight: the sum of their fastterm_call_weight()
 * @unbounded: there is no bound of how long the stub image runs
 * @bound: the most instructions from a redirect to the exit
 * @native_bound: the most native instructions from a redirect to the exit; 0 if it is not
 *		  known
 * @calls: the most kept calls from a redirect to the exit
 * @loop: the loop that takes most of @bound
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
	u32 visits;
	u32 weight;
	bool unbounded;
	u32 bound;
	u32 native_bound;
	u32 calls;
	struct fastterm_loop loop;
};

/**
 * struct fastterm_checked - a verdict, and what it was found for
 * @verdict: the verdict
 * @trace: the trace of the exploration
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
