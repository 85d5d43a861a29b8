// SPDX-License-Identifier: GPL-2.0-only
/*
 * The values that are imposed on programs which leave before they have decided.
 *
 * A program that is terminated returns what its own path through the stub image returns. If that
 * value permits something, whoever slows the program down would get it permitted. So the sysctl
 * kernel.bpf_fastterm_verdict says on which programs a value that denies is imposed: "own": on
 * none; "guards": on those that decide on whether an operation is permitted; "all": also on those
 * that decide what becomes of a packet. A value is imposed only if the verifier would accept it
 * from the program.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/array_size.h>
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/error-injection.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/netfilter.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/sysctl.h>

#include "impose.h"
#include "mode.h"
#include "program.h"

/**
 * enum mode - on which programs a value is imposed
 * @OWN: on none
 * @GUARDS: on those that say FASTTERM_SAYS_ACCESS
 * @ALL: also on those that say FASTTERM_SAYS_PACKET
 * @MODES: number of modes
 */
enum mode {
	OWN,
	GUARDS,
	ALL,
	MODES,
};

static int mode __read_mostly = GUARDS;

static const char *const names[] = {
	[OWN] = "own",
	[GUARDS] = "guards",
	[ALL] = "all",
};

static_assert(ARRAY_SIZE(names) == MODES);

/**
 * fastterm_returns() - note which values a program may return
 * @env: the verifier's environment, while it verifies the main function
 * @least: the least one
 * @most: the greatest one
 *
 * Context: process context; called by the verifier at each exit for which it restricts the value.
 */
void fastterm_returns(struct bpf_verifier_env *env, s32 least, s32 most)
{
	struct fastterm_aux *ours = env->prog->aux->fastterm.own;

	/* Then the program gets no struct fastterm_prog either, and nothing is imposed on it. */
	if (!ours)
		return;
	ours->ranged = true;
	ours->least = least;
	ours->most = most;
}

static bool may_return(const struct bpf_prog *prog, s32 value)
{
	const struct fastterm_aux *ours = fastterm_aux(prog);

	return !ours->ranged || (value >= ours->least && value <= ours->most);
}

static bool access(struct fastterm_denial *denial, s32 value)
{
	denial->says = FASTTERM_SAYS_ACCESS;
	denial->value = value;
	return true;
}

static bool packet(struct fastterm_denial *denial, s32 value)
{
	denial->says = FASTTERM_SAYS_PACKET;
	denial->value = value;
	return true;
}

/* Does the function that the program is attached to return an int? */
static bool returns_int(const struct bpf_prog *prog)
{
	const struct btf_type *proto = prog->aux->attach_func_proto, *type;

	if (!proto || !proto->type || !prog->aux->attach_btf)
		return false;
	type = btf_type_skip_modifiers(prog->aux->attach_btf, proto->type, NULL);
	return type && btf_type_is_int(type) && type->size == sizeof(int);
}

/* Hooks of security modules whose value is an answer, and not an error number. */
static const char *const answers[] = {
	"security_audit_rule_known",
	"security_audit_rule_match",
	"security_ismaclabel",
	"security_xfrm_state_pol_flow_match",
};

static bool returns_error(const struct bpf_prog *prog)
{
	const char *func = prog->aux->attach_func_name;

	return func && str_has_prefix(func, "security_") && returns_int(prog) &&
	       match_string(answers, ARRAY_SIZE(answers), func) < 0;
}

/*
 * The value of an fmod_ret program is what the function returns that it is attached to, unless it
 * is 0: then the function runs. The error of functions that the kernel can inject errors into is
 * known, and hooks of security modules return an error number. What other functions return that
 * the verifier admits (register_btf_fmodret_id_set()) is not known: it may be a protocol's number.
 */
static bool deny_call(const struct bpf_prog *prog, struct fastterm_denial *denial)
{
	const struct bpf_trampoline *tr = prog->aux->dst_trampoline;

	switch (tr ? get_injectable_error_type((unsigned long)tr->func.addr) : -ENOENT) {
	case EI_ETYPE_ERRNO:
	case EI_ETYPE_ERRNO_NULL:
		return access(denial, -EPERM);
	case EI_ETYPE_TRUE:
		return access(denial, 1);
	case EI_ETYPE_NULL:
		break;
	default:
		if (returns_error(prog))
			return access(denial, -EPERM);
	}
	pr_info_ratelimited("if program %s is terminated, it returns what it would: %s has no error that could be imposed\n",
			    prog->aux->name, prog->aux->attach_func_name ?: "its function");
	return false;
}

static bool find(const struct bpf_prog *prog, struct fastterm_denial *denial)
{
	const enum bpf_attach_type attached = prog->expected_attach_type;

	switch (prog->type) {
	case BPF_PROG_TYPE_LSM:
		if (attached == BPF_LSM_CGROUP)
			return access(denial, 0);
		if (!prog->aux->attach_func_proto || !prog->aux->attach_func_proto->type)
			return false;
		/* Hooks that return a bool say no by false. */
		return access(denial, may_return(prog, -EPERM) ? -EPERM : 0);
	case BPF_PROG_TYPE_TRACING:
		return attached == BPF_MODIFY_RETURN && deny_call(prog, denial);
	case BPF_PROG_TYPE_XDP:
		return packet(denial, XDP_ABORTED);
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
		return packet(denial, TCX_DROP);
	case BPF_PROG_TYPE_NETFILTER:
		return packet(denial, NF_DROP);
	case BPF_PROG_TYPE_SK_SKB:
		/* The value of a parser is a length. */
		return attached != BPF_SK_SKB_STREAM_PARSER && packet(denial, SK_DROP);
	case BPF_PROG_TYPE_SK_MSG:
	case BPF_PROG_TYPE_SK_LOOKUP:
	case BPF_PROG_TYPE_SK_REUSEPORT:
		return packet(denial, SK_DROP);
	case BPF_PROG_TYPE_SOCKET_FILTER:
		return packet(denial, 0);
	case BPF_PROG_TYPE_LWT_IN:
	case BPF_PROG_TYPE_LWT_OUT:
	case BPF_PROG_TYPE_LWT_XMIT:
		return packet(denial, BPF_DROP);
	default:
		return fastterm_is_of_cgroup(prog->type) && access(denial, 0);
	}
}

/**
 * fastterm_find_denial() - find how a program says no
 * @prog: the program, while it is loaded
 * @denial: receives it
 *
 * What an extension decides on is known when it is attached: see fastterm_inherit_denial().
 *
 * Context: process context, after the verifier.
 */
void fastterm_find_denial(const struct bpf_prog *prog, struct fastterm_denial *denial)
{
	denial->says = FASTTERM_SAYS_NOTHING;
	denial->least = S32_MIN;
	denial->most = S32_MAX;
	if (find(prog, denial) && !may_return(prog, denial->value))
		denial->says = FASTTERM_SAYS_NOTHING;
}

/*
 * An extension may be attached elsewhere as well. It says no only by a value that denies the same
 * everywhere, and that is admitted everywhere.
 */
static void inherit(struct fastterm_denial *denial, const struct fastterm_prog *from)
{
	const struct fastterm_aux *ours = fastterm_aux(from->prog);
	enum fastterm_says says = denial->says;
	s32 value = denial->value;

	if (ours->ranged) {
		denial->least = max(denial->least, ours->least);
		denial->most = min(denial->most, ours->most);
	}
	if (says == FASTTERM_SAYS_NOTHING) {
		value = from->denial.value;
		says = from->denial.says;
	} else if (from->denial.says != FASTTERM_SAYS_NOTHING && from->denial.value != value) {
		/* No other value will deny the same everywhere. */
		denial->least = S32_MAX;
		denial->most = S32_MIN;
	}
	if (value < denial->least || value > denial->most)
		says = FASTTERM_SAYS_NOTHING;
	/* It may be running, and the value must not be imposed before it is known. */
	if (says != denial->says || value != denial->value) {
		WRITE_ONCE(denial->says, FASTTERM_SAYS_NOTHING);
		/* Nobody imposes the value while it changes. */
		smp_wmb();
		WRITE_ONCE(denial->value, value);
		/* Pairs with fastterm_imposes(). */
		smp_store_release(&denial->says, says);
	}
}

static struct fastterm_prog *data_at(void *entry)
{
	const struct bpf_prog *prog = bpf_prog_ksym_find((unsigned long)entry);

	return prog && (void *)prog->bpf_func == entry ? fastterm_of(prog) : NULL;
}

/**
 * fastterm_inherit_denial() - note what an extension decides on
 * @target: the entry of the function that it replaces; if that is a main function, the extension
 *	    says no as the function's program does
 * @extension: the entry of the extension, which is about to be attached
 *
 * Context: process context.
 */
void fastterm_inherit_denial(void *target, void *extension)
{
	const struct fastterm_prog *from;
	struct fastterm_prog *to;

	rcu_read_lock();
	from = data_at(target);
	to = data_at(extension);
	if (to && from)
		inherit(&to->denial, from);
	rcu_read_unlock();
}

/**
 * fastterm_imposes() - is a value imposed on a program that is terminated?
 * @denial: how it says no
 *
 * Context: any. Not traced.
 * Return: true if @denial->value is.
 */
notrace bool fastterm_imposes(const struct fastterm_denial *denial)
{
	/* Whoever imposes the value reads it after that. Pairs with inherit(). */
	switch (smp_load_acquire(&denial->says)) {
	case FASTTERM_SAYS_ACCESS:
		return READ_ONCE(mode) != OWN;
	case FASTTERM_SAYS_PACKET:
		return READ_ONCE(mode) == ALL;
	default:
		return false;
	}
}

static int mode_handler(const struct ctl_table *table, int write, void *buffer,
			size_t *lenp, loff_t *ppos)
{
	return fastterm_choose(names, MODES, &mode, write, buffer, lenp, ppos);
}

static struct ctl_table impose_table[] = {
	{
		.procname = "bpf_fastterm_verdict",
		.mode = 0644,
		.proc_handler = mode_handler,
	},
};

static int __init fastterm_impose_init(void)
{
	register_sysctl("kernel", impose_table);
	return 0;
}
late_initcall(fastterm_impose_init);
