/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The product check: the verifier explores a program and its stub image together.
 *
 * This file is part of kernel/bpf/verifier.c and of no other: what is known of the
 * check, and what is told to it where the verifier does its work. How the stub image is
 * explored is in explore.h.
 *
 * A state of the verifier has one more bit: whether it is a state of the stub
 * image. Wherever a state of the original reaches an instruction that the stub
 * image skips, a second state goes on behind that instruction in the stub image,
 * changed only as the stub changes it. In the stub image skipped calls are skipped
 * again, and loops are left. Between two sites both images have the same code, so
 * that a state of the original stands for a run in the stub image too, up to the
 * next site; and behind it, if the second state is part of the one with which the
 * verifier leaves the call: then the stub does what the call might have done, and
 * nothing else is explored. A program whose exploration finds no fault in either
 * image gets a stub image; otherwise it has none, and the verifier's own sentence
 * says why.
 *
 * States of the stub image are pruned by finished states of either image, those
 * of the original only by those of the original: they are kept in two tables.
 *
 * The verifier explores a site's stub states after everything that is reached
 * from the site in the original. So what a stub state reads, or needs to know
 * exactly, of a state of the original is marked there already as a rule. Where
 * it is not, the original might be explored at greater length than without us:
 * then it is verified once more on its own, and what came of that holds.
 */
#ifdef CONFIG_BPF_FASTTERM

#include "compat.h"
#include "decision.h"
#include "verdict.h"

/* Marks registers of saved states of the stub image, in bpf_reg_state.live. */
#define FASTTERM_LIVE_STUB	0x80

/* The level of the log at which the verifier says why, and shows no states. */
#define FASTTERM_LOG_LEVEL	BPF_LOG_STATS

/*
 * What the verifier finds out about a whole program, under the names that it has there.
 * Exploring the stub image must leave it alone.
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
 * @fastcall_off: below this, it is of no use but around calls that keep their registers
 */
struct fastterm_stack {
	u16 depth;
	s16 fastcall_off;
};

/**
 * struct fastterm_side - what the verifier keeps for one of the two images
 * @states: the table of saved states
 * @aux: its data on each instruction
 * @insns: and its counters
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
 * @frozen: decisions are not changed any more
 * @traced: a stub state has marked a state of the original
 * @changed: a decision is another one than a stub state was explored with
 * @resumed: where the original goes on after a fault in the stub image, or -1
 * @other: what belongs to the image that is not explored at the moment
 * @before: the state before the current call
 * @pushed: the states that were to be explored when @before was saved
 * @original: the data on instructions as they were before anything was explored
 * @stub: the verifier's data on instructions of the stub image
 * @subprogs: data on functions as they were before anything was explored
 * @funcs: the same for what is kept with the program
 * @facts: of the original, while a stub state is explored
 * @stacks: and what is known of its functions' stacks
 * @loops: the current state is part of one that has not been explored yet
 * @returns: and that one is at the call, which is kept, from which the callback was run
 * @trace: the ways through both images
 * @id_gen: the last id of a register that was given before anything was explored
 * @alu_limits: of the verifier before that: explore_alu_limits
 * @allow_uninit: of the verifier where it explores the original: allow_uninit_stack
 * @log: the user's log, to which nothing is added while both images are explored
 * @verdict: what has come of it
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

/* The decision on an instruction, which is kept with the original's data. */
static struct fastterm_decision *fastterm_decision(struct bpf_verifier_env *env, u32 insn)
{
	struct bpf_insn_aux_data *aux = fastterm_in_stub(env) ? fastterm_check(env)->other.aux :
								env->insn_aux_data;

	return &aux[insn].fastterm;
}

/**
 * fastterm_explored() - everything that is reached from a state has been explored
 * @env: the verifier's
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
 * fastterm_pushed() - a state has branched off that is explored later
 * @env: the verifier's
 * @st: the state, like the current one
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
 * fastterm_saved() - the verifier has saved the current state
 * @env: the verifier's
 * @st: the saved one, the new parent of the current one
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
	/* The instruction that the state stands at belongs to what follows. */
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
 * Has a state memory on the stack that was written, and is read behind it, where another
 * one has memory that was not written?
 */
static bool fastterm_lacks(const struct bpf_verifier_state *st, const struct bpf_verifier_state *by)
{
	u32 frame, i;

	for (frame = 0; frame <= by->curframe; frame++) {
		const struct bpf_func_state *has = by->frame[frame], *lacks = st->frame[frame];

		for (i = 0; i < has->allocated_stack; i++) {
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
 * fastterm_pruned() - the current state is part of one that has been explored
 * @env: the verifier's
 * @by: that state
 *
 * Context: process context, may sleep.
 */
static void fastterm_pruned(struct bpf_verifier_env *env, const struct bpf_verifier_state *by)
{
	struct fastterm_check *c = fastterm_check(env);
	const struct fastterm_decision *d;

	if (!c || !c->joint || env->cur_state->speculative)
		return;
	/* The instruction that both stand at is counted with @by. */
	fastterm_trace_back(&c->trace);
	/* A program that may read memory that was not written is pruned whether it was or not. */
	if (!fastterm_in_stub(env) && c->allow_uninit && fastterm_lacks(env->cur_state, by))
		fastterm_fork_here(env);
	env->cur_state->fastterm.cover = by->fastterm.node;
	/* A callback has returned to the call that has run it. */
	d = fastterm_decision(env, by->insn_idx);
	c->returns = d->why && env->insn_aux_data[by->insn_idx].calls_callback &&
		     env->prog->insnsi[env->prev_insn_idx].code == (BPF_JMP | BPF_EXIT);
	c->loops = by->branches && !c->returns;
	if (fastterm_in_stub(env) && c->loops)
		c->verdict.unbounded = true;
}

/* Is it a register of the current state, which is no saved one? */
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

/* A stub state needs something of a register of a saved state. */
static noinline void fastterm_mark(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	if (!(reg->live & FASTTERM_LIVE_STUB) && !fastterm_is_current(env, reg))
		fastterm_check(env)->traced = true;
}

/**
 * fastterm_reads() - a register of saved states is about to be marked as read
 * @env: the verifier's
 * @state: the register that is read
 * @parent: the same one in the state before, or NULL
 * @flag: how much of it is read
 *
 * The verifier marks it in each state from @parent on, up to one that has written it, or in
 * which it is marked.
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

/* A scalar in a register of a saved state has to be known exactly. */
static void fastterm_precise(struct bpf_verifier_env *env, struct bpf_reg_state *reg)
{
	reg->precise = true;
	if (unlikely(fastterm_in_stub(env)))
		fastterm_mark(env, reg);
}

/**
 * fastterm_allows_uninit() - may the program read memory on its stack that it has not written?
 * @env: the verifier's
 *
 * What the verifier itself asks is allow_uninit_stack, which is false while it explores the
 * stub image: there, memory that was not written does not pass for memory that was when
 * states are compared, or nobody would notice that a stub does not fill memory.
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
 * @env: the verifier's
 *
 * What the stub image has not written it may read only if the original has not written it
 * either, or where the original reads such memory too.
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
 * fastterm_may_more() - may the one of two states do what the other one may not?
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
 * There is a loop, which the stub image leaves. A callback of a call that is kept runs in the
 * original, though, where nothing is left.
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
 * @env: the verifier's
 * @insn: the jump, at @env->insn_idx, which becomes the one before its target if it does
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

/* A state that is not reached in the stub image from where it branched off. */
static void fastterm_part(struct bpf_verifier_state *st)
{
	st->fastterm.apart = true;
	st->fastterm.first = 0;
}

#else

/* Nothing is left of these, so that the machine code stays as it was to the byte. */
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
