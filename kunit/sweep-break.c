// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction, by breakpoints of the processor: each boundary that is
 * executed is tried.
 *
 * The request is made in the handler of the breakpoint, so the kick comes when the handler
 * returns, before the instruction is executed.
 */

#include <linux/cfi.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/fastterm_arch.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include <asm/irq_regs.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../compat.h"
#include "../image.h"
#include "../program.h"
#include "../trigger.h"
#include "runaway.h"
#include "sweep.h"

/* How often a boundary is tried. */
#define MAX_TRIES 5

/**
 * struct stop - a breakpoint, and what has happened there
 * @s: the program
 * @nmi: the machine has NMIs
 * @func: number of the function
 * @off: offset in the function, from its entry
 * @ip: the address
 * @to: the same offset in the stub image
 * @hit: the breakpoint has been hit
 * @masked: interrupts were off there
 * @kicked: a kick has come since
 * @met: the pc that the kick has interrupted, as the redirect has left it
 * @err: the result of fastterm_redirect()
 */
struct stop {
	struct ftk_sweep *s;
	bool nmi;
	u32 func;
	u32 off;
	unsigned long ip;
	unsigned long to;
	bool hit;
	bool masked;
	bool kicked;
	unsigned long met;
	int err;
};

static void strike(struct perf_event *event, struct perf_sample_data *data,
		   struct pt_regs *regs)
{
	struct stop *stop = event->overflow_handler_context;

	/* The breakpoint may be hit once more before the kick comes. */
	if (stop->hit)
		return;
	stop->hit = true;
	stop->masked = !fastterm_irqs_were_on(regs);
	ftk_sweep_before(stop->s, stop->func, stop->off, regs);
	stop->s->err = bpf_fastterm_terminate(stop->s->prog, smp_processor_id());
	/*
	 * Some processors do not step over the breakpoint, and no kick moves the program away
	 * from it.
	 */
	if (stop->masked && !stop->nmi)
		instruction_pointer_set(regs, stop->to);
}

static void see(void *data, const struct fastterm_outcome *outcome, u8 level, int err)
{
	struct stop *stop = data;
	struct pt_regs *regs = get_irq_regs();

	if (!stop->hit || stop->kicked || smp_processor_id() != stop->s->cpu || !regs)
		return;
	stop->kicked = true;
	stop->met = instruction_pointer(regs);
	stop->err = err;
	if (stop->met == stop->to)
		ftk_sweep_after(stop->s, regs);
}

/* Has the kick come at the breakpoint? Then the program has continued in its stub image. */
static bool taken_there(const struct stop *stop)
{
	return stop->kicked && stop->met == stop->to;
}

/* The length should be that of an instruction, but some processors require that of a long. */
static struct perf_event *set_breakpoint(unsigned long ip, u32 cpu,
					 perf_overflow_handler_t strike, void *data)
{
	struct perf_event_attr attr;
	struct perf_event *event;

	hw_breakpoint_init(&attr);
	attr.bp_addr = ip;
	attr.bp_len = HW_BREAKPOINT_LEN_4;
	attr.bp_type = HW_BREAKPOINT_X;
	event = perf_event_create_kernel_counter(&attr, cpu, NULL, strike, data);
	if (event != ERR_PTR(-EINVAL))
		return event;
	attr.bp_len = sizeof(long);
	return perf_event_create_kernel_counter(&attr, cpu, NULL, strike, data);
}

static void run_with_breakpoint(struct kunit *test, struct stop *stop)
{
	struct fastterm_outcome outcome;
	struct perf_event *event;

	/* The last request may not have found the program; wait until its kicks give up. */
	while (bpf_fastterm_outcome(stop->s->cpu, &outcome) == -EINPROGRESS)
		cond_resched();
	stop->hit = false;
	stop->kicked = false;
	stop->err = -ENOENT;
	event = set_breakpoint(stop->ip, stop->s->cpu, strike, stop);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, event);
	ftk_sweep_run(test, stop->s);
	perf_event_release_kernel(event);
}

/* Another interrupt may come first and call other code: try again then. */
static void sweep_at(struct kunit *test, struct stop *stop, u32 func, u32 off)
{
	u32 tries = 0;

	stop->func = func;
	stop->off = off;
	stop->ip = (unsigned long)fastterm_func(stop->s->prog, func)->bpf_func + off;
	stop->to = (unsigned long)stop->s->fprog->images[func]->shadow->bpf_func + off;
	do {
		run_with_breakpoint(test, stop);
		if (!stop->hit)
			return;
	} while (!taken_there(stop) && !stop->masked && tries++ < MAX_TRIES);
	KUNIT_EXPECT_LE_MSG(test, tries, MAX_TRIES, "at %pS, met at %pS",
			    (void *)stop->ip, (void *)stop->met);
	ftk_sweep_judge(test, stop->s, func, off, !stop->err);
}

/*
 * Boundaries that are no safepoints are left out: the program would not be redirected there and
 * could not get past the breakpoint.
 */
static void sweep_func(struct kunit *test, struct stop *stop, u32 func)
{
	const struct fastterm_image *image = stop->s->fprog->images[func];
	u32 off;

	for (off = 0; off < fastterm_func(stop->s->prog, func)->jited_len;
	     off += ftk_sweep_len(test, stop->s, func, off))
		if (fastterm_is_safepoint(image, off + cfi_get_offset()))
			sweep_at(test, stop, func, off);
}

/* How long a sample is waited for, in iterations. */
#define NR_SPINS	1000000

/* 1 if samples are taken by an NMI, -1 if not, 0 as long as none has been taken. */
static int by_nmi;

static void sampled(struct pt_regs *regs)
{
	WRITE_ONCE(by_nmi, in_nmi() ? 1 : -1);
}

static bool has_nmi(void)
{
	u32 i;

	by_nmi = 0;
	/*
	 * If somebody else requests a sample at the same time, it may be taken for the other
	 * request.
	 */
	while (!READ_ONCE(by_nmi)) {
		fastterm_sample(raw_smp_processor_id(), sampled, true);
		for (i = 0; i < NR_SPINS && !READ_ONCE(by_nmi); i++)
			cpu_relax();
	}
	return by_nmi > 0;
}

static void see_no_more(void *stop)
{
	ftk_on_kick_end();
}

void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s)
{
	struct stop *stop = kunit_kzalloc(test, sizeof(*stop), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, stop);
	stop->s = s;
	stop->nmi = has_nmi();
	KUNIT_ASSERT_EQ(test, 0, ftk_on_kick(see, stop));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, see_no_more, stop));
	for (i = 0; i < s->fprog->nr_funcs; i++)
		sweep_func(test, stop, i);
	kunit_release_action(test, see_no_more, stop);
}

/**
 * struct look - a breakpoint at which the program goes on
 * @stops: all such addresses
 * @i: index of this one
 */
struct look {
	struct ftk_stops *stops;
	u32 i;
};

/*
 * Some processors do not step over the breakpoint. It is disabled, and may be hit again until it
 * is.
 */
static void look(struct perf_event *event, struct perf_sample_data *data,
		 struct pt_regs *regs)
{
	struct look *look = event->overflow_handler_context;

	if (!__test_and_set_bit(look->i, look->stops->hit))
		look->stops->at(look->stops, look->i, regs);
	perf_event_disable_inatomic(event);
}

void ftk_sweep_stops(struct kunit *test, struct ftk_sweep *s, struct ftk_stops *stops)
{
	struct perf_event *event;
	struct look l = { stops };

	for (l.i = 0; l.i < stops->nr; l.i++) {
		event = set_breakpoint(stops->ips[l.i], s->cpu, look, &l);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, event);
		ftk_sweep_run(test, s);
		perf_event_release_kernel(event);
	}
}

static int boundary_init(struct kunit *test)
{
	int err = ftk_all_init(test);

	return err ?: set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
}

static void boundary_exit(struct kunit *test)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	ftk_all_exit(test);
}

static struct kunit_suite boundary_suite = {
	.name = "fastterm_boundary",
	.init = boundary_init,
	.exit = boundary_exit,
	.test_cases = ftk_boundary_cases,
};

static struct kunit_suite compare_suite = {
	.name = "fastterm_compare",
	.init = boundary_init,
	.exit = boundary_exit,
	.test_cases = ftk_across_cases,
};

kunit_test_suites(&boundary_suite, &compare_suite);
