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

#include "../internal.h"
#include "prog.h"

/* As many arguments as a raw tracepoint has at most. */
struct raw_tp_ctx {
	u64 args[MAX_BPF_FUNC_ARGS];
};

/* More iterations than any test waits for, and as many as bpf_loop() allows. */
#define FOREVER BIT(23)

static int mode_before;

/* Every program gets images here, however short it is. */
static int image_init(struct kunit *test)
{
	if (!fastterm_supported())
		kunit_skip(test, "no fastterm backend for this architecture");
	mode_before = fastterm_mode;
	fastterm_mode = FASTTERM_MODE_ALL;
	return 0;
}

static void image_exit(struct kunit *test)
{
	if (fastterm_supported())
		fastterm_mode = mode_before;
}

static const struct fastterm_site *site_at(const struct fastterm_prog *known,
					   u32 func, u32 off)
{
	u32 i;

	for (i = 0; i < known->nr_sites; i++)
		if (known->sites[i].func == func && known->sites[i].native == off)
			return &known->sites[i];
	return NULL;
}

static u32 image_size(const struct bpf_prog *p)
{
	return p->jited_len + cfi_get_offset();
}

/* Where a target in a stub image leads: through a thunk behind its code. */
static unsigned long resolve(const struct fastterm_image *image, u32 code_size,
			     unsigned long target)
{
	u32 off = target - (long)image->code;
	struct fastterm_insn insn;
	int len;

	if (target < (long)image->code + code_size ||
	    target >= (long)image->code + image->size)
		return target;
	do {
		len = fastterm_arch_decode(image->code, off, image->size,
					   (long)image->code, &insn);
		off += len;
	} while (len > 0 && insn.kind == FASTTERM_INSN_PLAIN);
	return len > 0 ? insn.target : 0;
}

/* What a call or jump that leaves the original at @target does in the copy. */
static unsigned long counterpart(struct bpf_prog *prog, unsigned long target)
{
	const struct fastterm_prog *known = prog->aux->fastterm.prog;
	u32 i;

	for (i = 0; i < known->nr_funcs; i++)
		if (target == (unsigned long)fastterm_func(prog, i)->bpf_func)
			return (unsigned long)known->images[i]->shadow->bpf_func;
	return target;
}

/*
 * Whether what is at @off is patched while the program runs, for a tail call
 * that goes directly to its target. In the copy it never does.
 */
static bool compare_slot(struct kunit *test, const struct bpf_prog *p, const u8 *from,
			 const u8 *to, u32 off)
{
	u32 i;

	for (i = 0; i < p->aux->size_poke_tab; i++) {
		const struct bpf_jit_poke_descriptor *poke = &p->aux->poke_tab[i];
		bool bypass = poke->tailcall_bypass == from + off;
		struct fastterm_insn insn;

		if (!bypass && poke->tailcall_target != from + off)
			continue;
		KUNIT_EXPECT_EQ(test, poke->bypass_addr - poke->tailcall_target,
				fastterm_arch_decode(to, off, image_size(p), (long)to, &insn));
		KUNIT_EXPECT_EQ(test, insn.kind, FASTTERM_INSN_JUMP);
		/* Around it, or back to where the frame is known to be gone. */
		KUNIT_EXPECT_EQ(test, insn.target,
				bypass ? (u8 *)poke->bypass_addr - from + (long)to :
					 (long)from + off);
		return true;
	}
	return false;
}

/*
 * Every boundary of the original is one of the copy; what is no site and refers
 * to nothing outside is the same to the byte, and what does refers to the same.
 */
static void compare_image(struct kunit *test, struct bpf_prog *prog, u32 func)
{
	const struct fastterm_prog *known = prog->aux->fastterm.prog;
	const struct fastterm_image *image = known->images[func];
	const struct bpf_prog *p = fastterm_func(prog, func);
	const u8 *from = (u8 *)p->bpf_func - cfi_get_offset();
	const u8 *to = image->code;
	const u32 size = image_size(p);
	struct fastterm_insn a, b;
	bool split = false, second;
	u32 off, sites = 0;
	int len;

	KUNIT_EXPECT_MEMEQ(test, from, to, cfi_get_offset());
	for (off = cfi_get_offset(); off < size; off += len) {
		const struct fastterm_site *site = off ? site_at(known, func, off) : NULL;

		second = split;
		len = fastterm_arch_decode(from, off, size, (long)from, &a);
		KUNIT_ASSERT_GT_MSG(test, len, 0, "original at %#x", off);
		split = a.split;
		sites += !!site;
		if (site && !site->decision.why)
			continue;
		if (compare_slot(test, p, from, to, off))
			continue;
		KUNIT_ASSERT_EQ_MSG(test, len,
				    fastterm_arch_decode(to, off, size, (long)to, &b),
				    "copy at %#x", off);
		if (a.kind == FASTTERM_INSN_PLAIN) {
			/* The second of two that form an address is part of the first. */
			if (!second)
				KUNIT_EXPECT_MEMEQ_MSG(test, from + off, to + off, len,
						       "at %#x", off);
			continue;
		}
		/* Literals stand right behind the code, and are copied with it. */
		if (a.target >= (long)from && a.target < (long)from + size + sizeof(u64))
			KUNIT_EXPECT_EQ_MSG(test, a.target - (long)from,
					    b.target - (long)to, "at %#x", off);
		else if (a.kind == FASTTERM_INSN_DATA)
			KUNIT_EXPECT_EQ_MSG(test, a.target, b.target, "at %#x", off);
		else
			KUNIT_EXPECT_EQ_MSG(test, resolve(image, size, b.target),
					    counterpart(prog, a.target), "at %#x", off);
	}
	KUNIT_EXPECT_EQ(test, off, size);
	/* Every site has been found in the code. */
	for (off = 0; off < known->nr_sites; off++)
		if (known->sites[off].func == func)
			sites--;
	KUNIT_EXPECT_EQ(test, sites, 0);
}

/* Load a program, look at its images, and give back its main one. */
static const struct bpf_prog *load(struct kunit *test, const struct bpf_insn *insns,
				   u32 cnt, const struct ftk_opts *opts,
				   struct bpf_prog **loaded)
{
	struct bpf_prog *prog = ftk_load(test, insns, cnt, opts);
	const struct fastterm_prog *known = prog->aux->fastterm.prog;
	const struct bpf_prog *shadow;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, known);
	KUNIT_ASSERT_EQ(test, known->absence, FASTTERM_PRESENT);
	KUNIT_ASSERT_NOT_NULL(test, known->images);
	for (i = 0; i < known->nr_funcs; i++)
		compare_image(test, prog, i);
	shadow = known->images[0]->shadow;
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

/* What a skipped helper would have filled is zero, whatever was there. */
static void image_fill(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_probe_read_kernel),
		BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -16),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, -8),
		BPF_ALU64_REG(BPF_OR, BPF_REG_1, BPF_REG_2),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_1, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 77),
		BPF_EXIT_INSN(),
		BPF_EXIT_INSN(),
	};
	static const u64 data[2] = { 1, 2 };
	struct raw_tp_ctx ctx = { .args[0] = (unsigned long)data };
	struct bpf_prog *prog;
	const struct bpf_prog *stub = load(test, insns, ARRAY_SIZE(insns), NULL, &prog);

	KUNIT_EXPECT_EQ(test, ftk_run(prog, &ctx), 77);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, &ctx), (u32)-ECANCELED);
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
	const struct fastterm_prog *known = prog->aux->fastterm.prog;

	KUNIT_EXPECT_EQ(test, known->nr_funcs, 3);
	KUNIT_EXPECT_EQ(test, ftk_run(stub, NULL), 5);
	/* A callback that is entered by its image does not iterate either. */
	KUNIT_EXPECT_EQ(test, ftk_run(known->images[1]->shadow, NULL), 0);
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

/* Programs that cannot run for long get no image unless all do. */
static void image_needed(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct fastterm_prog *known;

	fastterm_mode = FASTTERM_MODE_NEEDED;
	known = ftk_load(test, insns, ARRAY_SIZE(insns), NULL)->aux->fastterm.prog;
	KUNIT_EXPECT_EQ(test, known->absence, FASTTERM_NOT_NEEDED);
	KUNIT_EXPECT_NULL(test, known->images);

	fastterm_mode = FASTTERM_MODE_OFF;
	known = ftk_load(test, insns, ARRAY_SIZE(insns), NULL)->aux->fastterm.prog;
	KUNIT_EXPECT_EQ(test, known->absence, FASTTERM_OFF);
	KUNIT_EXPECT_NULL(test, known->images);
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
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "kernel function: skipped, returns NULL\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(m.buf, "kept: releases a reference (argument 1)\n"));
}

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
	int i;

	for (i = 0; i < 1000; i++) {
		struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);

		KUNIT_ASSERT_NOT_NULL(test, prog->aux->fastterm.prog->images);
		stub = (long)prog->aux->fastterm.prog->images[0]->shadow->bpf_func;
		ftk_unload(test, prog);
		/* Freeing takes longer than loading: let it keep up. */
		if (i % 100 < 99)
			continue;
		KUNIT_ASSERT_EQ(test, ftk_drain(), 0);
		KUNIT_EXPECT_FALSE(test, is_bpf_text_address(stub));
	}
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_needed),
	KUNIT_CASE(image_fault),
	KUNIT_CASE(image_show),
	KUNIT_CASE_SLOW(image_cycles),
	{}
};

/* KUnit keeps results in the cases, so each suite has its own. */
static struct kunit_case blinded_cases[] = {
	KUNIT_CASE(image_straight_line),
	KUNIT_CASE(image_helper),
	KUNIT_CASE(image_fill),
	KUNIT_CASE(image_loop),
	KUNIT_CASE(image_may_goto),
	KUNIT_CASE(image_far),
	KUNIT_CASE(image_call),
	KUNIT_CASE(image_tail_call),
	KUNIT_CASE(image_acquire),
	KUNIT_CASE(image_fault),
	{}
};

static struct kunit_suite image_suite = {
	.name = "fastterm_image",
	.init = image_init,
	.exit = image_exit,
	.test_cases = image_cases,
};

static int harden_before;

/* Constant blinding renumbers the instructions that the JIT is given. */
static int blinded_init(struct kunit *test)
{
	harden_before = bpf_jit_harden;
	bpf_jit_harden = 2;
	return image_init(test);
}

static void blinded_exit(struct kunit *test)
{
	image_exit(test);
	bpf_jit_harden = harden_before;
}

static struct kunit_suite blinded_suite = {
	.name = "fastterm_image_blinded",
	.init = blinded_init,
	.exit = blinded_exit,
	.test_cases = blinded_cases,
};

kunit_test_suites(&image_suite, &blinded_suite);
