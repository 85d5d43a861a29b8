// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction, by a timer on a machine whose clock counts
 * instructions and that takes interrupts between any two of them.
 *
 * Without such a machine (boot parameter fastterm_icount) the cases are skipped.
 */

#include <linux/fastterm_arch.h>
#include <linux/hrtimer.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include <asm/irq_regs.h>

#include <kunit/test.h>

#include "../internal.h"
#include "runaway.h"
#include "sweep.h"

/*
 * Tries for each ns that a program takes, at least; and then as many again as were
 * needed until the last one that hit something new.
 */
#define TRIES_PER_NS	5
#define MAX_TRIES	200000

/*
 * The program begins so many ns after the timer has been set, since no timer is for
 * less than ten microseconds everywhere; and up to so many turns of a short loop,
 * since none counts single instructions everywhere.
 */
#define LEAD_NS		(12 * NSEC_PER_USEC)
#define MAX_LEAD	64

/* What is before it and behind it, in ns, where the timer may be late. */
#define MARGIN_NS	500

/**
 * struct stop - the timer that stops a program
 * @timer: the timer
 * @s: the program
 * @struck: it has been interrupted this time
 * @func: in this function
 * @off: at this offset from its entry
 */
struct stop {
	struct hrtimer timer;
	struct ftk_sweep *s;
	bool struck;
	u32 func;
	u32 off;
};

static enum hrtimer_restart strike(struct hrtimer *timer)
{
	struct stop *stop = container_of(timer, struct stop, timer);
	struct pt_regs *regs = get_irq_regs();

	if (!ftk_sweep_at(stop->s, instruction_pointer(regs), &stop->func, &stop->off))
		return HRTIMER_NORESTART;
	stop->struck = true;
	stop->s->err = bpf_fastterm_terminate(stop->s->prog, smp_processor_id());
	/* This interrupt is as good as the one that it has just sent. */
	fastterm_kicked(regs);
	return HRTIMER_NORESTART;
}

/* Returns how long it took, without the lead, in ns. */
static u32 run(struct kunit *test, struct stop *stop, u32 delay, u32 lead)
{
	u64 begin = ktime_get_mono_fast_ns();

	stop->struck = false;
	hrtimer_start(&stop->timer, ns_to_ktime(delay), HRTIMER_MODE_REL_PINNED_HARD);
	while (ktime_get_mono_fast_ns() - begin < LEAD_NS)
		barrier();
	while (lead--)
		barrier();
	ftk_sweep_run(test, stop->s);
	begin = ktime_get_mono_fast_ns() - begin;
	hrtimer_cancel(&stop->timer);
	return begin - LEAD_NS;
}

void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s)
{
	struct stop *stop = kunit_kzalloc(test, sizeof(*stop), GFP_KERNEL);
	u32 i, length, hits = 0, last = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, stop);
	stop->s = s;
	hrtimer_init(&stop->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	stop->timer.function = strike;
	prandom_seed_state(&rnd, 1);
	length = run(test, stop, NSEC_PER_MSEC, MAX_LEAD) + 2 * MARGIN_NS;
	for (i = 0; i < max(length * TRIES_PER_NS, 2 * last) && i < MAX_TRIES; i++) {
		run(test, stop, LEAD_NS - MARGIN_NS + prandom_u32_state(&rnd) % length,
		    prandom_u32_state(&rnd) % MAX_LEAD);
		if (!stop->struck)
			continue;
		ftk_sweep_judge(test, s, stop->func, stop->off, false);
		if (ftk_sweep_hits(s) > hits) {
			hits = ftk_sweep_hits(s);
			last = i;
		}
	}
	/* Whatever is executed has been hit. */
	KUNIT_EXPECT_GE(test, i, 2 * last);
}

static struct kunit_suite boundary_suite = {
	.name = "fastterm_icount_boundary",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = ftk_boundary_cases,
};

kunit_test_suite(boundary_suite);
