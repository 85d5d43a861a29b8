// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction, by a timer on a machine whose clock counts instructions and
 * which takes interrupts between any two of them
 *
 * The cases are skipped on other machines (boot parameter fastterm_icount).
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

#include <trace/events/timer.h>

#include "../activation.h"
#include "runaway.h"
#include "sweep.h"

/*
 * Number of tries per ns of the program's run time, at least. The number of tries is also at
 * least twice the number of the last try that has hit a new boundary.
 */
#define TRIES_PER_NS	5
#define MAX_TRIES	200000

/* The same for single addresses: one of fifty is missed in fewer than one of a million cases. */
#define STOP_TRIES_PER_NS 18

/*
 * The program starts this many ns after the timer has been set, since on some machines a timer
 * cannot be shorter than ten microseconds; plus a random number of iterations of a short loop,
 * since on some machines the timer cannot be set to single instructions.
 */
#define LEAD_NS		(12 * NSEC_PER_USEC)
#define MAX_LEAD	64

/* The timer may be late: tries begin this many ns before the program and end as many behind it. */
#define MARGIN_NS	500

/**
 * struct shot - a timer that stops a program
 * @timer: the timer
 * @s: the program
 * @strike: called in the timer's interrupt, with the interrupted registers
 */
struct shot {
	struct hrtimer timer;
	struct ftk_sweep *s;
	void (*strike)(struct shot *shot, struct pt_regs *regs);
};

/*
 * Number of timers that have expired. The tick and the scheduler's timers may expire in the
 * interrupt that stops the program, and what they do in it and behind it delays the program.
 */
static u32 nr_timers;

static void expired(void *unused, struct hrtimer *timer, ktime_t *now)
{
	nr_timers++;
}

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
 * Returns how long the program took, in ns, without the lead. All runs are made by this
 * function, so that the program's frame is always at the same address.
 */
static noinline u32 run(struct kunit *test, struct shot *shot, u32 delay, u32 lead)
{
	const u32 timers = nr_timers;
	u64 begin = ktime_get_mono_fast_ns();

	hrtimer_start(&shot->timer, ns_to_ktime(delay), HRTIMER_MODE_REL_PINNED_HARD);
	while (ktime_get_mono_fast_ns() - begin < LEAD_NS)
		barrier();
	while (lead--)
		barrier();
	ftk_sweep_run(test, shot->s);
	begin = ktime_get_mono_fast_ns() - begin;
	hrtimer_cancel(&shot->timer);
	shot->s->undisturbed = nr_timers == timers + 1;
	return begin - LEAD_NS;
}

/* The length of time over which tries are spread. */
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
 * @shot: the timer that stops it
 * @struck: the program has been interrupted in this run
 * @func: number of the interrupted function
 * @off: interrupted offset, from the function's entry
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
	/* Run the kick in this interrupt, rather than in the one that the request has sent. */
	fastterm_kicked(regs);
	shot->s->redirect_ns = sched_clock_noinstr() - this_cpu_read(fastterm_cpu.since);
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
	/* The search has ended by its own rule, and not since it has reached MAX_TRIES. */
	KUNIT_EXPECT_GE(test, i, 2 * last);
}

/**
 * struct looker - a program that goes on where it is stopped
 * @shot: the timer that stops it
 * @stops: the addresses of interest
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

static bool counts_timers;

static int sweep_init(struct kunit *test)
{
	int err = ftk_icount_init(test);

	if (err)
		return err;
	err = register_trace_hrtimer_expire_entry(expired, NULL);
	counts_timers = !err;
	return err;
}

static void sweep_exit(struct kunit *test)
{
	if (counts_timers) {
		unregister_trace_hrtimer_expire_entry(expired, NULL);
		tracepoint_synchronize_unregister();
		counts_timers = false;
	}
	ftk_icount_exit(test);
}

static struct kunit_suite boundary_suite = {
	.name = "fastterm_icount_boundary",
	.init = sweep_init,
	.exit = sweep_exit,
	.test_cases = ftk_boundary_cases,
};

static struct kunit_suite compare_suite = {
	.name = "fastterm_icount_compare",
	.init = sweep_init,
	.exit = sweep_exit,
	.test_cases = ftk_across_cases,
};

kunit_test_suites(&boundary_suite, &compare_suite);
