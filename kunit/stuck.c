// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that do not leave
 *
 * A function of the kernel does not return to the program that has called it. The program
 * cannot be ended, but it is named, with the place where it is.
 */

#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kmsg_dump.h>
#include <linux/processor.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include <kunit/test.h>

#include "../activation.h"
#include "../program.h"
#include "kfuncs.h"
#include "prog.h"
#include "runaway.h"
#include "watch.h"

#define PERIOD_MS	10

/* How long another CPU takes to name this one, and how long to wait until a program is named. */
#define UNREACHABLE_NS	(20 * FTK_BUDGET_MS * (u64)NSEC_PER_MSEC)
#define PATIENCE_NS	(10 * (u64)NSEC_PER_SEC)

/* Where nothing samples the program, it is not named, and the function stays for UNREACHABLE_NS. */
static bool sampled;

/*
 * Return when the program has been named. A delay would not do: the machine may be stopped for
 * longer, as a virtual one may be, and no sample be taken meanwhile.
 */
static noinline void ftk_stays(void)
{
	const u64 begin = ktime_get_mono_fast_ns();
	const u64 longest = sampled ? PATIENCE_NS : UNREACHABLE_NS;
	const struct fastterm_tag *tag;

	do {
		cpu_relax();
		tag = fastterm_tag_leaving(false);
	} while (!(tag && READ_ONCE(tag->time.named)) &&
		 ktime_get_mono_fast_ns() - begin < longest);
}

static noinline void ftk_stays_masked(void)
{
	unsigned long flags;

	local_irq_save(flags);
	ftk_stays();
	local_irq_restore(flags);
}

static int stuck_init(struct kunit *test)
{
	return ftk_watch_init(test);
}

static void stuck_exit(struct kunit *test)
{
	ftk_on_put = NULL;
	ftk_watch_exit(test);
}

static const struct stuck {
	const char *name;
	void (*stays)(void);
	bool masked;
	bool short_run;
} stucks[] = {
	{ "in a function that does not return", ftk_stays },
	{ "in a function that does not return, with interrupts off", ftk_stays_masked, true },
	{ "in a program without a stub image", ftk_stays, .short_run = true },
};

KUNIT_ARRAY_PARAM_DESC(stucks, stucks, name);

/* Get a thing, and put it, which takes long. */
static struct ftk_runner *runner(struct kunit *test, bool short_run)
{
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS, .lines = short_run };
	const struct bpf_insn body[] = {
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_put"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_shape shape = {
		1, .iterations = 1, .body = { body, ARRAY_SIZE(body) - 2 },
	};
	struct ftk_runner *r;

	if (!short_run)
		return ftk_runner(test, &shape, &opts);
	r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	r->prog = ftk_load(test, body, ARRAY_SIZE(body), &opts);
	return r;
}

/* Do all of the words occur in one line of the kernel log, in this order? */
static bool logged(struct kmsg_dump_iter *iter, const char *const words[], char *line, size_t size)
{
	const char *at;
	size_t len;
	u32 i;

	while (kmsg_dump_get_line(iter, false, line, size - 1, &len)) {
		line[len] = 0;
		for (i = 0, at = line; words[i] && at; i++)
			at = strstr(at, words[i]);
		if (at)
			return true;
	}
	return false;
}

static void stuck_named(struct kunit *test)
{
	const struct stuck *c = test->param_value;
	struct ftk_runner *r = runner(test, c->short_run);
	const size_t size = 1024;
	char *line = kunit_kzalloc(test, size, GFP_KERNEL);
	char who[64];
	const char *const named[] = {
		"fastterm: program ", who, "does not leave CPU 1", "it is in ",
		", in ftk_thing_put, called from instruction ",
		c->short_run ? "bpf_prog_" : "bpf_stub_",
		c->short_run ? "it has no stub image" : NULL, NULL,
	};
	const char *const unreachable[] = {
		"fastterm: CPU 1 has taken no interrupt for ", NULL,
	};
	struct kmsg_dump_iter iter;
	bool nmis = ftk_has_nmis(test);

	KUNIT_ASSERT_NOT_NULL(test, line);
	KUNIT_ASSERT_TRUE(test, !fastterm_of(r->prog)->images == c->short_run);
	scnprintf(who, sizeof(who), "(id %u, ", r->prog->aux->id);
	sampled = !c->masked || nmis;
	ftk_on_put = c->stays;
	r->once = true;
	kmsg_dump_rewind(&iter);
	ftk_watch(FTK_BUDGET_MS, PERIOD_MS);
	ftk_runner_start(test, r, 1);
	KUNIT_EXPECT_TRUE(test, ftk_runner_left(r));
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_TRUE_MSG(test, logged(&iter, c->masked && !nmis ? unreachable : named, line,
					   size), "%s", r->prog->aux->name);
	if (c->masked && !nmis)
		kunit_info(test, "no NMI on this machine: the CPU is named, and not what it runs\n");
	else
		KUNIT_EXPECT_EQ(test, ftk_terminations(r->prog), 1);
}

static struct kunit_case stuck_cases[] = {
	KUNIT_CASE_PARAM(stuck_named, stucks_gen_params),
	{}
};

static struct kunit_suite stuck_suite = {
	.name = "fastterm_watchdog_stuck",
	.init = stuck_init,
	.exit = stuck_exit,
	.test_cases = stuck_cases,
};

kunit_test_suite(stuck_suite);
