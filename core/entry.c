// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of programs, which trampolines and quarantines patch.
 *
 * The JIT has put an instruction without effect at each function's entry. The kernel replaces
 * it by a call, if programs are attached to the function, or by a jump, if an extension replaces
 * it. A quarantine replaces it by a jump to what is to run instead. While an entry is closed, what
 * the kernel wants there is noted, and written when the entry is opened again: whoever attaches or
 * detaches does not notice. The architecture's bpf_arch_text_poke() makes each change atomic.
 *
 * Where an entry that has a call is closed or opened, it has no call for a moment, since the call
 * cannot be replaced by a jump at once: the function runs, and what is attached to it does not. If
 * the target is far, the moment is a grace period.
 */
#include <linux/array_size.h>
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "entry.h"
#include "impose.h"

/**
 * struct entry - an entry that is patched, or closed
 * @node: its place in the list
 * @ip: its address
 * @type: enum bpf_text_poke_type of what the kernel wants there
 * @wanted: where that leads; NULL if the kernel wants nothing
 * @instead: what runs instead of the function while the entry is closed; NULL if it is open
 */
struct entry {
	struct list_head node;
	void *ip;
	enum bpf_text_poke_type type;
	void *wanted;
	void *instead;
};

/* Taken with the mutex of a trampoline held. */
static DEFINE_MUTEX(entries_lock);
static LIST_HEAD(entries);

static struct entry *find(const void *ip)
{
	struct entry *e;

	lockdep_assert_held(&entries_lock);
	list_for_each_entry(e, &entries, node)
		if (e->ip == ip)
			return e;
	return NULL;
}

static struct entry *get(void *ip)
{
	struct entry *e = find(ip);

	if (e)
		return e;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return NULL;
	e->ip = ip;
	list_add(&e->node, &entries);
	return e;
}

static void put(struct entry *e)
{
	if (!e || e->wanted || e->instead)
		return;
	list_del(&e->node);
	kfree(e);
}

/**
 * fastterm_text_poke() - patch the entry of a function on behalf of a trampoline
 * @ip: the entry
 * @type: enum bpf_text_poke_type
 * @old: where the entry leads now; NULL if it has not been patched
 * @new: where it is to lead; NULL if it is not to be patched any more
 *
 * Context: process context, may sleep; with the trampoline's mutex locked.
 * Return: 0, or the error of bpf_arch_text_poke(), or -ENOMEM.
 */
int fastterm_text_poke(void *ip, int type, void *old, void *new)
{
	struct entry *e;
	int err = 0;

	if (!is_bpf_text_address((unsigned long)ip))
		return bpf_arch_text_poke(ip, type, old, new);
	/* Before it may run there. */
	if (new && type == BPF_MOD_JUMP)
		fastterm_inherit_denial(ip, new);
	mutex_lock(&entries_lock);
	e = new ? get(ip) : find(ip);
	if (!e && new)
		err = -ENOMEM;
	else if (!e || !e->instead)
		err = bpf_arch_text_poke(ip, type, old, new);
	else if (old != e->wanted)
		err = -EFAULT;
	if (e && !err) {
		e->type = type;
		e->wanted = new;
	}
	put(e);
	mutex_unlock(&entries_lock);
	return err;
}

/*
 * Between a call and a jump, and the other way round: a CPU that has executed the old one, and has
 * not loaded its target yet, must not load the new one.
 */
static void leave_alone(const struct entry *e, const void *instead)
{
	if (!fastterm_arch_is_far(e->ip, instead))
		return;
	synchronize_rcu_tasks();
	synchronize_rcu();
}

/* A jump is replaced by a jump at once. */
static int close(struct entry *e, void *instead)
{
	int err;

	if (e->wanted && e->type == BPF_MOD_JUMP)
		return bpf_arch_text_poke(e->ip, BPF_MOD_JUMP, e->wanted, instead);
	if (e->wanted) {
		err = bpf_arch_text_poke(e->ip, e->type, e->wanted, NULL);
		if (err)
			return err;
	}
	leave_alone(e, instead);
	err = bpf_arch_text_poke(e->ip, BPF_MOD_JUMP, NULL, instead);
	if (err && e->wanted)
		WARN_ON_ONCE(bpf_arch_text_poke(e->ip, e->type, NULL, e->wanted));
	return err;
}

/**
 * fastterm_entry_close() - let something else run instead of a function
 * @func: the function, or the program if it is the main function
 * @instead: the address of a function of a program, with the same arguments
 *
 * Context: process context, may sleep.
 * Return: 0, also if the entry is closed already; -ENOMEM; -EOPNOTSUPP if the architecture cannot
 * patch an entry that is being executed; or the error of bpf_arch_text_poke(), as if the function
 * has no symbol.
 */
int fastterm_entry_close(const struct bpf_prog *func, void *instead)
{
	struct entry *e;
	int err = -ENOMEM;

	if (!fastterm_arch_patches())
		return -EOPNOTSUPP;
	mutex_lock(&entries_lock);
	e = get((void *)func->bpf_func);
	if (e) {
		err = e->instead ? 0 : close(e, instead);
		if (!err && !e->instead)
			e->instead = instead;
		put(e);
	}
	mutex_unlock(&entries_lock);
	return err;
}

static int open(struct entry *e)
{
	const bool jumps = e->wanted && e->type == BPF_MOD_JUMP;
	void *instead = e->instead;
	int err = bpf_arch_text_poke(e->ip, BPF_MOD_JUMP, instead, jumps ? e->wanted : NULL);

	if (err)
		return err;
	e->instead = NULL;
	if (jumps)
		return 0;
	/* Also if no call is wanted now: one may be at any time. */
	leave_alone(e, instead);
	return e->wanted ? bpf_arch_text_poke(e->ip, e->type, NULL, e->wanted) : 0;
}

/**
 * fastterm_entry_open() - undo fastterm_entry_close()
 * @func: the function; nothing happens if its entry is open
 *
 * Context: process context, may sleep.
 * Return: 0, or the error of bpf_arch_text_poke().
 */
int fastterm_entry_open(const struct bpf_prog *func)
{
	struct entry *e;
	int err = 0;

	mutex_lock(&entries_lock);
	e = find(func->bpf_func);
	if (e && e->instead) {
		err = open(e);
		put(e);
	}
	mutex_unlock(&entries_lock);
	return err;
}

/**
 * fastterm_entry_forget() - forget that an entry is closed
 * @func: the function, which is about to be freed, and to which nothing is attached
 *
 * Context: process context, may sleep.
 */
void fastterm_entry_forget(const struct bpf_prog *func)
{
	struct entry *e;

	mutex_lock(&entries_lock);
	e = find(func->bpf_func);
	if (e) {
		e->wanted = NULL;
		e->instead = NULL;
		put(e);
	}
	mutex_unlock(&entries_lock);
}

/**
 * struct returning - a program that returns a constant, which is never freed
 * @value: the constant; constant blinding has rewritten the program
 * @prog: the program
 */
struct returning {
	s32 value;
	struct bpf_prog *prog;
};

/* More than there are values that are imposed: 0, 1, 2, and -EPERM. */
static struct returning returning[8];
static DEFINE_MUTEX(returning_lock);

static struct bpf_prog *make(s32 value)
{
	const struct bpf_insn insns[] = { BPF_MOV64_IMM(BPF_REG_0, value), BPF_EXIT_INSN() };
	struct bpf_prog *prog = bpf_prog_alloc(bpf_prog_size(ARRAY_SIZE(insns)), 0);
	int err;

	if (!prog)
		return NULL;
	/* Programs without a type have no symbol. */
	prog->type = BPF_PROG_TYPE_SOCKET_FILTER;
	prog->len = ARRAY_SIZE(insns);
	memcpy(prog->insnsi, insns, sizeof(insns));
	strscpy(prog->aux->name, "fastterm_no");
	prog = bpf_prog_select_runtime(prog, &err);
	if (err || !prog->jited) {
		bpf_prog_free(prog);
		return NULL;
	}
	bpf_prog_kallsyms_add(prog);
	return prog;
}

/**
 * fastterm_returning() - get a function that returns a constant
 * @value: the constant; there are at most eight different ones
 *
 * The JIT makes it, so that it can be entered in each way in which programs are.
 *
 * Context: process context, may sleep.
 * Return: its address; NULL if there is no memory for it.
 */
void *fastterm_returning(s32 value)
{
	struct bpf_prog *prog = NULL;
	struct returning *r;
	u32 i;

	mutex_lock(&returning_lock);
	for (i = 0; i < ARRAY_SIZE(returning) && !prog; i++) {
		r = &returning[i];
		if (r->prog && r->value != value)
			continue;
		if (!r->prog) {
			r->prog = make(value);
			r->value = value;
		}
		if (!r->prog)
			break;
		prog = r->prog;
	}
	mutex_unlock(&returning_lock);
	return prog ? (void *)prog->bpf_func : NULL;
}
