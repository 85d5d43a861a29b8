// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that must not be entered from a program that is being terminated
 *
 * The stub image calls functions to which other programs are attached, in several ways. These
 * programs are refused, as if they were entered recursively. They are entered as usual from
 * interrupts and from the scheduler.
 */

#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/filter.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/kstrtox.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/u64_stats_sync.h>

#include <trace/events/kmem.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "../activation.h"
#include "attach.h"
#include "file.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "runaway.h"

/* Enough that results do not depend on chance. */
#define NR_KICKS	500

/* The program is kicked up to this many ns after it has been entered. */
#define PHASE_NS	20000

static const struct bpf_insn body_helper[] = {
	FTK_CALL(BPF_FUNC_ktime_get_ns),
};

/* Options of the program that puts things, and is terminated. */
static const struct ftk_opts usual = { .type = BPF_PROG_TYPE_TRACEPOINT };
static const struct ftk_opts sleepable = {
	.type = BPF_PROG_TYPE_SYSCALL,
	.flags = BPF_F_SLEEPABLE,
};

static u64 refusals(const struct bpf_prog *prog)
{
	u64 nr = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nr += u64_stats_read(&per_cpu_ptr(prog->stats, cpu)->misses);
	return nr;
}

static u64 counted(struct kunit *test, const struct ftk_map *count)
{
	const u32 key = 0;
	u64 nr;

	KUNIT_ASSERT_TRUE(test, ftk_map_lookup(count, &key, &nr));
	return nr;
}

/* Attach a program that counts its runs to a kernel function. */
static struct bpf_prog *trace_function(struct kunit *test, const char *func, u32 flags,
				       const struct ftk_map *count)
{
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FENTRY,
		.flags = flags,
		.func = func,
	};
	struct bpf_prog *prog;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS))
		kunit_skip(test, "no ftrace direct calls: no trampolines for functions");
	prog = ftk_load_counter(test, count, &opts);
	ftk_attach(test, prog);
	return prog;
}

static void nothing_on_put(void *unused)
{
	WRITE_ONCE(ftk_on_put, NULL);
}

/* Terminate a program that puts fifty things after the redirect. */
static void kick_holder(struct kunit *test, const struct ftk_opts *opts, void (*on_put)(void))
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_shape shape = {
		2, .entered = &entered, .body = FTK_SNIPPET(body_helper),
	};
	const s64 things = atomic_read(&ftk_things);

	WRITE_ONCE(ftk_on_put, on_put);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, nothing_on_put, NULL), 0);
	ftk_hold_things(test, &shape);
	ftk_kick(test, ftk_runner(test, &shape, opts), NR_KICKS, PHASE_NS, 99);
	KUNIT_EXPECT_EQ(test, atomic_read(&ftk_things), things);
	kunit_release_action(test, nothing_on_put, NULL);
}

/* A program on ftk_thing_put() is not entered after the redirect, and is entered otherwise. */
static void expect_refused(struct kunit *test, const struct ftk_opts *opts,
			   const struct bpf_prog *prog, const struct ftk_map *count)
{
	kick_holder(test, opts, NULL);
	KUNIT_EXPECT_EQ(test, counted(test, count), 0);
	KUNIT_EXPECT_GE(test, refusals(prog), NR_KICKS);
	ftk_thing_put(ftk_thing_get());
	KUNIT_EXPECT_EQ(test, counted(test, count), 1);
}

static void refuse_fentry(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);

	expect_refused(test, &usual, trace_function(test, "ftk_thing_put", 0, &count), &count);
}

static void refuse_sleepable(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);

	expect_refused(test, &sleepable,
		       trace_function(test, "ftk_thing_put", BPF_F_SLEEPABLE, &count), &count);
}

static void refuse_kprobe(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_KPROBE };
	struct bpf_prog *prog;

	if (!IS_ENABLED(CONFIG_KPROBES_ON_FTRACE))
		kunit_skip(test, "no kprobes on ftrace: they have interrupts off");
	prog = ftk_load_counter(test, &count, &opts);
	ftk_attach_kprobe(test, prog, (unsigned long)ftk_thing_put);
	expect_refused(test, &usual, prog, &count);
}

static void refuse_kprobe_multi(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = BPF_TRACE_KPROBE_MULTI,
	};
	struct bpf_prog *prog;

	if (!IS_ENABLED(CONFIG_FPROBE))
		kunit_skip(test, "no CONFIG_FPROBE, by which kprobe.multi attaches");
	prog = ftk_load_counter(test, &count, &opts);
	ftk_attach_kprobe_multi(test, prog, (unsigned long)ftk_thing_put);
	expect_refused(test, &usual, prog, &count);
}

static void free_nothing(void)
{
	kfree(NULL);
}

/* The function is called by others all the time, and for these calls the program is entered. */
static void expect_refused_frees(struct kunit *test, const struct bpf_prog *prog,
				 const struct ftk_map *count)
{
	u64 before;

	kick_holder(test, &usual, free_nothing);
	KUNIT_EXPECT_GE(test, refusals(prog), NR_KICKS);
	before = counted(test, count);
	free_nothing();
	KUNIT_EXPECT_GT(test, counted(test, count), before);
}

static atomic_t freed;

static void count_free(void *unused, unsigned long ip, const void *ptr)
{
	atomic_inc(&freed);
}

static void count_no_more(void *unused)
{
	unregister_trace_kfree(count_free, NULL);
	tracepoint_synchronize_unregister();
}

/* Number of tries after which an emulator should have noticed the patched code. */
#define NR_TRIES	5

/*
 * Make sure that the tracepoint in kfree() is reached before anything is attached to it. An
 * emulator that translates kfree() while the jump is being patched may continue to execute the
 * old code; the jump is then patched again.
 */
static void begin_to_trace_frees(struct kunit *test)
{
	int i;

	for (i = 0; i < NR_TRIES; i++) {
		KUNIT_ASSERT_EQ(test, 0, register_trace_kfree(count_free, NULL));
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, count_no_more, NULL));
		atomic_set(&freed, 0);
		free_nothing();
		if (atomic_read(&freed))
			return;
		kunit_info(test, "the tracepoint is not reached: patched once more");
		kunit_release_action(test, count_no_more, NULL);
	}
	KUNIT_FAIL_AND_ABORT(test, "the tracepoint is never reached");
}

static void refuse_trace_event(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct bpf_prog *prog = ftk_load_counter(test, &count, &opts);
	char id[16];

	ftk_read(test, ftk_open(test, "tracefs", "events/kmem/kfree/id"), NULL, id, sizeof(id));
	KUNIT_ASSERT_EQ(test, kstrtou64(strim(id), 10, &attr.config), 0);
	begin_to_trace_frees(test);
	ftk_attach_event(test, prog, &attr, 1);
	expect_refused_frees(test, prog, &count);
}

static void refuse_tracepoint(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_RAW_TP,
		.func = "btf_trace_kfree",
	};
	struct bpf_prog *prog = ftk_load_counter(test, &count, &opts);

	begin_to_trace_frees(test);
	ftk_attach(test, prog);
	expect_refused_frees(test, prog, &count);
}

/*
 * A kick calls functions that can be traced. Programs on them are refused: no interrupt could
 * terminate them there.
 */
static void refuse_in_kick(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_prog *prog = trace_function(test, "fastterm_event_redirect", 0, &count);

	kick_holder(test, &usual, NULL);
	KUNIT_EXPECT_EQ(test, counted(test, &count), 0);
	KUNIT_EXPECT_GE(test, refusals(prog), NR_KICKS);
}

/* Number of calls of ftk_visit(), and of those during which this CPU's activation was leaving. */
static u32 nr_visits, nr_leaving;

static noinline __noclone u32 ftk_visit(u32 nr)
{
	barrier_data(&nr);
	return nr + 1;
}

static void visit(void)
{
	nr_visits = ftk_visit(nr_visits);
	nr_leaving += atomic_read(this_cpu_ptr(&fastterm_cpu.state)) == FASTTERM_LEAVING;
}

static void visit_by_irq(struct irq_work *work)
{
	visit();
}

static struct irq_work visit_work = IRQ_WORK_INIT_HARD(visit_by_irq);

static void visit_from_irq(void)
{
	irq_work_queue(&visit_work);
}

static void visit_with_irqs_off(void)
{
	unsigned long flags;

	local_irq_save(flags);
	visit();
	local_irq_restore(flags);
}

/* A program on ftk_visit() is entered each time. */
static void expect_entered(struct kunit *test, void (*on_put)(void))
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_prog *prog = trace_function(test, "ftk_visit", 0, &count);

	nr_visits = 0;
	nr_leaving = 0;
	kick_holder(test, &usual, on_put);
	irq_work_sync(&visit_work);
	KUNIT_EXPECT_GE(test, nr_leaving, NR_KICKS);
	KUNIT_EXPECT_EQ(test, counted(test, &count), nr_visits);
	KUNIT_EXPECT_EQ(test, refusals(prog), 0);
}

/* An interrupt of the suffix may enter programs. */
static void refuse_no_interrupt(struct kunit *test)
{
	expect_entered(test, visit_from_irq);
}

/* The scheduler may, too, in the same task. It is recognised by interrupts being off. */
static void refuse_no_scheduler(struct kunit *test)
{
	expect_entered(test, visit_with_irqs_off);
}

/* Nothing else in these kernels counts as an emulation fault. */
static void fault(void)
{
	static struct pt_regs regs;

	perf_sw_event(PERF_COUNT_SW_EMULATION_FAULTS, 1, &regs, 0);
}

/* The program of a perf event is not refused: it is entered for each event. */
static void refuse_no_perf_event(struct kunit *test)
{
	struct ftk_map count = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_PERF_EVENT };
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_EMULATION_FAULTS,
		.sample_period = 1,
	};
	struct bpf_prog *prog = ftk_load_counter(test, &count, &opts);
	struct perf_event *event = ftk_attach_event(test, prog, &attr, 1);
	u64 nr, enabled, running;

	kick_holder(test, &usual, fault);
	nr = perf_event_read_value(event, &enabled, &running);
	KUNIT_EXPECT_GE(test, nr, NR_KICKS);
	KUNIT_EXPECT_EQ(test, counted(test, &count), nr);
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE_SLOW(refuse_fentry),
	KUNIT_CASE_SLOW(refuse_sleepable),
	KUNIT_CASE_SLOW(refuse_kprobe),
	KUNIT_CASE_SLOW(refuse_kprobe_multi),
	KUNIT_CASE_SLOW(refuse_trace_event),
	KUNIT_CASE_SLOW(refuse_tracepoint),
	KUNIT_CASE_SLOW(refuse_in_kick),
	KUNIT_CASE_SLOW(refuse_no_interrupt),
	KUNIT_CASE_SLOW(refuse_no_scheduler),
	KUNIT_CASE_SLOW(refuse_no_perf_event),
	{}
};

static struct kunit_suite refuse_suite = {
	.name = "fastterm_refuse",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);
