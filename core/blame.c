// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which activation is to blame for the time that a sample has found.
 *
 * Activations are nested, as when a program is attached to a function that another program
 * calls. Each one has two times: its own, in which it was the innermost one, and all of it, with
 * what is nested in it. The innermost activation whose own time is over its budget is
 * terminated, and nothing else. What it took is taken off the activations around it, which go
 * on; but not more often than kernel.bpf_fastterm_strikes times, since the next one that hangs
 * there may run away too: whoever does is quarantined before.
 *
 * An activation whose own time is within its budget, but not all of it, is terminated as well,
 * although it has kept to its budget itself; the kernel log then tells whose programs took the
 * time.
 *
 * Tail calls lead from one program to another in the same activation. The strike is against the one
 * in which most of the activation's own time was spent.
 *
 * Time in which an activation waits for another CPU is not its own: a program there may have
 * to be terminated first. This is bounded in the same way.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "activation.h"
#include "blame.h"
#include "events.h"
#include "program.h"
#include "quarantine.h"
#include "show.h"
#include "stuck.h"
#include "trigger.h"
#include "watchdog.h"

/* Who has not left after its budget, and at most this time in ns, is named in the log. */
#define LONGEST_EXIT_NS	(500 * (u64)NSEC_PER_MSEC)

/* Where the stack made no sense, another sample, so much later in ns, may find more. */
#define AGAIN_NS	NSEC_PER_MSEC

/**
 * struct overrun - what the kernel log will say about a termination
 * @it: the program
 * @has_image: it has a stub image
 * @pending: it is being terminated, and has not left yet
 * @outcome: the outcome of the termination
 * @report: prints all this
 */
struct overrun {
	struct fastterm_overrun it;
	bool has_image;
	bool pending;
	struct fastterm_outcome outcome;
	struct irq_work report;
};

/* The last activation that has been blamed on a CPU. */
static DEFINE_PER_CPU(struct overrun, overruns);

/* In ns; 0 if the activation may run for ever. */
static u64 budget(const struct fastterm_tag *tag)
{
	return (tag->sleeps ? READ_ONCE(fastterm_sleepable_budget_ms) :
			      READ_ONCE(fastterm_budget_ms)) * (u64)NSEC_PER_MSEC;
}

static void report(struct irq_work *work)
{
	const struct overrun *o = container_of(work, struct overrun, report);
	char others[2 * BPF_OBJ_NAME_LEN + 64] = "";

	if (!o->it.own && o->it.nested_id)
		scnprintf(others, sizeof(others),
			  " (%llu ms itself, most of the rest in %s, id %u)",
			  div_u64(o->it.own_ns, NSEC_PER_MSEC), o->it.nested_name,
			  o->it.nested_id);
	pr_warn_ratelimited("program %s (id %u, tag %*phN, %s%s%s) ran for %llu ms on CPU %d%s: %s, %u frames, %u kicks; if it is meant to, raise kernel.bpf_fastterm_budget_ms\n",
			    o->it.name, o->it.id, BPF_TAG_SIZE, o->it.tag,
			    fastterm_hook(o->it.type),
			    *o->it.func ? " " : "", o->it.func,
			    div_u64(o->it.ran_ns, NSEC_PER_MSEC), smp_processor_id(), others,
			    o->has_image ? "terminated" :
					   "it has no stub image, so only what it has caused to run was terminated",
			    o->outcome.frames, o->outcome.kicks);
}

/**
 * fastterm_blame_exited() - report an activation that has left to the kernel log
 * @outcome: the outcome of its termination
 *
 * Only activations that have been blamed for their time are reported.
 *
 * Context: any in which a program may run; so the message is printed later.
 */
void fastterm_blame_exited(const struct fastterm_outcome *outcome)
{
	struct overrun *o = this_cpu_ptr(&overruns);
	unsigned long flags;
	bool ours;

	/* A sample may come in between, and begin the next report. */
	raw_local_irq_save(flags);
	ours = o->pending && outcome->id == o->outcome.id;
	if (ours) {
		o->pending = false;
		o->outcome = *outcome;
	}
	raw_local_irq_restore(flags);
	if (ours)
		irq_work_queue(&o->report);
}

/* What the activation has taken is not counted for those around it that go on. */
static void spare(const struct fastterm_tag *tag)
{
	struct fastterm_tag *outer;

	for (outer = tag->outer; outer; outer = outer->outer) {
		outer->time.because_of = NULL;
		if (outer->leaving || outer->time.spared >= READ_ONCE(fastterm_strikes))
			continue;
		outer->time.spared++;
		outer->time.because_of = tag;
		outer->time.all_ns -= min(outer->time.all_ns, tag->time.all_ns);
	}
}

static void blame(struct fastterm_tag *tag, bool own, struct pt_regs *regs)
{
	const struct fastterm_prog *fprog = own ? tag->time.mostly : tag->fprog;
	const struct bpf_prog *prog = fprog->prog;
	struct overrun *o = this_cpu_ptr(&overruns);
	struct fastterm_overrun it = {
		.id = fprog->id,
		.type = prog->type,
		.ran_ns = tag->time.all_ns,
		.own_ns = tag->time.own_ns,
		.own = own,
		.nested_id = tag->time.nested.id,
	};

	strscpy(it.name, prog->aux->name);
	memcpy(it.tag, prog->tag, sizeof(it.tag));
	strscpy(it.func, fprog->func ?: "");
	strscpy(it.nested_name, tag->time.nested.name);
	/* Without a stub image it goes on for as long as it takes. */
	if (tag->fprog->images)
		spare(tag);
	tag->time.asked_ns = tag->time.all_ns;
	fastterm_event_overrun(&it);
	fastterm_terminate_tag(tag, regs);
	if (own)
		fastterm_strike(fastterm_of(prog));
	/* With interrupts off, the last message may not have been printed yet. */
	if (irq_work_is_busy(&o->report))
		return;
	o->it = it;
	o->has_image = tag->fprog->images;
	o->outcome.id = tag->id;
	o->pending = true;
}

/*
 * How much time an activation may take with all that is nested in it. While a nested one has
 * not used up its own budget, it may still be the one to blame: the outer one has been seen
 * for longer. If neither the outer nor the innermost one has a stub image, waiting would not help.
 */
static u64 budget_of_all(const struct fastterm_tag *tag, const struct fastterm_tag *nested,
			 const struct fastterm_tag *inner)
{
	u64 may = budget(tag);

	if (!nested || nested->leaving || !nested->time.all_ns ||
	    !(tag->fprog->images || inner->fprog->images))
		return may;
	return may + budget(nested);
}

/*
 * Whose programs took the time that was not the activation's own: the one whose share exceeds
 * that of all others, if there is one.
 */
static void count_nested(struct fastterm_nested *most, const struct fastterm_tag *inner, u64 ran)
{
	if (most->id == inner->id) {
		most->ns += ran;
	} else if (most->ns > ran) {
		most->ns -= ran;
	} else {
		most->id = inner->id;
		strscpy(most->name, inner->fprog->prog->aux->name);
		most->ns = ran;
	}
}

/* Which of the programs that tail calls lead to took the activation's own time. */
static void count_own(struct fastterm_time *time, const struct fastterm_prog *fprog, u64 ran)
{
	time->own_ns += ran;
	if (time->mostly == fprog) {
		time->mostly_ns += ran;
	} else if (time->mostly_ns > ran) {
		time->mostly_ns -= ran;
	} else {
		time->mostly = fprog;
		time->mostly_ns = ran;
	}
}

/*
 * Does the time belong to a nested activation that is leaving? Its tag may have been used again,
 * elsewhere.
 */
static bool is_others_time(const struct fastterm_tag *tag, const struct fastterm_tag *inner)
{
	const struct fastterm_tag *other = tag->time.because_of;

	for (; other && inner != tag; inner = inner->outer)
		if (inner == other)
			return other->leaving && other->fprog->images;
	return false;
}

static void count(struct fastterm_tag *tag, const struct fastterm_tag *inner,
		  enum fastterm_whose whose, u64 ran)
{
	struct fastterm_time *time = &tag->time;

	/* At the first sample, it is not known since when the activation has been running. */
	if (!time->seen) {
		time->seen = true;
		return;
	}
	if (is_others_time(tag, inner))
		return;
	if (whose == FASTTERM_WAITING &&
	    time->waited_ns < READ_ONCE(fastterm_strikes) * budget(tag)) {
		time->waited_ns += ran;
		return;
	}
	time->all_ns += ran;
	if (tag != inner)
		count_nested(&time->nested, inner, ran);
	else if (whose == FASTTERM_OWN)
		count_own(time, tag->fprog, ran);
}

/**
 * fastterm_count() - count the time since the last sample, and terminate who is over its budget
 * @regs: the interrupted registers
 * @ran: the time, in ns
 * @share: the time that this sample stands for, in ns
 *
 * Context: an interrupt of ours; in the one that interrupted @regs.
 * Return: when an activation may be over its budget, in ns from now on; 0 if no activation has
 * been interrupted that has one.
 */
u64 fastterm_count(struct pt_regs *regs, u64 ran, u64 share)
{
	struct fastterm_tag *tag, *inner, *nested = NULL, *over = NULL, *ending = NULL;
	struct fastterm_doing doing;
	u64 next = U64_MAX, may, all;
	bool own = false;

	inner = fastterm_suspect(regs, &doing);
	if (IS_ERR_OR_NULL(inner))
		return PTR_ERR(inner) == -ENOENT ? 0 : AGAIN_NS;
	if (doing.whose == FASTTERM_OWN)
		fastterm_share_sampled(fastterm_of(inner->fprog->prog), share);
	for (tag = inner; tag; nested = tag, tag = tag->outer) {
		count(tag, inner, doing.whose, ran);
		may = budget(tag);
		if (tag->leaving && !tag->time.named &&
		    tag->time.all_ns - tag->time.asked_ns > min(may, LONGEST_EXIT_NS)) {
			tag->time.named = true;
			fastterm_report_stuck(tag, &doing);
		}
		if (!may || tag->leaving)
			continue;
		if (!ending && fastterm_ends_early(tag->fprog))
			ending = tag;
		all = budget_of_all(tag, nested, inner);
		if (!own && tag->time.own_ns > may) {
			over = tag;
			own = true;
		} else if (tag->time.all_ns > all) {
			over = over ?: tag;
		} else {
			next = min(next, min(may - min(tag->time.own_ns, may),
					     all - tag->time.all_ns) + 1);
		}
	}
	if (over) {
		blame(over, own, regs);
	} else if (ending) {
		fastterm_keep_out(ending->fprog);
		fastterm_terminate_tag(ending, regs);
	}
	return next;
}

static int __init fastterm_blame_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(overruns.report, cpu) = IRQ_WORK_INIT(report);
	return 0;
}
core_initcall(fastterm_blame_init);
