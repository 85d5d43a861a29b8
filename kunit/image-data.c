// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers and memory of a program that runs in its stub image; see image.h
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <kunit/test.h>

#include "image.h"
#include "map.h"
#include "prog.h"
#include "run.h"

/**
 * image_helper() - a skipped update does not change the map, and returns an errno
 * @test: the test case
 */
void image_helper(struct kunit *test)
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
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, &prog);
	u64 value = 0;

	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), (u32)-ECANCELED);
	KUNIT_EXPECT_FALSE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 0);
	KUNIT_EXPECT_TRUE(test, ftk_map_lookup(&m, &key, &value));
	KUNIT_EXPECT_EQ(test, value, 9);
}

/*
 * Memory that a skipped helper would have filled is zero, whatever it was before. @call fills 16
 * bytes at the end of the stack, and the program returns whether they are nonzero.
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
	stub = ftk_load_stub(test, insns, nr + ARRAY_SIZE(check), NULL, &prog);
	KUNIT_EXPECT_EQ(test, ftk_run(prog, ctx), 77);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, ctx), (u32)-ECANCELED);
}

/**
 * image_fill() - memory that a skipped helper would have filled is zero
 * @test: the test case
 */
void image_fill(struct kunit *test)
{
	static const struct bpf_insn call[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_probe_read_kernel),
	};
	static const u64 data[2] = { 1, 2 };
	struct ftk_raw_tp_ctx ctx = { .args[0] = (unsigned long)data };

	expect_filled(test, call, ARRAY_SIZE(call), &ctx);
}

/**
 * image_fill_name() - a name that a skipped helper would have written is empty
 * @test: the test case
 */
void image_fill_name(struct kunit *test)
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

/**
 * image_acquire() - a skipped acquisition fails, and nothing is released
 * @test: the test case
 */
void image_acquire(struct kunit *test)
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
	const struct bpf_prog *stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), &opts, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(prog, NULL), 9);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 8);
}

/**
 * image_fault() - a load that faults in the copy is fixed up by the copy's own exception table
 * @test: the test case
 */
void image_fault(struct kunit *test)
{
	struct bpf_insn insns[] = {
		/* The first eight bytes of a tracepoint's context are a pointer of the kernel's. */
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 8),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		ftk_kfunc(test, "bpf_rdonly_cast"),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 3),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct ftk_raw_tp_ctx ctx = {};
	const struct bpf_prog *stub;
	struct bpf_prog *prog;
	void *gone;

	insns[1].imm = btf_find_by_name_kind(bpf_get_btf_vmlinux(), "list_head",
					     BTF_KIND_STRUCT);
	stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), &opts, &prog);
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
