// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that take too large a share of a CPU, in activations that are each within their budget.
 *
 * Each sample that finds a program adds the time since the last sample on that CPU to the
 * program's account; meanwhile, the account drains at the rate that the sysctl
 * kernel.bpf_fastterm_share_percent admits. When the account is over what a second may cost at
 * that rate, the program gets a strike.
 *
 * Samples are few, and it is by chance which program they find. So the account may be higher by
 * eight times the standard deviation of what a second of samples finds.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/fastterm.h>
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sysctl.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include "program.h"
#include "quarantine.h"
#include "watchdog.h"

/* The account is drained at most so often, in ns. */
#define DRAIN_NS	(20 * (u64)NSEC_PER_MSEC)

static unsigned int percent __read_mostly;

/* How much the account may hold, in ns, if the program may use @rate ns of a second. */
static u64 most(u64 rate)
{
	const u64 period = READ_ONCE(fastterm_period_ms) * (u64)NSEC_PER_MSEC;

	return rate + 8 * int_sqrt64(rate * period);
}

/* One of the CPUs that sample the program drains the account. */
static void drain(struct fastterm_share *s, u64 rate)
{
	const u64 now = ktime_get_mono_fast_ns();
	u64 then = atomic64_read(&s->drained);
	s64 ns, left;

	if ((s64)(now - then) < (s64)DRAIN_NS || !atomic64_try_cmpxchg(&s->drained, &then, now))
		return;
	/* After a second, the account of a program with any share has become empty. */
	left = mul_u64_u64_div_u64(min(now - then, 100 * (u64)NSEC_PER_SEC), rate, NSEC_PER_SEC);
	ns = atomic64_sub_return(left, &s->ns);
	if (ns < 0)
		atomic64_sub(ns, &s->ns);
}

/**
 * fastterm_share_sampled() - count time that a sample has found a program running
 * @fprog: the program
 * @ran: the time since the last sample of this CPU, in ns
 *
 * Context: an interrupt of ours.
 */
void fastterm_share_sampled(struct fastterm_prog *fprog, u64 ran)
{
	const u64 rate = READ_ONCE(percent) * ((u64)NSEC_PER_SEC / 100);
	struct fastterm_share *s = &fprog->share;

	if (!rate)
		return;
	drain(s, rate);
	if (atomic64_add_return(ran, &s->ns) <= (s64)most(rate))
		return;
	atomic64_set(&s->ns, 0);
	fastterm_strike(fprog);
}

/* Of all CPUs together. */
static unsigned int most_percent;

static struct ctl_table share_table[] = {
	{
		.procname = "bpf_fastterm_share_percent",
		.data = &percent,
		.maxlen = sizeof(percent),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra2 = &most_percent,
	},
};

static int __init fastterm_share_init(void)
{
	most_percent = 100 * num_possible_cpus();
	if (fastterm_supported())
		register_sysctl("kernel", share_table);
	return 0;
}
late_initcall(fastterm_share_init);
