// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images: that they are the copies they claim to be, and that a program
 * that is entered through its stub image leaves at once, having released what
 * it took, without doing what it would have done.
 */

#include <linux/btf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#include <kunit/test.h>

#include "../encode.h"
#include "../image.h"
#include "../mode.h"
#include "../program.h"
#include "../show.h"
#include "compare.h"
#include "prog.h"
#include "runaway.h"

/* As many arguments as a raw tracepoint has at most. */
struct raw_tp_ctx {
	u64 args[MAX_BPF_FUNC_ARGS];
};

/* More iterations than any test waits for, and as many as bpf_loop() allows. */
#define FOREVER BIT(23)

/* Load a program, look at its images, and give back its main one. */
static const struct bpf_prog *load(struct kunit *test, const struct bpf_insn *insns,
				   u32 cnt, const struct ftk_opts *opts,
				   struct bpf_prog **loaded)
{
	struct bpf_prog *prog = ftk_load(test, insns, cnt, opts);
	const struct fastterm_prog *fprog = prog->aux->fastterm.prog;
	const struct bpf_prog *shadow;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, fprog);
	KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	KUNIT_ASSERT_NOT_NULL(test, fprog->images);
	for (i = 0; i < fprog->nr_funcs; i++)
		ftk_compare_image(test, prog, fprog, i);
	shadow = fprog->images[0]->shadow;
	/* What the rest of the kernel finds at an address in the image. */
	KUNIT_EXPECT_TRUE(test, is_bpf_text_address((long)shadow->bpf_func));
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, bpf_prog_ksym_find((long)shadow->bpf_func + 1),
			    (struct bpf_prog *)shadow);
	rcu_read_unlock();
	if (loaded)
		*loaded = prog;
	return shadow;
}

static void image_straight_line(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_EXIT_INSN(),
	};
	struct raw_tp_ctx ctx = { .args[0] = 41 };

	KUNIT_EXPECT_EQ(test, ftk_run(load(test, insns, ARRAY_SIZE(insns), NULL, NULL), &ctx), 42);
}

/* A skipped update leaves the map alone, and its result is the errno. */
static void image_helper(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_HASH, 8, 8, 4, 0);
	struct bpf_insn insns[] = {
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 7),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 9),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_map_update_elem),
		BPF_EXIT_INSN(),
	};
	const u64 key = 7;
	struct bpf_prog *prog;
	u64 value = 0;

	const struct bpf_prog *stub = load(test, insns, ARRAY_SIZE(insns), NULL, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
	KUNIT_EXPECT_FALSE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, value, 9);
}

/*
 * What a skipped helper would have filled is zero, whatever was there: @call fills 16
 * bytes at the end of the stack, and the program itself says whether they are not zero.
 */
static void expect_filled(struct kunit *test, const struct bpf_insn *call, u32 nr, void *ctx)
{
	static const struct bpf_insn check[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -16),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, -8),
		BPF_ALU64_REG(BPF_OR, BPF_REG_1, BPF_REG_2),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_EXIT_INSN(),
		BPF_EXIT_INSN(),
	};
	struct bpf_insn insns[8 + ARRAY_SIZE(check)];
	const struct bpf_prog *stub;
	struct bpf_prog *prog;

	KUNIT_ASSERT_LE(test, nr + ARRAY_SIZE(check), ARRAY_SIZE(insns));
	memcpy(insns, call, nr * sizeof(*insns));
	memcpy(insns + nr, check, sizeof(check));
	stub = load(test, insns, nr + ARRAY_SIZE(check), NULL, &prog);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, ctx), 77);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, ctx), (u32)-ECANCELED);
}

static void image_fill(struct kunit *test)
{
	static const struct bpf_insn call[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_probe_read_kernel),
	};
	static const u64 data[2] = { 1, 2 };
	struct raw_tp_ctx ctx = { .args[0] = (unsigned long)data };

	expect_filled(test, call, ARRAY_SIZE(call), &ctx);
}

static void image_fill_name(struct kunit *test)
{
	static const struct bpf_insn call[] = {
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, -1),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, -1),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
	};

	expect_filled(test, call, ARRAY_SIZE(call), NULL);
}

/* The inlined loop is left before its first iteration, and the outer one too. */
static void image_loop(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, FOREVER),
		BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_FUNC, 0, 6),
		BPF_RAW_INSN(0, 0, 0, 0, 0),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 5),
		BPF_EXIT_INSN(),
		/* 8: the outer callback */
		BPF_MOV64_IMM(BPF_REG_1, FOREVER),
		BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_FUNC, 0, 6),
		BPF_RAW_INSN(0, 0, 0, 0, 0),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		/* 16: the inner callback */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog;
	const struct bpf_prog *stub = load(test, insns, ARRAY_SIZE(insns), NULL, &prog);
	const struct fastterm_prog *fprog = prog->aux->fastterm.prog;

	KUNIT_EXPECT_EQ(test, fprog->nr_funcs, 3);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 5);
	/* A callback that is entered by its image does not iterate either. */
	KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[1]->shadow, NULL), 0);
}

/* may_goto leaves at the first test; what follows the loop still runs. */
static void image_may_goto(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 3),
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_MOV64_IMM(BPF_REG_0, 4),
		BPF_JMP_A(-3),
		BPF_EXIT_INSN(),
	};

	KUNIT_EXPECT_EQ(test, ftk_run(load(test, insns, ARRAY_SIZE(insns), NULL, NULL), NULL), 3);
}

/* A loop whose body is longer than the reach of the shortest branches. */
static void image_far(struct kunit *test)
{
	const u32 body = 3000, cnt = body + 5;
	struct bpf_insn *insns = kunit_kcalloc(test, cnt, sizeof(*insns), GFP_KERNEL);
	u32 i = 0;

	KUNIT_ASSERT_NOT_NULL(test, insns);
	insns[i++] = BPF_MOV64_IMM(BPF_REG_0, 3);
	insns[i++] = BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, body + 1, 0);
	while (i < body + 2)
		insns[i++] = BPF_ALU64_IMM(BPF_XOR, BPF_REG_0, 0x12345);
	insns[i] = BPF_JMP_A(-(s32)body - 2);
	insns[i + 1] = BPF_EXIT_INSN();
	KUNIT_EXPECT_EQ(test, ftk_run(load(test, insns, i + 2, NULL, NULL), NULL), 3);
}

static void free_insns(void *insns)
{
	kvfree(insns);
}

/* A program that calls a helper first and then calculates, in @cnt instructions. */
static struct bpf_prog *load_long(struct kunit *test, u32 cnt)
{
	struct bpf_insn *insns = kvmalloc_array(cnt + 2, sizeof(*insns), GFP_KERNEL);
	u32 i = 0;

	KUNIT_ASSERT_NOT_NULL(test, insns);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_insns, insns), 0);
	insns[i++] = FTK_CALL(BPF_FUNC_get_numa_node_id);
	while (i <= cnt)
		insns[i++] = BPF_ALU64_IMM(BPF_XOR, BPF_REG_0, 0x12345);
	insns[i] = BPF_EXIT_INSN();
	return ftk_load(test, insns, cnt + 2, NULL);
}

/* Whether the first call of a program reaches what is behind its image. */
static bool reaches_end(struct kunit *test, const struct bpf_prog *prog)
{
	u8 *from = (u8 *)prog->bpf_func - cfi_get_offset();
	const u32 size = prog->jited_len + cfi_get_offset();
	struct fastterm_insn insn = {};
	u8 code[128];
	int off, len;

	memcpy(code, from, sizeof(code));
	for (off = cfi_get_offset(); insn.kind != FASTTERM_INSN_CALL; off += len) {
		len = fastterm_arch_decode(code, off, sizeof(code), (long)from, &insn);
		KUNIT_ASSERT_GT(test, len, 0);
	}
	insn.target = (long)from + round_up(size, sizeof(u64));
	return !fastterm_encode(code, off - len, sizeof(code), (long)from, &insn);
}

/*
 * Where calls go by what is behind the image, its size is limited by their reach,
 * which ends at 1 MiB on one architecture. Behind that a program has no image and
 * runs all the same; as far as calls reach it has one.
 */
static void image_large(struct kunit *test)
{
	const u32 per_1000 = load_long(test, 2000)->jited_len - load_long(test, 1000)->jited_len;
	/* Even numbers: the result is that of the call. */
	const u32 cnt = (u64)SZ_1M * 1000 / per_1000 & ~1;
	const struct fastterm_prog *fprog;
	struct bpf_prog *prog;

	prog = load_long(test, cnt - 200);
	fprog = prog->aux->fastterm.prog;
	KUNIT_EXPECT_LT(test, prog->jited_len, SZ_1M);
	KUNIT_EXPECT_TRUE(test, reaches_end(test, prog));
	KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
	ftk_compare_image(test, prog, fprog, 0);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[0]->shadow, NULL), (u32)-ECANCELED);

	prog = load_long(test, cnt + 200);
	fprog = prog->aux->fastterm.prog;
	KUNIT_EXPECT_GT(test, prog->jited_len, SZ_1M);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	if (reaches_end(test, prog)) {
		KUNIT_ASSERT_EQ(test, fprog->absence, FASTTERM_PRESENT);
		ftk_compare_image(test, prog, fprog, 0);
		KUNIT_EXPECT_EQ(test, ftk_run(fprog->images[0]->shadow, NULL), (u32)-ECANCELED);
	} else {
		KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_TOO_LARGE);
		KUNIT_EXPECT_NULL(test, fprog->images);
	}
}

/* A call goes from image to image: nothing of the callee's is done either. */
static void image_call(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct bpf_insn insns[] = {
		BPF_CALL_REL(1),
		BPF_EXIT_INSN(),
		/* 2: updates the map */
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 9),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_map_update_elem),
		BPF_EXIT_INSN(),
	};
	const u32 key = 0;
	u64 value = 1;

	KUNIT_EXPECT_EQ(test, ftk_run(load(test, insns, ARRAY_SIZE(insns), NULL, NULL), NULL),
			(u32)-ECANCELED);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, value, 0);
}

/* A global function is not entered, and what is in R0 is not what was there before. */
static void image_global(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_MOV64_IMM(BPF_REG_1, 7),
		BPF_CALL_REL(3),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, -ECANCELED, 1),
		BPF_MOV64_IMM(BPF_REG_0, 66),
		BPF_EXIT_INSN(),
		/* 6: global */
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .globals = BIT(1) };
	struct bpf_prog *prog;
	const struct bpf_prog *stub = load(test, insns, ARRAY_SIZE(insns), &opts, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 66);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
}

/*
 * Tail calls are not taken, neither the kind whose index is known and that goes
 * directly to its target, nor the other; whether there is a target when the
 * program is loaded, or later; in a program of one function or of two.
 */
static void image_tail_call(struct kunit *test)
{
	static const struct bpf_insn callee[] = {
		BPF_MOV64_IMM(BPF_REG_0, 66),
		BPF_EXIT_INSN(),
	};
	struct raw_tp_ctx ctx = { .args[0] = 1 };
	const u32 key = 1;
	u32 fd, late, funcs;

	fd = ftk_prog_fd(test, ftk_load(test, callee, ARRAY_SIZE(callee), NULL));
	for (late = 0; late < 2; late++) {
		for (funcs = 1; funcs <= 1 + bpf_jit_supports_subprog_tailcalls(); funcs++) {
			struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2, 0);
			struct bpf_insn insns[] = {
				BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
				BPF_LD_MAP_FD(BPF_REG_2, m.fd),
				BPF_MOV64_IMM(BPF_REG_3, 1),
				FTK_CALL(BPF_FUNC_tail_call),
				BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
				BPF_LD_MAP_FD(BPF_REG_2, m.fd),
				BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
				FTK_CALL(BPF_FUNC_tail_call),
				funcs == 1 ? BPF_MOV64_IMM(BPF_REG_0, 2) : BPF_CALL_REL(1),
				BPF_EXIT_INSN(),
				BPF_MOV64_IMM(BPF_REG_0, 2),
				BPF_EXIT_INSN(),
			};
			const struct bpf_prog *stub;
			struct bpf_prog *prog;

			if (!late)
				ftk_map_update(test, &m, &key, &fd);
			stub = load(test, insns, ARRAY_SIZE(insns) - (funcs == 1 ? 2 : 0),
				    NULL, &prog);
			if (late) {
				KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 2);
				ftk_map_update(test, &m, &key, &fd);
			}
			KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 66);
			KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), 2);
		}
	}
}

/* What is acquired in spite of all is released: here nothing is, and NULL is seen. */
static void image_acquire(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		ftk_kfunc(test, "bpf_cpumask_create"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 8),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "bpf_cpumask_release"),
		BPF_MOV64_IMM(BPF_REG_0, 9),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct bpf_prog *prog;
	const struct bpf_prog *stub = load(test, insns, ARRAY_SIZE(insns), &opts, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 9);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 8);
}

/*
 * What is thrown in a copy is caught: by their addresses there, its frames are
 * known as those of the program, and its callback is found.
 */
static void image_throw(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_get_numa_node_id),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_CALL_REL(2),
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_EXIT_INSN(),
		/* 5: throws its argument, unless it is 78 */
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 78, 1),
		ftk_kfunc(test, "bpf_throw"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_SCHED_CLS };
	const struct bpf_prog *stub;
	struct bpf_prog *prog;

	ftk_need_exceptions(test);
	stub = load(test, insns, ARRAY_SIZE(insns), &opts, &prog);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
}

/* Programs that cannot run for long get no image unless all do. */
static void image_needed(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *fprog;

	fastterm_mode = FASTTERM_MODE_NEEDED;
	fprog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL)->aux->fastterm.prog;
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_NOT_NEEDED);
	KUNIT_EXPECT_NULL(test, fprog->images);

	fastterm_mode = FASTTERM_MODE_OFF;
	fprog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL)->aux->fastterm.prog;
	KUNIT_EXPECT_EQ(test, fprog->absence, FASTTERM_OFF);
	KUNIT_EXPECT_NULL(test, fprog->images);
}

/* A load that faults in the copy is mended by the copy's own exception table. */
static void image_fault(struct kunit *test)
{
	struct bpf_insn insns[] = {
		/* The first eight bytes of a tracepoint's context are the kernel's. */
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		ftk_kfunc(test, "bpf_rdonly_cast"),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 3),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct raw_tp_ctx ctx = {};
	const struct bpf_prog *stub;
	struct bpf_prog *prog;
	void *gone;

	insns[1].imm = btf_find_by_name_kind(bpf_get_btf_vmlinux(), "list_head",
					     BTF_KIND_STRUCT);
	stub = load(test, insns, ARRAY_SIZE(insns), &opts, &prog);
	KUNIT_EXPECT_EQ(test, prog->aux->num_exentries, 1);

	gone = vmalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, gone);
	*(u64 *)gone = 39;
	ctx.args[1] = (unsigned long)gone;
	KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), 42);
	vfree(gone);
	vm_unmap_aliases();
	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 3);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), 3);
}

/* What debugfs shows of a program names its sites and the reasons. */
static void image_show(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		ftk_kfunc(test, "bpf_cpumask_create"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "bpf_cpumask_release"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct seq_file m = { .size = PAGE_SIZE };
	struct bpf_prog *prog;

	load(test, insns, ARRAY_SIZE(insns), &opts, &prog);
	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	fastterm_show(&m, prog->aux->fastterm.prog);
	KUNIT_ASSERT_LT(test, m.count, m.size);
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "long: no\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, " bpf_cpumask_create: skipped, returns NULL\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "kept: releases a reference (argument 1)\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, " 5 of BPF, 1 kept calls\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "kept calls: bpf_cpumask_release\n"));
}

/* An iterator's loop is the program's own, what goes over a map's elements is not. */
static void image_show_nmi(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	const struct bpf_insn iterates[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 4),
		ftk_kfunc(test, "bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		ftk_kfunc(test, "bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		ftk_kfunc(test, "bpf_iter_num_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct bpf_insn calls_back[] = {
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 6),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct {
		const struct bpf_insn *insns;
		u32 cnt;
		enum bpf_prog_type type;
		bool shown;
	} rows[] = {
		{ iterates, ARRAY_SIZE(iterates), BPF_PROG_TYPE_TRACEPOINT, true },
		{ iterates, ARRAY_SIZE(iterates), BPF_PROG_TYPE_XDP, false },
		{ calls_back, ARRAY_SIZE(calls_back), BPF_PROG_TYPE_TRACEPOINT, false },
	};
	struct seq_file shown = { .size = PAGE_SIZE };
	struct bpf_prog *prog;
	u32 i;

	ftk_need_callbacks(test);
	shown.buf = kunit_kzalloc(test, shown.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shown.buf);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ftk_opts opts = { .type = rows[i].type };

		load(test, rows[i].insns, rows[i].cnt, &opts, &prog);
		shown.count = 0;
		fastterm_show(&shown, prog->aux->fastterm.prog);
		KUNIT_ASSERT_LT(test, shown.count, shown.size);
		shown.buf[shown.count] = 0;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].shown, !!strstr(shown.buf, "not in an NMI"),
				    "row %u: %s", i, shown.buf);
	}
}

/* Every program is counted when it is loaded, by what became of its images. */
static void image_counted(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	static const struct {
		enum fastterm_mode mode;
		enum fastterm_absence absence;
		const char *shown;
	} rows[] = {
		{ FASTTERM_MODE_ALL, FASTTERM_PRESENT, "it has images" },
		{ FASTTERM_MODE_NEEDED, FASTTERM_NOT_NEEDED, "the program cannot run for long" },
		{ FASTTERM_MODE_OFF, FASTTERM_OFF, "kernel.bpf_fastterm was off" },
	};
	struct seq_file m = { .size = PAGE_SIZE };
	int i, before;
	char line[64];

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fastterm_mode = rows[i].mode;
		before = atomic_read(&fastterm_loads[rows[i].absence]);
		ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
		ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
		KUNIT_EXPECT_EQ(test, atomic_read(&fastterm_loads[rows[i].absence]), before + 2);
		m.count = 0;
		fastterm_show_loads(&m);
		KUNIT_ASSERT_LT(test, m.count, m.size);
		snprintf(line, sizeof(line), "%u: %s\n", before + 2, rows[i].shown);
		KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, line));
	}
}

/* Under KASAN loading takes twenty times as long. */
#define NR_CYCLES (IS_ENABLED(CONFIG_KASAN) ? 200 : 1000)

/* Images go with their programs, and nothing stays behind. */
static void image_cycles(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_EXIT_INSN(),
	};
	unsigned long stub;
	long before;
	int i;

	KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
	before = atomic_long_read(&fastterm_text);
	for (i = 0; i < NR_CYCLES; i++) {
		struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);

		KUNIT_ASSERT_NOT_NULL(test, prog->aux->fastterm.prog->images);
		stub = (long)prog->aux->fastterm.prog->images[0]->shadow->bpf_func;
		ftk_unload(test, prog);
		/* Freeing takes longer than loading: let it keep up. */
		if (i % 100 < 99)
			continue;
		KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
		KUNIT_EXPECT_FALSE(test, is_bpf_text_address(stub));
		KUNIT_EXPECT_EQ(test, atomic_long_read(&fastterm_text), before);
	}
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_fill_name),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE_SLOW(image_large),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_global),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_throw),
	KUNIT_CASE(image_needed),
	KUNIT_CASE(image_fault),
	KUNIT_CASE(image_show),
	KUNIT_CASE(image_show_nmi),
	KUNIT_CASE(image_counted),
	KUNIT_CASE_SLOW(image_cycles),
	{}
};

/* KUnit keeps results in the cases, so each suite has its own. */
static struct kunit_case blinded_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_fill_name),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_global),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_throw),
	KUNIT_CASE(image_fault),
	{}
};

static struct kunit_suite image_suite = {
	.name = "fastterm_image",
	.init = ftk_all_init,
	.exit = ftk_all_exit,
	.test_cases = image_cases,
};

static int harden_before;

/* Constant blinding renumbers the instructions that the JIT is given. */
static int blinded_init(struct kunit *test)
{
	harden_before = bpf_jit_harden;
	bpf_jit_harden = 2;
	return ftk_all_init(test);
}

static void blinded_exit(struct kunit *test)
{
	ftk_all_exit(test);
	bpf_jit_harden = harden_before;
}

static struct kunit_suite blinded_suite = {
	.name = "fastterm_image_blinded",
	.init = blinded_init,
	.exit = blinded_exit,
	.test_cases = blinded_cases,
};

kunit_test_suites(&image_suite, &blinded_suite);
