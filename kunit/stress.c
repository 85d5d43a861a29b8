// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads that meet other loads, and loads for which there is not enough memory.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../image.h"
#include "../program.h"
#include "file.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"
#include "syscall.h"

/* How many programs each CPU loads while the others do. */
#define ROUNDS (IS_ENABLED(CONFIG_KASAN) ? 8 : 64)

/* More allocations than a load makes. */
#define MANY 2000

/* More often than it takes until a certain one of them fails. */
#define MAX_ROUNDS 16

/* Two functions, so that images call each other, and a call that is skipped: 0 becomes an errno. */
static const struct bpf_insn two_functions[] = {
	BPF_CALL_REL(1),
	BPF_EXIT_INSN(),
	FTK_CALL(BPF_FUNC_get_numa_node_id),
	BPF_EXIT_INSN(),
};

/* As ftk_load() does it, but for any thread, and with no more memory than bpf(2) needs. */
static int load_fd(void)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.insns = (unsigned long)two_functions,
		.insn_cnt = ARRAY_SIZE(two_functions),
		.license = (unsigned long)"GPL",
	};

	return kern_sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

static struct bpf_prog *take_prog(int fd)
{
	struct bpf_prog *prog = bpf_prog_get(fd);

	close_fd(fd);
	return prog;
}

static const struct bpf_prog *stub_of(const struct bpf_prog *prog)
{
	return prog->aux->fastterm.prog->images[0]->shadow;
}

/**
 * struct worker - one of those that load at the same time
 * @loaded: how many programs have been loaded, left by their images, and unloaded
 * @done: it is at its end
 */
struct worker {
	u32 loaded;
	struct completion done;
};

static bool load_and_unload(void)
{
	struct bpf_prog *prog;
	bool good;
	int fd;

	fd = load_fd();
	if (fd < 0)
		return false;
	prog = take_prog(fd);
	good = prog->aux->fastterm.prog &&
	       prog->aux->fastterm.prog->absence == FASTTERM_PRESENT &&
	       ftk_run(prog, NULL) == 0 &&
	       ftk_run(stub_of(prog), NULL) == (u32)-ECANCELED;
	bpf_prog_put(prog);
	return good;
}

static int work(void *data)
{
	struct worker *worker = data;

	while (worker->loaded < ROUNDS && load_and_unload()) {
		worker->loaded++;
		cond_resched();
	}
	complete(&worker->done);
	return 0;
}

static void stress_concurrent(struct kunit *test)
{
	const int before = atomic_read(&fastterm_loads[FASTTERM_PRESENT]);
	struct worker *workers;
	u32 cpu, started = 0;

	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	workers = kunit_kcalloc(test, nr_cpu_ids, sizeof(*workers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, workers);
	for_each_online_cpu(cpu) {
		struct task_struct *task;

		init_completion(&workers[cpu].done);
		task = kthread_run_on_cpu(work, &workers[cpu], cpu, "ftk_load/%u");
		if (IS_ERR(task))
			complete(&workers[cpu].done);
		else
			started++;
	}
	for_each_online_cpu(cpu) {
		wait_for_completion(&workers[cpu].done);
		KUNIT_EXPECT_EQ_MSG(test, workers[cpu].loaded, ROUNDS, "CPU %u", cpu);
	}
	KUNIT_EXPECT_GT(test, started, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fastterm_loads[FASTTERM_PRESENT]) - before,
			started * ROUNDS);
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
}

/* Let the n-th allocation from now on fail; 0 for none. Returns what was left of the last n. */
static unsigned int fail_nth(unsigned int n)
{
#ifdef CONFIG_FAILSLAB
	return xchg(&current->fail_nth, n);
#else
	return 0;
#endif
}

/*
 * Whichever allocation of a load fails: it is refused, or the program is loaded
 * and runs, with images or counted as without.
 */
static void stress_no_memory(struct kunit *test)
{
	atomic_t *without = &fastterm_loads[FASTTERM_NO_MEMORY];
	const int before = atomic_read(without);
	u32 n, round, left, refused = 0, unknown = 0, absent = 0, present = 0;
	struct file *spares;
	int fd;

	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "no CONFIG_FAILSLAB, by which allocations are made to fail");
	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	/* Allocations that may wait are spared unless somebody wants them to fail. */
	spares = ftk_open(test, "debugfs", "failslab/ignore-gfp-wait");
	KUNIT_ASSERT_EQ(test, ftk_write(test, spares, "N"), 1);
	KUNIT_ASSERT_EQ(test, ftk_write(test, ftk_open(test, "debugfs", "failslab/verbose"),
					"0"), 1);
	/* How many there are varies: which of them fail, is not the same in every round. */
	for (round = 0; round < MAX_ROUNDS && !unknown; round++) {
		for (n = 1; n < MANY; n++) {
			const struct fastterm_prog *fprog;
			struct bpf_prog *prog;

			fail_nth(n);
			fd = load_fd();
			left = fail_nth(0);
			if (left)
				break;
			if (fd < 0) {
				/* The errno is not always -ENOMEM. */
				refused++;
				continue;
			}
			prog = take_prog(fd);
			fprog = prog->aux->fastterm.prog;
			KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
			if (!fprog) {
				unknown++;
			} else if (fprog->absence) {
				KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_NO_MEMORY);
				KUNIT_EXPECT_NULL(test, fprog->images);
				absent++;
			} else {
				ftk_run(stub_of(prog), NULL);
				present++;
			}
			bpf_prog_put(prog);
		}
		if (!left || fd < 0)
			break;
		close_fd(fd);
	}
	KUNIT_EXPECT_EQ(test, ftk_write(test, spares, "Y"), 1);
	kunit_info(test, "%u allocations: %u refused, %u unknown, %u absent, %u present\n",
		   n - 1, refused, unknown, absent, present);
	/* The last load of each round was not disturbed. */
	KUNIT_ASSERT_LT(test, n, MANY);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_GT(test, unknown, 0);
	KUNIT_EXPECT_GT(test, absent, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(without) - before, unknown + absent);
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
}

/* What is younger than this may be on its way from hand to hand, and is no leak to kmemleak. */
#define LEAK_AGE_MS 5500

/*
 * Is it the JIT's own? That of arm64 forgets its table of offsets if the memory for another
 * function is refused. What it has us allocate has us among the callers.
 */
static bool is_foreign(const char *leak)
{
	return strstr(leak, " bpf_int_jit_compile+") && !strstr(leak, " fastterm_");
}

/* Counts the leaks that kmemleak has listed; how many of them are not foreign? */
static u32 our_leaks(char *found, u32 *all)
{
	static const char begin[] = "unreferenced object";
	char *leak = strstr(found, begin), *next;
	u32 nr = 0;

	for (*all = 0; leak; leak = next, ++*all) {
		next = strstr(leak + 1, begin);
		if (next)
			next[-1] = '\0';
		if (is_foreign(leak))
			continue;
		pr_warn("%s\n", leak);
		nr++;
	}
	return nr;
}

/* Nothing that we have allocated until now is lost, also not by loads that failed. */
static void stress_leaks(struct kunit *test)
{
	const size_t size = SZ_64K;
	size_t filled = 0;
	struct file *kmemleak;
	loff_t pos = 0;
	ssize_t len;
	char *found;
	u32 all;

	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		kunit_skip(test, "no CONFIG_DEBUG_KMEMLEAK, which finds what is lost");
	found = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, found);
	kmemleak = ftk_open(test, "debugfs", "kmemleak");
	/* It takes two scans: an object that has changed in between is in use. */
	KUNIT_ASSERT_EQ(test, ftk_write(test, kmemleak, "scan"), 4);
	msleep(LEAK_AGE_MS);
	KUNIT_ASSERT_EQ(test, ftk_write(test, kmemleak, "scan"), 4);
	do {
		len = ftk_read(test, kmemleak, &pos, found + filled,
			       min(size - filled, PAGE_SIZE));
		KUNIT_ASSERT_GE(test, len, 0);
		filled += len;
	} while (len && filled < size - 1);
	KUNIT_EXPECT_EQ(test, our_leaks(found, &all), 0);
	/* Ours have failed the test. It answers for as many as it has seen, and for no other. */
	if (all)
		pr_info("# explained splat: kmemleak: %u new suspected\n", all);
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE_SLOW(stress_concurrent),
	KUNIT_CASE_SLOW(stress_no_memory),
	KUNIT_CASE_SLOW(stress_leaks),
	{}
};

static struct kunit_suite stress_suite = {
	.name = "fastterm_stress",
	.init = ftk_all_init,
	.exit = ftk_all_exit,
	.test_cases = stress_cases,
};

kunit_test_suite(stress_suite);
