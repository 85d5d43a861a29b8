// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of programs in debugfs; see image.h
 */

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "../mode.h"
#include "../program.h"
#include "../show.h"
#include "file.h"
#include "image.h"
#include "map.h"
#include "prog.h"
#include "run.h"

/**
 * image_show() - the file of a program lists its sites and the reasons
 * @test: the test case
 */
void image_show(struct kunit *test)
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
	struct seq_file *m = ftk_seq(test);
	struct bpf_prog *prog;
	const char *text;

	ftk_load_stub(test, insns, ARRAY_SIZE(insns), &opts, &prog);
	fastterm_show(m, fastterm_of(prog));
	text = ftk_seq_text(test, m);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "long: no\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " bpf_cpumask_create: skipped, returns NULL\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kept: releases a reference (argument 1)\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " 5 of BPF, 1 kept calls\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "kept calls: bpf_cpumask_release\n"));
}

/**
 * image_show_nmi() - the file of a program says whether it has loops that nothing ends in an NMI
 * @test: the test case
 *
 * The loop over an iterator is the program's own, and the one over a map's elements is the
 * kernel's.
 */
void image_show_nmi(struct kunit *test)
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
	struct seq_file *shown = ftk_seq(test);
	struct bpf_prog *prog;
	const char *text;
	u32 i;

	ftk_need_callbacks(test);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ftk_opts opts = { .type = rows[i].type };

		ftk_load_stub(test, rows[i].insns, rows[i].cnt, &opts, &prog);
		fastterm_show(shown, fastterm_of(prog));
		text = ftk_seq_text(test, shown);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].shown, !!strstr(text, "not in an NMI"),
				    "row %u: %s", i, text);
	}
}

/**
 * image_counted() - each load is counted by the reason for which the program has no images
 * @test: the test case
 */
void image_counted(struct kunit *test)
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
	struct seq_file *m = ftk_seq(test);
	int i, before;
	char line[64];

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fastterm_mode = rows[i].mode;
		before = atomic_read(&fastterm_loads[rows[i].absence]);
		ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
		ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
		KUNIT_EXPECT_EQ(test, atomic_read(&fastterm_loads[rows[i].absence]), before + 2);
		fastterm_show_loads(m);
		snprintf(line, sizeof(line), "%u: %s\n", before + 2, rows[i].shown);
		KUNIT_EXPECT_NOT_NULL(test, strstr(ftk_seq_text(test, m), line));
	}
}
