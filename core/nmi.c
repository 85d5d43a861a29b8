// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs that come by themselves.
 *
 * All CPUs may have interrupts off at once, as when one runs a program with a lock held for
 * which the others wait: no timer interrupt comes then, and no CPU looks after another one. An
 * NMI comes all the same. It finds a CPU that has not been sampled for too long, and samples it
 * and those that follow.
 *
 * There are three kinds of sources: a timer of each CPU, which is armed while the CPU is awake
 * and which samples put off; a counter of the cycles that each CPU executes, which stands still
 * while the CPU is idle; and a timer that interrupts all CPUs, which any sample puts off. They are
 * used only while a program is loaded that can run for long, and not on isolated CPUs. Each
 * CPU tries its source when it comes online, with interrupts off. If a CPU does not get an NMI,
 * the next kind of source is tried.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/atomic.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/smp.h>
#include <linux/sysctl.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "nmi.h"
#include "trigger.h"

/* How soon an NMI is to come that is tried, and how long to wait for it, in ns. */
#define TRY_NS		NSEC_PER_MSEC
#define PATIENCE_NS	(50 * NSEC_PER_MSEC)

/* How often a counter of cycles interrupts a CPU that executes all the time, in Hz. */
#define COUNTER_HZ	100u

static unsigned int enabled __read_mostly = 1;

/* The kind of source that is used. */
static enum fastterm_nmi_kind source __read_mostly;

/* The NMIs are on, and their source is a timer, which has to be armed. */
bool fastterm_nmi_arms __read_mostly;
/* Drivers of cpuidle call fastterm_sleeps() and fastterm_wakes(). */
EXPORT_SYMBOL_GPL(fastterm_nmi_arms);

/**
 * struct source - the source of NMIs of a CPU
 * @works: when it was tried, the NMI came
 * @trying: it is being tried
 * @seen: while it was being tried, the NMI has come
 * @counter: the counter of cycles, if that is the source
 */
struct source {
	bool works;
	bool trying;
	bool seen;
	struct perf_event *counter;
};

static DEFINE_PER_CPU(struct source, sources);

/* A CPU sets the timer that interrupts all CPUs. */
static int setting;

/* What others have wanted meanwhile, in ns. */
static u64 wanted;

/* A CPU is being started, and cannot handle an NMI that interrupts all CPUs. */
static bool starting;

/* One CPU at a time sets a timer that interrupts all of them. The others do not wait for it. */
static __always_inline void arm(u64 ns, bool soon)
{
	if (source != FASTTERM_NMI_ALL) {
		fastterm_arch_nmi_arm(ns, soon);
		return;
	}
	do {
		if (xchg(&setting, 1)) {
			if (!ns)
				return;
			/* The other CPU sees this, or has finished. */
			xchg(&wanted, ns);
			if (xchg(&setting, 1))
				return;
		}
		fastterm_arch_nmi_arm(ns, soon);
		xchg(&setting, 0);
		ns = xchg(&wanted, 0);
	} while (ns);
}

/**
 * fastterm_nmi() - handle an NMI
 * @regs: the interrupted registers
 * @timer: it is that of fastterm_arch_nmi_arm(), or of the counter
 *
 * Any NMI may be handed in: if this CPU has been sampled lately, nothing happens.
 *
 * Context: NMI; from the architecture's backend. Neither traced nor probed.
 */
notrace void fastterm_nmi(struct pt_regs *regs, bool timer)
{
	struct source *s = this_cpu_ptr(&sources);

	if (s->trying && timer)
		WRITE_ONCE(s->seen, in_nmi());
	else
		fastterm_trigger_nmi(regs, timer);
}

NOKPROBE_SYMBOL(fastterm_nmi);

/**
 * fastterm_nmi_exists() - is there a source of NMIs that come by themselves?
 *
 * Context: any, after the initcalls of the late level.
 * Return: true if there is, whether it is switched on or not.
 */
notrace bool fastterm_nmi_exists(void)
{
	return source != FASTTERM_NMI_NONE;
}

/**
 * fastterm_nmi_comes() - does an NMI that comes by itself sample a CPU that has interrupts off?
 * @cpu: the CPU
 *
 * Context: any, after the initcalls of the late level. Not traced.
 * Return: true if it does; false if there is no source of NMIs, if it does not work on this CPU, or
 * if it is switched off.
 */
notrace bool fastterm_nmi_comes(int cpu)
{
	return source != FASTTERM_NMI_NONE && READ_ONCE(enabled) &&
	       READ_ONCE(per_cpu(sources.works, cpu));
}

/**
 * fastterm_nmi_is_own() - does the NMI that is armed interrupt this CPU only?
 *
 * Context: any. Not traced.
 * Return: false if it interrupts all CPUs.
 */
notrace bool fastterm_nmi_is_own(void)
{
	return source == FASTTERM_NMI_CPU;
}

/**
 * fastterm_nmi_arm() - have this CPU interrupted by an NMI
 * @ns: when, in ns from now on
 * @soon: in any case; otherwise only if no sample is taken before
 *
 * This replaces what was armed before.
 *
 * Context: any, with interrupts off.
 */
notrace void fastterm_nmi_arm(u64 ns, bool soon)
{
	if (READ_ONCE(fastterm_nmi_arms) && atomic_read(&fastterm_nr_stoppable) &&
	    __this_cpu_read(sources.works))
		arm(ns, soon);
}

/**
 * fastterm_nmi_sleeps() - stop the timer of this CPU, which is going to sleep
 *
 * Context: that of fastterm_sleeps(). Not traced.
 */
notrace void fastterm_nmi_sleeps(void)
{
	if (source == FASTTERM_NMI_CPU && __this_cpu_read(sources.works))
		arm(0, false);
}
EXPORT_SYMBOL_GPL(fastterm_nmi_sleeps);

/**
 * fastterm_nmi_disarm_all() - stop the timer that interrupts all CPUs, since all will sleep
 *
 * Context: any, with interrupts off.
 */
void fastterm_nmi_disarm_all(void)
{
	if (READ_ONCE(fastterm_nmi_arms) && source == FASTTERM_NMI_ALL)
		arm(0, false);
}

#ifdef CONFIG_PERF_EVENTS
static void overflow(struct perf_event *event, struct perf_sample_data *data,
		     struct pt_regs *regs)
{
	/*
	 * Only the tick would undo throttling, and there may be none. If the sysctl
	 * kernel.perf_event_max_sample_rate is not above the frequency of ticks, the first
	 * overflow already throttles the counter.
	 */
	event->hw.interrupts = 0;
	fastterm_nmi(regs, true);
}

static int create_counter(struct source *s)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.size = sizeof(attr),
		/* With a frequency instead, perf would keep the tick of isolated CPUs running. */
		.sample_period = div_u64(fastterm_arch_cycles_hz(), COUNTER_HZ),
		.pinned = 1,
		.disabled = 1,
	};
	struct perf_event *event;

	event = perf_event_create_kernel_counter(&attr, smp_processor_id(), NULL, overflow, NULL);
	if (IS_ERR(event))
		return PTR_ERR(event);
	s->counter = event;
	perf_event_enable(event);
	return 0;
}
#else
static int create_counter(struct source *s)
{
	return -EOPNOTSUPP;
}
#endif

static void delete_counter(struct source *s)
{
	if (!s->counter)
		return;
	perf_event_release_kernel(s->counter);
	s->counter = NULL;
}

/* With interrupts off, does the NMI come? A CPU that waits for it executes all the time. */
static bool try(struct source *s)
{
	u64 begin = ktime_get_mono_fast_ns();
	unsigned long flags;

	local_irq_save(flags);
	s->seen = false;
	WRITE_ONCE(s->trying, true);
	if (source != FASTTERM_NMI_COUNTER)
		arm(TRY_NS, true);
	while (!READ_ONCE(s->seen) && ktime_get_mono_fast_ns() - begin < PATIENCE_NS)
		cpu_relax();
	WRITE_ONCE(s->trying, false);
	if (source != FASTTERM_NMI_COUNTER)
		arm(0, false);
	local_irq_restore(flags);
	return s->seen;
}

/* Counters run only while they are needed. */
static void switch_counters(struct work_struct *work)
{
	struct source *s;
	int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		s = per_cpu_ptr(&sources, cpu);
		if (!s->counter)
			continue;
		if (enabled && atomic_read(&fastterm_nr_stoppable))
			perf_event_enable(s->counter);
		else
			perf_event_disable(s->counter);
	}
	cpus_read_unlock();
}

static DECLARE_WORK(switching, switch_counters);

/**
 * fastterm_nmi_update() - find out whether NMIs are needed
 *
 * Called when the first program has been loaded that can run for long, when the last one has
 * been freed, and when the sysctl is written.
 *
 * Context: any but NMI.
 */
void fastterm_nmi_update(void)
{
	if (source == FASTTERM_NMI_COUNTER)
		schedule_work(&switching);
	WRITE_ONCE(fastterm_nmi_arms, enabled && (source == FASTTERM_NMI_CPU ||
						  (source == FASTTERM_NMI_ALL && !starting)));
}

/* On the CPU that starts the other one. */
static int cpu_starts(unsigned int cpu)
{
	if (source != FASTTERM_NMI_ALL)
		return 0;
	starting = true;
	fastterm_nmi_update();
	/* Whoever sets the timer has interrupts off. */
	synchronize_rcu();
	arm(0, false);
	return 0;
}

static int cpu_dead(unsigned int cpu)
{
	starting = false;
	fastterm_nmi_update();
	return 0;
}

static int cpu_up(unsigned int cpu)
{
	struct source *s = per_cpu_ptr(&sources, cpu);
	int err;

	starting = false;
	fastterm_nmi_update();
	if (!housekeeping_cpu(cpu, HK_TYPE_TIMER))
		return 0;
	err = source == FASTTERM_NMI_COUNTER ? create_counter(s) : fastterm_arch_nmi_up();
	if (err)
		return 0;
	s->works = try(s);
	if (source == FASTTERM_NMI_COUNTER) {
		if (!s->works)
			delete_counter(s);
		fastterm_nmi_update();
	}
	return 0;
}

static int cpu_down_begins(unsigned int cpu)
{
	struct source *s = per_cpu_ptr(&sources, cpu);

	s->works = false;
	if (source == FASTTERM_NMI_COUNTER)
		delete_counter(s);
	else if (housekeeping_cpu(cpu, HK_TYPE_TIMER))
		fastterm_arch_nmi_down();
	return 0;
}

/* Returns the number of CPUs where the source does not work, or an error. */
static int __init use(enum fastterm_nmi_kind kind, int *state)
{
	int cpu, bad = 0;

	source = kind;
	*state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "bpf/fastterm:nmi", cpu_up,
				   cpu_down_begins);
	if (*state < 0)
		return *state;
	cpus_read_lock();
	for_each_online_cpu(cpu)
		bad += housekeeping_cpu(cpu, HK_TYPE_TIMER) && !per_cpu(sources.works, cpu);
	cpus_read_unlock();
	if (bad) {
		cpuhp_remove_state(*state);
		source = FASTTERM_NMI_NONE;
	}
	return bad;
}

static int handler(const struct ctl_table *table, int write, void *buffer, size_t *lenp,
		   loff_t *ppos)
{
	int err = proc_douintvec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write)
		fastterm_nmi_update();
	return err;
}

static struct ctl_table nmi_table[] = {
	{
		.procname = "bpf_fastterm_nmi",
		.data = &enabled,
		.maxlen = sizeof(enabled),
		.mode = 0644,
		.proc_handler = handler,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	},
};

static int __init fastterm_nmi_init(void)
{
	const char *name = NULL;
	enum fastterm_nmi_kind kind;
	int state;

	if (!fastterm_supported())
		return 0;
	kind = fastterm_arch_nmi_init(&name);
	if (kind != FASTTERM_NMI_CPU || use(kind, &state)) {
		if (!use(FASTTERM_NMI_COUNTER, &state))
			name = "counter of cycles";
		else if (kind != FASTTERM_NMI_ALL || use(kind, &state))
			name = NULL;
	}
	if (name)
		pr_info("if all CPUs have interrupts off, an NMI looks which programs they run (%s)\n",
			name);
	else
		pr_info("if all CPUs have interrupts off, nothing looks which programs they run: no source of NMIs\n");
	cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "bpf/fastterm:nmi_all", cpu_starts,
				  cpu_dead);
	fastterm_nmi_update();
	register_sysctl("kernel", nmi_table);
	return 0;
}
late_initcall(fastterm_nmi_init);
