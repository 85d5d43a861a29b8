// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that run with interrupts off on all CPUs
 *
 * No timer interrupt comes on any CPU, and no CPU looks after another one. Only an NMI that
 * comes by itself can end the programs.
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>

#include <kunit/test.h>

#include "../nmi.h"
#include "file.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	2

static int nmi_init(struct kunit *test)
{
	int err = ftk_watch_init(test);

	if (!err && !fastterm_nmi_exists())
		kunit_skip(test, "no source of NMIs on this machine");
	return err;
}

/**
 * struct masked - a program that all CPUs run with interrupts off
 * @prog: the program
 * @ctx: its context, as struct ftk_shape requires
 * @waiting: number of CPUs that have not begun yet
 * @running: number of CPUs that have not ended yet
 */
struct masked {
	struct bpf_prog *prog;
	u64 ctx[MAX_BPF_FUNC_ARGS];
	atomic_t waiting;
	atomic_t running;
};

/* No CPU leaves before all have ended: one that has would look after the others. */
static void run_masked(void *data)
{
	struct masked *m = data;

	atomic_dec(&m->waiting);
	while (atomic_read(&m->waiting))
		cpu_relax();
	ftk_run(m->prog, m->ctx);
	atomic_dec(&m->running);
	while (atomic_read(&m->running))
		cpu_relax();
}

static const struct nmis {
	const char *name;
	const char *setting;
	bool come;
} nmis[] = {
	{ "NMIs are on", "1\n", true },
	{ "NMIs are off", "0\n", false },
};

KUNIT_ARRAY_PARAM_DESC(nmis, nmis, name);

static void nmi_all_masked(struct kunit *test)
{
	static const struct bpf_insn body[] = { FTK_CALL(BPF_FUNC_ktime_get_ns) };
	/* It ends by itself, after a while. */
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body) };
	struct file *file = ftk_open(test, "proc", "sys/kernel/bpf_fastterm_nmi");
	struct masked *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	const struct nmis *c = test->param_value;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->prog = ftk_runner(test, &shape, NULL)->prog;
	KUNIT_ASSERT_EQ(test, ftk_write(test, file, c->setting), 2);
	atomic_set(&m->waiting, num_online_cpus());
	atomic_set(&m->running, num_online_cpus());
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	/* Each sample puts the NMI off: let there be one since the watchdog was switched on. */
	mdelay(2 * FTK_BUDGET_MS);
	on_each_cpu(run_masked, m, true);
	KUNIT_EXPECT_EQ(test, ftk_write(test, file, "1\n"), 2);
	KUNIT_EXPECT_EQ(test, ftk_terminations(m->prog), c->come ? num_online_cpus() : 0);
}

static struct kunit_case nmi_cases[] = {
	KUNIT_CASE_PARAM(nmi_all_masked, nmis_gen_params),
	{}
};

static struct kunit_suite nmi_suite = {
	.name = "fastterm_watchdog_nmi",
	.init = nmi_init,
	.exit = ftk_watch_exit,
	.test_cases = nmi_cases,
};

kunit_test_suite(nmi_suite);
