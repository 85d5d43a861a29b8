// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decide which instructions of a program its stub image skips, and what it returns for
 * them.
 *
 * The rule: every run of what is left after a redirect is a run that the verifier has
 * explored. So the decision is not taken from a table of functions, but from the verifier's
 * own state, compared before and after it has simulated a call. The rest of the path relies
 * on the changes that the call has made to that state. If the call did anything that
 * matters, it is kept. Otherwise it is skipped, and its stub returns a value that lies
 * inside what the verifier knows about R0 after the call.
 *
 * An instruction is visited in many states, and the decisions of all visits are
 * intersected. A visit that the verifier prunes adds nothing: the pruned state is contained
 * in an older state, which has been explored from there on, and the decisions on all calls
 * behind that point hold for every run of the older state. Registers that the comparison of
 * states ignores are those on which the safety of the older run does not depend.
 *
 * Callbacks and iterators are explored without an iteration as well. The verifier continues
 * in that state behind a call that iterates, and so it is the path that a stub image takes.
 *
 * Between the verifier's exploration and the JIT the program is rewritten. A decision is
 * part of the verifier's data on its instruction and moves with it. If an instruction is
 * replaced by several, the decision goes to the one among them for which it still holds, or
 * is dropped. A call without a decision is kept.
 */
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/build_bug.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/string.h>

#include <kunit/static_stub.h>

#include "compat.h"
#include "decision.h"

/*
 * The enums fit into the bit-fields of a decision, and a decision fits into the padding of
 * struct bpf_insn_aux_data.
 */
static_assert(FASTTERM_KINDS <= BIT(3) && FASTTERM_WHYS <= BIT(4) && FASTTERM_VALUES <= 5);
static_assert(sizeof(struct fastterm_decision) == 7);

static const s64 values[] = {
	[FASTTERM_NULL] = 0,
	[FASTTERM_ECANCELED] = -ECANCELED,
	[FASTTERM_EPERM] = -EPERM,
	[FASTTERM_ZERO] = 0,
	[FASTTERM_ONE] = 1,
};

static_assert(ARRAY_SIZE(values) == FASTTERM_VALUES);

#ifdef CONFIG_BPF_FASTTERM_KUNIT_TEST
unsigned long fastterm_blind;
#else
#define fastterm_blind 0UL
#endif

static bool is_blind(enum fastterm_why why)
{
	return READ_ONCE(fastterm_blind) & BIT(why);
}

/**
 * fastterm_keep() - add a reason to keep a call
 * @d: the decision; its first reason is not changed
 * @why: the reason
 * @arg: the argument that the reason is about, counted from 1; 0 if none
 *
 * Context: any.
 */
void fastterm_keep(struct fastterm_decision *d, enum fastterm_why why, u8 arg)
{
	if (d->why || is_blind(why))
		return;
	d->why = why;
	d->arg = arg;
}

/*
 * Will the call of a helper be inlined? @env is in the state in which it comes to the call.
 * A wrong answer is safe: if this returns true and the call is not inlined, the call is
 * kept; if this returns false and it is inlined, the program has no stub image.
 */
static bool will_be_inlined(const struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_reg_state *r1 = &state->frame[state->curframe]->regs[BPF_REG_1];

	switch (insn->imm) {
	case BPF_FUNC_kptr_xchg:
	case BPF_FUNC_jiffies64:
	case BPF_FUNC_get_func_arg:
	case BPF_FUNC_get_func_ret:
	case BPF_FUNC_get_func_arg_cnt:
	case BPF_FUNC_get_func_ip:
	case BPF_FUNC_get_branch_snapshot:
	case BPF_FUNC_get_smp_processor_id:
		return true;
	case BPF_FUNC_map_lookup_elem:
		if (r1->type != CONST_PTR_TO_MAP || !r1->map_ptr->ops->map_gen_lookup)
			return false;
		/* The inlined look-ups of hash tables begin with a call. */
		return r1->map_ptr->map_type != BPF_MAP_TYPE_HASH &&
		       r1->map_ptr->map_type != BPF_MAP_TYPE_LRU_HASH &&
		       r1->map_ptr->map_type != BPF_MAP_TYPE_HASH_OF_MAPS;
	default:
		return bpf_jit_inlines_helper_call(insn->imm);
	}
}

/**
 * fastterm_decide_first() - begin the decision on a call before the verifier simulates it
 * @env: the verifier's environment, in the state in which it comes to the call
 * @insn: the call
 * @is_part: it calls a function of the program that is explored as a part of its caller
 * @throws: it throws an exception, and does not return
 * @d: the decision, which is empty; receives the kind of the call, all values that its stub
 *     could return, and the reason to keep it, if that is known already
 *
 * Context: process context.
 */
void fastterm_decide_first(const struct bpf_verifier_env *env, const struct bpf_insn *insn,
			   bool is_part, bool throws, struct fastterm_decision *d)
{
	d->values = BIT(FASTTERM_VALUES) - 1;
	if (insn->src_reg == BPF_PSEUDO_CALL) {
		d->kind = FASTTERM_SUBPROG;
		d->values = BIT(FASTTERM_ECANCELED);
		if (is_part)
			fastterm_keep(d, FASTTERM_SUBPROG_CALL, 0);
	} else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		d->kind = FASTTERM_KFUNC;
		if (throws)
			fastterm_keep(d, FASTTERM_NO_RETURN, 0);
	} else if (insn->imm == BPF_FUNC_tail_call) {
		d->kind = FASTTERM_TAIL_CALL;
	} else {
		d->kind = FASTTERM_HELPER;
		if (will_be_inlined(env, insn))
			fastterm_keep(d, FASTTERM_INLINED, 0);
	}
}

static const struct bpf_reg_state *args_of(const struct bpf_verifier_state *state)
{
	return &state->frame[state->curframe]->regs[BPF_REG_1];
}

static bool has_ref(const struct bpf_reference_state *refs, u32 nr, u32 id)
{
	while (nr--)
		if (refs[nr].id == id)
			return true;
	return false;
}

/* The argument that held the reference @id, counted from 1; 0 if none did. */
static u8 arg_of_ref(const struct bpf_verifier_state *before, u32 id)
{
	const struct bpf_reg_state *args = args_of(before);
	u8 i;

	for (i = 0; i < MAX_BPF_FUNC_REG_ARGS; i++)
		if (args[i].ref_obj_id == id)
			return i + 1;
	return 0;
}

/* An acquire may be skipped if its result may be NULL, which says that nothing was acquired. */
static void compare_refs(const struct bpf_verifier_state *state,
			 const struct bpf_verifier_state *before,
			 struct fastterm_decision *d)
{
	const struct bpf_reference_state *now, *was;
	u32 i, nr_now, nr_was;

	now = fastterm_refs(state, &nr_now);
	was = fastterm_refs(before, &nr_was);
	for (i = 0; i < nr_was; i++)
		if (!has_ref(now, nr_now, was[i].id))
			return fastterm_keep(d, FASTTERM_RELEASES, arg_of_ref(before, was[i].id));
}

static void compare_locks(const struct bpf_verifier_state *state,
			  const struct bpf_verifier_state *before,
			  struct fastterm_decision *d)
{
	struct fastterm_locks now, was;

	fastterm_locks(state, &now);
	fastterm_locks(before, &was);
	if (now.ptr != was.ptr || now.id != was.id || now.rcu != was.rcu ||
	    now.preempt != was.preempt)
		fastterm_keep(d, FASTTERM_LOCKS, 0);
}

static bool is_object(u8 type)
{
	return type == STACK_DYNPTR || type == STACK_ITER;
}

/* Most slots have not changed. An object fills all bytes of its slots. */
static bool is_same_slot(const u8 *now, const u8 *was)
{
	return !memcmp(now, was, BPF_REG_SIZE) && !is_object(*now);
}

/**
 * struct memory_args - what a call does to memory that is passed to it
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
		/* Not all prototypes mark memory that the helper writes. */
		if (type == ARG_PTR_TO_MEM && !(fn->arg_type[arg] & MEM_RDONLY)) {
			args.uninit |= BIT(arg + 1);
			args.writes = true;
		}
		if (fn->arg_type[arg] & MEM_UNINIT)
			args.uninit |= BIT(arg + 1);
		if (fn->arg_type[arg] & MEM_WRITE)
			args.writes = true;
	}
	return args;
}

/* For a global function of the program, which may fill all memory that is passed to it. */
static struct memory_args subprog_args(const struct bpf_verifier_env *env, u32 start)
{
	const struct bpf_subprog_info *func = env->subprog_info;
	struct memory_args args = { .writes = true };
	u8 arg;

	while (func->start != start)
		func++;
	for (arg = 0; arg < min_t(u8, func->arg_cnt, MAX_BPF_FUNC_REG_ARGS); arg++)
		if (base_type(func->args[arg].arg_type) == ARG_PTR_TO_MEM)
			args.uninit |= BIT(arg + 1);
	return args;
}

/* For a kernel function of vmlinux. For one of a module, @sized is empty. */
static struct memory_args kfunc_args(const struct bpf_insn *insn)
{
	struct memory_args args = { .writes = true };
	const struct btf *btf = bpf_get_btf_vmlinux();
	const struct btf_type *proto;
	const struct btf_param *param;
	u8 arg, nr;

	if (insn->off) {
		args.uninit = U8_MAX;
		return args;
	}
	proto = btf_type_by_id(btf, btf_type_by_id(btf, insn->imm)->type);
	param = btf_params(proto);
	nr = min(btf_type_vlen(proto), MAX_BPF_FUNC_REG_ARGS);
	/* Registers behind the last parameter may hold anything. */
	args.uninit = GENMASK(nr, 0) & ~BIT(0);
	for (arg = 1; arg < nr; arg++)
		if (btf_param_match_suffix(btf, &param[arg], "__sz") ||
		    btf_param_match_suffix(btf, &param[arg], "__szk"))
			args.sized |= BIT(arg);
	return args;
}

/*
 * The prototype of the called function determines this, since the verifier relies on it for
 * pointers and their sizes. Registers that are not arguments are ignored: they may have
 * other contents in the states that are pruned.
 */
static struct memory_args memory_args(const struct bpf_verifier_env *env,
				      const struct bpf_insn *insn)
{
	const struct bpf_func_proto *fn;

	if (insn->src_reg == BPF_PSEUDO_CALL)
		return subprog_args(env, insn - env->prog->insnsi + insn->imm + 1);
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return kfunc_args(insn);
	fn = env->ops->get_func_proto(insn->imm, env->prog);
	return fn ? helper_args(fn) :
	       (struct memory_args){ .uninit = U8_MAX, .writes = true };
}

/*
 * The arguments among @sized that point to the stack at a constant offset, with a constant
 * size, and of whose memory the verifier does not know the contents after the call.
 */
static u8 fillable(const struct bpf_verifier_state *state,
		   const struct bpf_verifier_state *before, u8 sized)
{
	const struct bpf_reg_state *args = args_of(before);
	u8 arg, bits = 0;

	for (arg = 1; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &args[arg - 1];
		const struct bpf_reg_state *size = &args[arg];
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

/* The arguments in @fill whose memory contains byte @byte of @frame. */
static u8 covering(const struct bpf_verifier_state *before, u8 fill, u32 frame,
		   u32 byte)
{
	const struct bpf_reg_state *args = args_of(before);
	s64 at = -(s64)byte - 1;
	u8 arg, bits = 0;

	for (arg = 1; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &args[arg - 1];
		s64 off = ptr->off + (s64)ptr->var_off.value;

		if ((fill & BIT(arg)) && ptr->frameno == frame && at >= off &&
		    at < off + (s64)args[arg].var_off.value)
			bits |= BIT(arg);
	}
	return bits;
}

/*
 * The stack: memory that the verifier now takes for written by the call has to be written
 * by the stub too, if it was not initialised before, or held a pointer. In a program that
 * may read uninitialised memory and pointers, the verifier also forgets the contents of
 * memory that the call only reads: that memory still has them.
 */
static void compare_stack(const struct bpf_verifier_state *state,
			  const struct bpf_verifier_state *before,
			  struct memory_args args, struct fastterm_decision *d)
{
	u8 fill = fillable(state, before, args.sized), needed = 0;
	u32 frame, i, b;

	for (frame = 0; frame <= state->curframe; frame++) {
		const struct bpf_func_state *func = state->frame[frame];
		const struct bpf_func_state *old = before->frame[frame];

		for (i = 0; i < func->allocated_stack / BPF_REG_SIZE; i++) {
			const u8 *now = func->stack[i].slot_type;
			bool new = i >= old->allocated_stack / BPF_REG_SIZE;

			if (!new && is_same_slot(now, old->stack[i].slot_type))
				continue;
			for (b = 0; b < BPF_REG_SIZE; b++) {
				u8 was = new ? STACK_INVALID :
					       old->stack[i].slot_type[b];

				if (now[b] == was &&
				    (!is_object(was) || old->stack[i].spilled_ptr.id ==
				     func->stack[i].spilled_ptr.id))
					continue;
				if (is_object(now[b]) || is_object(was))
					return fastterm_keep(d, FASTTERM_OBJECT, 0);
				/*
				 * The verifier knows less now, and the contents may be read
				 * as before.
				 */
				if (now[b] == STACK_INVALID)
					continue;
				if (now[b] != STACK_MISC)
					return fastterm_keep(d, FASTTERM_FILLS, 0);
				if (!args.writes || was == STACK_ZERO ||
				    (was == STACK_SPILL &&
				     old->stack[i].spilled_ptr.type == SCALAR_VALUE))
					continue;
				needed = FASTTERM_FILL;
				fill &= covering(before, fill, frame,
						 i * BPF_REG_SIZE + b);
			}
		}
	}
	d->fill = fill | needed;
}

/*
 * If a program may read uninitialised memory, the verifier prunes a path on which memory is
 * not initialised by one on which it is. Then no visit shows what has to be filled: so
 * assume it for all memory on the stack that may not be initialised.
 */
static void assume_uninit(const struct bpf_verifier_state *state,
			  const struct bpf_verifier_state *before,
			  struct memory_args mem, struct fastterm_decision *d)
{
	const struct bpf_reg_state *args = args_of(before);
	u8 arg;

	for (arg = 1; arg <= MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &args[arg - 1];
		s64 off = ptr->off + (s64)ptr->var_off.value;
		const struct bpf_func_state *func;
		u32 byte = -off - 1;

		if (!(mem.uninit & BIT(arg)) || ptr->type != PTR_TO_STACK)
			continue;
		func = state->frame[ptr->frameno];
		/* Iterators and dynptrs are handled by compare_stack(). */
		if (tnum_is_const(ptr->var_off) && byte < func->allocated_stack &&
		    is_object(func->stack[byte / BPF_REG_SIZE]
				      .slot_type[byte % BPF_REG_SIZE]))
			continue;
		d->fill = (d->fill & BIT(arg)) | FASTTERM_FILL;
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

/* Bits of the enum fastterm_value that lie inside what the verifier knows about R0. */
static u8 possible_values(const struct bpf_reg_state *r0)
{
	u8 bits = 0;
	int v;

	if (r0->type == NOT_INIT)	/* void: R0 is not readable */
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

/* Intersect the decision of this visit with those of earlier visits. */
static void merge(struct fastterm_decision *d,
		  const struct fastterm_decision *visit)
{
	u8 needed = is_blind(FASTTERM_FILLS) ? 0 : (d->fill | visit->fill) & FASTTERM_FILL;

	d->values &= visit->values;
	d->fill = (d->visited ? d->fill & visit->fill : visit->fill);
	d->fill = (d->fill & ~FASTTERM_FILL) | needed;
	d->visited = true;
	if (visit->why)
		fastterm_keep(d, visit->why, visit->arg);
	if (!d->values)
		fastterm_keep(d, FASTTERM_RESULT, 0);
	if (!needed)
		return;
	/*
	 * The stubs that fill memory return -ECANCELED, and zero the memory of only one
	 * argument. A function of the program fills its memory in its own stub image.
	 */
	if (d->kind == FASTTERM_SUBPROG)
		fastterm_keep(d, FASTTERM_SUBPROG_CALL, 0);
	else if (d->fill == FASTTERM_FILL || !(d->values & BIT(FASTTERM_ECANCELED)))
		fastterm_keep(d, FASTTERM_FILLS, 0);
}

/* Does the helper take as long as a type of the kernel is large? */
static bool prints_type(const struct bpf_insn *insn)
{
	return insn->imm == BPF_FUNC_snprintf_btf || insn->imm == BPF_FUNC_seq_printf_btf;
}

/**
 * fastterm_call_weight() - estimate how long a call of a kernel function takes
 * @env: the verifier's environment, in the state in which it comes to the call
 * @insn: the call
 *
 * Nothing is known of kfuncs, and of the memory behind a dynptr.
 *
 * Context: process context.
 * Return: 1 if the call handles little memory; otherwise FASTTERM_HEAVY.
 */
u32 fastterm_call_weight(const struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_reg_state *args = &state->frame[state->curframe]->regs[BPF_REG_1];
	const struct bpf_func_proto *fn = NULL;
	u8 arg;

	if (!insn->src_reg && env->ops->get_func_proto)
		fn = env->ops->get_func_proto(insn->imm, env->prog);
	if (!fn || prints_type(insn))
		return FASTTERM_HEAVY;
	for (arg = 0; arg < MAX_BPF_FUNC_REG_ARGS; arg++) {
		switch (base_type(fn->arg_type[arg])) {
		case ARG_CONST_SIZE:
		case ARG_CONST_SIZE_OR_ZERO:
		case ARG_CONST_ALLOC_SIZE_OR_ZERO:
			if (args[arg].umax_value > FASTTERM_LIGHT_SIZE)
				return FASTTERM_HEAVY;
			break;
		case ARG_CONST_MAP_PTR:
			if (base_type(args[arg].type) != CONST_PTR_TO_MAP ||
			    args[arg].map_ptr->value_size > FASTTERM_LIGHT_SIZE)
				return FASTTERM_HEAVY;
			break;
		case ARG_PTR_TO_DYNPTR:
			return FASTTERM_HEAVY;
		default:
			break;
		}
	}
	return 1;
}

/**
 * fastterm_decide() - decide whether a call is skipped
 * @env: the verifier's environment, right after it has simulated the call, in the state
 *	 with which it continues
 * @before: the state in which it came to the call
 * @insn: the call
 * @d: the decision of earlier visits; receives the intersection with that of this visit
 *
 * Context: process context.
 */
void fastterm_decide(struct bpf_verifier_env *env, const struct bpf_verifier_state *before,
		     const struct bpf_insn *insn, struct fastterm_decision *d)
{
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_reg_state *r0 = &state->frame[state->curframe]->regs[BPF_REG_0];
	struct fastterm_decision visit = { .values = possible_values(r0) };
	struct memory_args args = memory_args(env, insn);

	KUNIT_STATIC_STUB_REDIRECT(fastterm_decide, env, before, insn, d);
	compare_stack(state, before, args, &visit);
	/* Also if the CPU may execute such a path speculatively. */
	if (env->allow_uninit_stack || !env->bypass_spec_v1)
		assume_uninit(state, before, args, &visit);
	compare_refs(state, before, &visit);
	compare_locks(state, before, &visit);
	merge(d, &visit);
}

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL);
}

static bool is_subprog_call(const struct bpf_insn *insn)
{
	return is_call(insn) && insn->src_reg == BPF_PSEUDO_CALL;
}

/*
 * may_goto: the verifier explores the jump in every state. The sequence is recognised by
 * the register, which programs cannot name.
 *
 *	AX = *(u64 *)(r10 - depth)
 *	if AX == 0 goto out		<- the test
 *	AX -= 1
 *	*(u64 *)(r10 - depth) = AX
 */
static bool is_may_goto(const struct bpf_insn *insn, u32 len)
{
	return len == 4 && insn[0].code == (BPF_LDX | BPF_MEM | BPF_DW) &&
	       insn[0].dst_reg == BPF_REG_AX && insn[0].src_reg == BPF_REG_FP &&
	       insn[1].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
	       insn[1].dst_reg == BPF_REG_AX && !insn[1].imm;
}

/*
 * The loop that replaces bpf_loop(): returns the index of the last test before the call of
 * the callback, which leaves the loop, or -1. The verifier has explored a bpf_loop() that
 * returns without an iteration, with any number as its result.
 */
static int loop_test(const struct bpf_insn *insn, u32 len)
{
	int i, test = -1;

	for (i = 0; i < len; i++) {
		if (insn[i].code == (BPF_JMP | BPF_JGE | BPF_X))
			test = i;
		if (is_subprog_call(&insn[i]))
			return test;
	}
	return -1;
}

/*
 * Is R0 still @value behind the instructions that follow a call in its replacement? An
 * inlined look-up adds the offset of the value to the pointer that it has found.
 */
static bool value_survives(const struct bpf_insn *insn, u32 len, s64 value)
{
	s64 r0 = value;
	u32 i;

	for (i = 0; i < len; i++) {
		if (insn[i].dst_reg != BPF_REG_0)
			return false;
		switch (insn[i].code) {
		case BPF_JMP | BPF_JEQ | BPF_K:
			if (insn[i].off < 0)
				return false;
			if (r0 == insn[i].imm)
				i += insn[i].off;
			break;
		case BPF_ALU64 | BPF_ADD | BPF_K:
			r0 += insn[i].imm;
			break;
		default:
			return false;
		}
	}
	return i == len && r0 == value;
}

/**
 * fastterm_insn_patched() - move a decision when its instruction is replaced
 * @env: the verifier's environment
 * @prog: the program after the replacement
 * @off: where the instruction was
 * @len: the number of instructions that replace it
 *
 * Context: process context; called by the verifier after it has moved its own data: the
 * data of the old instruction now belong to the last of the new ones.
 */
void fastterm_insn_patched(struct bpf_verifier_env *env,
			   const struct bpf_prog *prog, u32 off, u32 len)
{
	struct bpf_insn_aux_data *aux = &env->insn_aux_data[off];
	const struct bpf_insn *insn = &prog->insnsi[off];
	struct fastterm_decision old = aux[len - 1].fastterm;
	int i, call = -1;

	if (!old.kind || len == 1 || insn[len - 1].code == (BPF_JMP | BPF_TAIL_CALL))
		return;

	/* The last instruction still has the data of the old one; it need not be the site. */
	memset(&aux[len - 1].fastterm, 0, sizeof(old));
	aux[len - 1].fastterm.id = old.id;
	i = is_may_goto(insn, len) ? 1 : loop_test(insn, len);
	if (i >= 0) {
		aux[i].fastterm.id = old.id;
		aux[i].fastterm.kind = FASTTERM_LOOP;
		return;
	}
	/* The call itself may follow instructions that test or prepare something. */
	for (i = 0; i < len - 1; i++) {
		if (!is_call(&insn[i]))
			continue;
		if (call >= 0)
			break;
		call = i;
	}
	if (is_call(&insn[len - 1]))
		call = len - 1;
	else if (i < len - 1 || call < 0)
		return;
	if (call == len - 1 ||
	    (!old.why && old.values == BIT(FASTTERM_NULL) && !old.fill &&
	     value_survives(&insn[call + 1], len - call - 1, 0)))
		aux[call].fastterm = old;
}

/*
 * A call that the JIT replaces by instructions which preserve all registers but R0. The
 * call still has the helper's number, and the verifier relies on those registers.
 */
static bool is_inlined_call(const struct bpf_insn *insn)
{
	return is_call(insn) && !insn->src_reg &&
	       bpf_jit_inlines_helper_call(insn->imm);
}

/**
 * fastterm_decide_last() - complete the decision on an instruction that the JIT compiles
 * @insn: the instruction
 * @d: the decision; receives the final one, with a kind of 0 if the instruction is not a
 *     site
 *
 * Calls that the verifier has never visited, or has inserted, are kept.
 *
 * Context: process context; when the program will not be rewritten any more.
 */
void fastterm_decide_last(const struct bpf_insn *insn, struct fastterm_decision *d)
{
	if (is_inlined_call(insn)) {
		d->kind = FASTTERM_NO_SITE;
	} else if (insn->code == (BPF_JMP | BPF_TAIL_CALL)) {
		if (d->kind)
			return;
		d->kind = FASTTERM_TAIL_CALL;
		d->why = FASTTERM_UNSEEN;
	} else if (is_call(insn)) {
		if (d->kind)
			return;
		d->kind = is_subprog_call(insn) ? FASTTERM_SUBPROG :
			  insn->src_reg == BPF_PSEUDO_KFUNC_CALL ? FASTTERM_KFUNC :
			  FASTTERM_HELPER;
		d->why = is_subprog_call(insn) ? FASTTERM_SUBPROG_CALL : FASTTERM_UNSEEN;
	} else if (d->kind != FASTTERM_LOOP) {
		d->kind = FASTTERM_NO_SITE;
	}
}

/**
 * fastterm_leaves_unwritten() - may a call write stack memory that its stub does not write?
 * @env: the verifier's environment
 * @before: the state before the call
 * @insn: the call
 * @d: the decision on it, which is to skip it
 *
 * The prototype says which arguments point to memory that the call may write. The size of
 * that memory is not looked at: all memory above the pointer counts.
 *
 * Context: process context.
 * Return: the memory that counts, as a number of bytes from the top of a frame; 0 if there
 * is none.
 */
u32 fastterm_leaves_unwritten(const struct bpf_verifier_env *env,
			      const struct bpf_verifier_state *before, const struct bpf_insn *insn,
			      const struct fastterm_decision *d)
{
	const struct bpf_reg_state *args = args_of(before);
	const u8 filled = d->fill & FASTTERM_FILL ? fastterm_fill_arg(d) : 0;
	struct memory_args mem;
	u32 unwritten = 0;
	u8 arg, bits = 0;

	for (arg = 1; arg <= MAX_BPF_FUNC_REG_ARGS; arg++)
		if (args[arg - 1].type == PTR_TO_STACK && arg != filled)
			bits |= BIT(arg);
	if (!bits)
		return 0;
	mem = memory_args(env, insn);
	if (!mem.writes)
		return 0;
	for (arg = 1; arg <= MAX_BPF_FUNC_REG_ARGS; arg++) {
		const struct bpf_reg_state *ptr = &args[arg - 1];

		if (!(bits & mem.uninit & BIT(arg)))
			continue;
		if (!tnum_is_const(ptr->var_off))
			return MAX_BPF_STACK;
		unwritten = max_t(s64, unwritten, -(ptr->off + (s64)ptr->var_off.value));
	}
	return unwritten;
}

/**
 * fastterm_value() - get the number that the stub of a call returns
 * @d: the decision, which is to skip the call
 *
 * Context: any.
 * Return: the number.
 */
s64 fastterm_value(const struct fastterm_decision *d)
{
	return values[fastterm_result(d)];
}
