// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which instructions of a program its stub image skips, and what it returns for
 * them.
 *
 * The one rule: every run of what is left after a redirect is a run that the
 * verifier has explored. So the decision is not taken from a table of functions
 * but from the verifier's own state, compared before and after it has simulated
 * a call. What the call did to that state is what the rest of the path relies
 * on, and a call that did anything that matters is kept. Otherwise it is
 * skipped, and its stub returns a value that lies inside what the verifier then
 * knows of R0.
 *
 * An instruction is visited in many states, and the decisions of all visits are
 * intersected. A visit that the verifier prunes adds nothing: the state that it
 * was found to be part of has been explored from there on, and at each call
 * behind that point a decision was made that holds for all runs of that older
 * state. Registers that the comparison ignored are those on which the safety of
 * the older run was found not to depend.
 *
 * Callbacks and iterators are explored with no iteration too. That is the state
 * in which the verifier leaves a call that iterates, and so the path that a
 * stub image takes.
 */
#include <linux/bitops.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/filter.h>
#include <linux/slab.h>

#include "compat.h"
#include "internal.h"

/* More references at once than any program needs; with more, calls are kept. */
#define MAX_REFS 64

#define MAX_SLOTS (MAX_BPF_STACK / BPF_REG_SIZE)

/* The flag in fastterm_decision.fill that some memory has to be filled. */
#define FILL_NEEDED BIT(0)

/**
 * struct fastterm_snapshot - the verifier's state before a call
 * @locks: locks and sections
 * @nr_refs: number of references held; @refs has the first of them
 * @refs: their ids
 * @args: R1 to R5
 * @nr_slots: for each frame, stack slots in use
 * @type: for each frame and slot, what its bytes are
 * @spilled: and, where it holds a register, that register's type
 * @id: and, where it holds an object, which one that is
 */
struct fastterm_snapshot {
	struct fastterm_locks locks;
	u32 nr_refs;
	u32 refs[MAX_REFS];
	struct bpf_reg_state args[MAX_BPF_FUNC_REG_ARGS];
	u32 nr_slots[MAX_CALL_FRAMES];
	u8 type[MAX_CALL_FRAMES][MAX_SLOTS][BPF_REG_SIZE] __aligned(BPF_REG_SIZE);
	u32 spilled[MAX_CALL_FRAMES][MAX_SLOTS];
	u32 id[MAX_CALL_FRAMES][MAX_SLOTS];
};

static const s64 values[FASTTERM_VALUES] = {
	[FASTTERM_NULL] = 0,
	[FASTTERM_ECANCELED] = -ECANCELED,
	[FASTTERM_EPERM] = -EPERM,
	[FASTTERM_ZERO] = 0,
	[FASTTERM_ONE] = 1,
};

/* Once a call is kept, no further visit changes that. */
static bool is_kept(const struct bpf_verifier_env *env)
{
	return env->insn_aux_data[env->insn_idx].fastterm.why;
}

/**
 * fastterm_before_call() - remember the verifier's state before a call
 * @env: the verifier's
 *
 * Context: process context, may sleep; from the verifier, before it simulates
 * the call of a helper or of a kernel function at @env->insn_idx.
 */
void fastterm_before_call(struct bpf_verifier_env *env)
{
	struct fastterm_snapshot *snap = env->prog->aux->fastterm.snapshot;
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_reference_state *refs;
	u32 i, frame;

	if (is_kept(env))
		return;
	if (!snap) {
		snap = kmalloc(sizeof(*snap), GFP_KERNEL_ACCOUNT);
		if (!snap)
			return;
		env->prog->aux->fastterm.snapshot = snap;
	}

	fastterm_locks(state, &snap->locks);
	refs = fastterm_refs(state, &snap->nr_refs);
	for (i = 0; i < min(snap->nr_refs, MAX_REFS); i++)
		snap->refs[i] = refs[i].id;

	memcpy(snap->args, &state->frame[state->curframe]->regs[BPF_REG_1],
	       sizeof(snap->args));

	for (frame = 0; frame <= state->curframe; frame++) {
		const struct bpf_func_state *func = state->frame[frame];

		snap->nr_slots[frame] = func->allocated_stack / BPF_REG_SIZE;
		for (i = 0; i < snap->nr_slots[frame]; i++) {
			memcpy(snap->type[frame][i], func->stack[i].slot_type,
			       BPF_REG_SIZE);
			snap->spilled[frame][i] = func->stack[i].spilled_ptr.type;
			snap->id[frame][i] = func->stack[i].spilled_ptr.id;
		}
	}
}

static void keep(struct fastterm_decision *d, enum fastterm_why why, u8 arg)
{
	if (d->why)
		return;
	d->why = why;
	d->arg = arg;
}

static bool has_ref(const u32 *ids, u32 nr, u32 id)
{
	while (nr--)
		if (ids[nr] == id)
			return true;
	return false;
}

/* The argument that held the reference @id, counted from 1; 0 if none did. */
static u8 arg_of_ref(const struct fastterm_snapshot *snap, u32 id)
{
	u8 i;

	for (i = 0; i < MAX_BPF_FUNC_REG_ARGS; i++)
		if (snap->args[i].ref_obj_id == id)
			return i + 1;
	return 0;
}

static void compare_refs(const struct bpf_verifier_state *state,
			 const struct bpf_reg_state *r0,
			 const struct fastterm_snapshot *snap,
			 struct fastterm_decision *d)
{
	const struct bpf_reference_state *refs;
	u32 i, j, nr;

	refs = fastterm_refs(state, &nr);
	if (nr > MAX_REFS || snap->nr_refs > MAX_REFS)
		return keep(d, FASTTERM_TOO_MANY, 0);

	for (i = 0; i < snap->nr_refs; i++) {
		for (j = 0; j < nr && refs[j].id != snap->refs[i]; j++)
			;
		if (j == nr)
			return keep(d, FASTTERM_RELEASES,
				    arg_of_ref(snap, snap->refs[i]));
	}
	for (j = 0; j < nr; j++) {
		if (has_ref(snap->refs, snap->nr_refs, refs[j].id))
			continue;
		/*
		 * Acquired. The verifier takes the reference back where R0 is
		 * found to be NULL, if R0 is what it goes by.
		 */
		if (!type_may_be_null(r0->type) || r0->ref_obj_id != refs[j].id ||
		    r0->id != refs[j].id)
			return keep(d, FASTTERM_ACQUIRES, 0);
	}
}

static void compare_locks(const struct bpf_verifier_state *state,
			  const struct fastterm_snapshot *snap,
			  struct fastterm_decision *d)
{
	struct fastterm_locks now;

	fastterm_locks(state, &now);
	if (now.ptr != snap->locks.ptr || now.id != snap->locks.id ||
	    now.rcu != snap->locks.rcu || now.preempt != snap->locks.preempt)
		keep(d, FASTTERM_LOCKS, 0);
}

static bool is_object(u8 type)
{
	return type == STACK_DYNPTR || type == STACK_ITER;
}

/* Most slots are as they were. An object has all bytes of its own. */
static bool is_same_slot(const u8 *now, const u8 *was)
{
	return !memcmp(now, was, BPF_REG_SIZE) && !is_object(*now);
}

/**
 * struct memory_args - what a call does to memory that it is given
 * @sized: bit k: argument k is memory of the size in argument k + 1
 * @uninit: bit k: argument k may be memory that is not initialised
 * @writes: it may write to memory, not only read
 */
struct memory_args {
	u8 sized;
	u8 uninit;
	bool writes;
};

static struct memory_args helper_args(const struct bpf_func_proto *fn)
{
	struct memory_args args = {};
	u8 arg;

	for (arg = 0; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		u32 type = base_type(fn->arg_type[arg]);

		if (type == ARG_CONST_SIZE || type == ARG_CONST_SIZE_OR_ZERO)
			args.sized |= BIT(arg);
		if (fn->arg_type[arg] & MEM_UNINIT)
			args.uninit |= BIT(arg + 1);
		if (fn->arg_type[arg] & MEM_WRITE)
			args.writes = true;
	}
	return args;
}

/* Of a kernel function in the kernel proper; one of a module has no @sized. */
static struct memory_args kfunc_args(const struct bpf_insn *insn)
{
	struct memory_args args = { .uninit = U8_MAX, .writes = true };
	const struct btf *btf = bpf_get_btf_vmlinux();
	const struct btf_type *proto;
	const struct btf_param *param;
	u8 arg, nr;

	if (insn->off)
		return args;
	proto = btf_type_by_id(btf, btf_type_by_id(btf, insn->imm)->type);
	param = btf_params(proto);
	nr = min(btf_type_vlen(proto), MAX_BPF_FUNC_REG_ARGS);
	for (arg = 1; arg < nr; arg++)
		if (btf_param_match_suffix(btf, &param[arg], "__sz") ||
		    btf_param_match_suffix(btf, &param[arg], "__szk"))
			args.sized |= BIT(arg);
	return args;
}

/*
 * It is the prototype that says so, since the verifier relies on what a pointer
 * and its size are. What a register holds that is no argument must not be
 * relied on: it may be something else in the states that are pruned.
 */
static struct memory_args memory_args(const struct bpf_verifier_env *env,
				      const struct bpf_insn *insn)
{
	const struct bpf_func_proto *fn;

	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return kfunc_args(insn);
	fn = env->ops->get_func_proto(insn->imm, env->prog);
	return fn ? helper_args(fn) :
	       (struct memory_args){ .uninit = U8_MAX, .writes = true };
}

/*
 * Those arguments among @sized that are on the stack at a known place, of a
 * known size, and of whose content the verifier knows nothing after the call.
 */
static u8 fillable(const struct bpf_verifier_state *state,
		   const struct fastterm_snapshot *snap, u8 sized)
{
	u8 arg, bits = 0;

	for (arg = 1; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &snap->args[arg - 1];
		const struct bpf_reg_state *size = &snap->args[arg];
		const struct bpf_func_state *func;
		s64 off, end;

		if (!(sized & BIT(arg)) || ptr->type != PTR_TO_STACK ||
		    !tnum_is_const(ptr->var_off) ||
		    size->type != SCALAR_VALUE || !tnum_is_const(size->var_off))
			continue;
		func = state->frame[ptr->frameno];
		off = ptr->off + (s64)ptr->var_off.value;
		end = off + size->var_off.value;
		if (off < -func->allocated_stack || end > 0 || end <= off)
			continue;
		while (off < end) {
			u32 byte = -off - 1;

			if (func->stack[byte / BPF_REG_SIZE]
				    .slot_type[byte % BPF_REG_SIZE] != STACK_MISC)
				break;
			off++;
		}
		if (off == end)
			bits |= BIT(arg);
	}
	return bits;
}

/* Whether zeroing what @fill's arguments point to covers byte @byte of @frame. */
static u8 covering(const struct fastterm_snapshot *snap, u8 fill, u32 frame,
		   u32 byte)
{
	s64 at = -(s64)byte - 1;
	u8 arg, bits = 0;

	for (arg = 1; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &snap->args[arg - 1];
		s64 off = ptr->off + (s64)ptr->var_off.value;

		if ((fill & BIT(arg)) && ptr->frameno == frame && at >= off &&
		    at < off + (s64)snap->args[arg].var_off.value)
			bits |= BIT(arg);
	}
	return bits;
}

/*
 * The stack: memory that the call is now believed to have written must be
 * written by its stub too, if it held nothing before, or a pointer. The verifier
 * also forgets what memory holds that is only read, if the program may read
 * what was not initialised, and pointers: then that is still there.
 */
static void compare_stack(const struct bpf_verifier_state *state,
			  const struct fastterm_snapshot *snap,
			  struct memory_args args, struct fastterm_decision *d)
{
	u8 fill = fillable(state, snap, args.sized), needed = 0;
	u32 frame, i, b;

	for (frame = 0; frame <= state->curframe; frame++) {
		const struct bpf_func_state *func = state->frame[frame];

		for (i = 0; i < func->allocated_stack / BPF_REG_SIZE; i++) {
			const u8 *now = func->stack[i].slot_type;
			bool new = i >= snap->nr_slots[frame];

			if (!new && is_same_slot(now, snap->type[frame][i]))
				continue;
			for (b = 0; b < BPF_REG_SIZE; b++) {
				u8 was = new ? STACK_INVALID :
					       snap->type[frame][i][b];

				if (now[b] == was &&
				    (!is_object(was) || snap->id[frame][i] ==
				     func->stack[i].spilled_ptr.id))
					continue;
				if (is_object(now[b]) || is_object(was))
					return keep(d, FASTTERM_OBJECT, 0);
				/* Less is known now, and what is there is readable. */
				if (now[b] == STACK_INVALID)
					continue;
				if (now[b] != STACK_MISC)
					return keep(d, FASTTERM_FILLS, 0);
				if (!args.writes || was == STACK_ZERO ||
				    (was == STACK_SPILL &&
				     snap->spilled[frame][i] == SCALAR_VALUE))
					continue;
				needed = FILL_NEEDED;
				fill &= covering(snap, fill, frame,
						 i * BPF_REG_SIZE + b);
			}
		}
	}
	d->fill = fill | needed;
}

/*
 * Where a program may read what was not initialised, a path on which memory is
 * not is pruned when it has been explored with memory that is. Then no visit
 * sees what has to be filled: all memory on the stack is, that may be such.
 */
static void assume_uninit(const struct bpf_verifier_state *state,
			  const struct fastterm_snapshot *snap,
			  struct memory_args args, struct fastterm_decision *d)
{
	u8 arg;

	for (arg = 1; arg <= MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &snap->args[arg - 1];
		s64 off = ptr->off + (s64)ptr->var_off.value;
		const struct bpf_func_state *func;
		u32 byte = -off - 1;

		if (!(args.uninit & BIT(arg)) || ptr->type != PTR_TO_STACK)
			continue;
		func = state->frame[ptr->frameno];
		/* An iterator or a dynptr is compared as such. */
		if (tnum_is_const(ptr->var_off) && byte < func->allocated_stack &&
		    is_object(func->stack[byte / BPF_REG_SIZE]
				      .slot_type[byte % BPF_REG_SIZE]))
			continue;
		d->fill = (d->fill & BIT(arg)) | FILL_NEEDED;
	}
}

static bool admits(const struct bpf_reg_state *reg, s64 value)
{
	return value >= reg->smin_value && value <= reg->smax_value &&
	       (u64)value >= reg->umin_value && (u64)value <= reg->umax_value &&
	       (s32)value >= reg->s32_min_value &&
	       (s32)value <= reg->s32_max_value &&
	       (u32)value >= reg->u32_min_value &&
	       (u32)value <= reg->u32_max_value &&
	       !((value ^ reg->var_off.value) & ~reg->var_off.mask);
}

/* Bits of enum fastterm_value that lie inside what the verifier knows of R0. */
static u8 possible_values(const struct bpf_reg_state *r0)
{
	u8 bits = 0;
	int v;

	if (r0->type == NOT_INIT)	/* void: nobody can look at it */
		return BIT(FASTTERM_VALUES) - 1;
	if (type_may_be_null(r0->type))
		return BIT(FASTTERM_NULL);
	if (r0->type != SCALAR_VALUE)
		return 0;
	for (v = FASTTERM_ECANCELED; v < FASTTERM_VALUES; v++)
		if (admits(r0, values[v]))
			bits |= BIT(v);
	return bits;
}

/* Intersect what this visit found with what earlier ones did. */
static void merge(struct fastterm_decision *d,
		  const struct fastterm_decision *visit)
{
	u8 needed = (d->fill | visit->fill) & FILL_NEEDED;

	if (!d->kind) {
		*d = *visit;
	} else {
		d->values &= visit->values;
		d->fill = (d->fill & visit->fill) | needed;
		if (visit->why)
			keep(d, visit->why, visit->arg);
	}
	if (!d->values)
		keep(d, FASTTERM_RESULT, 0);
	/* The stubs that fill memory return -ECANCELED. */
	if (needed && (d->fill == FILL_NEEDED ||
		       !(d->values & BIT(FASTTERM_ECANCELED))))
		keep(d, FASTTERM_FILLS, 0);
}

/**
 * fastterm_after_call() - decide what becomes of a call
 * @env: the verifier's
 * @err: what simulating the call returned
 *
 * Context: process context; from the verifier, right after it has simulated the
 * call at @env->insn_idx, in the state with which it goes on.
 */
void fastterm_after_call(struct bpf_verifier_env *env, int err)
{
	const struct fastterm_snapshot *snap = env->prog->aux->fastterm.snapshot;
	struct bpf_insn_aux_data *aux = &env->insn_aux_data[env->insn_idx];
	const struct bpf_insn *insn = &env->prog->insnsi[env->insn_idx];
	struct fastterm_decision visit = {};
	const struct bpf_reg_state *r0;
	struct memory_args args;

	if (err || is_kept(env))
		return;
	visit.kind = insn->src_reg == BPF_PSEUDO_KFUNC_CALL ? FASTTERM_KFUNC :
							      FASTTERM_HELPER;
	if (!snap) {
		keep(&visit, FASTTERM_UNSEEN, 0);
		return merge(&aux->fastterm, &visit);
	}
	r0 = &env->cur_state->frame[env->cur_state->curframe]->regs[BPF_REG_0];
	visit.values = possible_values(r0);
	args = memory_args(env, insn);
	compare_stack(env->cur_state, snap, args, &visit);
	if (env->allow_uninit_stack)
		assume_uninit(env->cur_state, snap, args, &visit);
	compare_refs(env->cur_state, r0, snap, &visit);
	compare_locks(env->cur_state, snap, &visit);
	merge(&aux->fastterm, &visit);
}

/**
 * fastterm_no_return() - the call that was just simulated does not return here
 * @env: the verifier's
 *
 * What stands behind bpf_throw() has not been explored from there. Nothing in
 * the state says so: the verifier knows the function by its name.
 *
 * Context: process context; from the verifier, after fastterm_after_call().
 */
void fastterm_no_return(struct bpf_verifier_env *env)
{
	struct fastterm_decision visit = { .kind = FASTTERM_KFUNC };

	keep(&visit, FASTTERM_NO_RETURN, 0);
	merge(&env->insn_aux_data[env->insn_idx].fastterm, &visit);
}
