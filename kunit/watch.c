// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that the suites of the watchdog share; see watch.h
 */

#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../quarantine.h"
#include "../trace.h"
#include "../trigger.h"
#include "../watchdog.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

struct ftk_blamed ftk_blamed;

static void see(void *unused, const struct fastterm_overrun *overrun, int cpu)
{
	struct ftk_blamed *b = &ftk_blamed;
	const u64 ran_ns = overrun->ran_ns;

	atomic_inc(&b->nr);
	/* In the cases that read these values, only one CPU writes them at a time. */
	atomic64_set(&b->least_ns, min_t(u64, atomic64_read(&b->least_ns), ran_ns));
	atomic64_set(&b->most_ns, max_t(u64, atomic64_read(&b->most_ns), ran_ns));
}

/**
 * ftk_watch() - configure the watchdog
 * @budget_ms: the budget of programs; that of sleepable ones is twice as long. 0: no limit
 * @period_ms: the period of samples
 */
void ftk_watch(unsigned int budget_ms, unsigned int period_ms)
{
	WRITE_ONCE(fastterm_period_ms, period_ms);
	WRITE_ONCE(fastterm_budget_ms, budget_ms);
	WRITE_ONCE(fastterm_sleepable_budget_ms, 2 * budget_ms);
	fastterm_watchdog_update();
}

/* Programs of all other suites have no limit, and are not quarantined. */
static int __init no_watchdog(void)
{
	if (kunit_enabled()) {
		ftk_watch(0, fastterm_period_ms);
		fastterm_quarantine_max_s = 0;
	}
	return 0;
}
late_initcall_sync(no_watchdog);

static unsigned int period_before;

/**
 * ftk_watch_init() - begin a case in which the watchdog samples programs on all CPUs
 * @test: the test case, which is skipped if programs cannot be terminated
 *
 * Return: 0, or an error.
 */
int ftk_watch_init(struct kunit *test)
{
	int err = ftk_requester_init(test);

	if (err)
		return err;
	period_before = fastterm_period_ms;
	atomic_set(&ftk_blamed.nr, 0);
	atomic64_set(&ftk_blamed.least_ns, S64_MAX);
	atomic64_set(&ftk_blamed.most_ns, 0);
	return register_trace_bpf_fastterm_overrun(see, NULL);
}

/**
 * ftk_watch_exit() - undo ftk_watch_init()
 * @test: the test case
 */
void ftk_watch_exit(struct kunit *test)
{
	if (!fastterm_supported() || num_online_cpus() < 2)
		return;
	ftk_watch(0, period_before);
	unregister_trace_bpf_fastterm_overrun(see, NULL);
	tracepoint_synchronize_unregister();
	ftk_requester_exit(test);
}

static bool nmi_came;

static void see_nmi(struct pt_regs *regs)
{
	WRITE_ONCE(nmi_came, in_nmi());
}

/* Of this CPU, which has interrupts off. */
static void ask_for_nmi(void *unused)
{
	u32 i;

	fastterm_sample(smp_processor_id(), see_nmi, true);
	for (i = 0; i < 1000000 && !READ_ONCE(nmi_came); i++)
		cpu_relax();
}

/**
 * ftk_has_nmis() - does an NMI reach a CPU that has interrupts off?
 * @test: the test case; the watchdog must be off
 *
 * Context: any thread, may sleep.
 * Return: true if it does.
 */
bool ftk_has_nmis(struct kunit *test)
{
	nmi_came = false;
	KUNIT_ASSERT_EQ(test, 0, smp_call_function_single(1, ask_for_nmi, NULL, true));
	return nmi_came;
}

/**
 * ftk_runner_left() - wait until a runner has finished
 * @r: the runner, whose program has to be terminated first
 *
 * Context: any thread, may sleep.
 * Return: false if it has not finished within FTK_PATIENCE.
 */
bool ftk_runner_left(const struct ftk_runner *r)
{
	unsigned long end = jiffies + FTK_PATIENCE;

	/* Pairs with the release at the end of the runner's thread. */
	while (!smp_load_acquire(&r->done)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/**
 * ftk_short() - write a short program with a loop
 * @insns: receives its instructions
 * @result: the program's result
 *
 * The loop has three iterations, so that most samples find the program running.
 */
void ftk_short(struct bpf_insn insns[FTK_SHORT_LEN], u32 result)
{
	const struct bpf_insn program[] = {
		BPF_MOV64_IMM(BPF_REG_1, 3),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, result),
		BPF_EXIT_INSN(),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	BUILD_BUG_ON(ARRAY_SIZE(program) != FTK_SHORT_LEN);
	memcpy(insns, program, sizeof(program));
}

/**
 * ftk_load_short() - load the program of ftk_short()
 * @test: the test case, at whose end it is freed
 * @type: the program's type
 *
 * Return: the program, which returns XDP_PASS.
 */
struct bpf_prog *ftk_load_short(struct kunit *test, enum bpf_prog_type type)
{
	const struct ftk_opts opts = { .type = type };
	struct bpf_insn insns[FTK_SHORT_LEN];

	ftk_short(insns, XDP_PASS);
	return ftk_load(test, insns, ARRAY_SIZE(insns), &opts);
}
