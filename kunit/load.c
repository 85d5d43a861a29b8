// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and running BPF programs from inside the kernel
 *
 * The other suites rely on this: programs of all the shapes that they use pass the verifier, are
 * JITed, and give the right result on each CPU; and an invalid program is refused. No case is
 * about termination.
 */

#include <linux/cpumask.h>
#include <linux/smp.h>

#include <kunit/test.h>

#include "map.h"
#include "prog.h"
#include "run.h"

/* A program that returns its first argument plus one. */
static const struct bpf_insn straight_line[] = {
	BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
	BPF_EXIT_INSN(),
};

/* Expect that all @nr_funcs functions of @prog are native code. */
static void expect_jited(struct kunit *test, const struct bpf_prog *prog,
			 u32 nr_funcs)
{
	u32 i;

	KUNIT_EXPECT_TRUE(test, prog->jited);
	if (nr_funcs == 1)
		return;

	KUNIT_ASSERT_EQ(test, prog->aux->func_cnt, nr_funcs);
	for (i = 0; i < nr_funcs; i++)
		KUNIT_EXPECT_TRUE(test, prog->aux->func[i]->jited);
}

static void load_straight_line(struct kunit *test)
{
	struct ftk_raw_tp_ctx ctx = { .args[0] = 41 };
	struct bpf_prog *prog = ftk_load(test, straight_line,
					 ARRAY_SIZE(straight_line), NULL);

	expect_jited(test, prog, 1);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 42);
}

/* Run a program of two functions. Returns the linkage of the second one. */
static u32 check_call(struct kunit *test, const struct ftk_opts *opts)
{
	static const struct bpf_insn insns[] = {
		/* 0: return sub1(first argument) + 1 */
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 0),
		BPF_CALL_REL(2),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_EXIT_INSN(),
		/* 4: sub1(value): return 2 * value */
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		BPF_ALU64_IMM(BPF_MUL, BPF_REG_0, 2),
		BPF_EXIT_INSN(),
	};
	struct ftk_raw_tp_ctx ctx = { .args[0] = 20 };
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), opts);

	expect_jited(test, prog, 2);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 41);
	return prog->aux->func_info_aux[1].linkage;
}

static void load_call(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, check_call(test, NULL), BTF_FUNC_STATIC);
}

static void load_call_global(struct kunit *test)
{
	static const struct ftk_opts opts = { .globals = BIT(1) };

	KUNIT_EXPECT_EQ(test, check_call(test, &opts), BTF_FUNC_GLOBAL);
}

static void load_callback(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		/* 0: sum = 0; bpf_loop(first argument, sub1, &sum, 0) */
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 0),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 7),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -8),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		BPF_EXIT_INSN(),
		/* 10: sub1(index, sum): *sum += index; go on */
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_3, BPF_REG_1),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct ftk_raw_tp_ctx ctx = { .args[0] = 1000 };
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);

	expect_jited(test, prog, 2);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 1000 * 999 / 2);
}

/*
 * A CPU mask that the program owns: one kfunc sets a bit, another one finds it, and the verifier
 * requires that the mask is released.
 */
static void load_kfunc(struct kunit *test)
{
	const u32 cpu = nr_cpu_ids - 1;
	struct bpf_insn insns[] = {
		ftk_kfunc(test, "bpf_cpumask_create"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, -ENOMEM),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_1, cpu),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_6),
		ftk_kfunc(test, "bpf_cpumask_set_cpu"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		ftk_kfunc(test, "bpf_cpumask_first"),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		ftk_kfunc(test, "bpf_cpumask_release"),
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_7),
		BPF_EXIT_INSN(),
	};
	/* Raw tracepoint programs may not call these kfuncs. */
	static const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), &opts);

	expect_jited(test, prog, 1);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), cpu);
}

static void load_map(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_HASH, sizeof(u32),
				   sizeof(u64), 4, 0);
	struct bpf_insn insns[] = {
		/* found = bpf_map_lookup_elem(m, &(u32){7}) */
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 7),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, -ENOENT),
		BPF_EXIT_INSN(),
		/* return bpf_map_update_elem(m, &(u32){8}, &(u64){*found + 1}) */
		BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_0, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -16),
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 8),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
		BPF_MOV64_IMM(BPF_REG_4, BPF_ANY),
		FTK_CALL(BPF_FUNC_map_update_elem),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
	const u64 seed = 5;
	u64 value = 0;

	expect_jited(test, prog, 1);
	KUNIT_EXPECT_EQ(test, (int)ftk_run(prog, NULL), -ENOENT);
	KUNIT_EXPECT_FALSE(test, ftk_map_lookup(&m, &(u32){8}, &value));

	ftk_map_update(test, &m, &(u32){7}, &seed);
	KUNIT_EXPECT_EQ(test, (int)ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &(u32){8}, &value));
	KUNIT_EXPECT_EQ(test, value, seed + 1);
}

static void load_tail_call(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, sizeof(u32),
				   sizeof(u32), 1, 0);
	struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, -ENOENT),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
	struct bpf_prog *target = ftk_load(test, straight_line,
					   ARRAY_SIZE(straight_line), NULL);
	struct ftk_raw_tp_ctx ctx = { .args[0] = 41 };
	int fd = ftk_prog_fd(test, target);

	expect_jited(test, prog, 1);
	expect_jited(test, target, 1);
	KUNIT_EXPECT_EQ(test, (int)ftk_run(prog, &ctx), -ENOENT);

	ftk_map_update(test, &m, &(u32){0}, &fd);
	KUNIT_EXPECT_EQ(test, (int)ftk_run(prog, &ctx), 42);
}

static void load_sleepable(struct kunit *test)
{
	static const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_SYSCALL,
		.flags = BPF_F_SLEEPABLE,
		.name = "sleeper",
	};
	struct bpf_prog *prog = ftk_load(test, straight_line,
					 ARRAY_SIZE(straight_line), &opts);
	u64 ctx = 41;

	expect_jited(test, prog, 1);
	KUNIT_EXPECT_STREQ(test, prog->aux->name, "sleeper");
	KUNIT_EXPECT_TRUE(test, prog->sleepable);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 42);
}

/* The program of load_map() without the check for NULL. */
static void load_rejected(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_HASH, sizeof(u32),
				   sizeof(u64), 4, 0);
	struct bpf_insn insns[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 7),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, insns, ARRAY_SIZE(insns), NULL),
			-EACCES);
	KUNIT_EXPECT_EQ(test, ftk_load_errno(test, straight_line,
					     ARRAY_SIZE(straight_line), NULL), 0);
}

struct run_on_cpu {
	const struct bpf_prog *prog;
	u32 ret;
};

static int run_on_cpu(void *data)
{
	struct run_on_cpu *run = data;

	run->ret = ftk_run(run->prog, NULL);
	return 0;
}

static void load_every_cpu(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_get_smp_processor_id),
		BPF_EXIT_INSN(),
	};
	struct run_on_cpu run = {
		.prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL),
	};
	unsigned int cpu;

	expect_jited(test, run.prog, 1);
	KUNIT_EXPECT_GT(test, num_online_cpus(), 1);
	KUNIT_EXPECT_EQ(test, num_online_cpus(), num_present_cpus());
	for_each_online_cpu(cpu) {
		run.ret = U32_MAX;
		KUNIT_ASSERT_EQ(test, smp_call_on_cpu(cpu, run_on_cpu, &run, false), 0);
		KUNIT_EXPECT_EQ(test, run.ret, cpu);
	}
}

/* The last case: all programs of the suite must have been freed by now. */
static void load_unload(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_CALL_REL(1),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
	unsigned long sub;

	expect_jited(test, prog, 2);
	sub = (unsigned long)prog->aux->func[1]->bpf_func;
	KUNIT_EXPECT_TRUE(test, is_bpf_text_address(sub));

	ftk_unload(test, prog);
	KUNIT_EXPECT_EQ(test, ftk_drain(), 0);
	KUNIT_EXPECT_FALSE(test, is_bpf_text_address(sub));
}

static struct kunit_case load_cases[] = {
	KUNIT_CASE(load_straight_line),
	KUNIT_CASE(load_call),
	KUNIT_CASE(load_call_global),
	KUNIT_CASE(load_callback),
	KUNIT_CASE(load_kfunc),
	KUNIT_CASE(load_map),
	KUNIT_CASE(load_tail_call),
	KUNIT_CASE(load_sleepable),
	KUNIT_CASE(load_rejected),
	KUNIT_CASE(load_every_cpu),
	KUNIT_CASE(load_unload),
	{}
};

static struct kunit_suite load_suite = {
	.name = "fastterm_load",
	.test_cases = load_cases,
};

kunit_test_suite(load_suite);
