// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a program can run after a redirect: the longest path through its stub image.
 *
 * While the verifier explores a program and its stub image together, it records a trace: a
 * tree of nodes, each of which stands for instructions that were simulated one after
 * another, behind those of its parent. A state that was pruned would have continued like
 * the state that pruned it: its node names the node of that state as its cover. So a path
 * through the stub image is a path through the tree that may continue at a cover. A
 * redirect can happen at any point of the original, and both images are the same up to the
 * next site: a path may begin at any node. The stub image does not take the original's path
 * behind a site: the node there is apart from its parent.
 *
 * A node is complete when all nodes below it are complete. The longest path from each node
 * is computed in the order in which nodes have become complete. An instruction counts as
 * one, or with a weight, such as the number of its native instructions. Stub states are
 * pruned only by completely explored states, so a cover is nearly always complete before
 * the node that names it. The exception is a loop that the verifier has closed in the
 * original: a path continues at the cover, and leaves the loop, since each such loop has a
 * site at its beginning. These paths are found in further rounds, until no round finds a
 * longer path.
 *
 * A global function that the stub image calls is explored on its own, and each call of it
 * counts with the function's longest path. A callback of a call that is kept counts once
 * for each call: how often it runs depends on the kernel function.
 */
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "image.h"
#include "program.h"
#include "verdict.h"

/* Make room for one more element. */
static bool grow(struct fastterm_trace *t, void **array, u32 *max, u32 nr, size_t size)
{
	u32 more = max(2 * *max, 64u);
	void *larger;

	if (nr < *max)
		return true;
	larger = kvrealloc(*array, array_size(more, size), GFP_KERNEL);
	if (!larger) {
		t->failed = true;
		return false;
	}
	*array = larger;
	*max = more;
	return true;
}

/**
 * fastterm_trace_begin() - begin a new trace
 * @t: the trace, zeroed or used before
 *
 * Node 0 is the common root of the program and its functions, and is never complete.
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_begin(struct fastterm_trace *t)
{
	t->failed = false;
	t->nr_entries = 0;
	kvfree(t->callees);
	t->callees = NULL;
	t->nr_runs = 0;
	t->nr_order = 0;
	t->nr_nodes = 0;
	if (!grow(t, (void **)&t->nodes, &t->max_nodes, 0, sizeof(*t->nodes)))
		return;
	t->nodes[t->nr_nodes++] = (struct fastterm_node){};
}

/**
 * fastterm_trace_entry() - begin the trace of a function that the verifier explores on its own
 * @t: the trace
 * @start: its first instruction
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_entry(struct fastterm_trace *t, u32 start)
{
	if (!t->failed && grow(t, (void **)&t->starts, &t->max_entries, t->nr_entries + 1,
			       sizeof(*t->starts)))
		t->starts[++t->nr_entries] = start;
}

/* In place of the number of a function: the callee runs a callback. */
#define CALLS_BACK	U16_MAX

/**
 * fastterm_trace_calls() - note that the stub image calls a function explored on its own
 * @t: the trace
 * @nr: number of instructions of the program as it was loaded
 * @insn: the call
 * @start: the function's first instruction, or FASTTERM_CALLBACK_OF
 *
 * Context: process context, may sleep; when everything has been explored.
 */
void fastterm_trace_calls(struct fastterm_trace *t, u32 nr, u32 insn, u32 start)
{
	u32 entry = t->nr_entries;

	if (t->failed)
		return;
	if (!t->callees)
		t->callees = kvcalloc(nr, sizeof(*t->callees), GFP_KERNEL);
	while (start != FASTTERM_CALLBACK_OF && entry && t->starts[entry] != start)
		entry--;
	if (t->callees)
		t->callees[insn] = start == FASTTERM_CALLBACK_OF ? CALLS_BACK : entry;
	t->failed = !t->callees || !entry;
}

/**
 * fastterm_trace_free() - free the memory of a trace
 * @t: the trace; may be zeroed
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_free(struct fastterm_trace *t)
{
	kvfree(t->nodes);
	kvfree(t->runs);
	kvfree(t->order);
	kvfree(t->starts);
	kvfree(t->callees);
	memset(t, 0, sizeof(*t));
}

/**
 * fastterm_trace_step() - trace an instruction
 * @t: the trace
 * @st: the trace's data in the state that is at the instruction
 * @insn: the instruction
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_step(struct fastterm_trace *t, struct fastterm_vstate *st, u32 insn)
{
	struct fastterm_run *last;

	if (t->failed)
		return;
	if (!st->first)
		st->first = t->nr_runs + 1;
	if (t->nr_runs >= st->first) {
		last = &t->runs[t->nr_runs - 1];
		if (last->insn + last->nr == insn) {
			last->nr++;
			return;
		}
	}
	if (grow(t, (void **)&t->runs, &t->max_runs, t->nr_runs, sizeof(*t->runs)))
		t->runs[t->nr_runs++] = (struct fastterm_run){ .insn = insn, .nr = 1 };
}

/**
 * fastterm_trace_back() - take back the last instruction, which is not simulated
 * @t: the trace
 *
 * Context: process context.
 */
void fastterm_trace_back(struct fastterm_trace *t)
{
	if (!t->failed && !--t->runs[t->nr_runs - 1].nr)
		t->nr_runs--;
}

/**
 * fastterm_trace_node() - make a node of what a state has run since its last node
 * @t: the trace
 * @st: the trace's data in the state
 * @open: number of states, or nodes of states, that will continue from there
 *
 * Context: process context, may sleep.
 * Return: the node.
 */
u32 fastterm_trace_node(struct fastterm_trace *t, const struct fastterm_vstate *st, u32 open)
{
	const u32 n = t->nr_nodes;

	if (t->failed || !grow(t, (void **)&t->nodes, &t->max_nodes, n, sizeof(*t->nodes)))
		return 0;
	t->nodes[n] = (struct fastterm_node){
		.parent = st->node,
		.first = st->first ? st->first - 1 : 0,
		.nr = st->first ? t->nr_runs - (st->first - 1) : 0,
		.cover = st->cover,
		.open = open,
		.entry = t->nr_entries,
		.apart = st->apart,
	};
	return t->nr_nodes++;
}

/**
 * fastterm_trace_branch() - trace that a second state branches off
 * @t: the trace
 * @st: the trace's data in the current state
 * @other: the trace's data in the new state
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_branch(struct fastterm_trace *t, struct fastterm_vstate *st,
			   struct fastterm_vstate *other)
{
	const u32 n = fastterm_trace_node(t, st, 2);

	*st = (struct fastterm_vstate){
		.stub = st->stub, .alike = st->alike, .node = n, .first = t->nr_runs + 1,
	};
	*other = (struct fastterm_vstate){
		.stub = other->stub, .alike = other->alike, .node = n,
	};
}

/**
 * fastterm_trace_fork() - trace that a stub state continues behind a call
 * @t: the trace
 * @st: the trace's data in the state before the call; becomes that of the stub state
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_fork(struct fastterm_trace *t, struct fastterm_vstate *st)
{
	const u32 n = fastterm_trace_node(t, st, 1);

	if (!t->failed)
		t->nodes[st->node].open++;
	*st = (struct fastterm_vstate){ .stub = true, .node = n };
}

/**
 * fastterm_trace_end() - trace that a state ends
 * @t: the trace
 * @st: the trace's data in the state
 * @loops: its cover is not complete
 * @returns: it ends where a callback returns to a call that is kept
 *
 * Context: process context, may sleep.
 */
void fastterm_trace_end(struct fastterm_trace *t, const struct fastterm_vstate *st, bool loops,
			bool returns)
{
	u32 n = fastterm_trace_node(t, st, 0);

	if (t->failed)
		return;
	t->nodes[n].loops = loops;
	t->nodes[n].returns = returns;
	for (;;) {
		if (!grow(t, (void **)&t->order, &t->max_order, t->nr_order, sizeof(*t->order)))
			return;
		t->order[t->nr_order++] = n;
		n = t->nodes[n].parent;
		if (!n || --t->nodes[n].open)
			return;
	}
}

/**
 * struct ways - the longest path from each node of a trace
 * @bounds: for each node, the sum of weights on the longest path behind it
 * @before: the same, as the last round has found it
 * @returns: the same for the longest path that ends where a callback returns to a kept call
 * @next: the node at which the longest path continues; or BEHIND and a node, if it
 *	  continues behind that node; 0 if it ends
 * @entries: the length of the longest path of each function that was explored on its own
 * @callbacks: the same for the longest path that ends where a callback returns to a kept
 *	       call
 * @first: the first node of the longest path of all
 * @longer: this round has found a longer path than any round before
 */
struct ways {
	u64 *bounds;
	u64 *before;
	u64 *returns;
	u32 *next;
	u64 *entries;
	u64 *callbacks;
	u32 first;
	bool longer;
};

#define BEHIND	BIT(31)

/* More than the number of loops that follow each other in a program. */
#define MAX_ROUNDS	100

static u64 sum_of(const struct fastterm_trace *t, const struct fastterm_node *node,
		  const u32 *weights, const struct ways *w)
{
	u64 sum = 0;
	u32 i, insn;

	for (i = node->first; i < node->first + node->nr; i++) {
		for (insn = t->runs[i].insn; insn < t->runs[i].insn + t->runs[i].nr; insn++) {
			const u16 callee = t->callees ? t->callees[insn] : 0;

			sum += weights ? weights[insn] : 1;
			if (callee == CALLS_BACK)
				sum += w->callbacks[node->entry];
			else if (callee)
				sum += w->entries[callee] + w->callbacks[callee];
		}
	}
	return sum;
}

static void free_ways(struct ways *w)
{
	kvfree(w->bounds);
	kvfree(w->before);
	kvfree(w->returns);
	kvfree(w->next);
	kvfree(w->entries);
	kvfree(w->callbacks);
}

/* Update the longest length. Returns true if @way is longer. */
static bool lengthen(u64 *longest, u64 way)
{
	if (way <= *longest)
		return false;
	*longest = way;
	return true;
}

/* Find the longest paths from a node. Returns the length of the one to the program's exit. */
static u64 find_way(const struct fastterm_trace *t, const u32 *weights, struct ways *w, u32 n)
{
	const struct fastterm_node *node = &t->nodes[n];
	const u64 own = sum_of(t, node, weights, w);
	u64 behind = (node->loops ? w->before : w->bounds)[node->cover];

	/* Paths behind a call that runs a callback are found from the call itself. */
	if (node->cover && !node->returns) {
		if (lengthen(&w->bounds[n], behind))
			w->next[n] = BEHIND | node->cover;
		lengthen(&w->returns[n], w->returns[node->cover]);
	}
	if (node->returns || w->returns[n]) {
		w->longer |= lengthen(&w->callbacks[node->entry], own + w->returns[n]);
		if (!node->apart)
			lengthen(&w->returns[node->parent], own + w->returns[n]);
	}
	if (node->returns)
		return 0;
	w->longer |= lengthen(&w->entries[node->entry], own + w->bounds[n]);
	if (!node->apart && lengthen(&w->bounds[node->parent], own + w->bounds[n]))
		w->next[node->parent] = n;
	return own + w->bounds[n];
}

/* One round. Returns true if it has found longer paths than the last round. */
static bool find_ways(const struct fastterm_trace *t, const u32 *weights, struct ways *w)
{
	u64 longest = 0;
	u32 i;

	swap(w->bounds, w->before);
	memset(w->bounds, 0, array_size(t->nr_nodes, sizeof(*w->bounds)));
	memset(w->returns, 0, array_size(t->nr_nodes, sizeof(*w->returns)));
	memset(w->next, 0, array_size(t->nr_nodes, sizeof(*w->next)));
	w->longer = false;
	for (i = 0; i < t->nr_order; i++)
		if (lengthen(&longest, find_way(t, weights, w, t->order[i])))
			w->first = t->order[i];
	for (i = 0; i < t->nr_order && !w->longer; i++) {
		const struct fastterm_node *node = &t->nodes[t->order[i]];

		w->longer = node->loops && w->bounds[node->cover] > w->before[node->cover];
	}
	return w->longer;
}

/*
 * Find the longest paths. Returns 0; -ENOMEM; or -ELOOP if there is no longest path. Each
 * round settles at least one more of the loops, or of the functions. The caller frees @w in
 * all cases.
 */
static int make_ways(const struct fastterm_trace *t, const u32 *weights, struct ways *w)
{
	const u32 nr = t->nr_entries + 1;
	u32 rounds = MAX_ROUNDS;

	*w = (struct ways){};
	if (t->failed || !t->nr_order)
		return -ENOMEM;
	w->bounds = kvcalloc(t->nr_nodes, sizeof(*w->bounds), GFP_KERNEL);
	w->before = kvcalloc(t->nr_nodes, sizeof(*w->before), GFP_KERNEL);
	w->returns = kvcalloc(t->nr_nodes, sizeof(*w->returns), GFP_KERNEL);
	w->next = kvcalloc(t->nr_nodes, sizeof(*w->next), GFP_KERNEL);
	w->entries = kvcalloc(nr, sizeof(*w->entries), GFP_KERNEL);
	w->callbacks = kvcalloc(nr, sizeof(*w->callbacks), GFP_KERNEL);
	if (!w->bounds || !w->before || !w->returns || !w->next || !w->entries || !w->callbacks)
		return -ENOMEM;
	while (find_ways(t, weights, w)) {
		if (!--rounds)
			return -ELOOP;
		cond_resched();
	}
	return 0;
}

/* Find the loop with the most iterations on the longest path. */
static void find_loop(const struct fastterm_trace *t, const struct ways *w, u32 nr,
		      struct fastterm_loop *loop)
{
	u32 n, i, k, *times = kvcalloc(nr, sizeof(*times), GFP_KERNEL);

	*loop = (struct fastterm_loop){ .first = nr };
	n = times ? w->first : 0;
	while (n) {
		const struct fastterm_node *node = &t->nodes[n];

		for (i = node->first; i < node->first + node->nr; i++)
			for (k = 0; k < t->runs[i].nr; k++)
				loop->times = max(loop->times, ++times[t->runs[i].insn + k]);
		for (n = w->next[n]; n & BEHIND; n = w->next[n & ~BEHIND])
			;
	}
	/*
	 * Instructions of an outer loop run less often. If the inner loop is left in the
	 * middle, the rest of its body runs once less than the beginning.
	 */
	for (i = 0; loop->times > 1 && i < nr; i++) {
		if (times[i] <= loop->times / 2)
			continue;
		loop->first = min(loop->first, i);
		loop->last = i;
	}
	if (loop->times < 2)
		*loop = (struct fastterm_loop){};
	kvfree(times);
}

/**
 * fastterm_trace_bound() - compute the largest sum of weights from any point to the exit
 * @t: the trace
 * @weights: the weight of each instruction of the program as it was loaded; NULL if all
 *	     weights are 1
 * @nr: number of these instructions
 * @loop: receives the loop with the most iterations on the longest path, all 0 if no
 *	  instruction is run twice; may be NULL
 *
 * A global function, which the verifier explores on its own, may have been called by
 * another one, and that by the main function. Each of them still has to run to its exit:
 * the sum of all longest paths counts.
 *
 * Context: process context, may sleep.
 * Return: the sum of weights; 0 if there is not enough memory, and U32_MAX if there is no
 * bound.
 */
u32 fastterm_trace_bound(const struct fastterm_trace *t, const u32 *weights, u32 nr,
			 struct fastterm_loop *loop)
{
	struct ways w;
	u64 sum = 0;
	u32 i;
	int err;

	err = make_ways(t, weights, &w);
	for (i = 0; !err && i <= t->nr_entries; i++)
		sum += w.entries[i] + w.callbacks[i];
	if (!err && loop)
		find_loop(t, &w, nr, loop);
	free_ways(&w);
	return err == -ELOOP ? U32_MAX : min_t(u64, sum, U32_MAX);
}

/* The number of native instructions for each instruction of the program as it was loaded. */
static u32 *native_weights(struct bpf_prog *prog, const struct fastterm_prog *fprog)
{
	u32 i, k, at = 0, *weights;

	if (!fprog->ids)
		return NULL;
	weights = kvcalloc(fprog->nr_loaded, sizeof(*weights), GFP_KERNEL);
	for (i = 0; weights && i < fprog->nr_funcs; i++) {
		const struct bpf_prog *func = fastterm_func(prog, i);
		const struct fastterm_layout *layout = fastterm_aux(func)->layout;

		/* Constant blinding has inserted instructions: @ids does not match. */
		if (at + func->len > fprog->nr_ids)
			break;
		for (k = 0; k < func->len; k++)
			weights[fprog->ids[at + k]] += layout->natives[k];
		at += func->len;
	}
	if (weights && at == fprog->nr_ids)
		return weights;
	kvfree(weights);
	return NULL;
}

/**
 * fastterm_bound() - compute the bound of a stub image in native instructions
 * @prog: the program, with its stub images
 * @fprog: its data; receives the bound, 0 if it is not known
 *
 * Context: process context, may sleep.
 */
void fastterm_bound(struct bpf_prog *prog, struct fastterm_prog *fprog)
{
	u32 *weights = native_weights(prog, fprog);

	if (weights)
		fprog->verdict.native_bound =
			fastterm_trace_bound(&fprog->trace, weights, fprog->nr_loaded, NULL);
	kvfree(weights);
}
