// SPDX-License-Identifier: GPL-2.0-only
/*
 * What we keep with a program: its sites, as they stand in the program that the
 * JIT is given, and why it can run for long.
 *
 * Between the verifier's walk and the JIT the program is rewritten. A decision
 * is part of the verifier's data on its instruction and moves with it; where an
 * instruction is replaced by several, the decision goes to the one among them
 * that it still holds for, or is dropped. A call without a decision is kept.
 */
#include <linux/atomic.h>
#include <linux/bpf_verifier.h>
#include <linux/filter.h>
#include <linux/slab.h>

#include "internal.h"

atomic_t fastterm_nr_progs = ATOMIC_INIT(0);
atomic_t fastterm_loads[FASTTERM_ABSENCES];

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL);
}

static bool is_subprog_call(const struct bpf_insn *insn)
{
	return is_call(insn) && insn->src_reg == BPF_PSEUDO_CALL;
}

/*
 * A call that the JIT turns into instructions which keep all registers but R0.
 * The verifier leaves the helper's number in it, and counts on those registers.
 */
static bool is_inlined_call(const struct bpf_insn *insn)
{
	return is_call(insn) && !insn->src_reg &&
	       bpf_jit_inlines_helper_call(insn->imm);
}

/*
 * may_goto: the verifier explores the jump in every state. It is recognised by
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
 * The loop that replaces bpf_loop(): the one test before the call of the
 * callback that leaves the loop, or -1. The verifier has explored a bpf_loop()
 * that returns without an iteration, with any number as its result.
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
 * Whether R0 is still @value at the end of what follows a call in its
 * replacement: an inlined lookup adds the offset of the value to what it found.
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
 * fastterm_insn_patched() - carry decisions through a rewrite
 * @env: the verifier's
 * @prog: the program after the rewrite
 * @off: where the instruction was
 * @len: by how many instructions it has been replaced
 *
 * Context: process context; from the verifier, after it has moved its own data,
 * by which the data of the old instruction belong to the last of the new ones.
 */
void fastterm_insn_patched(struct bpf_verifier_env *env,
			   const struct bpf_prog *prog, u32 off, u32 len)
{
	struct bpf_insn_aux_data *aux = &env->insn_aux_data[off];
	const struct bpf_insn *insn = &prog->insnsi[off];
	struct fastterm_decision old = aux[len - 1].fastterm;
	int i, call = -1;

	if (is_may_goto(insn, len)) {
		aux[1].fastterm.kind = FASTTERM_LOOP;
		return;
	}
	if (!old.kind || len == 1)
		return;

	memset(&aux[len - 1].fastterm, 0, sizeof(old));
	i = loop_test(insn, len);
	if (i >= 0) {
		aux[i].fastterm.kind = FASTTERM_LOOP;
		return;
	}
	for (i = 0; i < len; i++) {
		if (!is_call(&insn[i]))
			continue;
		if (call >= 0)
			return;
		call = i;
	}
	if (call < 0)
		return;
	if (call == len - 1 ||
	    (!old.why && old.values == BIT(FASTTERM_NULL) && !old.fill &&
	     value_survives(&insn[call + 1], len - call - 1, 0)))
		aux[call].fastterm = old;
}

static bool jumps_back(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	if (class != BPF_JMP && class != BPF_JMP32)
		return false;
	if (op == BPF_CALL || op == BPF_EXIT || insn->code == (BPF_JMP | BPF_TAIL_CALL))
		return false;
	return (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off) < 0;
}

/* The function that instruction @insn is in, if that is not before @func. */
static u32 func_of(const struct bpf_verifier_env *env, u32 func, u32 insn)
{
	while (func + 1 < env->subprog_cnt &&
	       insn >= env->subprog_info[func + 1].start)
		func++;
	return func;
}

/* Those without type information are static, and so is one that the verifier adds. */
static bool is_global(const struct bpf_verifier_env *env, u32 func)
{
	const struct bpf_func_info_aux *infos = env->prog->aux->func_info_aux;

	return infos && func < env->subprog_cnt - env->hidden_subprog_cnt &&
	       infos[func].linkage == BTF_FUNC_GLOBAL;
}

/* Whether the call at @i is that of a global function, where the JIT has kept the distance. */
static bool calls_global(const struct bpf_verifier_env *env, u32 i)
{
	return is_global(env, func_of(env, 0, i + env->insn_aux_data[i].call_imm + 1));
}

/*
 * What instruction @i is, with what the verifier's data on it say; false if no site.
 *
 * The call of a global function is skipped: the verifier knows nothing of what it does but
 * that it releases what it acquires, and takes any number for its result. Such a function
 * is walked once for all its calls, so nothing else bounds how often a loop calls one.
 */
static bool site_of(const struct bpf_verifier_env *env, u32 i, struct fastterm_site *site)
{
	const struct bpf_insn *insn = &env->prog->insnsi[i];
	struct fastterm_decision *d = &site->decision;

	*d = env->insn_aux_data[i].fastterm;
	if (insn->code == (BPF_JMP | BPF_TAIL_CALL)) {
		memset(d, 0, sizeof(*d));
		d->kind = FASTTERM_TAIL_CALL;
	} else if (is_subprog_call(insn)) {
		memset(d, 0, sizeof(*d));
		d->kind = FASTTERM_SUBPROG;
		if (calls_global(env, i)) {
			d->values = BIT(FASTTERM_ECANCELED);
			site->value = FASTTERM_ECANCELED;
		} else {
			d->why = FASTTERM_SUBPROG_CALL;
		}
	} else if (is_inlined_call(insn)) {
		return false;
	} else if (is_call(insn)) {
		if (!d->kind) {
			d->kind = insn->src_reg == BPF_PSEUDO_KFUNC_CALL ?
				  FASTTERM_KFUNC : FASTTERM_HELPER;
			d->why = FASTTERM_UNSEEN;
		}
		if (!d->why)
			site->value = d->fill & 1 ? FASTTERM_ECANCELED :
						    __ffs(d->values);
	} else if (d->kind != FASTTERM_LOOP) {
		return false;
	}
	return true;
}

/*
 * A run of so many instructions is over before anybody would call it long, even if
 * every fourth calls a helper.
 */
#define MAX_SHORT_RUN	200000u

/*
 * Whether no run executes more than MAX_SHORT_RUN instructions, as far as jumps go.
 *
 * The verifier walks loops turn by turn. Where it stops since it has been in a like
 * state before, it has walked from there to the end, and counted that. So it has
 * counted every instruction of the longest run, unless that calls global functions,
 * which are walked once for all their calls.
 */
static bool is_walked(const struct bpf_verifier_env *env)
{
	u32 i;

	for (i = 1; i < env->subprog_cnt; i++)
		if (is_global(env, i))
			return false;
	return env->insn_processed <= MAX_SHORT_RUN;
}

static void find_loops(const struct bpf_verifier_env *env, struct fastterm_prog *known)
{
	const bool walked = is_walked(env);
	const struct bpf_prog *prog = env->prog;
	unsigned long seen = 0;
	u32 i;

	if (prog->sleepable)
		__set_bit(FASTTERM_SLEEPABLE, &seen);
	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn_aux_data *aux = &env->insn_aux_data[i];
		const struct bpf_insn *insn = &prog->insnsi[i];

		if (bpf_is_ldimm64(insn)) {
			i++;
			continue;
		}
		known->loops |= aux->fastterm.kind == FASTTERM_LOOP;
		if (aux->fastterm.kind == FASTTERM_LOOP &&
		    insn->dst_reg == BPF_REG_AX)
			__set_bit(FASTTERM_MAY_GOTO, &seen);
		else if (jumps_back(insn) && !walked)
			__set_bit(FASTTERM_BACK_EDGE, &seen);
		if (insn->code == (BPF_JMP | BPF_TAIL_CALL))
			__set_bit(FASTTERM_TAIL, &seen);
		if (aux->calls_callback)
			__set_bit(FASTTERM_CALLBACK, &seen);
		if (aux->is_iter_next)
			__set_bit(FASTTERM_ITERATOR, &seen);
	}
	known->why_long = seen ? __ffs(seen) : FASTTERM_SHORT;
	known->loops |= seen & (BIT(FASTTERM_ITERATOR) | BIT(FASTTERM_TAIL) |
				BIT(FASTTERM_BACK_EDGE));
}

/* Find all sites; write them to @sites unless that is NULL. */
static u32 find_sites(const struct bpf_verifier_env *env,
		      struct fastterm_site *sites)
{
	const struct bpf_prog *prog = env->prog;
	u32 i, nr = 0, jump = 0, func = 0;

	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn *insn = &prog->insnsi[i];
		u8 class = BPF_CLASS(insn->code);
		struct fastterm_site site = {};

		if (func_of(env, func, i) != func) {
			func = func_of(env, func, i);
			jump = 0;
		}
		if (class != BPF_JMP && class != BPF_JMP32)
			continue;
		site.insn = i;
		site.func = func;
		site.jump = jump++;
		site.code = insn->code;
		if (!site_of(env, i, &site))
			continue;
		if (sites)
			sites[nr] = site;
		nr++;
	}
	return nr;
}

/**
 * fastterm_verified() - the verifier is done with a program
 * @env: the verifier's
 * @err: its verdict
 *
 * Without memory the program is loaded all the same, and is not terminable.
 *
 * Context: process context, may sleep; from the verifier, when the program will
 * not be rewritten any more.
 */
void fastterm_verified(struct bpf_verifier_env *env, int err)
{
	struct fastterm_aux *ours = &env->prog->aux->fastterm;
	struct fastterm_prog *known;
	u32 nr;

	kfree(ours->snapshot);
	ours->snapshot = NULL;
	if (err)
		return;

	nr = find_sites(env, NULL);
	known = kvzalloc(struct_size(known, sites, nr), GFP_KERNEL_ACCOUNT);
	if (!known)
		return;
	known->nr_sites = nr;
	find_sites(env, known->sites);
	find_loops(env, known);
	known->nr_funcs = fastterm_nr_funcs(env->prog);
	ours->prog = known;
	atomic_inc(&fastterm_nr_progs);
}

static enum fastterm_absence build(struct bpf_prog *prog,
				   struct fastterm_prog *known)
{
	u32 i;

	if (!fastterm_supported())
		return FASTTERM_UNSUPPORTED;
	if (!prog->jited || bpf_prog_is_offloaded(prog->aux))
		return FASTTERM_NOT_JITED;
	if (READ_ONCE(fastterm_mode) == FASTTERM_MODE_OFF)
		return FASTTERM_OFF;
	if (READ_ONCE(fastterm_mode) == FASTTERM_MODE_NEEDED &&
	    known->why_long == FASTTERM_SHORT)
		return FASTTERM_NOT_NEEDED;
	for (i = 0; i < known->nr_funcs; i++)
		if (!fastterm_func(prog, i)->aux->fastterm.layout)
			return FASTTERM_NO_MEMORY;
	switch (fastterm_images_build(prog, known)) {
	case 0:
		return FASTTERM_PRESENT;
	case -ENOMEM:
		return FASTTERM_NO_MEMORY;
	case -ENOENT:
		return FASTTERM_NO_LOOP_EXIT;
	case -ERANGE:
		return FASTTERM_TOO_LARGE;
	default:
		return FASTTERM_CODE;
	}
}

/**
 * fastterm_loaded() - make a program's stub images if it gets any
 * @prog: the program
 *
 * Whether that succeeds or not, the program is loaded.
 *
 * Context: process context, may sleep; after the JIT, before the program is
 * known to anybody.
 */
void fastterm_loaded(struct bpf_prog *prog)
{
	struct fastterm_prog *known = prog->aux->fastterm.prog;
	u32 i;

	if (known) {
		known->prog = prog;
		known->absence = build(prog, known);
	}
	for (i = 0; i < fastterm_nr_funcs(prog); i++) {
		struct fastterm_aux *ours = &fastterm_func(prog, i)->aux->fastterm;

		kvfree(ours->layout);
		ours->layout = NULL;
	}
}

/**
 * fastterm_publish() - a program has its id and can be seen
 * @prog: the program
 *
 * Context: process context, may sleep.
 */
void fastterm_publish(struct bpf_prog *prog)
{
	struct fastterm_prog *known = prog->aux->fastterm.prog;

	/* What we know nothing of is what there was no memory to know. */
	atomic_inc(&fastterm_loads[known ? known->absence : FASTTERM_NO_MEMORY]);
	if (!known)
		return;
	known->id = prog->aux->id;
	/* The copy is as visible as the original. */
	if (bpf_token_capable(prog->aux->token, CAP_BPF))
		fastterm_images_publish(known);
	fastterm_show_add(known);
}

/**
 * fastterm_last_put() - nobody refers to a program any more
 * @prog: the program
 * @deferred: whether it may still run
 *
 * What still runs of it can be terminated, and may have faults to be handled: both need
 * to find the program by an address.
 *
 * Context: process context.
 * Return: true if it is to stay visible; then fastterm_ended() sees to the rest.
 */
bool fastterm_last_put(struct bpf_prog *prog, bool deferred)
{
	struct fastterm_prog *known = prog->aux->fastterm.prog;

	if (!known || !known->images)
		return false;
	known->stays = deferred;
	return deferred;
}

/**
 * fastterm_ended() - nothing runs a program any more
 * @aux: the program's
 * @again: what is to be done once nobody looks for it either
 *
 * Context: softirq or process context, after a grace period.
 * Return: true if @again will be called, and false if all may go on now.
 */
bool fastterm_ended(struct bpf_prog_aux *aux, rcu_callback_t again)
{
	struct fastterm_prog *known = aux->fastterm.prog;

	if (!known || !known->stays)
		return false;
	known->stays = false;
	bpf_prog_kallsyms_del_all(aux->prog);
	call_rcu(&aux->rcu, again);
	return true;
}

/**
 * fastterm_hide() - a program is about to go
 * @prog: the program
 *
 * Context: process or softirq context; a grace period before fastterm_free().
 */
void fastterm_hide(struct bpf_prog *prog)
{
	if (prog->aux->fastterm.prog)
		fastterm_images_hide(prog->aux->fastterm.prog);
}

/**
 * fastterm_free() - give back what we keep with a program, or a function of it
 * @aux: the program's; NULL pointers in it are fine
 *
 * Context: process context, may sleep; when nothing can run it any more.
 */
void fastterm_free(struct bpf_prog_aux *aux)
{
	struct fastterm_aux *ours = &aux->fastterm;

	if (ours->prog) {
		fastterm_show_remove(ours->prog);
		fastterm_images_free(ours->prog);
		kvfree(ours->prog);
		atomic_dec(&fastterm_nr_progs);
	}
	kfree(ours->snapshot);
	kvfree(ours->layout);
}
