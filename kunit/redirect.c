// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination of running programs
 *
 * Programs that would not end run on one CPU and are terminated from another one. Wherever the
 * interrupt finds them, they have to leave by their own exit, and must not corrupt the
 * registers, the stack or the state of their caller.
 */

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mm_types.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include <kunit/test.h>

#include "map.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/* Kicks for each class of programs: more than 10,000 in all. */
#define NR_KICKS	1500

/* Kicks for the other cases: enough that results do not depend on chance. */
#define FEW_KICKS	500

/* Iterations of a loop that the verifier unrolls. Three such loops inside each other take hours. */
#define NR_TURNS	20000

/* The program is kicked up to this many ns after it has been entered. */
#define PHASE_NS	20000

static const struct bpf_insn body_alu[] = {
	BPF_MOV64_IMM(BPF_REG_6, 1),
	BPF_MOV64_IMM(BPF_REG_7, 2),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 3),
	BPF_ALU64_IMM(BPF_MUL, BPF_REG_6, 5),
	BPF_ALU64_IMM(BPF_XOR, BPF_REG_6, 7),
	BPF_ALU64_IMM(BPF_LSH, BPF_REG_6, 1),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 3),
	BPF_ALU64_REG(BPF_ADD, BPF_REG_7, BPF_REG_6),
	BPF_ALU64_IMM(BPF_XOR, BPF_REG_7, 7),
	BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 1),
	BPF_ALU64_REG(BPF_MUL, BPF_REG_6, BPF_REG_7),
	BPF_ALU64_IMM(BPF_XOR, BPF_REG_6, 0x12345678),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 0x12345678),
	BPF_ALU64_REG(BPF_SUB, BPF_REG_7, BPF_REG_6),
};

static const struct bpf_insn body_leaf_helper[] = {
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
	FTK_CALL(BPF_FUNC_get_numa_node_id),
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
	FTK_CALL(BPF_FUNC_get_numa_node_id),
};

/* Helpers that call further functions. */
static const struct bpf_insn body_helper[] = {
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 1),
	BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
	BPF_MOV64_IMM(BPF_REG_2, 8),
	BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
	FTK_CALL(BPF_FUNC_probe_read_kernel),
	BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -32),
	BPF_MOV64_IMM(BPF_REG_2, 16),
	FTK_CALL(BPF_FUNC_get_current_comm),
};

static const struct bpf_insn body_nothing[] = {
	BPF_MOV64_IMM(BPF_REG_0, 0),
};

/* Programs by the place where they spend their time. */
static const struct point_class {
	const char *name;
	struct ftk_shape shape;
	const struct ftk_snippet *body;
} points[] = {
	{ "in the body", { 2, .body = FTK_SNIPPET(body_alu) } },
	{ "in prologues and epilogues", { 2 }, &ftk_body_calls },
	{ "in a helper", { 2, .body = FTK_SNIPPET(body_helper) } },
	{ "in a leaf helper", { 2, .body = FTK_SNIPPET(body_leaf_helper) } },
	{ "in a callback of a helper", { 2, true, .body = FTK_SNIPPET(body_alu) } },
	{ "between helpers and callbacks", { 2, true, .body = FTK_SNIPPET(body_nothing) } },
	{ "in four callbacks, inlined", { 4, .body = FTK_SNIPPET(body_alu) } },
	{ "in four callbacks of helpers", { 4, true, .body = FTK_SNIPPET(body_helper) } },
};

KUNIT_ARRAY_PARAM_DESC(points, points, name);

static void redirect_points(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct point_class *class = test->param_value;
	struct ftk_shape shape = class->shape;
	struct ftk_runner *r;

	shape.entered = &m;
	if (class->body)
		shape.body = *class->body;
	r = ftk_runner(test, &shape, NULL);
	ftk_kick(test, r, NR_KICKS, PHASE_NS, 99);
}

/* Under KASAN, creating an element takes a millisecond. */
#define NR_ELEMENTS (IS_ENABLED(CONFIG_KASAN) ? 10000 : 100000)

/* Maps by the way in which the kernel iterates over their elements. */
static const struct element_class {
	const char *name;
	enum bpf_map_type type;
	u32 nr;
} elements[] = {
	{ "of an array", BPF_MAP_TYPE_ARRAY, NR_ELEMENTS },
	{ "of a per-CPU array", BPF_MAP_TYPE_PERCPU_ARRAY, NR_ELEMENTS },
	{ "of a hash", BPF_MAP_TYPE_HASH, NR_ELEMENTS },
	{ "of an LRU hash", BPF_MAP_TYPE_LRU_HASH, 2000 },
	{ "of a per-CPU hash", BPF_MAP_TYPE_PERCPU_HASH, 2000 },
};

KUNIT_ARRAY_PARAM_DESC(elements, elements, name);

/* A loop over all elements of a map, in a callback of such a loop: both loops are the kernel's. */
static void redirect_elements(struct kunit *test)
{
	const struct element_class *class = test->param_value;
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map m = ftk_map(test, class->type, 4, 8, class->nr, 0);
	const struct bpf_insn body[] = {
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		FTK_CALL(BPF_FUNC_get_current_uid_gid),
	};
	const struct ftk_shape shape = { .entered = &entered, .body = FTK_SNIPPET(body) };
	bool hash = class->type != BPF_MAP_TYPE_ARRAY && class->type != BPF_MAP_TYPE_PERCPU_ARRAY;
	void *value = kunit_kzalloc(test, 8 * num_possible_cpus(), GFP_KERNEL);
	u32 key;

	KUNIT_ASSERT_NOT_NULL(test, value);
	ftk_need_callbacks(test);
	for (key = 0; hash && key < class->nr; key++)
		ftk_map_update(test, &m, &key, value);
	/*
	 * If the program was about to enter a callback when it was kicked, a tick that finds it
	 * in this callback counts as another kick. Under KASAN this path is long, so more kicks
	 * are needed for a result that does not depend on chance.
	 */
	ftk_kick(test, ftk_runner(test, &shape, NULL),
		 IS_ENABLED(CONFIG_KASAN) ? 4 * FEW_KICKS : FEW_KICKS, PHASE_NS, 99);
}

/* A callback that loops over another one, which has a loop, too. */
static const struct bpf_insn loops[] = {
	BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
	BPF_MOV64_IMM(BPF_REG_3, 0),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
	BPF_MOV64_IMM(BPF_REG_1, FTK_FOREVER),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
	BPF_MOV64_IMM(BPF_REG_3, 0),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
	FTK_CALL(BPF_FUNC_get_current_uid_gid),
};

/* Use @insns, which end with an exit, as the body, followed by the callbacks of loops[]. */
static void add_loops(struct kunit *test, struct ftk_shape *shape,
		      const struct bpf_insn *insns, u32 cnt)
{
	struct bpf_insn *body = ftk_snippet(test, &shape->body, cnt + ARRAY_SIZE(loops));

	memcpy(body, insns, cnt * sizeof(*insns));
	memcpy(body + cnt, loops, sizeof(loops));
}

/* User ring buffer: the size of its data, and the number of samples in it. */
#define RING_SIZE	SZ_64K
#define NR_SAMPLES	4000

struct ring_sample {
	u32 len;
	u32 offset;
	u64 value;
};

/* Fill the ring buffer as a process does, which maps the producer's page and the data behind it. */
static void fill_ring(struct kunit *test, const struct ftk_map *m)
{
	struct file *file = fget(m->fd);
	struct ring_sample __user *samples;
	unsigned long pages;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, file);
	pages = kunit_vm_mmap(test, file, 0, PAGE_SIZE + 2 * RING_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, PAGE_SIZE);
	fput(file);
	KUNIT_ASSERT_NE(test, pages, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(pages));
	samples = (struct ring_sample __user *)(pages + PAGE_SIZE);
	for (i = 0; i < NR_SAMPLES; i++)
		KUNIT_ASSERT_EQ(test, 0, put_user(sizeof(u64), &samples[i].len));
	KUNIT_ASSERT_EQ(test, 0, put_user((unsigned long)NR_SAMPLES * sizeof(*samples),
					  (unsigned long __user *)pages));
}

/* The callback for a sample runs loops that do not end. */
static void redirect_samples(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_USER_RINGBUF, 0, 0, RING_SIZE, 0);
	const struct bpf_insn body[] = {
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_user_ringbuf_drain),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct ftk_shape shape = { .entered = &entered };

	ftk_need_callbacks(test);
	add_loops(test, &shape, body, ARRAY_SIZE(body));
	fill_ring(test, &m);
	ftk_kick(test, ftk_runner(test, &shape, NULL), FEW_KICKS, PHASE_NS, 99);
}

/* The program is terminated in a callback of bpf_find_vma(), which holds the mmap lock. */
static void redirect_vma(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	const unsigned long page = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
						 MAP_ANONYMOUS | MAP_PRIVATE, 0);
	const struct bpf_insn body[] = {
		FTK_CALL(BPF_FUNC_get_current_task_btf),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_LD_IMM64(BPF_REG_2, page),
		BPF_LD_IMM64_RAW(BPF_REG_3, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		FTK_CALL(BPF_FUNC_find_vma),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct ftk_shape shape = { .entered = &entered };
	struct ftk_runner *r;

	ftk_need_callbacks(test);
	KUNIT_ASSERT_NE(test, page, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(page));
	add_loops(test, &shape, body, ARRAY_SIZE(body));
	r = ftk_runner(test, &shape, &opts);
	r->mm = current->mm;
	ftk_kick(test, r, FEW_KICKS, PHASE_NS, 99);
	/* The program has left by terminations only, and the lock has been released. */
	KUNIT_EXPECT_LE(test, r->runs, FEW_KICKS + 1);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&current->mm->mmap_lock));
}

/*
 * Loops that the verifier unrolls. Each is in a global function, which the verifier checks only
 * once: an iteration of one loop runs the next loop completely.
 */
static void redirect_global(struct kunit *test)
{
	struct ftk_map entered = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_RAW_TRACEPOINT, .globals = BIT(1) | BIT(2),
	};
	const struct bpf_insn body[] = {
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_MOV64_IMM(BPF_REG_1, 0),
		BPF_CALL_REL(3),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_6, NR_TURNS, -4),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_MOV64_IMM(BPF_REG_1, 0),
		BPF_CALL_REL(3),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_6, NR_TURNS, -4),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_6, NR_TURNS, -2),
	};
	const struct ftk_shape shape = { .entered = &entered, .body = FTK_SNIPPET(body) };

	ftk_kick(test, ftk_runner(test, &shape, &opts), FEW_KICKS, PHASE_NS, 99);
}

/* A program that is detached while it runs goes on running, and can still be terminated. */
static void redirect_detached(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_shape shape = { 4, .entered = &m, .body = FTK_SNIPPET(body_alu) };
	struct ftk_runner *r = ftk_runner(test, &shape, NULL);
	struct fastterm_outcome outcome;

	r->once = true;
	ftk_runner_start(test, r, 1);
	KUNIT_ASSERT_TRUE(test, ftk_runner_entered(r));
	ftk_unload(test, r->prog);
	msleep(20);
	KUNIT_EXPECT_EQ(test, ftk_terminate(r, &outcome), 0);
	KUNIT_EXPECT_GT(test, outcome.frames, 0);
	/* Terminating its last activation also frees the program. */
	while (!smp_load_acquire(&r->done))
		cond_resched();
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
}

/* The CPU goes offline before the program has been found there. */
static void redirect_offline(struct kunit *test)
{
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_alu) };
	const struct bpf_prog *idle = ftk_runner(test, &shape, NULL)->prog;
	const u32 cpu = num_online_cpus() - 1;
	struct fastterm_outcome outcome;

	if (num_online_cpus() < 3)
		kunit_skip(test, "two processors: none of them can go");
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, cpu), 0);
	KUNIT_ASSERT_EQ(test, remove_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_outcome(cpu, &outcome), -ESRCH);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, cpu), -ESRCH);
	KUNIT_ASSERT_EQ(test, add_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, outcome.id, idle->aux->id);
	KUNIT_EXPECT_EQ(test, outcome.frames, 0);
	/* The program is not found after the CPU has come back. */
	KUNIT_EXPECT_EQ(test, bpf_fastterm_outcome(cpu, &outcome), -ESRCH);
}

/* Results of requests when there is nothing to terminate. */
static void redirect_errors(struct kunit *test)
{
	static const struct bpf_insn straight_line[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_alu) };
	const struct bpf_prog *none, *idle = ftk_runner(test, &shape, NULL)->prog;
	const struct bpf_prog *other = ftk_runner(test, &shape, NULL)->prog;
	struct fastterm_outcome outcome;
	int err;

	none = ftk_load(test, straight_line, ARRAY_SIZE(straight_line), NULL);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(none, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, -1), -ESRCH);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, nr_cpu_ids), -ESRCH);

	/* Kicks look for the program for a while, since it may be preempted. */
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, 1), 0);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(idle, 1), -EALREADY);
	KUNIT_EXPECT_EQ(test, bpf_fastterm_terminate(other, 1), -EBUSY);
	do {
		err = bpf_fastterm_outcome(1, &outcome);
		cond_resched();
	} while (err == -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, err, -ESRCH);
	KUNIT_EXPECT_EQ(test, outcome.id, idle->aux->id);
	KUNIT_EXPECT_EQ(test, outcome.frames, 0);
}

/* How often the case is repeated if the program was freed too late. */
#define MAX_TRIES	5

/*
 * A program may be freed while kicks look for it on a CPU that runs another program. Kicks then
 * must not access the freed program.
 */
static void redirect_freed(struct kunit *test)
{
	const struct ftk_shape shape = { 1, .body = FTK_SNIPPET(body_alu) };
	const struct ftk_opts sleepable = {
		.type = BPF_PROG_TYPE_SYSCALL,
		.flags = BPF_F_SLEEPABLE,
	};
	const struct ftk_insns *p = ftk_runaway(test, &shape);
	struct ftk_runner *r = ftk_runner(test, &shape, &sleepable);
	struct fastterm_outcome outcome;
	struct bpf_prog *prog;
	bool in_time = false;
	int err, tries;

	/*
	 * The sleepable program does not delay the grace period after which the other one is
	 * freed.
	 */
	ftk_runner_start(test, r, 1);
	for (tries = 0; tries < MAX_TRIES && !in_time; tries++) {
		prog = ftk_load(test, p->insns, p->cnt, NULL);
		KUNIT_ASSERT_EQ(test, bpf_fastterm_terminate(prog, 1), 0);
		ftk_unload(test, prog);
		KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
		in_time = bpf_fastterm_outcome(1, &outcome) == -EINPROGRESS;
		do {
			err = bpf_fastterm_outcome(1, &outcome);
			cond_resched();
		} while (err == -EINPROGRESS);
		KUNIT_EXPECT_EQ(test, err, -ESRCH);
	}
	KUNIT_EXPECT_EQ(test, ftk_terminate(r, &outcome), 0);
	ftk_runner_end(test, r);
	if (!in_time)
		kunit_skip(test, "programs are freed only when nobody looks for them any more");
}

/* product(first word of the context, third word), computed by two loops */
static const struct bpf_insn product[] = {
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
	BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 16),
	BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -16),
	BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 0),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 7),
	BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
	BPF_EXIT_INSN(),
	/* 12: the outer callback */
	BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
	BPF_MOV64_REG(BPF_REG_3, BPF_REG_2),
	BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 5),
	BPF_MOV64_IMM(BPF_REG_4, 0),
	FTK_CALL(BPF_FUNC_loop),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
	/* 20: the inner callback */
	BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 8),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, 1),
	BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 8),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
};

/* Other CPUs run the same program. They are not affected: each of their results is right. */
static void redirect_only_one(struct kunit *test)
{
	struct bpf_prog *prog = ftk_load(test, product, ARRAY_SIZE(product), NULL);
	u32 i, cpu, others = min(num_online_cpus(), 4) - 1;
	struct fastterm_outcome outcome;
	struct ftk_runner *r;
	u64 runs = 0;

	r = kunit_kcalloc(test, 1 + others, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	for (cpu = 1; cpu <= others; cpu++) {
		r[cpu].prog = prog;
		r[cpu].ctx[0] = cpu == 1 ? FTK_FOREVER : 30;
		r[cpu].ctx[2] = cpu == 1 ? FTK_FOREVER : 40;
		r[cpu].expected = cpu == 1 ? 0 : 30 * 40;
		ftk_runner_start(test, &r[cpu], cpu);
	}
	for (i = 0; i < 1000; i++) {
		cond_resched();
		udelay(get_random_u32_below(200));
		KUNIT_ASSERT_EQ_MSG(test, ftk_terminate(&r[1], &outcome), 0, "at %u", i);
	}
	for (cpu = 1; cpu <= others; cpu++) {
		if (cpu > 1) {
			WRITE_ONCE(r[cpu].once, true);
			/* Pairs with the release at the end of the runner's thread. */
			while (!smp_load_acquire(&r[cpu].done))
				cond_resched();
			runs += r[cpu].runs;
		}
		ftk_runner_end(test, &r[cpu]);
		KUNIT_EXPECT_EQ(test, r[cpu].broken, 0);
		KUNIT_EXPECT_EQ(test, r[cpu].wrong, 0);
	}
	kunit_info(test, "%llu runs on %u other processors\n", runs, others - 1);
	if (others > 1)
		KUNIT_EXPECT_GT(test, runs, 1000);
}

static int request_too(void *data)
{
	const struct ftk_runner *r = data;

	while (!kthread_should_stop()) {
		int err = bpf_fastterm_terminate(r->prog, r->cpu);

		/* The other requester has requested it already, or is about to. */
		if (err && err != -EBUSY && err != -EALREADY)
			return err;
		cond_resched();
	}
	return 0;
}

/* A second thread requests the termination all the time. */
static void redirect_race(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct ftk_shape shape = { 4, true, .entered = &m, .body = FTK_SNIPPET(body_alu) };
	struct ftk_runner *r = ftk_runner(test, &shape, NULL);
	struct task_struct *other;
	u32 i;

	if (num_online_cpus() < 3)
		kunit_skip(test, "two processors: nobody is there to be second");
	ftk_runner_start(test, r, 1);
	other = kthread_run_on_cpu(request_too, r, 2, "ftk_other/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	for (i = 0; i < 2000; i++) {
		if (!ftk_runner_entered(r))
			break;
		bpf_fastterm_terminate(r->prog, r->cpu);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, i, 2000);
	KUNIT_EXPECT_EQ(test, kthread_stop(other), 0);
	ftk_runner_end(test, r);
	KUNIT_EXPECT_EQ(test, r->broken, 0);
}

static struct kunit_case redirect_cases[] = {
	KUNIT_CASE(redirect_errors),
	KUNIT_CASE(redirect_freed),
	KUNIT_CASE_PARAM_ATTR(redirect_points, points_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(redirect_elements, elements_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(redirect_samples),
	KUNIT_CASE(redirect_vma),
	KUNIT_CASE_SLOW(redirect_global),
	KUNIT_CASE(redirect_detached),
	KUNIT_CASE(redirect_offline),
	KUNIT_CASE(redirect_only_one),
	KUNIT_CASE(redirect_race),
	{}
};

static struct kunit_suite redirect_suite = {
	.name = "fastterm_redirect",
	.init = ftk_requester_init,
	.exit = ftk_requester_exit,
	.test_cases = redirect_cases,
};

kunit_test_suite(redirect_suite);
