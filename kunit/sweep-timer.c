// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction, by a timer on a machine whose clock counts
 * instructions and that takes interrupts between any two of them.
 *
 * Without such a machine (boot parameter fastterm_icount) the cases are skipped.
 */

#include <linux/bitmap.h>
#include <linux/fastterm_arch.h>
#include <linux/hrtimer.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include <asm/irq_regs.h>

#include <kunit/test.h>

#include "../activation.h"
#include "runaway.h"
#include "sweep.h"

/*
 * Tries for each ns that a program takes, at least; and then as many again as were
 * needed until the last one that hit something new.
 */
#define TRIES_PER_NS	5
#define MAX_TRIES	200000

/* The same for single addresses, of which chance leaves none of fifty out in a million cases. */
#define STOP_TRIES_PER_NS 18

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
 * struct shot - the timer that stops a program
 * @timer: the timer
 * @s: the program
 * @strike: what it does there, with the interrupted registers
 */
struct shot {
	struct hrtimer timer;
	struct ftk_sweep *s;
	void (*strike)(struct shot *shot, struct pt_regs *regs);
};

static enum hrtimer_restart fire(struct hrtimer *timer)
{
	struct shot *shot = container_of(timer, struct shot, timer);

	shot->strike(shot, get_irq_regs());
	return HRTIMER_NORESTART;
}

static void shot_init(struct shot *shot)
{
	hrtimer_init(&shot->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	shot->timer.function = fire;
}

/*
 * Returns how long it took, without the lead, in ns. One function, so that the program's
 * frame is always in the same place.
 */
static noinline u32 run(struct kunit *test, struct shot *shot, u32 delay, u32 lead)
{
	u64 begin = ktime_get_mono_fast_ns();

	hrtimer_start(&shot->timer, ns_to_ktime(delay), HRTIMER_MODE_REL_PINNED_HARD);
	while (ktime_get_mono_fast_ns() - begin < LEAD_NS)
		barrier();
	while (lead--)
		barrier();
	ftk_sweep_run(test, shot->s);
	begin = ktime_get_mono_fast_ns() - begin;
	hrtimer_cancel(&shot->timer);
	return begin - LEAD_NS;
}

/* Over how much time the shots are spread. */
static u32 spread(struct kunit *test, struct shot *shot)
{
	return run(test, shot, NSEC_PER_MSEC, MAX_LEAD) + 2 * MARGIN_NS;
}

static void run_at_random(struct kunit *test, struct shot *shot, struct rnd_state *rnd,
			  u32 length)
{
	run(test, shot, LEAD_NS - MARGIN_NS + prandom_u32_state(rnd) % length,
	    prandom_u32_state(rnd) % MAX_LEAD);
}

/**
 * struct stop - a program that is terminated where it is stopped
 * @shot: what stops it
 * @struck: it has been interrupted this time
 * @func: in this function
 * @off: at this offset from its entry
 */
struct stop {
	struct shot shot;
	bool struck;
	u32 func;
	u32 off;
};

static void strike(struct shot *shot, struct pt_regs *regs)
{
	struct stop *stop = container_of(shot, struct stop, shot);

	if (!ftk_sweep_at(shot->s, instruction_pointer(regs), &stop->func, &stop->off))
		return;
	stop->struck = true;
	ftk_sweep_before(shot->s, stop->func, stop->off, regs);
	shot->s->err = bpf_fastterm_terminate(shot->s->prog, smp_processor_id());
	/* This interrupt is as good as the one that it has just sent. */
	fastterm_kicked(regs);
	shot->s->redirect_ns = sched_clock_noinstr() - this_cpu_read(fastterm_activation.since);
	ftk_sweep_after(shot->s, regs);
}

void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s)
{
	struct stop *stop = kunit_kzalloc(test, sizeof(*stop), GFP_KERNEL);
	u32 i, length, hits = 0, last = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, stop);
	stop->shot.s = s;
	stop->shot.strike = strike;
	shot_init(&stop->shot);
	prandom_seed_state(&rnd, 1);
	length = spread(test, &stop->shot);
	for (i = 0; i < max(length * TRIES_PER_NS, 2 * last) && i < MAX_TRIES; i++) {
		stop->struck = false;
		run_at_random(test, &stop->shot, &rnd, length);
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

/**
 * struct looker - a program that goes on where it is stopped
 * @shot: what stops it
 * @stops: where that is of interest
 */
struct looker {
	struct shot shot;
	struct ftk_stops *stops;
};

static void look(struct shot *shot, struct pt_regs *regs)
{
	struct ftk_stops *stops = container_of(shot, struct looker, shot)->stops;
	u32 i;

	for (i = 0; i < stops->nr; i++) {
		if (stops->ips[i] != instruction_pointer(regs))
			continue;
		__set_bit(i, stops->hit);
		stops->at(stops, i, regs);
	}
}

void ftk_sweep_stops(struct kunit *test, struct ftk_sweep *s, struct ftk_stops *stops)
{
	struct looker *looker = kunit_kzalloc(test, sizeof(*looker), GFP_KERNEL);
	struct rnd_state rnd;
	u32 i, length;

	KUNIT_ASSERT_NOT_NULL(test, looker);
	looker->shot.s = s;
	looker->shot.strike = look;
	looker->stops = stops;
	shot_init(&looker->shot);
	prandom_seed_state(&rnd, 1);
	length = spread(test, &looker->shot);
	for (i = 0; i < length * STOP_TRIES_PER_NS && !bitmap_full(stops->hit, stops->nr); i++)
		run_at_random(test, &looker->shot, &rnd, length);
}

static struct kunit_suite boundary_suite = {
	.name = "fastterm_icount_boundary",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = ftk_boundary_cases,
};

static struct kunit_suite compare_suite = {
	.name = "fastterm_icount_compare",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = ftk_across_cases,
};

kunit_test_suites(&boundary_suite, &compare_suite);
