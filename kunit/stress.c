// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads of programs at the same time, and loads that run out of memory
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

/* Number of programs that each CPU loads. */
#define ROUNDS (IS_ENABLED(CONFIG_KASAN) ? 8 : 64)

/* More allocations than a load makes. */
#define MANY 2000

/* More rounds than it takes until the allocation of the program's own record fails. */
#define MAX_ROUNDS 16

/* Two functions, so that images call each other, and a skipped call that turns 0 into an errno. */
static const struct bpf_insn two_functions[] = {
	BPF_CALL_REL(1),
	BPF_EXIT_INSN(),
	FTK_CALL(BPF_FUNC_get_numa_node_id),
	BPF_EXIT_INSN(),
};

/*
 * Load a program as ftk_load() does, but on any thread, and without allocations other than
 * bpf(2)'s.
 */
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
	return fastterm_of(prog)->images[0]->shadow;
}

/**
 * struct worker - a thread that loads programs while others do
 * @loaded: number of programs that it has loaded, run with and without their images, and
 *	    unloaded
 * @done: the thread has finished
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
	good = fastterm_of(prog) &&
	       fastterm_of(prog)->absence == FASTTERM_PRESENT &&
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

/* Make the n-th allocation from now on fail; 0 for none. Returns what is left of the previous n. */
static unsigned int fail_nth(unsigned int n)
{
#ifdef CONFIG_FAILSLAB
	return xchg(&current->fail_nth, n);
#else
	return 0;
#endif
}

/*
 * Whichever allocation of a load fails: either the load fails, or the program runs, with images,
 * or without images and counted as such.
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
	/* By default, failslab does not fail allocations that may sleep. */
	spares = ftk_open(test, "debugfs", "failslab/ignore-gfp-wait");
	KUNIT_ASSERT_EQ(test, ftk_write(test, spares, "N"), 1);
	KUNIT_ASSERT_EQ(test, ftk_write(test, ftk_open(test, "debugfs", "failslab/verbose"),
					"0"), 1);
	/* The number of allocations varies, so that in each round other ones fail. */
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
			fprog = fastterm_of(prog);
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
	/* The last load of each round had all its allocations. */
	KUNIT_ASSERT_LT(test, n, MANY);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_GT(test, unknown, 0);
	KUNIT_EXPECT_GT(test, absent, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(without) - before, unknown + absent);
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
}

/* kmemleak does not report objects younger than this, whose pointers may just be moving. */
#define LEAK_AGE_MS 5500

/*
 * Is this a leak of the JIT? The arm64 JIT leaks its table of offsets if an allocation for
 * another function fails. Allocations that the JIT makes through fastterm have a fastterm
 * function in their trace.
 */
static bool is_foreign(const char *leak)
{
	return strstr(leak, " bpf_int_jit_compile+") && !strstr(leak, " fastterm_");
}

/* Counts the leaks that kmemleak has listed. Returns how many of them are ours. */
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

/* No memory that fastterm has allocated so far is leaked, even if loads have failed. */
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
	/*
	 * Two scans are needed: an object that has changed since the last scan counts as being
	 * in use.
	 */
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
	/*
	 * Our own leaks have failed the test. This line explains as many as have been found, and
	 * no others.
	 */
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
