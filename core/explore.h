/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The product check: how the verifier explores a stub image.
 *
 * Only kernel/bpf/verifier.c includes this file, since it needs functions that are static
 * there. check.h describes the check.
 */
#ifdef CONFIG_BPF_FASTTERM

#include "mode.h"
#include "program.h"

static void fastterm_get_facts(const struct bpf_verifier_env *env, struct fastterm_facts *f)
{
	const struct bpf_prog *prog = env->prog;

	/* fastterm_switch() compares all bytes. */
	memset(f, 0, sizeof(*f));
	f->max_ctx_offset = prog->aux->max_ctx_offset;
	f->max_pkt_offset = prog->aux->max_pkt_offset;
	f->max_tp_access = prog->aux->max_tp_access;
	f->max_rdonly_access = prog->aux->max_rdonly_access;
	f->max_rdwr_access = prog->aux->max_rdwr_access;
	f->seen_direct_write = env->seen_direct_write;
	f->seen_exception = env->seen_exception;
	f->dst_needed = prog->dst_needed;
	f->cb_access = prog->cb_access;
	f->call_get_stack = prog->call_get_stack;
	f->call_get_func_ip = prog->call_get_func_ip;
}

static void fastterm_set_facts(struct bpf_verifier_env *env, const struct fastterm_facts *f)
{
	struct bpf_prog *prog = env->prog;

	prog->aux->max_ctx_offset = f->max_ctx_offset;
	prog->aux->max_pkt_offset = f->max_pkt_offset;
	prog->aux->max_tp_access = f->max_tp_access;
	env->seen_direct_write = f->seen_direct_write;
	env->seen_exception = f->seen_exception;
	prog->dst_needed = f->dst_needed;
	prog->cb_access = f->cb_access;
	prog->call_get_stack = f->call_get_stack;
	prog->call_get_func_ip = f->call_get_func_ip;
	prog->aux->max_rdonly_access = f->max_rdonly_access;
	prog->aux->max_rdwr_access = f->max_rdwr_access;
}

/* Store a message about a fault that the verifier itself does not report. */
static int fastterm_say(struct bpf_verifier_env *env, const char *sentence)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c->verdict.why)
		strscpy(c->verdict.sentence, sentence);
	return -EACCES;
}

/* The check has failed at an instruction: the program gets no image. The first reason counts. */
static void fastterm_refuse(struct bpf_verifier_env *env, enum fastterm_refusal why, u32 insn)
{
	struct fastterm_check *c = fastterm_check(env);

	if (c->verdict.why)
		return;
	c->verdict.why = why;
	c->verdict.insn = insn;
}

static void fastterm_swap_sides(struct bpf_verifier_env *env)
{
	struct fastterm_side *o = &fastterm_check(env)->other;

	swap(env->explored_states, o->states);
	swap(env->insn_aux_data, o->aux);
	swap(env->insn_processed, o->insns);
	swap(env->prev_insn_processed, o->prev_insns);
	swap(env->jmps_processed, o->jmps);
	swap(env->prev_jmps_processed, o->prev_jmps);
	swap(env->total_states, o->total_states);
	swap(env->peak_states, o->peak_states);
	swap(env->max_states_per_insn, o->states_per_insn);
	swap(env->longest_mark_read_walk, o->mark_read_walk);
	swap(env->log.level, o->log_level);
	swap(env->explore_alu_limits, o->alu_limits);
}

/*
 * Switch to the other image, to which the current state belongs. Facts about the whole
 * program that were found in the stub image are taken back: either the original has them
 * too, or the stub image does what the original does not, and is refused.
 */
static void fastterm_switch(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	struct fastterm_facts facts;
	int i;

	fastterm_swap_sides(env);
	env->fastterm.in_stub = !env->fastterm.in_stub;
	env->allow_uninit_stack = !fastterm_in_stub(env) && c->allow_uninit;
	if (fastterm_in_stub(env)) {
		fastterm_get_facts(env, &c->facts);
		for (i = 0; i < env->subprog_cnt; i++)
			c->stacks[i] = (struct fastterm_stack){
				.depth = env->subprog_info[i].stack_depth,
				.fastcall_off = env->subprog_info[i].fastcall_stack_off,
			};
		env->log.fastterm.sentence = c->verdict.sentence;
		return;
	}
	env->log.fastterm.sentence = NULL;
	fastterm_get_facts(env, &facts);
	if (memcmp(&facts, &c->facts, sizeof(facts))) {
		fastterm_set_facts(env, &c->facts);
		fastterm_refuse(env, FASTTERM_REFUSED_MORE, env->insn_idx);
	}
	for (i = 0; i < env->subprog_cnt; i++) {
		env->subprog_info[i].fastcall_stack_off = c->stacks[i].fastcall_off;
		if (env->subprog_info[i].stack_depth == c->stacks[i].depth)
			continue;
		env->subprog_info[i].stack_depth = c->stacks[i].depth;
		fastterm_refuse(env, FASTTERM_REFUSED_MORE, env->insn_idx);
	}
}

/**
 * fastterm_step() - note that the verifier is about to process an instruction
 * @env: the verifier's environment
 *
 * Context: process context; at the head of the verifier's loop.
 */
static void fastterm_step(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c || !c->joint)
		return;
	if (env->cur_state->fastterm.stub != fastterm_in_stub(env))
		fastterm_switch(env);
	/* Instructions that are only executed speculatively are not on any path. */
	if (!env->cur_state->speculative)
		fastterm_trace_step(&c->trace, &env->cur_state->fastterm, env->insn_idx);
}

/**
 * fastterm_covered() - is a stub state contained in a state of the original?
 * @env: the verifier's environment
 * @insn_idx: the instruction that the current state is at
 *
 * Only completely explored states count. The stub states of the sites that are reached from
 * such a state are explored as well.
 *
 * Context: process context.
 * Return: 1 if the current state is contained, and need not be explored; 0 if not, or if it
 * is not a stub state; or an error.
 */
static int fastterm_covered(struct bpf_verifier_env *env, int insn_idx)
{
	struct bpf_verifier_state *cur = env->cur_state, *entry;
	struct bpf_verifier_state_list *sl;
	int err;

	if (!fastterm_in_stub(env))
		return 0;
	swap(env->explored_states, fastterm_check(env)->other.states);
	sl = *explored_state(env, insn_idx);
	swap(env->explored_states, fastterm_check(env)->other.states);

	for (; sl; sl = sl->next) {
		if (sl->state.insn_idx != insn_idx || sl->state.branches)
			continue;
		entry = get_loop_entry(&sl->state);
		if ((entry && entry->branches) ||
		    !states_equal(env, &sl->state, cur, NOT_EXACT))
			continue;
		fastterm_pruned(env, &sl->state);
		err = propagate_liveness(env, &sl->state, cur);
		if (is_jmp_point(env, env->insn_idx))
			err = err ? : fastterm_push_history(env, cur);
		return err ? : propagate_precision(env, &sl->state) ? : 1;
	}
	return 0;
}

/* Record the decision with which the stub image is explored at a site. */
static void fastterm_assume(struct bpf_verifier_env *env, u32 insn,
			    const struct fastterm_decision *d)
{
	struct fastterm_check *c = fastterm_check(env);
	struct fastterm_decision *assumed = &c->stub[insn].fastterm;

	if (!assumed->kind) {
		assumed->kind = d->kind;
		assumed->why = d->why;
		assumed->values = d->values;
		assumed->fill = d->fill;
	} else if (!fastterm_same_action(assumed, d)) {
		c->changed = true;
	}
}

/* Zero memory on the stack in a state of the verifier, as a stub does at run time. */
static int fastterm_zero(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u8 arg)
{
	struct bpf_reg_state *regs = st->frame[st->curframe]->regs;
	const struct bpf_reg_state *ptr = &regs[arg], *size = &regs[arg + 1];
	struct bpf_func_state *func;
	s64 off, end;
	int err, i;

	if (ptr->type != PTR_TO_STACK || size->type != SCALAR_VALUE ||
	    !tnum_is_const(size->var_off) || !tnum_is_const(ptr->var_off))
		return fastterm_say(env, "the stub zeroes no memory of a fixed size on the stack");
	func = st->frame[ptr->frameno];
	off = ptr->off + (s64)ptr->var_off.value;
	end = off + (s64)size->var_off.value;
	if (off < -MAX_BPF_STACK || end > 0 || end < off)
		return fastterm_say(env, "the stub zeroes more than the stack");
	err = grow_stack_state(env, func, round_up(-off, BPF_REG_SIZE));
	if (err)
		return err;
	for (; off < end; off++) {
		struct bpf_stack_state *slot = &func->stack[(-off - 1) / BPF_REG_SIZE];
		u8 *type = &slot->slot_type[(-off - 1) % BPF_REG_SIZE];

		if (*type == STACK_DYNPTR || *type == STACK_ITER)
			return fastterm_say(env, "the stub zeroes an iterator or a dynptr");
		if (slot->slot_type[BPF_REG_SIZE - 1] == STACK_SPILL) {
			for (i = 0; i < BPF_REG_SIZE; i++)
				scrub_spilled_slot(&slot->slot_type[i]);
			slot->spilled_ptr.type = NOT_INIT;
		}
		*type = STACK_MISC;
	}
	return 0;
}

/*
 * Apply the stub to a state at a skipped call: R1 to R5 are clobbered, memory may be
 * zeroed, and R0 has the stub's value. If the call runs callbacks, R0 is any number: a
 * callback may have been redirected, and returns into a helper that continues, and that
 * returns a value of its own; or the loop was inlined, and there is no stub.
 */
static int fastterm_skip(struct bpf_verifier_env *env, struct bpf_verifier_state *st,
			 u32 insn_idx, const struct fastterm_decision *d)
{
	struct bpf_reg_state *regs = st->frame[st->curframe]->regs;
	int i, err;

	if (d->fill & FASTTERM_FILL) {
		err = fastterm_zero(env, st, fastterm_fill_arg(d));
		if (err)
			return err;
	}
	for (i = 0; i < CALLER_SAVED_REGS; i++) {
		mark_reg_not_init(env, regs, caller_saved[i]);
		regs[caller_saved[i]].live |= REG_LIVE_WRITTEN;
	}
	if (d->kind == FASTTERM_TAIL_CALL || fastterm_returns_nothing(d))
		return 0;
	if (calls_callback(env, insn_idx)) {
		mark_reg_unknown(env, regs, BPF_REG_0);
	} else {
		mark_reg_known_zero(env, regs, BPF_REG_0);
		regs[BPF_REG_0].type = SCALAR_VALUE;
		__mark_reg_known(&regs[BPF_REG_0], fastterm_value(d));
	}
	regs[BPF_REG_0].live |= REG_LIVE_WRITTEN;
	regs[BPF_REG_0].subreg_def = DEF_NOT_SUBREG;
	return 0;
}

/* Is the stub's result one of those that the verifier admits for the call? */
static bool fastterm_admits(const struct bpf_reg_state *r0, const struct bpf_reg_state *stub_r0,
			    const struct fastterm_decision *d)
{
	if (r0->type == NOT_INIT || stub_r0->type == NOT_INIT)
		return r0->type == stub_r0->type;
	/* A pointer that may be NULL admits NULL. */
	if (type_may_be_null(r0->type))
		return stub_r0->type == SCALAR_VALUE && !fastterm_value(d);
	return r0->type == SCALAR_VALUE && stub_r0->type == SCALAR_VALUE && !r0->id &&
	       range_within(r0, stub_r0) && tnum_in(r0->var_off, stub_r0->var_off);
}

/*
 * May a slot of the stack still have its old contents? Unknown data may be any number: the
 * verifier forgets the value of a number when a kernel function reads it.
 */
static bool fastterm_may_hold(const struct bpf_stack_state *now, const struct bpf_stack_state *was)
{
	const bool is_number = was->spilled_ptr.type == SCALAR_VALUE;
	int i;

	for (i = 0; i < BPF_REG_SIZE; i++) {
		const u8 type = was->slot_type[i];

		if (now->slot_type[i] != type &&
		    (now->slot_type[i] != STACK_MISC ||
		     (type != STACK_ZERO && (type != STACK_SPILL || !is_number))))
			return false;
	}
	switch (now->slot_type[BPF_REG_SIZE - 1]) {
	case STACK_INVALID:
	case STACK_MISC:
	case STACK_ZERO:
		return true;
	default:
		return !memcmp(&now->spilled_ptr, &was->spilled_ptr,
			       offsetof(struct bpf_reg_state, precise));
	}
}

/*
 * Does everything but R0 to R5 still have its old contents, as far as the verifier knows?
 * This is faster than states_equal().
 */
static bool fastterm_same_rest(const struct bpf_verifier_state *a,
			       const struct bpf_verifier_state *b)
{
	const struct bpf_reference_state *refs_a, *refs_b;
	u32 frame, i, nr_a, nr_b;
	struct fastterm_locks la, lb;

	refs_a = fastterm_refs(a, &nr_a);
	refs_b = fastterm_refs(b, &nr_b);
	fastterm_locks(a, &la);
	fastterm_locks(b, &lb);
	if (nr_a != nr_b || memcmp(refs_a, refs_b, nr_a * sizeof(*refs_a)) || la.ptr != lb.ptr ||
	    la.id != lb.id || la.rcu != lb.rcu || la.preempt != lb.preempt ||
	    a->in_sleepable != b->in_sleepable)
		return false;
	for (frame = 0; frame <= a->curframe; frame++) {
		const struct bpf_func_state *fa = a->frame[frame], *fb = b->frame[frame];

		if (fa->allocated_stack != fb->allocated_stack)
			return false;
		for (i = frame == a->curframe ? BPF_REG_6 : BPF_REG_0; i < MAX_BPF_REG; i++)
			if (memcmp(&fa->regs[i], &fb->regs[i],
				   offsetof(struct bpf_reg_state, precise)))
				return false;
		for (i = 0; i < fa->allocated_stack / BPF_REG_SIZE; i++)
			if (!fastterm_may_hold(&fa->stack[i], &fb->stack[i]))
				return false;
	}
	return true;
}

/*
 * Is the state behind the stub one of those that the call may lead to? Then everything that
 * is reached behind the stub is reached behind the call as well, and is explored there. All
 * of the two states is compared, since it is not known yet which parts are needed.
 */
static bool fastterm_may_result(struct bpf_verifier_env *env, struct bpf_verifier_state *st,
				const struct fastterm_decision *d)
{
	const struct bpf_reg_state *r0 = &cur_regs(env)[BPF_REG_0];
	struct bpf_reg_state *stub_r0 = &st->frame[st->curframe]->regs[BPF_REG_0], saved = *stub_r0;
	bool may;

	/* If the call has pushed states, there are others than the current one behind it. */
	if (env->head != fastterm_check(env)->pushed || !fastterm_admits(r0, stub_r0, d))
		return false;
	if (fastterm_same_rest(env->cur_state, st))
		return true;
	*stub_r0 = *r0;
	may = states_equal(env, env->cur_state, st, RANGE_WITHIN);
	*stub_r0 = saved;
	return may;
}

/*
 * Push a stub state behind the call: the state before the call, changed by the stub. It is
 * explored after the states that the call itself has pushed, and after the current state of
 * the original.
 */
static int fastterm_fork(struct bpf_verifier_env *env, u32 insn_idx)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_verifier_stack_elem *elem, **place;

	elem = kzalloc(sizeof(*elem), GFP_KERNEL);
	if (!elem)
		return -ENOMEM;
	elem->st = c->before;
	memset(&c->before, 0, sizeof(c->before));
	elem->insn_idx = insn_idx + 1;
	elem->prev_insn_idx = insn_idx;
	elem->log_pos = env->log.end_pos;
	fastterm_trace_fork(&c->trace, &elem->st.fastterm);
	for (place = &env->head; *place != c->pushed; place = &(*place)->next)
		fastterm_part(&(*place)->st);
	fastterm_part(env->cur_state);
	elem->next = c->pushed;
	*place = elem;
	env->stack_size++;
	if (elem->st.parent)
		elem->st.parent->branches++;
	return 0;
}

/*
 * The verifier prunes the current state of the original, by a state with written memory
 * that is not written here. Push a stub state for this instruction: a redirect may happen
 * here, and calls that would write the memory later are then skipped. No other stub state
 * covers this run. That the original may read this memory unwritten has not been recorded
 * either.
 */
static void fastterm_fork_here(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_verifier_state *cur = env->cur_state;
	struct bpf_verifier_stack_elem *elem;

	if (c->verdict.why)
		return;
	elem = kzalloc(sizeof(*elem), GFP_KERNEL);
	if (!elem || copy_verifier_state(&elem->st, cur)) {
		if (elem)
			free_verifier_state(&elem->st, false);
		kfree(elem);
		fastterm_refuse(env, FASTTERM_REFUSED_MEMORY, env->insn_idx);
		return;
	}
	elem->insn_idx = env->insn_idx;
	elem->prev_insn_idx = env->prev_insn_idx;
	elem->log_pos = env->log.end_pos;
	fastterm_pushed(env, &elem->st);
	elem->st.fastterm.stub = true;
	elem->st.fastterm.alike = true;
	elem->next = env->head;
	env->head = elem;
	env->stack_size++;
	if (elem->st.parent)
		elem->st.parent->branches++;
}

#define FASTTERM_TAKES_NEXT	"the stub image takes the next element of an iterator"

/*
 * May the stub image make a call? If it takes elements of an iterator on one path only, the
 * iterator is not in the state that the verifier assumes, and a loop over it need not end.
 * A callback to which the stack is passed runs in the original.
 */
static int fastterm_may_keep(struct bpf_verifier_env *env)
{
	const struct bpf_reg_state *regs = cur_regs(env);
	u8 arg;

	if (fastterm_decision(env, env->insn_idx)->is_next || is_iter_next_insn(env, env->insn_idx))
		return fastterm_say(env, FASTTERM_TAKES_NEXT);
	for (arg = BPF_REG_1; calls_callback(env, env->insn_idx) && arg <= BPF_REG_5; arg++)
		if (regs[arg].type == PTR_TO_STACK)
			return fastterm_say(env, "the stub image hands its stack to a callback");
	return 0;
}

/* A call in the stub image. Returns 1 if it is skipped, 0 if it is simulated, or an error. */
static int fastterm_stub_call(struct bpf_verifier_env *env)
{
	const struct fastterm_decision *d = fastterm_decision(env, env->insn_idx);
	const struct bpf_reg_state *regs = cur_regs(env);
	int err;
	u8 arg;

	if (d->kind)
		fastterm_assume(env, env->insn_idx, d);
	if (!d->kind || d->why)
		return fastterm_may_keep(env);
	if (fastterm_leaves_unwritten(env, env->cur_state, &env->prog->insnsi[env->insn_idx], d))
		env->cur_state->fastterm.alike = false;
	if (d->fill & FASTTERM_FILL) {
		arg = fastterm_fill_arg(d);
		err = check_reg_arg(env, arg, SRC_OP) ? : check_reg_arg(env, arg + 1, SRC_OP);
		if (!err && regs[arg + 1].type == SCALAR_VALUE)
			err = mark_chain_precision(env, arg + 1);
		if (err)
			return err;
	}
	return fastterm_skip(env, env->cur_state, env->insn_idx, d) ? : 1;
}

/* Is the called function of the program explored on its own, as global functions are? */
static bool fastterm_is_global(struct bpf_verifier_env *env, u32 i)
{
	int func = find_subprog(env, i + env->prog->insnsi[i].imm + 1);

	return func >= 0 && subprog_is_global(env, func);
}

/* Is it known before the verifier simulates a call that the call is kept? */
static bool fastterm_known_call(struct bpf_verifier_env *env, const struct bpf_insn *insn,
				struct fastterm_decision *d)
{
	bool is_part;

	if (d->kind)
		return d->why;
	is_part = insn->src_reg == BPF_PSEUDO_CALL && !fastterm_is_global(env, env->insn_idx);
	fastterm_decide_first(env, insn, is_part, is_bpf_throw_kfunc((struct bpf_insn *)insn), d);
	return d->why;
}

/*
 * The verifier explores an asynchronous callback after everything that is reached from the
 * call, and relies on this order: a callback that sets itself again ends there. So the
 * callback is moved behind the stub states at the head of the list. The stub image itself
 * must not set asynchronous callbacks; a speculative call does not set any.
 */
static int fastterm_order_async(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_verifier_stack_elem *async = env->head, **place;

	/*
	 * A state that is not asynchronous has a parent: one is saved at each call that
	 * pushes states.
	 */
	if (async == c->pushed || async->st.parent)
		return 0;
	env->head = async->next;
	if (fastterm_in_stub(env)) {
		free_verifier_state(&async->st, false);
		kfree(async);
		env->stack_size--;
		return env->cur_state->speculative ? 0 :
		       fastterm_say(env, "the stub image sets a callback that runs later");
	}
	for (place = &env->head; *place && (*place)->st.fastterm.stub; )
		place = &(*place)->next;
	async->next = *place;
	*place = async;
	c->pushed = env->head;
	return 0;
}

/*
 * The verifier is about to simulate a call. Returns 1 if it is skipped in the stub image, 0
 * if not, or an error.
 */
static int fastterm_call(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct fastterm_check *c = fastterm_check(env);
	struct fastterm_decision *d;

	/* The arguments are known only now. */
	if (c && !fastterm_in_stub(env) && insn->src_reg != BPF_PSEUDO_CALL)
		c->verdict.weight += fastterm_call_weight(env, insn);
	if (!c || !c->joint)
		return 0;
	c->pushed = env->head;
	if (env->cur_state->speculative)
		return 0;
	if (fastterm_in_stub(env))
		return fastterm_stub_call(env);
	d = fastterm_decision(env, env->insn_idx);
	if (fastterm_known_call(env, insn, d)) {
		fastterm_assume(env, env->insn_idx, d);
		return 0;
	}
	return copy_verifier_state(&c->before, env->cur_state);
}

/**
 * fastterm_skips() - is a call skipped, which the verifier is about to simulate?
 * @env: the verifier's environment
 * @insn: the call, at @env->insn_idx
 * @err: receives an error, or 0
 *
 * Context: process context, may sleep.
 * Return: false if the verifier has to simulate the call; true if it is skipped in the stub
 * image, or if there is an error.
 */
static bool fastterm_skips(struct bpf_verifier_env *env, const struct bpf_insn *insn, int *err)
{
	int skipped = fastterm_call(env, insn);

	*err = min(skipped, 0);
	return skipped;
}

/* Is a global function called there? */
static bool fastterm_calls_global(struct bpf_verifier_env *env, u32 i)
{
	return env->insn_aux_data[i].fastterm.kind == FASTTERM_SUBPROG &&
	       fastterm_is_global(env, i);
}

/**
 * fastterm_called() - decide on a call, and push its stub state
 * @env: the verifier's environment
 * @insn: the call
 * @insn_idx: its index
 * @result: the result of simulating it; receives an error of the check
 *
 * Context: process context, may sleep; right after the verifier has simulated the call, in
 * the state with which it continues.
 */
static void fastterm_called(struct bpf_verifier_env *env, const struct bpf_insn *insn,
			    u32 insn_idx, int *result)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_verifier_stack_elem *elem;
	struct fastterm_decision *d;
	int err;

	if (*result || !c)
		return;
	if (!fastterm_in_stub(env) &&
	    (insn->src_reg != BPF_PSEUDO_CALL || fastterm_calls_global(env, insn_idx)))
		c->verdict.visits++;
	if (!c->joint)
		return;
	*result = fastterm_order_async(env);
	if (*result || env->cur_state->speculative)
		return;
	d = fastterm_decision(env, insn_idx);
	if (!fastterm_in_stub(env)) {
		d->is_next |= is_iter_next_insn(env, insn_idx);
		if (d->is_next || calls_callback(env, insn_idx))
			fastterm_loops(env, insn_idx);
		/* If a function has only been entered, its result is not known yet. */
		if (!d->why && !c->frozen && d->kind != FASTTERM_TAIL_CALL &&
		    env->cur_state->curframe == c->before.curframe)
			fastterm_decide(env, &c->before, insn, d);
		fastterm_assume(env, insn_idx, d);
	}
	/* It is not known how often a call that is kept runs its callback: count it separately. */
	for (elem = env->head; d->why && elem != c->pushed; elem = elem->next)
		fastterm_part(&elem->st);
	if (fastterm_in_stub(env) || d->why || c->verdict.why)
		return;
	c->unwritten = max(c->unwritten, fastterm_leaves_unwritten(env, &c->before, insn, d));
	err = fastterm_skip(env, &c->before, insn_idx, d);
	if (!err && !fastterm_may_result(env, &c->before, d))
		err = fastterm_fork(env, insn_idx);
	if (err && err != -ENOMEM)
		fastterm_refuse(env, FASTTERM_REFUSED_VERIFIER, insn_idx);
	else
		*result = err;
}

/* Give up on the stub image: remove its states from the list of pending states. */
static void fastterm_drop(struct bpf_verifier_env *env)
{
	struct bpf_verifier_stack_elem **place = &env->head, *elem;

	while ((elem = *place)) {
		if (!elem->st.fastterm.stub) {
			place = &elem->next;
			continue;
		}
		update_branch_counts(env, &elem->st);
		*place = elem->next;
		free_verifier_state(&elem->st, false);
		kfree(elem);
		env->stack_size--;
	}
}

/**
 * fastterm_resume() - continue with the original after a fault in the stub image
 * @env: the verifier's environment
 * @err: the result of exploring both images; becomes 0 if the original is complete
 *
 * Context: process context, may sleep; when the verifier's loop has ended.
 * Return: true if the loop has to go on.
 */
static bool fastterm_resume(struct bpf_verifier_env *env, int *err)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c || !c->joint)
		return false;
	if (!fastterm_in_stub(env))
		return false;
	if (!*err) {
		fastterm_switch(env);
		return false;
	}
	/* Without memory, the verifier gives no message, and various errors. */
	fastterm_refuse(env, *err == -E2BIG ? FASTTERM_REFUSED_LIMIT :
			c->verdict.sentence[0] ? FASTTERM_REFUSED_VERIFIER :
			FASTTERM_REFUSED_MEMORY, env->insn_idx);
	fastterm_switch(env);
	if (!env->cur_state)
		return false;
	update_branch_counts(env, env->cur_state);
	fastterm_drop(env);
	*err = pop_stack(env, &c->resumed, &env->insn_idx, !(env->log.level & BPF_LOG_LEVEL2));
	if (*err == -ENOENT)
		*err = 0;
	else if (!*err)
		return true;
	return false;
}

/* The instruction before the first one of the verifier's loop; -1 if there is none. */
static int fastterm_prev_insn(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);

	if (!c)
		return -1;
	if (c->joint && c->resumed < 0)
		fastterm_trace_entry(&c->trace, env->cur_state->first_insn_idx);
	return xchg(&c->resumed, -1);
}

/* Free the saved stub states when those of the original are freed. */
static void fastterm_forget(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_verifier_state_list *sl, *next;
	int i;

	if (!c || !c->other.states)
		return;
	if (fastterm_in_stub(env))
		fastterm_switch(env);
	for (i = 0; i < state_htab_size(env); i++) {
		for (sl = c->other.states[i]; sl; sl = next) {
			next = sl->next;
			free_verifier_state(&sl->state, false);
			kfree(sl);
		}
		c->other.states[i] = NULL;
	}
}

/* Do the upper bits of the result depend on whether the JIT is told to clear them? */
static bool fastterm_needs_zext(const struct bpf_insn *insn)
{
	if (is_cmpxchg_insn(insn))
		return true;
	return bpf_jit_needs_zext() &&
	       (insn->code != (BPF_ALU | BPF_MOV | BPF_K) || insn->imm < 0);
}

/*
 * The verifier rewrites instructions by its data on them. The data are those of the
 * original, and have to be valid for the stub image as well.
 */
static bool fastterm_same_aux(const struct bpf_insn *insn, const struct bpf_insn_aux_data *p,
			      const struct bpf_insn_aux_data *s)
{
	const u8 class = BPF_CLASS(insn->code);

	if ((s->zext_dst && !p->zext_dst && fastterm_needs_zext(insn)) ||
	    (s->sanitize_stack_spill && !p->sanitize_stack_spill) ||
	    (s->storage_get_func_atomic && !p->storage_get_func_atomic) ||
	    (p->fastcall_pattern && !s->fastcall_pattern))
		return false;
	/* If the original masks an offset, a constant offset in the stub image passes the mask. */
	if ((class == BPF_ALU64 || class == BPF_ALU) &&
	    !(p->alu_state & BPF_ALU_IMMEDIATE) &&
	    s->alu_state == (p->alu_state | BPF_ALU_IMMEDIATE))
		return s->alu_limit <= p->alu_limit;
	if (s->alu_state != p->alu_state || s->ctx_field_size != p->ctx_field_size ||
	    s->kptr_struct_meta != p->kptr_struct_meta || s->obj_new_size != p->obj_new_size ||
	    s->call_with_percpu_alloc_ptr != p->call_with_percpu_alloc_ptr)
		return false;
	if (class == BPF_LDX || class == BPF_ST || class == BPF_STX)
		return !reg_type_mismatch(s->ptr_type, p->ptr_type) ||
		       (base_type(s->ptr_type) == PTR_TO_BTF_ID &&
			p->ptr_type == (PTR_TO_BTF_ID | PTR_UNTRUSTED));
	/* If the original has seen several maps here, its code does not depend on the map. */
	if (bpf_helper_call(insn))
		return p->map_ptr_state.poison ||
		       (!s->map_ptr_state.poison &&
			s->map_ptr_state.map_ptr == p->map_ptr_state.map_ptr);
	return !memcmp(p, s, offsetof(struct bpf_insn_aux_data, obj_new_size));
}

/* Compare the decisions that were assumed, and the data of both images, with the final ones. */
static void fastterm_compare(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	int i;

	for (i = 0; i < env->prog->len; i++) {
		const struct bpf_insn_aux_data *p = &env->insn_aux_data[i], *s = &c->stub[i];
		const struct fastterm_decision *assumed = &s->fastterm, *d = &p->fastterm;

		if ((assumed->kind && !fastterm_same_action(assumed, d)) ||
		    (assumed->uninit && d->uninit))
			c->changed = true;
		if (d->is_next && d->why) {
			fastterm_say(env, FASTTERM_TAKES_NEXT);
			fastterm_refuse(env, FASTTERM_REFUSED_VERIFIER, i);
		}
		/* The program decides how often such a helper runs its callback. */
		if (d->kind == FASTTERM_HELPER && d->why && calls_callback(env, i))
			fastterm_refuse(env, FASTTERM_REFUSED_UNBOUNDED, i);
		/* The original does not continue behind a call that the stub image skips. */
		if (d->kind && d->kind != FASTTERM_LOOP && !d->why && !assumed->kind)
			fastterm_refuse(env, FASTTERM_REFUSED_ALONE, i + 1);
		if (!s->seen)
			continue;
		if (!p->seen)
			fastterm_refuse(env, FASTTERM_REFUSED_ALONE, i);
		/*
		 * Instructions that are skipped are rewritten for the original, and skipped
		 * in that form.
		 */
		else if ((!assumed->kind || assumed->why) &&
			 !fastterm_same_aux(&env->prog->insnsi[i], p, s))
			fastterm_refuse(env, FASTTERM_REFUSED_OTHER, i);
	}
}

/* Restore all data from before the exploration, except for decisions that are frozen. */
static void fastterm_begin(struct bpf_verifier_env *env, const struct fastterm_facts *facts)
{
	struct fastterm_check *c = fastterm_check(env);
	struct bpf_prog_aux *aux = env->prog->aux;
	u32 i, len = env->prog->len;

	for (i = 0; c->frozen && i < len; i++)
		c->original[i].fastterm = env->insn_aux_data[i].fastterm;
	memcpy(env->insn_aux_data, c->original, len * sizeof(*c->original));
	memcpy(env->subprog_info, c->subprogs, env->subprog_cnt * sizeof(*c->subprogs));
	if (c->funcs)
		memcpy(aux->func_info_aux, c->funcs, aux->func_info_cnt * sizeof(*c->funcs));
	fastterm_set_facts(env, facts);
	env->insn_processed = 0;
	env->prev_insn_processed = 0;
	env->jmps_processed = 0;
	env->prev_jmps_processed = 0;
	env->total_states = 0;
	env->peak_states = 0;
	env->max_states_per_insn = 0;
	env->longest_mark_read_walk = 0;
	env->pass_cnt = 0;
	/* The user's log shows ids: they must not depend on the check. */
	env->id_gen = c->id_gen;
	env->explore_alu_limits = c->alu_limits;
}

/*
 * Can the program run for a long time, judging by its instructions? Then it should have an
 * image.
 */
static bool fastterm_is_wanted(const struct bpf_verifier_env *env)
{
	const struct bpf_prog *prog = env->prog;
	bool nested = false;
	u32 i, calls = 0;

	if (bpf_prog_is_offloaded(prog->aux) || READ_ONCE(fastterm_mode) == FASTTERM_MODE_OFF)
		return false;
	if (READ_ONCE(fastterm_mode) == FASTTERM_MODE_ALL || prog->sleepable)
		return true;
	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn *insn = &prog->insnsi[i];

		if (env->insn_aux_data[i].force_checkpoint || fastterm_jumps_back(insn) ||
		    (bpf_helper_call(insn) && insn->imm == BPF_FUNC_tail_call))
			return true;
		if (insn->code != (BPF_JMP | BPF_CALL))
			continue;
		calls++;
		nested |= insn->src_reg == BPF_PSEUDO_CALL;
	}
	if (nested)
		return calls > FASTTERM_NESTED_CALLS ||
		       prog->len > FASTTERM_SHORT_RUN / FASTTERM_ENTRIES;
	return calls > FASTTERM_SHORT_CALLS || prog->len > FASTTERM_SHORT_RUN;
}

static void fastterm_check_free(struct fastterm_check *c)
{
	u32 i;

	if (!c)
		return;
	for (i = 0; i <= c->before.curframe; i++)
		free_func_state(c->before.frame[i]);
	fastterm_trace_free(&c->trace);
	kvfree(c->other.states);
	kvfree(c->original);
	kvfree(c->stub);
	kvfree(c->subprogs);
	kfree(c->funcs);
	kvfree(c);
}

static struct fastterm_check *fastterm_check_new(const struct bpf_verifier_env *env)
{
	const struct bpf_prog_aux *aux = env->prog->aux;
	const size_t size = array_size(env->prog->len, sizeof(struct bpf_insn_aux_data));
	struct fastterm_check *c = kvzalloc(sizeof(*c), GFP_KERNEL);
	u32 i;

	if (!c)
		return NULL;
	c->resumed = -1;
	c->id_gen = env->id_gen;
	c->alu_limits = env->explore_alu_limits;
	c->allow_uninit = env->allow_uninit_stack;
	c->original = kvmemdup(env->insn_aux_data, size, GFP_KERNEL);
	c->stub = kvmalloc(size, GFP_KERNEL);
	c->subprogs = kvmemdup(env->subprog_info, env->subprog_cnt * sizeof(*c->subprogs),
			       GFP_KERNEL);
	c->other.states = kvcalloc(env->prog->len, sizeof(*c->other.states), GFP_KERNEL);
	if (aux->func_info_cnt)
		c->funcs = kmemdup(aux->func_info_aux, aux->func_info_cnt * sizeof(*c->funcs),
				   GFP_KERNEL);
	if (c->original && c->stub && c->subprogs && c->other.states &&
	    (c->funcs || !aux->func_info_cnt)) {
		for (i = 0; i < env->prog->len; i++) {
			env->insn_aux_data[i].fastterm.id = i + 1;
			c->original[i].fastterm.id = i + 1;
		}
		return c;
	}
	fastterm_check_free(c);
	return NULL;
}

typedef int (*fastterm_explore_fn)(struct bpf_verifier_env *env);

/* Explore both images. The user's log is not written meanwhile. */
static int fastterm_both(struct bpf_verifier_env *env, fastterm_explore_fn main,
			 fastterm_explore_fn subprogs)
{
	struct fastterm_check *c = fastterm_check(env);
	u32 i, len = env->prog->len;
	int err;

	memcpy(c->stub, c->original, len * sizeof(*c->original));
	for (i = 0; i < len; i++)
		memset(&c->stub[i].fastterm, 0, sizeof(c->stub[i].fastterm));
	c->other = (struct fastterm_side){
		.states = c->other.states, .aux = c->stub, .log_level = FASTTERM_LOG_LEVEL,
	};
	fastterm_trace_begin(&c->trace);
	c->traced = false;
	c->changed = false;
	c->unwritten = 0;
	memset(&c->verdict, 0, sizeof(c->verdict));

	c->log = env->log;
	memset(&env->log, 0, sizeof(env->log));
	c->joint = true;
	err = main(env) ? : subprogs(env);
	c->joint = false;
	env->log = c->log;

	c->verdict.insns = env->insn_processed;
	c->verdict.stub_insns = c->other.insns;
	/*
	 * If the original fails here, but not on its own, the two together need more memory
	 * than there is, or exceed a limit.
	 */
	if (err)
		fastterm_refuse(env, err == -E2BIG ? FASTTERM_REFUSED_LIMIT :
				FASTTERM_REFUSED_MEMORY, env->insn_idx);
	else
		fastterm_compare(env);
	if (c->verdict.unbounded)
		fastterm_refuse(env, FASTTERM_REFUSED_UNBOUNDED, c->verdict.insn);
	return err;
}

/* Store the result for later steps of the load. */
static void fastterm_pass_on(struct bpf_verifier_env *env)
{
	struct fastterm_check *c = fastterm_check(env);
	struct fastterm_checked *checked;
	u32 i, len = env->prog->len;

	if (!env->prog->aux->fastterm.own)
		return;
	checked = kvzalloc(struct_size(checked, assumed, len), GFP_KERNEL);
	env->prog->aux->fastterm.own->checked = checked;
	if (!checked)
		return;
	for (i = 0; i < len; i++) {
		const bool global = fastterm_calls_global(env, i);

		c->verdict.calls_global |= global;
		if (!env->insn_aux_data[i].fastterm.why)
			continue;
		if (global)
			fastterm_trace_calls(&c->trace, len, i, i + env->prog->insnsi[i].imm + 1);
		else if (calls_callback(env, i))
			fastterm_trace_calls(&c->trace, len, i, FASTTERM_CALLBACK_OF);
	}
	checked->verdict = c->verdict;
	swap(checked->trace, c->trace);
	checked->nr = len;
	for (i = 0; i < len; i++)
		checked->assumed[i] = fastterm_assumption(&env->insn_aux_data[i].fastterm,
							  calls_callback(env, i));
}

/**
 * fastterm_verify() - let the verifier explore a program together with its stub image
 * @env: the verifier's environment
 * @main: explores the main function
 * @subprogs: explores the global functions
 *
 * Whatever the result for the stub image is, the program is accepted, rejected and
 * rewritten as if there were none.
 *
 * Context: process context, may sleep.
 * Return: 0, or the error with which the program is rejected.
 */
static int fastterm_verify(struct bpf_verifier_env *env, fastterm_explore_fn main,
			   fastterm_explore_fn subprogs)
{
	struct fastterm_facts facts;
	struct fastterm_check *c;
	bool alone;
	int err;

	fastterm_own(env->prog->aux);
	c = fastterm_is_wanted(env) ? fastterm_check_new(env) : NULL;
	if (!c)
		return main(env) ? : subprogs(env);
	env->fastterm.check = c;
	fastterm_get_facts(env, &facts);

	err = fastterm_both(env, main, subprogs);
	/* The user's log has to be that of the program alone. */
	alone = err || c->traced || env->log.level;
	if (!err && c->changed) {
		c->frozen = true;
		fastterm_begin(env, &facts);
		err = fastterm_both(env, main, subprogs);
		alone |= err || c->traced;
		c->verdict.again = true;
		if (c->changed)
			fastterm_refuse(env, FASTTERM_REFUSED_CHANGED, 0);
	}
	if (alone) {
		c->frozen = true;
		c->verdict.alone = true;
		fastterm_begin(env, &facts);
		err = main(env) ? : subprogs(env);
		if (!err)
			fastterm_compare(env);
	}
	if (!err)
		fastterm_pass_on(env);
	fastterm_check_free(c);
	env->fastterm.check = NULL;
	return err;
}

#else

#define fastterm_step(...)		do { } while (0)
#define fastterm_forget(...)		do { } while (0)
#define fastterm_covered(...)		0
#define fastterm_skips(...)		false
#define fastterm_called(...)		do { } while (0)
#define fastterm_resume(...)		false
#define fastterm_prev_insn(...)		(-1)
#define fastterm_verify(env, main, subprogs) ({			\
	struct bpf_verifier_env *__env = (env);			\
								\
	main(__env) ? : subprogs(__env);			\
})

#endif /* CONFIG_BPF_FASTTERM */
