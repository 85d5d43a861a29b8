// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in debugfs that show why calls are kept, and why programs have no stub image: one
 * file for each program, bpf_fastterm/<id>, and one that counts the programs that were
 * loaded, bpf_fastterm/loads.
 *
 *	long: jumps back
 *	function 0: 131 bytes, image 224 bytes
 *	insn 5 at 0x38: kernel function bpf_task_from_pid: skipped, returns NULL
 *	insn 8 at 0x5c: kernel function bpf_task_release: kept: releases a reference (argument 1)
 */
#include <linux/array_size.h>
#include <linux/bpf.h>
#include <linux/build_bug.h>
#include <linux/debugfs.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/seq_file.h>

#include "decision.h"
#include "image.h"
#include "program.h"
#include "quarantine.h"
#include "show.h"
#include "verdict.h"

static struct dentry *dir;

static const char *const longs[] = {
	[FASTTERM_SHORT] = "no",
	[FASTTERM_BACK_EDGE] = "jumps back",
	[FASTTERM_CALLS] = "may make many calls",
	[FASTTERM_CALLBACK] = "hands a callback to a function that iterates",
	[FASTTERM_ITERATOR] = "has an open-coded iterator",
	[FASTTERM_MAY_GOTO] = "has a may_goto",
	[FASTTERM_TAIL] = "has a tail call",
	[FASTTERM_SLEEPABLE] = "may sleep",
};

static_assert(ARRAY_SIZE(longs) == FASTTERM_LONGS);

static const char *const absences[] = {
	[FASTTERM_PRESENT] = "it has images",
	[FASTTERM_UNSUPPORTED] = "this machine cannot terminate programs",
	[FASTTERM_NOT_JITED] = "the program is not JITed for this machine",
	[FASTTERM_OFF] = "kernel.bpf_fastterm was off",
	[FASTTERM_NOT_NEEDED] = "the program cannot run for long",
	[FASTTERM_NO_MEMORY] = "there was no memory for it",
	[FASTTERM_NOT_FOUND] = "what is to be skipped was not found in its code",
	[FASTTERM_TOO_LARGE] = "a function is larger than its calls reach",
	[FASTTERM_CODE] = "its code has an instruction that cannot be copied",
	[FASTTERM_UNSOUND] = "the verifier does not accept its stub image",
	[FASTTERM_NO_RULES] = "the prologue or epilogue of a function is not known",
};

static_assert(ARRAY_SIZE(absences) == FASTTERM_ABSENCES);

/**
 * fastterm_absence_name() - say why a program has no stub images
 * @absence: the reason
 *
 * Context: any.
 * Return: the reason in words.
 */
const char *fastterm_absence_name(enum fastterm_absence absence)
{
	return absences[absence];
}

/* Types that the kernel is built without have no name. */
static const char *const hooks[__MAX_BPF_PROG_TYPE] = {
#define BPF_PROG_TYPE(_id, _name, ...) \
	[_id] = #_name,
#define BPF_MAP_TYPE(...)
#define BPF_LINK_TYPE(...)
#include <linux/bpf_types.h>
#undef BPF_PROG_TYPE
#undef BPF_MAP_TYPE
#undef BPF_LINK_TYPE
};

/**
 * fastterm_hook() - get the name of a program type
 * @type: the enum bpf_prog_type
 *
 * Context: any.
 * Return: the name.
 */
const char *fastterm_hook(u32 type)
{
	return hooks[type];
}

static const char *const refusals[] = {
	[FASTTERM_REFUSED_VERIFIER] = "",
	[FASTTERM_REFUSED_LIMIT] = "it takes the verifier too many instructions",
	[FASTTERM_REFUSED_MEMORY] = "there was no memory to explore it",
	[FASTTERM_REFUSED_CHANGED] = "decisions did not come to rest",
	[FASTTERM_REFUSED_ALONE] = "only the stub image reaches it",
	[FASTTERM_REFUSED_OTHER] = "it stands for something else in the stub image",
	[FASTTERM_REFUSED_MORE] = "it needs more of the stack or the context than the program",
	[FASTTERM_REFUSED_LOST] = "it was rewritten, and is not what was decided on",
	[FASTTERM_REFUSED_UNBOUNDED] = "nothing bounds how long the stub image runs",
};

static_assert(ARRAY_SIZE(refusals) == FASTTERM_REFUSALS);

static const char *const kinds[] = {
	[FASTTERM_HELPER] = "helper",
	[FASTTERM_KFUNC] = "kernel function",
	[FASTTERM_SUBPROG] = "function of the program",
	[FASTTERM_TAIL_CALL] = "tail call",
	[FASTTERM_LOOP] = "loop",
};

static_assert(ARRAY_SIZE(kinds) == FASTTERM_KINDS);

static const char *const whys[] = {
	[FASTTERM_UNSEEN] = "the verifier has not seen it in this form",
	[FASTTERM_RELEASES] = "releases a reference",
	[FASTTERM_LOCKS] = "takes or drops a lock, or enters or leaves a section",
	[FASTTERM_OBJECT] = "constructs or destroys an iterator or a dynptr",
	[FASTTERM_FILLS] = "fills memory as no stub can",
	[FASTTERM_RESULT] = "no result of it says failure",
	[FASTTERM_NO_RETURN] = "does not return",
	[FASTTERM_SUBPROG_CALL] = "has a stub image of its own",
	[FASTTERM_INLINED] = "verifier or JIT put instructions in its place",
};

static_assert(ARRAY_SIZE(whys) == FASTTERM_WHYS);

static const char *const results[] = {
	[FASTTERM_NULL] = "NULL",
	[FASTTERM_ECANCELED] = "-ECANCELED",
	[FASTTERM_EPERM] = "-EPERM",
	[FASTTERM_ZERO] = "0",
	[FASTTERM_ONE] = "1",
};

static_assert(ARRAY_SIZE(results) == FASTTERM_VALUES);

static void show_site(struct seq_file *m, const struct fastterm_site *site)
{
	const struct fastterm_decision *d = &site->decision;

	seq_printf(m, "insn %u", site->insn);
	if (site->native)
		seq_printf(m, " at %#x", site->native);
	seq_printf(m, ": %s", kinds[d->kind]);
	if (site->target)
		seq_printf(m, " %ps", (void *)site->target);
	seq_puts(m, ": ");
	if (d->why) {
		seq_printf(m, "kept: %s", whys[d->why]);
		if (d->arg)
			seq_printf(m, " (argument %u)", d->arg);
	} else if (d->kind == FASTTERM_LOOP) {
		seq_puts(m, "left");
	} else if (d->kind == FASTTERM_TAIL_CALL) {
		seq_puts(m, "not taken");
	} else {
		seq_printf(m, "skipped, returns %s", results[site->value]);
		if (d->fill & 1)
			seq_printf(m, ", zeroes the memory at argument %u",
				   (u32)__ffs(d->fill & ~1));
	}
	seq_putc(m, '\n');
}

/* May the program run where not even an NMI arrives, that is, in an NMI or in a debug exception? */
static bool is_for_any_context(const struct bpf_prog *prog)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_TRACING:
		return !prog->sleepable;
	default:
		return false;
	}
}

/* Print the kernel functions that a program may call on its way out, each once. */
static void show_kept(struct seq_file *m, const struct fastterm_prog *fprog)
{
	const char *before = "kept calls: ";
	u32 i, k;

	for (i = 0; i < fprog->nr_sites; i++) {
		const struct fastterm_site *site = &fprog->sites[i];

		if (!site->decision.why || !site->target)
			continue;
		for (k = 0; k < i; k++)
			if (fprog->sites[k].target == site->target && fprog->sites[k].decision.why)
				break;
		if (k < i)
			continue;
		seq_printf(m, "%s%ps", before, (void *)site->target);
		before = ", ";
	}
	if (*before == ',')
		seq_putc(m, '\n');
}

/* Print the result of the product check. */
static void show_verdict(struct seq_file *m, const struct fastterm_prog *fprog)
{
	const struct fastterm_verdict *v = &fprog->verdict;
	const char *sentence = v->sentence;

	if (v->why) {
		seq_printf(m, "stub image refused at insn %u: %s", v->insn, refusals[v->why]);
		if (v->why == FASTTERM_REFUSED_VERIFIER)
			seq_printf(m, "%.*s", (int)strcspn(sentence, "\n"), sentence);
		seq_putc(m, '\n');
	}
	if (v->insns)
		seq_printf(m, "verified: %u instructions, and %u of the stub image%s%s\n", v->insns,
			   v->stub_insns, v->again ? ", twice" : "",
			   v->alone ? ", and once more without it" : "");
	if (!v->insns || v->why)
		return;
	/* With constant blinding, the native instructions cannot be attributed. */
	if (v->native_bound)
		seq_printf(m, "bound: %u instructions, %u of BPF, %u kept calls\n",
			   v->native_bound, v->bound, v->calls);
	else
		seq_printf(m, "bound: unknown, %u of BPF, %u kept calls\n", v->bound, v->calls);
	show_kept(m, fprog);
	if (v->loop.times)
		seq_printf(m, "loop: insn %u to %u, up to %u times\n", v->loop.first, v->loop.last,
			   v->loop.times);
}

/**
 * fastterm_show() - print the data of a program
 * @m: the file
 * @fprog: the program's data
 *
 * Context: any.
 */
void fastterm_show(struct seq_file *m, const struct fastterm_prog *fprog)
{
	u32 i;

	seq_printf(m, "long: %s\n", longs[fprog->why_long]);
	if (fprog->absence)
		seq_printf(m, "no image: %s\n", absences[fprog->absence]);
	else if (fprog->loops && is_for_any_context(fprog->prog))
		seq_puts(m, "not in an NMI: loops of its own would go on there\n");
	show_verdict(m, fprog);
	for (i = 0; fprog->images && i < fprog->nr_funcs; i++)
		seq_printf(m, "function %u: %u bytes, image %u bytes\n", i,
			   fprog->images[i]->shadow->jited_len,
			   fprog->images[i]->size);
	for (i = 0; i < fprog->nr_sites; i++)
		show_site(m, &fprog->sites[i]);
}

static int sites_show(struct seq_file *m, void *unused)
{
	fastterm_show(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sites);

/**
 * fastterm_show_fdinfo() - print a program's counters and bounds to its fdinfo
 * @m: the file
 * @prog: the program
 *
 * Context: process context.
 */
void fastterm_show_fdinfo(struct seq_file *m, const struct bpf_prog *prog)
{
	const struct fastterm_prog *fprog = fastterm_of(prog);

	seq_printf(m, "fastterm_terminations:\t%d\n",
		   fprog ? atomic_read(&fprog->terminations) : 0);
	if (fprog)
		fastterm_quarantine_show(m, fprog);
	if (!fprog || !fprog->images)
		return;
	if (fprog->verdict.native_bound)
		seq_printf(m, "fastterm_bound:\t%u\n", fprog->verdict.native_bound);
	seq_printf(m, "fastterm_bound_calls:\t%u\n", fprog->verdict.calls);
}

/**
 * fastterm_show_loads() - print how many programs have been loaded, and the memory in use
 * @m: the file
 *
 * Context: any.
 */
void fastterm_show_loads(struct seq_file *m)
{
	u32 i;

	for (i = 0; i < FASTTERM_ABSENCES; i++)
		seq_printf(m, "%u: %s\n", atomic_read(&fastterm_loads[i]), absences[i]);
	seq_printf(m, "%ld: bytes of stub images\n", atomic_long_read(&fastterm_text));
	seq_printf(m, "%ld: bytes of frame rules\n", atomic_long_read(&fastterm_rule_bytes));
}

static int loads_show(struct seq_file *m, void *unused)
{
	fastterm_show_loads(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(loads);

/**
 * fastterm_show_add() - add a program to debugfs
 * @fprog: the program's data
 *
 * Context: process context, may sleep.
 */
void fastterm_show_add(struct fastterm_prog *fprog)
{
	char name[12];

	snprintf(name, sizeof(name), "%u", fprog->id);
	fprog->dentry = debugfs_create_file(name, 0400, dir, fprog, &sites_fops);
}

/**
 * fastterm_show_remove() - undo fastterm_show_add()
 * @fprog: the program's data; if it was not added, nothing happens
 *
 * Context: process context, may sleep: waits for readers.
 */
void fastterm_show_remove(struct fastterm_prog *fprog)
{
	debugfs_remove(fprog->dentry);
}

static int __init fastterm_show_init(void)
{
	dir = debugfs_create_dir("bpf_fastterm", NULL);
	debugfs_create_file("loads", 0400, dir, NULL, &loads_fops);
	return 0;
}
subsys_initcall(fastterm_show_init);
