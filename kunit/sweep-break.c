// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction, by breakpoints of the processor's: whatever
 * boundary is executed is hit.
 *
 * The request comes from the breakpoint's handler, so the kick is taken when that
 * returns, before the instruction itself.
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
#include "../trace.h"
#include "../trigger.h"
#include "runaway.h"
#include "sweep.h"

/* So often is a boundary tried. */
#define MAX_TRIES 5

/**
 * struct stop - what happens at one breakpoint
 * @s: the program
 * @nmi: the machine has NMIs
 * @func: the function in which it is
 * @off: where there, from its entry
 * @ip: the address
 * @to: the same place in the stub image
 * @hit: it has been hit
 * @masked: interrupts were off there
 * @kicked: a kick has come since
 * @met: and where it met the program: by then, in its stub image
 * @err: what fastterm_redirect() said then
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

	/* It may be hit once more before the kick is taken. */
	if (stop->hit)
		return;
	stop->hit = true;
	stop->masked = !fastterm_irqs_were_on(regs);
	ftk_sweep_before(stop->s, stop->func, stop->off, regs);
	stop->s->err = bpf_fastterm_terminate(stop->s->prog, smp_processor_id());
	/* Not all processors get past it by themselves, and no kick takes it away. */
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

/* Was the kick taken where the breakpoint was? Then the program went on in its stub image. */
static bool taken_there(const struct stop *stop)
{
	return stop->kicked && stop->met == stop->to;
}

/* The size of an instruction, but for processors that say that of a long. */
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

	/* What the last request has not found is looked for some time longer. */
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

/* Another interrupt may come first, and lead to something else: then once more. */
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
	KUNIT_EXPECT_LT_MSG(test, tries, MAX_TRIES, "at %pS, met at %pS",
			    (void *)stop->ip, (void *)stop->met);
	ftk_sweep_judge(test, stop->s, func, off, !stop->err);
}

/* From a boundary that is no safepoint nobody is moved, nor gets past the breakpoint. */
static void sweep_func(struct kunit *test, struct stop *stop, u32 func)
{
	const struct fastterm_image *image = stop->s->fprog->images[func];
	u32 off;

	for (off = 0; off < fastterm_func(stop->s->prog, func)->jited_len;
	     off += ftk_sweep_len(test, stop->s, func, off))
		if (fastterm_is_safepoint(image, off + cfi_get_offset()))
			sweep_at(test, stop, func, off);
}

/* For so long a sample is waited for. */
#define NR_SPINS	1000000

/* Whether a sample is taken by an NMI, 1, or not, -1; 0 while none has been taken. */
static int by_nmi;

static void sampled(struct pt_regs *regs)
{
	WRITE_ONCE(by_nmi, in_nmi() ? 1 : -1);
}

static bool has_nmi(void)
{
	u32 i;

	by_nmi = 0;
	/* If somebody else asks for a sample at the same time, it is his. */
	while (!READ_ONCE(by_nmi)) {
		fastterm_sample(raw_smp_processor_id(), sampled, true);
		for (i = 0; i < NR_SPINS && !READ_ONCE(by_nmi); i++)
			cpu_relax();
	}
	return by_nmi > 0;
}

static void see_no_more(void *stop)
{
	unregister_trace_bpf_fastterm_redirect(see, stop);
	tracepoint_synchronize_unregister();
}

void ftk_sweep_all(struct kunit *test, struct ftk_sweep *s)
{
	struct stop *stop = kunit_kzalloc(test, sizeof(*stop), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, stop);
	stop->s = s;
	stop->nmi = has_nmi();
	KUNIT_ASSERT_EQ(test, 0, register_trace_bpf_fastterm_redirect(see, stop));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, see_no_more, stop));
	for (i = 0; i < s->fprog->nr_funcs; i++)
		sweep_func(test, stop, i);
}

/**
 * struct look - a breakpoint at which the program goes on
 * @stops: it is one of these
 * @i: which
 */
struct look {
	struct ftk_stops *stops;
	u32 i;
};

/* Not all processors get past it by themselves: it goes, and is hit again until then. */
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
