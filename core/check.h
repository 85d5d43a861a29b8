/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The product check: the verifier explores a program and its stub image together.
 *
 * Only kernel/bpf/verifier.c includes this file. It contains the state of the check, and
 * the functions by which the verifier reports to it. explore.h explores the stub image.
 *
 * Each state of the verifier has one more bit, which says whether it is a state of the stub
 * image (a stub state). Where a state of the original reaches an instruction that the stub
 * image skips, the verifier continues with a second state behind that instruction in the
 * stub image, changed only as the stub changes it. In the stub image, skipped calls are
 * skipped again, and loops are left. Between two sites both images have the same code, so a
 * state of the original also represents a run of the stub image up to the next site. If the
 * stub state behind the site is contained in the state with which the verifier leaves the
 * call, the stub does what the call might have done, and the stub state is not explored. A
 * program gets a stub image only if the verifier finds no fault in either image; otherwise
 * the verifier's own message says why there is none.
 *
 * Stub states are pruned by completely explored states of either image. States of the
 * original are pruned by those of the original only. So there are two tables of saved
 * states.
 *
 * The stub states of a site are explored after everything that is reached from the site in
 * the original. So when a stub state reads a register of a state of the original, or needs
 * its exact value, the register usually has that mark already. If it has not, the
 * additional mark might make the exploration of the original longer than it would be
 * without the check. Then the original is verified again on its own, and only that result
 * counts.
 */
#ifdef CONFIG_BPF_FASTTERM

#include "compat.h"
#include "decision.h"
#include "verdict.h"

/* Marks registers of saved stub states, in bpf_reg_state.live. */
#define FASTTERM_LIVE_STUB	0x80

/* The log level at which the verifier gives the reason for an error, and prints no states. */
#define FASTTERM_LOG_LEVEL	BPF_LOG_STATS

/*
 * What the verifier finds out about a whole program, by the names in its own structures.
 * The exploration of the stub image must not change it.
 */
struct fastterm_facts {
	u32 max_ctx_offset;
	u32 max_pkt_offset;
	u32 max_tp_access;
	u32 max_rdonly_access;
	u32 max_rdwr_access;
	bool seen_direct_write;
	bool seen_exception;
	bool dst_needed;
	bool cb_access;
	bool call_get_stack;
	bool call_get_func_ip;
};

/**
 * struct fastterm_stack - what the verifier finds out about a function's stack
 * @depth: how much of it is used
 * @fastcall_off: slots below this offset are only used around calls that preserve registers
 */
struct fastterm_stack {
	u16 depth;
	s16 fastcall_off;
};

/**
 * struct fastterm_side - what the verifier keeps for one of the two images
 * @states: the table of saved states
 * @aux: its data on each instruction
 * @insns: its insn_processed
 * @prev_insns: see struct bpf_verifier_env
 * @jmps: see there
 * @prev_jmps: see there
 * @total_states: see there
 * @peak_states: see there
 * @states_per_insn: see there
 * @mark_read_walk: see there
 * @log_level: see there
 * @alu_limits: see there: explore_alu_limits
 */
struct fastterm_side {
	struct bpf_verifier_state_list **states;
	struct bpf_insn_aux_data *aux;
	u32 insns;
	u32 prev_insns;
	u32 jmps;
	u32 prev_jmps;
	u32 total_states;
	u32 peak_states;
	u32 states_per_insn;
	u32 mark_read_walk;
	u32 log_level;
	bool alu_limits;
};

/**
 * struct fastterm_check - the product check of a program, while it is verified
 * @joint: the verifier explores both images
 * @frozen: decisions are no longer changed
 * @traced: a stub state has marked a register of a state of the original
 * @changed: a decision differs from the one with which a stub state was explored
 * @resumed: the instruction at which the original continues after a fault in the stub
 *	     image, or -1
 * @other: the data of the image that is not being explored at the moment
 * @before: the state before the current call
 * @pushed: the head of the list of pending states when @before was saved
 * @original: the data on instructions before anything was explored
 * @stub: the verifier's data on instructions of the stub image
 * @subprogs: the data on functions before anything was explored
 * @funcs: the same for bpf_prog_aux.func_info_aux
 * @facts: the facts about the original, while a stub state is explored
 * @stacks: the stacks of the original's functions, while a stub state is explored
 * @loops: the current state was pruned by a state that is not completely explored
 * @returns: the current state was pruned where a callback returns to a call that is kept
 * @trace: the paths through both images
 * @id_gen: bpf_verifier_env.id_gen before anything was explored
 * @alu_limits: bpf_verifier_env.explore_alu_limits before anything was explored
 * @allow_uninit: bpf_verifier_env.allow_uninit_stack, as it is for the original
 * @unwritten: the most that fastterm_leaves_unwritten() has returned of a skipped call
 * @log: the user's log, to which nothing is added while both images are explored
 * @verdict: the result
 */
struct fastterm_check {
	bool joint;
	bool frozen;
	bool traced;
	bool changed;
	int resumed;
	struct fastterm_side other;
	struct bpf_verifier_state before;
	struct bpf_verifier_stack_elem *pushed;
	struct bpf_insn_aux_data *original;
	struct bpf_insn_aux_data *stub;
	struct bpf_subprog_info *subprogs;
	struct bpf_func_info_aux *funcs;
	struct fastterm_facts facts;
	struct fastterm_stack stacks[BPF_MAX_SUBPROGS + 2];
	bool loops;
	bool returns;
	struct fastterm_trace trace;
	u32 id_gen;
	bool alu_limits;
	bool allow_uninit;
	u32 unwritten;
	struct bpf_verifier_log log;
	struct fastterm_verdict verdict;
};

static struct fastterm_check *fastterm_check(const struct bpf_verifier_env *env)
{
	return env->fastterm.check;
}

static bool fastterm_in_stub(const struct bpf_verifier_env *env)
{
	return env->fastterm.in_stub;
}

/* The decision on an instruction, which is stored in the original's data. */
static struct fastterm_decision *fastterm_decision(struct bpf_verifier_env *env, u32 insn)
{
	struct bpf_insn_aux_data *aux = fastterm_in_stub(env) ? fastterm_check(env)->other.aux :
								env->insn_aux_data;

	return &aux[insn].fastterm;
}

/**
 * fastterm_explored() - end the trace of a state from which everything has been explored
 * @env: the verifier's environment
 * @st: the state, the current one or a saved one
 *
 * Context: process context.
 */
static void fastterm_explored(struct bpf_verifier_env *env, struct bpf_verifier_state *st)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c || !c->joint || st != env->cur_state)
		return;
	fastterm_trace_end(&c->trace, &st->fastterm, c->loops, c->returns);
	c->loops = false;
	c->returns = false;
}

/**
 * fastterm_pushed() - trace a state that branches off and is explored later
 * @env: the verifier's environment
 * @st: the new state, a copy of the current one
 *
 * Context: process context.
 */
static void fastterm_pushed(struct bpf_verifier_env *env, struct bpf_verifier_state *st)
{
	struct fastterm_check *c = fastterm_check(env);

	if (c && c->joint)
		fastterm_trace_branch(&c->trace, &env->cur_state->fastterm, &st->fastterm);
}

/**
 * fastterm_saved() - trace that the verifier has saved the current state
 * @env: the verifier's environment
 * @st: the saved state, the new parent of the current one
 * @insn_idx: the instruction that the current state is at
 *
 * Context: process context.
 */
static void fastterm_saved(struct bpf_verifier_env *env, struct bpf_verifier_state *st,
			   int insn_idx)
{
	struct fastterm_check *c = fastterm_check(env);
	struct fastterm_vstate *cur = &env->cur_state->fastterm;
	int frame, i;

	if (!c || !c->joint)
		return;
	/* The instruction that the state is at is counted with the next node. */
	if (!st->speculative)
		fastterm_trace_back(&c->trace);
	st->fastterm.node = fastterm_trace_node(&c->trace, cur, 1);
	*cur = (struct fastterm_vstate){
		.stub = cur->stub, .alike = cur->alike, .node = st->fastterm.node,
	};
	if (!st->speculative)
		fastterm_trace_step(&c->trace, cur, insn_idx);
	if (!cur->stub)
		return;
	for (frame = 0; frame <= st->curframe; frame++) {
		struct bpf_func_state *func = st->frame[frame];

		for (i = 0; i < MAX_BPF_REG; i++)
			func->regs[i].live |= FASTTERM_LIVE_STUB;
		for (i = 0; i < func->allocated_stack / BPF_REG_SIZE; i++)
			func->stack[i].spilled_ptr.live |= FASTTERM_LIVE_STUB;
	}
}

static void fastterm_fork_here(struct bpf_verifier_env *env);

/*
 * Has @by memory on the stack that was written, and is read later, where @st has unwritten
 * memory? Only memory counts that a skipped call may leave unwritten: @size bytes from the
 * top of each frame.
 */
static bool fastterm_lacks(const struct bpf_verifier_state *st, const struct bpf_verifier_state *by,
			   u32 size)
{
	u32 frame, i;

	for (frame = 0; frame <= by->curframe; frame++) {
		const struct bpf_func_state *has = by->frame[frame], *lacks = st->frame[frame];

		for (i = 0; i < min_t(u32, has->allocated_stack, size); i++) {
			const u32 slot = i / BPF_REG_SIZE, byte = i % BPF_REG_SIZE;

			if (has->stack[slot].spilled_ptr.live & REG_LIVE_READ &&
			    has->stack[slot].slot_type[byte] != STACK_INVALID &&
			    (i >= lacks->allocated_stack ||
			     lacks->stack[slot].slot_type[byte] == STACK_INVALID))
				return true;
		}
	}
	return false;
}

/**
 * fastterm_pruned() - trace that the current state is pruned
 * @env: the verifier's environment
 * @by: the saved state that contains the current one
 *
 * Context: process context, may sleep.
 */
static void fastterm_pruned(struct bpf_verifier_env *env, const struct bpf_verifier_state *by)
{
	struct fastterm_check *c = fastterm_check(env);
	const struct fastterm_decision *d;

	if (!c || !c->joint || env->cur_state->speculative)
		return;
	/* The instruction that both states are at is counted with @by. */
	fastterm_trace_back(&c->trace);
	/*
	 * If a program may read unwritten memory, states are equal whether memory was
	 * written or not.
	 */
	if (!fastterm_in_stub(env) && c->allow_uninit &&
	    fastterm_lacks(env->cur_state, by, c->unwritten))
		fastterm_fork_here(env);
	env->cur_state->fastterm.cover = by->fastterm.node;
	/* Has a callback returned to the kept call that has run it? */
	d = fastterm_decision(env, by->insn_idx);
	c->returns = d->why && env->insn_aux_data[by->insn_idx].calls_callback &&
		     env->prog->insnsi[env->prev_insn_idx].code == (BPF_JMP | BPF_EXIT);
	c->loops = by->branches && !c->returns;
	if (fastterm_in_stub(env) && c->loops)
		c->verdict.unbounded = true;
}

/* Does a register belong to the current state, and not to a saved one? */
static bool fastterm_is_current(const struct bpf_verifier_env *env,
				const struct bpf_reg_state *reg)
{
	const struct bpf_verifier_state *cur = env->cur_state;
	const unsigned long at = (unsigned long)reg;
	u32 i;

	for (i = 0; i <= cur->curframe; i++) {
		const struct bpf_func_state *func = cur->frame[i];

		if (at - (unsigned long)func->regs < sizeof(func->regs) ||
		    at - (unsigned long)func->stack <
		    func->allocated_stack / BPF_REG_SIZE * sizeof(*func->stack))
			return true;
	}
	return false;
}

/* A stub state reads a register of a saved state, or needs its exact value. */
static noinline void fastterm_mark(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	if (!(reg->live & FASTTERM_LIVE_STUB) && !fastterm_is_current(env, reg))
		fastterm_check(env)->traced = true;
}

/**
 * fastterm_reads() - note that a register of saved states is about to be marked as read
 * @env: the verifier's environment
 * @state: the register that is read
 * @parent: the same register in the parent state, or NULL
 * @flag: how much of it is read
 *
 * The verifier marks the register in each state from @parent on, up to a state that has
 * written it, or in which it is marked already.
 *
 * Context: process context.
 */
static void fastterm_reads(struct bpf_verifier_env *env, const struct bpf_reg_state *state,
			   const struct bpf_reg_state *parent, u8 flag)
{
	bool writes = parent == state->parent;

	if (likely(!fastterm_in_stub(env)))
		return;
	for (; parent; state = parent, parent = state->parent, writes = true) {
		if ((writes && state->live & REG_LIVE_WRITTEN) ||
		    (parent->live & REG_LIVE_READ) == flag || parent->live & REG_LIVE_READ64)
			return;
		fastterm_mark(env, parent);
	}
}

/* Mark a scalar in a register of a saved state as precise. */
static void fastterm_precise(struct bpf_verifier_env *env, struct bpf_reg_state *reg)
{
	reg->precise = true;
	if (unlikely(fastterm_in_stub(env)))
		fastterm_mark(env, reg);
}

/**
 * fastterm_allows_uninit() - may the program read memory on its stack that it has not written?
 * @env: the verifier's environment
 *
 * While the verifier explores the stub image, allow_uninit_stack itself is false. Otherwise
 * unwritten memory would be equal to written memory when states are compared, and the check
 * would not detect that a stub does not fill memory.
 *
 * Context: process context.
 * Return: true if the original may.
 */
static bool fastterm_allows_uninit(const struct bpf_verifier_env *env)
{
	return fastterm_in_stub(env) ? fastterm_check(env)->allow_uninit :
				       env->allow_uninit_stack;
}

/**
 * fastterm_reads_uninit() - may this instruction read memory that was not written?
 * @env: the verifier's environment
 *
 * The stub image may read memory that it has not written only if the original has not
 * written it either, or if the original reads unwritten memory at this instruction too.
 *
 * Context: process context; where the current instruction reads such memory.
 * Return: true if it may.
 */
static bool fastterm_reads_uninit(struct bpf_verifier_env *env)
{
	struct fastterm_decision *d;
	struct fastterm_check *c = fastterm_check(env);

	if (!fastterm_allows_uninit(env) || !c || !c->joint)
		return fastterm_allows_uninit(env);
	if (env->cur_state->fastterm.alike)
		return true;
	d = fastterm_decision(env, env->insn_idx);
	if (fastterm_in_stub(env) && !d->uninit)
		c->stub[env->insn_idx].fastterm.uninit = true;
	if (!fastterm_in_stub(env))
		d->uninit = true;
	return d->uninit;
}

/**
 * fastterm_may_more() - may one of two states do what the other one may not?
 * @old: the one, which has been explored
 * @cur: the other one
 *
 * Context: process context.
 * Return: true if @old may read memory that was not written, and @cur may not.
 */
static bool fastterm_may_more(const struct bpf_verifier_state *old,
			      const struct bpf_verifier_state *cur)
{
	return old->fastterm.alike && !cur->fastterm.alike;
}

/*
 * Note a loop, which the stub image leaves. But a callback of a call that is kept runs in
 * the original, where loops are not left: then there is no bound.
 */
static void fastterm_loops(struct bpf_verifier_env *env, u32 insn)
{
	const struct bpf_verifier_state *cur = env->cur_state;
	u32 i;

	for (i = 1; i <= cur->curframe; i++) {
		const struct bpf_func_state *func = cur->frame[i];

		if (!func->in_callback_fn || !fastterm_decision(env, func->callsite)->why)
			continue;
		if (!fastterm_check(env)->verdict.unbounded)
			fastterm_check(env)->verdict.insn = insn;
		fastterm_check(env)->verdict.unbounded = true;
	}
}

/**
 * fastterm_leaves_loop() - does a jump leave its loop without being simulated?
 * @env: the verifier's environment
 * @insn: the jump, at @env->insn_idx; if it leaves the loop, the index becomes that of the
 *	  instruction before the jump's target
 *
 * Context: process context.
 * Return: true for a may_goto in the stub image.
 */
static bool fastterm_leaves_loop(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c || !c->joint || insn->code != (BPF_JMP | BPF_JCOND))
		return false;
	if (!env->cur_state->speculative) {
		fastterm_decision(env, env->insn_idx)->kind = FASTTERM_LOOP;
		fastterm_loops(env, env->insn_idx);
	}
	if (fastterm_in_stub(env))
		env->insn_idx += insn->off;
	return fastterm_in_stub(env);
}

/* Mark a state that the stub image does not reach from where it branched off. */
static void fastterm_part(struct bpf_verifier_state *st)
{
	st->fastterm.apart = true;
	st->fastterm.first = 0;
}

#else

/* These expand to nothing, so that the verifier's machine code does not change. */
#define fastterm_explored(...)		do { } while (0)
#define fastterm_pushed(...)		do { } while (0)
#define fastterm_saved(...)		do { } while (0)
#define fastterm_pruned(...)		do { } while (0)
#define fastterm_reads(...)		do { } while (0)
#define fastterm_part(...)		do { } while (0)
#define fastterm_precise(env, reg)	((void)(env), (reg)->precise = true)
#define fastterm_reads_uninit(env)	((env)->allow_uninit_stack)
#define fastterm_allows_uninit(env)	((env)->allow_uninit_stack)
#define fastterm_may_more(...)		false
#define fastterm_leaves_loop(...)	false

#endif /* CONFIG_BPF_FASTTERM */
