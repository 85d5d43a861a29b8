// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports of programs that do not leave.
 *
 * A program that has been terminated may not leave: it has no stub image, or the kernel function
 * that it has called does not return. And no interrupt may reach the CPU at all. Such a program
 * is named, with the place where it is, before the detectors of lockups and stalls report the
 * CPU. The messages are written to the log buffer by whoever notices, in whatever context. In an
 * NMI, the kernel itself defers writing to the console.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/smp.h>
#include <linux/time64.h>

#include "activation.h"
#include "program.h"
#include "quarantine.h"
#include "show.h"
#include "stuck.h"
#include "trigger.h"
#include "walk.h"

/* How many programs are named for a CPU. */
#define MAX_NAMED 4

static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 10);

/*
 * The instruction of a program, as the verifier left it, that an address belongs to: the call
 * that returns there, if that is a site; otherwise the first one of its line. Returns -1 if
 * neither is known.
 */
static int insn_at(const struct bpf_prog *func, const struct fastterm_prog *fprog,
		   unsigned long ip)
{
	const u32 off = ip - (unsigned long)func->bpf_func;
	const struct bpf_prog_aux *aux = func->aux;
	/* When the last reference to the program is gone, fastterm_last_put() has moved them. */
	void **const jited = smp_load_acquire(&aux->jited_linfo) ?: fprog->jited_linfo;
	/* As above: the one that is not here any more is there. */
	const struct bpf_line_info *linfo = smp_load_acquire(&aux->linfo) ?: fprog->linfo;
	int insn = -1;
	u32 i;

	for (i = 0; fprog->images && i < fprog->nr_sites; i++)
		if (fprog->sites[i].func == aux->func_idx && fprog->sites[i].native < off)
			insn = fprog->sites[i].insn;
	if (insn >= 0 || !jited)
		return insn;
	for (i = aux->linfo_idx; i < aux->nr_linfo; i++)
		if (jited[i] && (unsigned long)jited[i] < ip)
			insn = linfo[i].insn_off;
	return insn;
}

static void place(char *buf, size_t size, const struct fastterm_prog *fprog,
		  const struct fastterm_doing *doing)
{
	struct fastterm_text text;
	int insn = -1;

	/* What is in the stub image is at the same offset in the original. */
	if (fastterm_text_at(doing->prog, &text) && text.image && text.image->fprog == fprog)
		insn = insn_at(text.image->func, fprog, text.image->entry + text.off);
	else if (!fprog->images && fastterm_of(doing->func) == fprog)
		insn = insn_at(doing->func, fprog, doing->prog);
	if (insn >= 0)
		scnprintf(buf, size, "instruction %d, ", insn);
}

/**
 * fastterm_report_stuck() - report an activation that does not leave
 * @tag: the activation, which is to leave
 * @doing: where it was found
 *
 * Context: an interrupt of ours, NMIs included.
 */
void fastterm_report_stuck(const struct fastterm_tag *tag, const struct fastterm_doing *doing)
{
	const struct fastterm_prog *fprog = tag->fprog;
	const struct bpf_prog *prog = fprog->prog;
	const char *func = fprog->func;
	char insn[32] = "", in[2 * KSYM_NAME_LEN] = "";

	if (!__ratelimit(&limit) || !doing->func)
		return;
	place(insn, sizeof(insn), fprog, doing);
	if (doing->kernel)
		scnprintf(in, sizeof(in), "%pS, in %ps, called from ", (void *)doing->kernel,
			  (void *)doing->callee);
	pr_warn("program %s (id %u, tag %*phN, %s%s%s) does not leave CPU %d: %llu ms after it was terminated it is in %s%s%pS%s\n",
		prog->aux->name, tag->id, BPF_TAG_SIZE, prog->tag, fastterm_hook(prog->type),
		func ? " " : "", func ?: "", smp_processor_id(),
		div_u64(tag->time.all_ns - tag->time.asked_ns, NSEC_PER_MSEC), in, insn,
		(void *)doing->prog, fprog->images ? "" : "; it has no stub image");
}

/* Has the kernel raised the counter that keeps a program from being entered recursively? */
static bool is_active(const struct fastterm_prog *fprog, int cpu)
{
	const int __percpu *active = fprog->prog->active;

	return active &&
	       READ_ONCE(*per_cpu_ptr(active, cpu)) > fastterm_quarantine_holds(fprog, cpu);
}

/**
 * fastterm_report_unreachable() - report a CPU that takes neither interrupts nor NMIs
 * @cpu: the CPU
 * @ns: for how long
 *
 * Which program it runs is not known. Programs are named that a sample has found there, or that
 * the kernel keeps from being entered recursively there.
 *
 * Context: an interrupt of ours, on another CPU.
 */
void fastterm_report_unreachable(int cpu, u64 ns)
{
	const struct fastterm_prog *fprog;
	const struct bpf_prog *prog;
	u32 nr = 0;

	if (!__ratelimit(&limit))
		return;
	list_for_each_entry_rcu(fprog, &fastterm_progs, node, true) {
		prog = fprog->prog;
		if (!is_active(fprog, cpu) && !fastterm_has_tag(fprog, cpu))
			continue;
		if (nr++ == MAX_NAMED)
			break;
		pr_warn("CPU %d has taken no interrupt for %llu ms; it may be in program %s (id %u, tag %*phN, %s)\n",
			cpu, div_u64(ns, NSEC_PER_MSEC), prog->aux->name, fprog->id, BPF_TAG_SIZE,
			prog->tag, fastterm_hook(prog->type));
	}
	if (!nr)
		pr_warn("CPU %d has taken no interrupt for %llu ms, and no program is known to run there\n",
			cpu, div_u64(ns, NSEC_PER_MSEC));
}
