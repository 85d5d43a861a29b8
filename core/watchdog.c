// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog terminates programs that run for longer than their budget.
 *
 * Each CPU samples itself with a timer of its own, since all CPUs may be stuck at once. The
 * tick would not do: it is stopped on a CPU that was idle when an interrupt began to run a
 * program. A sample tags the outermost activation that could be terminated. If the tag is
 * still there at the next sample, the same activation has been running since; otherwise the
 * time is not counted. Only samples that find the activation count: while it is preempted
 * or asleep it does not run.
 *
 * If a CPU does not sample itself, it has interrupts off. Its neighbour then requests a
 * sample by an NMI, where the machine has NMIs. If no NMI reaches the CPU either, and if a
 * program is the reason, that program can end only where a kernel function calls its
 * callback in a loop.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/bpf.h>
#include <linux/cache.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/ratelimit.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/timekeeping.h>

#include <asm/irq_regs.h>

#include "activation.h"
#include "compat.h"
#include "events.h"
#include "program.h"
#include "trigger.h"
#include "watchdog.h"

unsigned int fastterm_budget_ms __read_mostly = 100;
unsigned int fastterm_sleepable_budget_ms __read_mostly = 1000;
unsigned int fastterm_period_ms __read_mostly = 10;

/**
 * struct overrun - what the kernel log will say about a termination
 * @it: the program
 * @has_image: it has a stub image
 * @pending: it is being terminated, and has not left yet
 * @outcome: the outcome of the termination
 */
struct overrun {
	struct fastterm_overrun it;
	bool has_image;
	bool pending;
	struct fastterm_outcome outcome;
};

/**
 * struct watch - the watchdog on a CPU
 * @timer: samples the CPU
 * @up: the CPU is online, and is to be watched
 * @running: the timer has been started; false if the CPU has taken no interrupt since the
 *	     watchdog was switched on
 * @last: when the CPU was sampled last, in ns of the monotonic clock
 * @overrun: the last program that the watchdog has terminated here
 * @report: prints @overrun
 */
struct watch {
	struct hrtimer timer;
	bool up;
	bool running;
	u64 last;
	struct overrun overrun;
	struct irq_work report;
};

static DEFINE_PER_CPU(struct watch, watches);

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

static bool is_on(void)
{
	return READ_ONCE(fastterm_budget_ms) || READ_ONCE(fastterm_sleepable_budget_ms);
}

static u64 period(void)
{
	return READ_ONCE(fastterm_period_ms) * (u64)NSEC_PER_MSEC;
}

/* In ns; 0 if a program may run for ever. */
static u64 budget(const struct bpf_prog *prog)
{
	return (prog->sleepable ? READ_ONCE(fastterm_sleepable_budget_ms) :
				  READ_ONCE(fastterm_budget_ms)) * (u64)NSEC_PER_MSEC;
}

static void report(struct irq_work *work)
{
	const struct watch *w = container_of(work, struct watch, report);
	const struct overrun *o = &w->overrun;

	pr_warn_ratelimited("program %s (id %u, tag %*phN, %s%s%s) ran for %llu ms on CPU %d: %s, %u frames, %u kicks; if it is meant to, raise kernel.bpf_fastterm_budget_ms\n",
			    o->it.name, o->outcome.id, BPF_TAG_SIZE, o->it.tag, hooks[o->it.type],
			    *o->it.func ? " " : "", o->it.func,
			    div_u64(o->it.ran_ns, NSEC_PER_MSEC), smp_processor_id(),
			    o->has_image ? "terminated" :
					   "it has no stub image, so only what it has caused to run was terminated",
			    o->outcome.frames, o->outcome.kicks);
}

/**
 * fastterm_watchdog_exited() - report a program that has left to the kernel log
 * @outcome: the outcome of its termination
 *
 * Only programs that the watchdog itself has terminated are reported.
 *
 * Context: any in which a program may run; so the message is printed later.
 */
void fastterm_watchdog_exited(const struct fastterm_outcome *outcome)
{
	struct watch *w = this_cpu_ptr(&watches);
	unsigned long flags;
	bool ours;

	/* A sample may come in between, and begin the next report. */
	raw_local_irq_save(flags);
	ours = w->overrun.pending && outcome->id == w->overrun.outcome.id;
	if (ours) {
		w->overrun.pending = false;
		w->overrun.outcome = *outcome;
	}
	raw_local_irq_restore(flags);
	if (ours)
		irq_work_queue(&w->report);
}

static void blame(struct watch *w, struct fastterm_tag *tag, struct pt_regs *regs)
{
	const struct bpf_prog *prog = tag->fprog->prog;
	struct overrun *o = &w->overrun;
	struct fastterm_overrun it = { .id = tag->id, .type = prog->type, .ran_ns = tag->ran_ns };

	/* It may be being terminated already. */
	if (tag->leaving)
		return;
	strscpy(it.name, prog->aux->name);
	memcpy(it.tag, prog->tag, sizeof(it.tag));
	strscpy(it.func, prog->aux->attach_func_name ?: "");
	fastterm_event_overrun(&it);
	fastterm_terminate_tag(tag, regs);
	/* With interrupts off, the last message may not have been printed yet. */
	if (irq_work_is_busy(&w->report))
		return;
	o->it = it;
	o->has_image = tag->fprog->images;
	o->outcome.id = tag->id;
	o->pending = true;
}

/*
 * Count the time for each activation on the stack that is tagged, and terminate the
 * innermost one that is over its budget. Returns the time to the next sample, in ns.
 */
static u64 sample(struct watch *w, struct pt_regs *regs)
{
	u64 now = ktime_get_mono_fast_ns(), next = period(), ran, may;
	struct fastterm_tag *tag, *over = NULL;

	/*
	 * After a longer gap between samples, the program may have been preempted
	 * meanwhile. But with interrupts off it has been running all the time, or the timer
	 * would have sampled it.
	 */
	ran = now - w->last;
	if (fastterm_irqs_were_on(regs))
		ran = min(ran, 2 * period());
	WRITE_ONCE(w->last, now);
	if (user_mode(regs))
		return next;
	for (tag = fastterm_suspect(regs); !IS_ERR_OR_NULL(tag); tag = tag->outer) {
		/* At the first sample the time is not known; 1 marks the activation as seen. */
		tag->ran_ns += tag->ran_ns ? ran : 1;
		may = budget(tag->fprog->prog);
		if (!may || tag->leaving)
			continue;
		if (tag->ran_ns <= may)
			next = min(next, may - tag->ran_ns + 1);
		else
			over = over ?: tag;
	}
	if (over)
		blame(w, over, regs);
	return next;
}

static void sampled(struct pt_regs *regs);

/* Check whether the next CPU samples itself. */
static void look_after_neighbour(void)
{
	const u64 limit = period() + period() / 2;
	const int cpu = smp_processor_id();
	struct watch *w;
	u64 late, last;
	int other;

	other = cpumask_next_wrap(cpu, cpu_online_mask, cpu, false);
	if (other >= nr_cpu_ids || other == cpu)
		return;
	w = per_cpu_ptr(&watches, other);
	last = READ_ONCE(w->last);
	late = ktime_get_mono_fast_ns() - last;
	if (!READ_ONCE(w->up) || (s64)late < (s64)limit)
		return;
	if (READ_ONCE(fastterm_budget_ms) &&
	    late > limit + READ_ONCE(fastterm_budget_ms) * (u64)NSEC_PER_MSEC) {
		fastterm_cut_loops(other, true);
		/*
		 * Either this sees that the CPU has just sampled itself, or that CPU undoes
		 * fastterm_cut_loops().
		 */
		smp_mb();
		if (READ_ONCE(w->last) != last)
			fastterm_cut_loops(other, false);
	}
	fastterm_sample(other, sampled, true);
}

/*
 * A neighbour has requested this sample by a kick, since this CPU did not sample itself. It
 * has, or had, interrupts off, so it has not checked the next CPU either.
 */
static void sampled(struct pt_regs *regs)
{
	struct watch *w = this_cpu_ptr(&watches);

	if (ktime_get_mono_fast_ns() - w->last <= period())
		return;
	sample(w, regs);
	look_after_neighbour();
}

static enum hrtimer_restart handle_timer(struct watch *w)
{
	struct pt_regs *regs = get_irq_regs();
	u64 next = period();

	if (regs && is_on())
		next = sample(w, regs);
	/* Pairs with smp_mb() in look_after_neighbour(). */
	smp_mb();
	fastterm_irqs_reach_again();
	if (!is_on()) {
		w->running = false;
		return HRTIMER_NORESTART;
	}
	look_after_neighbour();
	hrtimer_forward_now(&w->timer, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

static notrace enum hrtimer_restart sample_by_timer(struct hrtimer *timer)
{
	struct watch *w = container_of(timer, struct watch, timer);
	struct fastterm_cpu *c = this_cpu_ptr(&fastterm_cpu);
	enum hrtimer_restart again;

	/* A timer that is armed while its CPU goes offline may run on another CPU. */
	if (w != this_cpu_ptr(&watches))
		return HRTIMER_NORESTART;
	fastterm_interrupt_begins(c);
	again = handle_timer(w);
	fastterm_interrupt_ends(c);
	return again;
}

NOKPROBE_SYMBOL(sample_by_timer);

/* Stagger the timers, so that a CPU does not check its neighbour just when that samples itself. */
static void start(void *unused)
{
	struct watch *w = this_cpu_ptr(&watches);

	if (w->running || !w->up || !is_on())
		return;
	WRITE_ONCE(w->last, ktime_get_mono_fast_ns());
	w->running = true;
	hrtimer_start(&w->timer,
		      ns_to_ktime(div_u64(period() * (smp_processor_id() + 1), nr_cpu_ids)),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

/**
 * fastterm_watchdog_update() - apply new values of fastterm_budget_ms and the other settings
 *
 * A new period holds from the next sample on. If the watchdog has been switched on, it
 * starts with the next interrupt; this function does not wait for CPUs that take none.
 *
 * Context: process context, may sleep.
 */
void fastterm_watchdog_update(void)
{
	const u64 now = ktime_get_mono_fast_ns();
	int cpu;

	if (!is_on())
		return;
	/* Time before the change does not count. */
	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu(watches.last, cpu), now);
	on_each_cpu(start, NULL, false);
}

static int cpu_up(unsigned int cpu)
{
	local_irq_disable();
	__this_cpu_write(watches.up, true);
	start(NULL);
	local_irq_enable();
	return 0;
}

static int cpu_down_begins(unsigned int cpu)
{
	struct watch *w = per_cpu_ptr(&watches, cpu);

	local_irq_disable();
	WRITE_ONCE(w->up, false);
	w->running = false;
	local_irq_enable();
	hrtimer_cancel(&w->timer);
	return 0;
}

static int handler(const struct ctl_table *table, int write, void *buffer, size_t *lenp,
		   loff_t *ppos)
{
	int err = proc_douintvec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write)
		fastterm_watchdog_update();
	return err;
}

static unsigned int longest_budget = 3600 * MSEC_PER_SEC;
static unsigned int shortest_period = 1, longest_period = MSEC_PER_SEC;

static struct ctl_table watchdog_table[] = {
	{
		.procname = "bpf_fastterm_budget_ms",
		.data = &fastterm_budget_ms,
		.maxlen = sizeof(fastterm_budget_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra2 = &longest_budget,
	},
	{
		.procname = "bpf_fastterm_sleepable_budget_ms",
		.data = &fastterm_sleepable_budget_ms,
		.maxlen = sizeof(fastterm_sleepable_budget_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra2 = &longest_budget,
	},
	{
		.procname = "bpf_fastterm_period_ms",
		.data = &fastterm_period_ms,
		.maxlen = sizeof(fastterm_period_ms),
		.mode = 0644,
		.proc_handler = handler,
		.extra1 = &shortest_period,
		.extra2 = &longest_period,
	},
};

static int __init fastterm_watchdog_init(void)
{
	struct watch *w;
	int cpu, err;

	if (!fastterm_supported())
		return 0;
	for_each_possible_cpu(cpu) {
		w = per_cpu_ptr(&watches, cpu);
		hrtimer_init(&w->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		w->timer.function = sample_by_timer;
		w->report = IRQ_WORK_INIT(report);
	}
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "bpf/fastterm:watch", cpu_up,
				cpu_down_begins);
	if (err < 0)
		return err;
	register_sysctl("kernel", watchdog_table);
	return 0;
}
late_initcall(fastterm_watchdog_init);
