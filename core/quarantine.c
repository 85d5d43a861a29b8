// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strikes, and the quarantine of programs that have too many.
 *
 * To end an activation does not end the program: one that runs away in each system call leaves a
 * machine on which each system call takes the budget. So each activation that was terminated for
 * its own time is a strike against its program. After kernel.bpf_fastterm_strikes of them within
 * kernel.bpf_fastterm_strikes_window_s, the program is quarantined for a second: its entries are
 * closed, on all CPUs. After that, one strike is enough: each further quarantine is twice as
 * long, up to kernel.bpf_fastterm_quarantine_max_s. When the program has had no strike for as long
 * as the last quarantine lasted, its strikes are forgotten.
 *
 * What runs instead of the program: if a value is imposed on it (see impose.c), a function that
 * returns that value; otherwise its stub image. A program without stub image, and one whose value
 * is not used where the kernel refuses to enter it recursively, does nothing.
 *
 * Strikes are counted in interrupts, and a kernel thread closes the entries. Until it has,
 * activations are terminated as soon as a sample finds them. Where the kernel counts how often a
 * program is active on a CPU, to keep it from being entered recursively, each CPU that is awake
 * raises that count at once, and the program is not entered there any more: the scheduler itself
 * may enter it, before the thread runs. The thread then raises the count on all CPUs.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/array_size.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "activation.h"
#include "compat.h"
#include "entry.h"
#include "image.h"
#include "impose.h"
#include "program.h"
#include "quarantine.h"
#include "show.h"
#include "tailcall.h"
#include "trace.h"
#include "trigger.h"

unsigned int fastterm_strikes __read_mostly = 3;
static unsigned int window_s __read_mostly = 10;
unsigned int fastterm_quarantine_max_s __read_mostly = 60;

/* The first quarantine lasts as long, in ms. */
#define SHORTEST_MS	((u32)MSEC_PER_SEC)

/* Programs are quarantined and released one after the other. */
static DEFINE_MUTEX(quarantine_lock);

static void work_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(work, work_fn);

/* Not bound to a CPU, since that one may be busy with the program. */
static struct workqueue_struct *queue;

static void queue_work_soon(struct irq_work *unused)
{
	mod_delayed_work(queue, &work, 0);
}

/* Of each CPU, since one with interrupts off does not run it. */
static DEFINE_PER_CPU(struct irq_work, queue_soon) = IRQ_WORK_INIT(queue_work_soon);

static u32 now_ms(void)
{
	return div_u64(ktime_get_mono_fast_ns(), NSEC_PER_MSEC);
}

/* Strike number @nr was just now. Is it one too many? */
static bool is_too_many(struct fastterm_quarantine *q, u32 nr, u32 now)
{
	const u32 strikes = READ_ONCE(fastterm_strikes);

	if (q->times) {
		if (now - q->released < q->lasted)
			return true;
		q->times = 0;
		q->forgotten = nr - 1;
	}
	return nr - q->forgotten >= strikes &&
	       now - READ_ONCE(q->at[(nr - strikes + 1) % FASTTERM_MAX_STRIKES]) <=
	       READ_ONCE(window_s) * (u32)MSEC_PER_SEC;
}

/*
 * Does the kernel refuse to enter the program while prog->active is raised, and does nothing
 * instead? A program whose value permits or denies something would permit it.
 */
static bool is_counted(const struct bpf_prog *prog)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return true;
	case BPF_PROG_TYPE_TRACING:
		return prog->expected_attach_type == BPF_TRACE_RAW_TP ||
		       prog->expected_attach_type == BPF_TRACE_FENTRY ||
		       prog->expected_attach_type == BPF_TRACE_FEXIT;
	default:
		return false;
	}
}

/**
 * fastterm_keep_out() - keep a program from being entered on this CPU, by its own counter
 * @fprog: the program, which is quarantined, or will be; nothing happens if the kernel does not
 *	   count its activations, or would permit something by refusing it
 *
 * Context: any that does not change the CPU.
 */
void fastterm_keep_out(const struct fastterm_prog *fprog)
{
	if (fprog->held && !test_and_set_bit(smp_processor_id(), fprog->held))
		this_cpu_inc(*fprog->prog->active);
}

/* Undo fastterm_keep_out() on a CPU: this one, or one that is offline. */
static void unhold_on(int cpu, const struct fastterm_prog *fprog)
{
	if (!test_bit(cpu, fprog->held))
		return;
	if (cpu_online(cpu))
		this_cpu_dec(*fprog->prog->active);
	else
		(*per_cpu_ptr(fprog->prog->active, cpu))--;
	clear_bit(cpu, fprog->held);
}

/**
 * fastterm_quarantine_holds() - is a program kept from being entered on a CPU by its own counter?
 * @fprog: the program
 * @cpu: the CPU
 *
 * Context: any.
 * Return: by how much the quarantine has raised the counter: 0 or 1.
 */
int fastterm_quarantine_holds(const struct fastterm_prog *fprog, int cpu)
{
	return fprog->held && test_bit(cpu, fprog->held);
}

/**
 * fastterm_quarantine_init() - prepare a program for being quarantined
 * @fprog: the program, which has its @prog
 *
 * Context: process context, may sleep; while the program is loaded.
 */
void fastterm_quarantine_init(struct fastterm_prog *fprog)
{
	/* Without memory, its entry is closed all the same. */
	if (is_counted(fprog->prog))
		fprog->held = bitmap_zalloc(nr_cpu_ids, GFP_KERNEL_ACCOUNT);
}

static void hold_here(void *fprog)
{
	fastterm_keep_out(fprog);
}

/* Keep all programs out here that are quarantined, or will be. */
static void keep_all_out(void)
{
	const struct fastterm_prog *fprog;

	list_for_each_entry_rcu(fprog, &fastterm_progs, node, true)
		if (atomic_read(&fprog->quarantine.state) != FASTTERM_ADMITTED)
			fastterm_keep_out(fprog);
}

static void unhold_here(void *fprog)
{
	unhold_on(smp_processor_id(), fprog);
}

static void unhold(const struct fastterm_prog *fprog)
{
	int cpu;

	if (!fprog->held)
		return;
	cpus_read_lock();
	on_each_cpu(unhold_here, (void *)fprog, true);
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			unhold_on(cpu, fprog);
	cpus_read_unlock();
}

/*
 * Keep programs out here that are quarantined, or will be, and terminate the innermost activation
 * of one of them.
 */
static void end(struct pt_regs *regs)
{
	struct fastterm_doing doing;
	struct fastterm_tag *tag;

	keep_all_out();
	if (user_mode(regs))
		return;
	for (tag = fastterm_suspect(regs, &doing); !IS_ERR_OR_NULL(tag); tag = tag->outer) {
		if (tag->leaving || !tag->fprog->images ||
		    atomic_read(&tag->fprog->quarantine.state) == FASTTERM_ADMITTED)
			continue;
		fastterm_terminate_tag(tag, regs);
		return;
	}
}

/* End what runs already on other CPUs. */
static void end_all(void)
{
	u32 residency;
	int cpu;

	for_each_online_cpu(cpu)
		if (cpu != raw_smp_processor_id() && fastterm_is_awake(cpu, &residency))
			fastterm_sample(cpu, end, true);
}

/**
 * fastterm_ends_early() - is an activation terminated although it is within its budget?
 * @fprog: its program
 *
 * Context: any.
 * Return: true if the program is to be quarantined, and its entry has not been closed yet.
 */
bool fastterm_ends_early(const struct fastterm_prog *fprog)
{
	const struct fastterm_quarantine *q = &fprog->quarantine;

	return unlikely(atomic_read(&q->state) != FASTTERM_ADMITTED) && !READ_ONCE(q->closed) &&
	       fprog->images;
}

/**
 * fastterm_strike() - count a strike against a program
 * @fprog: the program, which has been found running on this CPU for longer than it may
 *
 * Context: an interrupt of ours.
 */
void fastterm_strike(struct fastterm_prog *fprog)
{
	struct fastterm_quarantine *q = &fprog->quarantine;
	const u32 now = now_ms(), nr = atomic_inc_return(&q->nr);

	WRITE_ONCE(q->at[nr % FASTTERM_MAX_STRIKES], now);
	if (!READ_ONCE(fastterm_quarantine_max_s) || !queue)
		return;
	if (atomic_read(&q->state) == FASTTERM_ADMITTED) {
		if (!is_too_many(q, nr, now))
			return;
		if (atomic_cmpxchg(&q->state, FASTTERM_ADMITTED, FASTTERM_TO_CONFINE) ==
		    FASTTERM_ADMITTED)
			end_all();
	}
	/* By each CPU that has a strike: others may keep interrupts off. */
	if (atomic_read(&q->state) == FASTTERM_TO_CONFINE)
		irq_work_queue(this_cpu_ptr(&queue_soon));
	/* If it is quarantined, its entry has not been patched yet, or cannot be. */
	fastterm_keep_out(fprog);
}

/*
 * Does the kernel refuse to enter a program of this type recursively, and goes on as if it had
 * returned 0?
 */
static bool is_refusable(const struct bpf_prog *prog)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
		return true;
	default:
		return is_counted(prog);
	}
}

/*
 * What runs instead of the main function; an error if there is nothing: without a stub image, it is
 * not known what the program would return if it did nothing.
 */
static void *instead(const struct fastterm_prog *fprog)
{
	void *it;

	if (fastterm_imposes(&fprog->denial))
		it = fastterm_returning(fprog->denial.value);
	else if (is_counted(fprog->prog) || (is_refusable(fprog->prog) && !fprog->images))
		it = fastterm_returning(0);
	else if (fprog->images)
		return (void *)fprog->images[0]->shadow->bpf_func;
	else
		return ERR_PTR(-ENOENT);
	return it ?: ERR_PTR(-ENOMEM);
}

static int close_all(const struct fastterm_prog *fprog)
{
	void *it = instead(fprog), *nothing = fastterm_returning(0);
	int err;
	u32 i;

	if (IS_ERR(it))
		return PTR_ERR(it);
	if (!nothing)
		return -ENOMEM;
	err = fastterm_entry_close(fprog->prog, it);
	/* The verifier admits no other value of a callback that timers and workqueues call. */
	for (i = 0; !err && i < fprog->nr_callbacks; i++)
		err = fastterm_entry_close(fastterm_func(fprog->prog, fprog->callbacks[i]),
					   nothing);
	return err;
}

static int open_all(const struct fastterm_prog *fprog)
{
	int err = fastterm_entry_open(fprog->prog);
	u32 i;

	for (i = 0; i < fprog->nr_callbacks; i++)
		err = fastterm_entry_open(fastterm_func(fprog->prog, fprog->callbacks[i])) ?: err;
	return err;
}

static void report(const struct fastterm_prog *fprog, int err, u64 ms)
{
	const struct bpf_prog *prog = fprog->prog;
	const char *func = fprog->func;
	char what[128];

	if (err && !fprog->held)
		scnprintf(what, sizeof(what),
			  "cannot be quarantined (error %d); if it has a stub image, its runs are terminated as soon as a sample finds them",
			  err);
	else if (ms == U64_MAX)
		strscpy(what, "is quarantined until it is released");
	else
		scnprintf(what, sizeof(what), "is quarantined for %llu s, after %d strikes",
			  div_u64(ms, MSEC_PER_SEC), atomic_read(&fprog->quarantine.nr));
	pr_warn_ratelimited("program %s (id %u, tag %*phN, %s%s%s) %s\n", prog->aux->name,
			    fprog->id, BPF_TAG_SIZE, prog->tag, fastterm_hook(prog->type),
			    func ? " " : "", func ?: "", what);
}

static void confine(struct fastterm_prog *fprog, u64 ms)
{
	struct fastterm_quarantine *q = &fprog->quarantine;

	q->since = ktime_get_mono_fast_ns();
	q->until = ms == U64_MAX ? U64_MAX : q->since + ms * NSEC_PER_MSEC;
	atomic_set(&q->state, FASTTERM_CONFINED);
	/* Closing an entry may wait for what runs already. Pairs with cpu_up(), as well. */
	smp_mb();
	end_all();
	/* This does not wait. What unhold() does later, each CPU does after it. */
	if (fprog->held)
		on_each_cpu(hold_here, fprog, false);
	q->failed = close_all(fprog);
	if (q->failed)
		WARN_ON_ONCE(open_all(fprog));
	/* The caller of a guard would go on, and permit what the guard denies. */
	if (!fastterm_imposes(&fprog->denial))
		fastterm_tail_hide(fprog->prog);
	/* By a tail call, a guard may still be entered. */
	WRITE_ONCE(q->closed, !q->failed && !fastterm_imposes(&fprog->denial));
	end_all();
	trace_bpf_fastterm_quarantine(fprog->id, true, ms, atomic_read(&q->nr));
	report(fprog, q->failed, ms);
}

/* Returns false if the entry cannot be opened: then the program is still quarantined. */
static bool release(struct fastterm_prog *fprog)
{
	struct fastterm_quarantine *q = &fprog->quarantine;
	const u64 now = ktime_get_mono_fast_ns();
	const bool closed = q->closed;

	/* A sample may find an activation that begins before the state is FASTTERM_ADMITTED. */
	WRITE_ONCE(q->closed, true);
	if (WARN_ON_ONCE(open_all(fprog))) {
		WRITE_ONCE(q->closed, closed);
		q->until = U64_MAX;
		return false;
	}
	q->ns += now - q->since;
	q->lasted = div_u64(now - q->since, NSEC_PER_MSEC);
	/* The entry is opened after that, so an activation may begin from then on. */
	q->released = div_u64(now, NSEC_PER_MSEC);
	/* In this order, or a healthy activation might be ended early. */
	atomic_set(&q->state, FASTTERM_ADMITTED);
	WRITE_ONCE(q->closed, false);
	/* After that: a strike holds the program as long as it is quarantined. */
	unhold(fprog);
	fastterm_tail_show(fprog->prog);
	trace_bpf_fastterm_quarantine(fprog->id, false, q->lasted, atomic_read(&q->nr));
	return true;
}

/* Do not quarantine a program that was to be. */
static void spare(struct fastterm_prog *fprog)
{
	if (atomic_cmpxchg(&fprog->quarantine.state, FASTTERM_TO_CONFINE, FASTTERM_ADMITTED) ==
	    FASTTERM_TO_CONFINE)
		unhold(fprog);
}

static void confine_for_strikes(struct fastterm_prog *fprog)
{
	struct fastterm_quarantine *q = &fprog->quarantine;
	const u64 longest = READ_ONCE(fastterm_quarantine_max_s) * (u64)MSEC_PER_SEC;

	/* It may have been switched off meanwhile. */
	if (!longest) {
		spare(fprog);
		return;
	}
	q->times++;
	confine(fprog, min((u64)SHORTEST_MS << min(q->times - 1, 31u), longest));
}

static bool is_due(const struct fastterm_quarantine *q, u64 now, u64 *next)
{
	switch (atomic_read(&q->state)) {
	case FASTTERM_TO_CONFINE:
		return true;
	case FASTTERM_CONFINED:
		if (q->until <= now)
			return true;
		*next = min(*next, q->until);
		return false;
	default:
		return false;
	}
}

/* A program that is to be quarantined or released, and that is kept from being freed. */
static struct bpf_prog *next_due(u64 *next)
{
	const u64 now = ktime_get_mono_fast_ns();
	struct bpf_prog *prog = NULL;
	struct fastterm_prog *fprog;

	*next = U64_MAX;
	rcu_read_lock();
	list_for_each_entry_rcu(fprog, &fastterm_progs, node) {
		if (!is_due(&fprog->quarantine, now, next))
			continue;
		/* A program that nothing refers to is not entered any more. */
		prog = bpf_prog_inc_not_zero(fprog->prog);
		if (!IS_ERR(prog))
			break;
		prog = NULL;
	}
	rcu_read_unlock();
	return prog;
}

static void work_fn(struct work_struct *unused)
{
	struct fastterm_prog *fprog;
	struct bpf_prog *prog;
	u64 next, now;

	while ((prog = next_due(&next))) {
		fprog = fastterm_of(prog);
		mutex_lock(&quarantine_lock);
		switch (atomic_read(&fprog->quarantine.state)) {
		case FASTTERM_TO_CONFINE:
			confine_for_strikes(fprog);
			break;
		case FASTTERM_CONFINED:
			if (fprog->quarantine.until <= ktime_get_mono_fast_ns())
				release(fprog);
			break;
		}
		mutex_unlock(&quarantine_lock);
		bpf_prog_put(prog);
	}
	now = ktime_get_mono_fast_ns();
	if (next != U64_MAX)
		queue_delayed_work(queue, &work, nsecs_to_jiffies(next - min(next, now)) + 1);
}

/**
 * bpf_fastterm_quarantine() - quarantine a program, or release it
 * @prog: the program, which the caller keeps from being freed
 * @on: true to quarantine it, until it is released
 *
 * For triggers of the caller's own. Activations that run already are terminated.
 *
 * Context: process context, may sleep.
 * Return: 0, also if there was nothing to do; -EOPNOTSUPP if the machine cannot terminate programs;
 * -ENOENT if the program was not JITed, or has neither a stub image nor a value that is imposed;
 * -EIO if its entry cannot be opened again; or the error of fastterm_entry_close().
 */
int bpf_fastterm_quarantine(struct bpf_prog *prog, bool on)
{
	struct fastterm_prog *fprog = fastterm_of(prog);
	struct fastterm_quarantine *q;
	int err = 0;
	bool is_on;

	if (!fastterm_supported())
		return -EOPNOTSUPP;
	if (!fprog || !prog->jited)
		return -ENOENT;
	q = &fprog->quarantine;
	mutex_lock(&quarantine_lock);
	is_on = atomic_read(&q->state) == FASTTERM_CONFINED;
	if (on && !is_on) {
		confine(fprog, U64_MAX);
		if (q->failed && !fprog->held) {
			err = q->failed;
			release(fprog);
		}
	} else if (on) {
		q->until = U64_MAX;
	} else {
		q->times = 0;
		q->forgotten = atomic_read(&q->nr);
		if (is_on && !release(fprog))
			err = -EIO;
		else if (!is_on)
			spare(fprog);
	}
	mutex_unlock(&quarantine_lock);
	return err;
}

/**
 * fastterm_dies() - end the quarantine of a program that can no longer run
 * @aux: its bpf_prog_aux
 *
 * Its memory may be another program's as soon as it is freed.
 *
 * Context: process context, may sleep; before the program is freed.
 */
void fastterm_dies(struct bpf_prog_aux *aux)
{
	const struct fastterm_prog *fprog = fastterm_of(aux->prog);
	u32 i;

	if (!fprog || atomic_read(&fprog->quarantine.state) == FASTTERM_ADMITTED)
		return;
	unhold(fprog);
	fastterm_entry_forget(aux->prog);
	for (i = 0; i < fprog->nr_callbacks; i++)
		fastterm_entry_forget(fastterm_func(aux->prog, fprog->callbacks[i]));
}

/**
 * fastterm_quarantine_show() - print a program's strikes and quarantines to its fdinfo
 * @m: the file
 * @fprog: the program's data
 *
 * Context: process context.
 */
void fastterm_quarantine_show(struct seq_file *m, const struct fastterm_prog *fprog)
{
	const struct fastterm_quarantine *q = &fprog->quarantine;
	u64 ns = q->ns;

	if (atomic_read(&q->state) == FASTTERM_CONFINED)
		ns += ktime_get_mono_fast_ns() - q->since;
	seq_printf(m, "fastterm_strikes:\t%d\n", atomic_read(&q->nr));
	seq_printf(m, "fastterm_quarantined_ms:\t%llu\n", div_u64(ns, NSEC_PER_MSEC));
}

static unsigned int most_strikes = FASTTERM_MAX_STRIKES;
static unsigned int longest_time = 24 * 3600;

static struct ctl_table quarantine_table[] = {
	{
		.procname = "bpf_fastterm_strikes",
		.data = &fastterm_strikes,
		.maxlen = sizeof(fastterm_strikes),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ONE,
		.extra2 = &most_strikes,
	},
	{
		.procname = "bpf_fastterm_strikes_window_s",
		.data = &window_s,
		.maxlen = sizeof(window_s),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ONE,
		.extra2 = &longest_time,
	},
	{
		.procname = "bpf_fastterm_quarantine_max_s",
		.data = &fastterm_quarantine_max_s,
		.maxlen = sizeof(fastterm_quarantine_max_s),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra2 = &longest_time,
	},
};

/* On a CPU that comes online. Either confine() sees it, or this sees what confine() has done. */
static int cpu_up(unsigned int cpu)
{
	rcu_read_lock();
	keep_all_out();
	rcu_read_unlock();
	return 0;
}

static int __init quarantine_init(void)
{
	queue = alloc_workqueue("bpf_fastterm", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!queue)
		return -ENOMEM;
	register_sysctl("kernel", quarantine_table);
	cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "bpf/fastterm:quarantine", cpu_up, NULL);
	return 0;
}
late_initcall(quarantine_init);
