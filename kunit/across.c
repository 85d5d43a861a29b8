// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers and memory behind each site of a stub image
 *
 * The verifier has simulated a skipped call: R0 has the value that its stub returns, memory that
 * the call fills is zero, and everything else is unchanged. It does not see what the JIT makes
 * of the call. These cases run stub images from their entry and compare the registers and the
 * frame at two places: right before each native instruction that replaces a site, and at the
 * beginning of the next BPF instruction, whose address comes from the JIT.
 *
 * Each place is reached in a run of its own. The runs can be compared because the program itself
 * has set all registers, and all of the frame, that are compared. sweep.h describes how images
 * are stopped.
 */

#include <linux/bitmap.h>
#include <linux/btf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/socket.h>

#include <kunit/test.h>

#include "../decision.h"
#include "../image.h"
#include "../program.h"
#include "compare.h"
#include "map.h"
#include "prog.h"
#include "regs.h"
#include "runaway.h"
#include "sweep.h"

/* Bytes of their frames that functions other than the main one set: two words. */
#define SUB_FRAME 16

/* The main function of each program begins like this: no value is 0, and no two are equal. */
static const struct bpf_insn enter[] = {
	BPF_MOV64_IMM(BPF_REG_6, 0x666),
	BPF_MOV64_IMM(BPF_REG_7, 0x777),
	BPF_MOV64_IMM(BPF_REG_8, 0x888),
	BPF_MOV64_IMM(BPF_REG_9, 0x999),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, -0x1008),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, -0x1010),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -24, -0x1018),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -32, -0x1020),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -40, -0x1028),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -48, -0x1030),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -56, -0x1038),
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -64, -0x1040),
};

#define MAX_INSNS 64

/**
 * struct expected - a site of a program, and what the case expects of it
 * @kind: its enum fastterm_kind
 * @value: the enum fastterm_value that S returns, for a skipped call
 * @fill: the argument whose memory S fills with zeroes, 0 if none
 * @calls: S makes this call, too
 * @unseen: S does not reach the site, or there is nothing to compare
 */
struct expected {
	u8 kind;
	u8 value;
	u8 fill;
	bool calls;
	bool unseen;
};

#define SKIP(what, result) \
	{ .kind = FASTTERM_##what, .value = FASTTERM_##result }
#define FILL(what, argument) \
	{ .kind = FASTTERM_##what, .value = FASTTERM_ECANCELED, .fill = argument }
#define CUT(what) \
	{ .kind = FASTTERM_##what }
#define CALLS \
	{ .kind = FASTTERM_SUBPROG, .calls = true }
#define KEEP(what) \
	{ .kind = FASTTERM_##what, .calls = true, .unseen = true }

/* The numbers that sites.c uses, repeated here so that the test does not depend on it. */
static const s64 numbers[FASTTERM_VALUES] = {
	[FASTTERM_NULL] = 0,
	[FASTTERM_ECANCELED] = -125,
	[FASTTERM_EPERM] = -1,
	[FASTTERM_ZERO] = 0,
	[FASTTERM_ONE] = 1,
};

/* The two places that are compared for each site. */
enum side {
	BEFORE,
	BEHIND,
	SIDES,
};

#define MAX_PLACES (FTK_MAX_STOPS / SIDES)

/**
 * struct place - a site in a stub image
 * @site: the site
 * @expected: what is expected of it
 * @regs: registers and frame on both sides, when the program was first stopped there
 * @unlike: the first difference in a later run that stopped there, or NULL
 */
struct place {
	const struct fastterm_site *site;
	const struct expected *expected;
	struct ftk_regs regs[SIDES];
	const char *unlike;
};

/**
 * struct across - a stub image that is run and stopped
 * @sweep: the stub image, as a program that can be stopped
 * @stops: the addresses at which it is stopped: both sides of each place
 * @nr: number of @places
 * @places: the sites that are compared
 */
struct across {
	struct ftk_sweep sweep;
	struct ftk_stops stops;
	u32 nr;
	struct place places[MAX_PLACES];
};

static void look(struct ftk_stops *stops, u32 i, struct pt_regs *regs)
{
	struct place *place = &container_of(stops, struct across, stops)->places[i / SIDES];
	struct ftk_regs *first = &place->regs[i % SIDES], now;

	ftk_regs_read(&now, regs, place->site->func ? SUB_FRAME : FTK_FRAME);
	if (!first->size)
		*first = now;
	/* R1 to R5 are undefined behind a call, and R0 is undefined before it. */
	place->unlike = place->unlike ?: ftk_regs_differ(first, &now, BPF_REG_6);
}

/* Offset of the BPF instruction that follows the one at @off of function @func. */
static u32 next_insn(struct kunit *test, struct bpf_prog *prog, u32 func, u32 off)
{
	const struct bpf_prog *p = fastterm_func(prog, func);
	const struct bpf_prog_aux *aux = prog->aux;
	u32 i, next;

	for (i = p->aux->linfo_idx + 1; i < aux->nr_linfo; i++) {
		next = aux->jited_linfo[i] - (void *)p->bpf_func;
		if (next > off)
			return next;
	}
	KUNIT_FAIL_AND_ABORT(test, "nothing behind %#x of function %u", off, func);
	return 0;
}

static void add_place(struct kunit *test, struct across *a, struct bpf_prog *prog,
		      const struct fastterm_prog *fprog, const struct fastterm_site *site,
		      const struct expected *expected)
{
	const struct fastterm_image *image = fprog->images[site->func];
	const u32 size = fastterm_func(prog, site->func)->jited_len + cfi_get_offset();
	unsigned long *ips = &a->stops.ips[a->nr * SIDES];
	struct fastterm_insn insn;
	u32 off = site->native;
	int len;

	KUNIT_ASSERT_LT(test, a->nr, MAX_PLACES);
	a->places[a->nr].site = site;
	a->places[a->nr].expected = expected;
	a->nr++;
	a->stops.nr = a->nr * SIDES;
	ips[BEFORE] = (unsigned long)image->code + site->native;
	do {
		len = fastterm_arch_decode(image->code, off, size, (long)image->code, &insn);
		KUNIT_ASSERT_GT(test, len, 0);
		off += len;
	} while (insn.kind == FASTTERM_INSN_PLAIN);
	/* A single jump leaves a loop, or skips a tail call. */
	if (site->decision.kind == FASTTERM_LOOP || site->decision.kind == FASTTERM_TAIL_CALL)
		ips[BEHIND] = insn.target;
	else
		ips[BEHIND] = (unsigned long)image->code +
			      next_insn(test, prog, site->func, site->native);
}

/* Memory that the stub fills is zero. Restore it, since the caller compares the whole frame. */
static void compare_filled(struct kunit *test, struct place *place)
{
	const u8 argument = place->expected->fill;
	struct ftk_regs *was = &place->regs[BEFORE], *now = &place->regs[BEHIND];
	u64 begin = was->regs[argument], end = begin + was->regs[argument + 1], at;
	u32 i, nr = 0;

	for (i = 0; i < was->size / sizeof(u64); i++) {
		at = was->regs[BPF_REG_FP] - (i + 1) * sizeof(u64);
		if (at < begin || at >= end)
			continue;
		KUNIT_EXPECT_NE_MSG(test, was->frame[i], 0, "insn %u, word %u",
				    place->site->insn, i);
		KUNIT_EXPECT_EQ_MSG(test, now->frame[i], 0, "insn %u, word %u",
				    place->site->insn, i);
		now->frame[i] = was->frame[i];
		nr++;
	}
	/* The filled memory lies completely in the part of the frame that is compared. */
	KUNIT_EXPECT_GT(test, nr, 0);
	KUNIT_EXPECT_EQ(test, nr * sizeof(u64), end - begin);
}

static void compare_place(struct kunit *test, struct across *a, u32 i)
{
	struct place *place = &a->places[i];
	const struct fastterm_site *site = place->site;
	struct ftk_regs *was = &place->regs[BEFORE], *now = &place->regs[BEHIND];
	const char *changed;
	u32 first = BPF_REG_6, side;

	for (side = 0; side < SIDES; side++) {
		KUNIT_ASSERT_TRUE_MSG(test, test_bit(i * SIDES + side, a->stops.hit),
				      "insn %u, side %u: not executed", site->insn, side);
		KUNIT_ASSERT_EQ_MSG(test, place->regs[side].size,
				    site->func ? SUB_FRAME : FTK_FRAME, "insn %u", site->insn);
	}
	KUNIT_EXPECT_NULL_MSG(test, place->unlike, "insn %u: %s differs from run to run",
			      site->insn, place->unlike ?: "");
	if (site->decision.kind == FASTTERM_LOOP)
		first = BPF_REG_0;
	else if (site->decision.kind != FASTTERM_TAIL_CALL && !place->expected->calls)
		KUNIT_EXPECT_EQ_MSG(test, (s64)now->regs[BPF_REG_0],
				    numbers[place->expected->value], "R0 behind insn %u",
				    site->insn);
	if (place->expected->fill)
		compare_filled(test, place);
	changed = ftk_regs_differ(was, now, first);
	KUNIT_EXPECT_NULL_MSG(test, changed, "%s behind insn %u", changed ?: "", site->insn);
}

static void expect_site(struct kunit *test, const struct fastterm_site *site,
			const struct expected *expected)
{
	const struct fastterm_decision *d = &site->decision;
	const u8 kind = d->kind;

	KUNIT_ASSERT_EQ_MSG(test, kind, expected->kind, "insn %u", site->insn);
	KUNIT_ASSERT_EQ_MSG(test, !!d->why, expected->calls, "insn %u", site->insn);
	if (d->why || d->kind == FASTTERM_LOOP || d->kind == FASTTERM_TAIL_CALL)
		return;
	KUNIT_ASSERT_EQ_MSG(test, site->value, expected->value, "insn %u", site->insn);
	KUNIT_ASSERT_EQ_MSG(test, d->fill & 1 ? __ffs(d->fill & ~1) : 0, expected->fill,
			    "insn %u", site->insn);
}

/*
 * Run the image in @fprog, which was made of @prog and has @nr sites. Expect it to return
 * @result.
 */
static void cross(struct kunit *test, struct bpf_prog *prog, const struct fastterm_prog *fprog,
		  const struct expected *expected, u32 nr, s32 result)
{
	struct across *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, a);
	for (i = 0; i < fprog->nr_funcs; i++)
		ftk_compare_image(test, prog, fprog, i);
	KUNIT_ASSERT_EQ(test, fprog->nr_sites, nr);
	for (i = 0; i < nr; i++) {
		expect_site(test, &fprog->sites[i], &expected[i]);
		if (!expected[i].unseen)
			add_place(test, a, prog, fprog, &fprog->sites[i], &expected[i]);
	}
	a->stops.at = look;
	/* Breakpoints are set on one CPU, to which this thread is bound. */
	a->sweep.cpu = raw_smp_processor_id();
	a->sweep.prog = fprog->images[0]->shadow;
	KUNIT_EXPECT_EQ(test, (s32)ftk_sweep_run(test, &a->sweep), result);
	ftk_sweep_stops(test, &a->sweep, &a->stops);
	for (i = 0; i < a->nr; i++)
		compare_place(test, a, i);
	KUNIT_EXPECT_EQ(test, a->sweep.broken, 0);
	kunit_info(test, "%u of %u sites compared\n", a->nr, nr);
}

/* Load a program that begins with enter[]. */
static struct bpf_prog *load(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
			     struct ftk_opts opts)
{
	struct bpf_insn *all = kunit_kcalloc(test, MAX_INSNS, sizeof(*all), GFP_KERNEL);
	struct bpf_prog *prog;

	KUNIT_ASSERT_NOT_NULL(test, all);
	KUNIT_ASSERT_LE(test, ARRAY_SIZE(enter) + cnt, MAX_INSNS);
	memcpy(all, enter, sizeof(enter));
	memcpy(all + ARRAY_SIZE(enter), insns, cnt * sizeof(*insns));
	opts.lines = true;
	prog = ftk_load(test, all, ARRAY_SIZE(enter) + cnt, &opts);
	KUNIT_ASSERT_NOT_NULL(test, prog->aux->jited_linfo);
	KUNIT_ASSERT_NOT_NULL(test, fastterm_of(prog)->images);
	return prog;
}

/**
 * struct program - a program of a case, and what the case expects of it
 * @insns: its instructions, without enter[]
 * @cnt: their number
 * @expected: what is expected of its sites, in order
 * @nr: number of sites
 * @opts: options for loading it
 * @result: what its stub image returns
 */
struct program {
	const struct bpf_insn *insns;
	u32 cnt;
	const struct expected *expected;
	u32 nr;
	struct ftk_opts opts;
	s32 result;
};

static void cross_program(struct kunit *test, const struct program *p)
{
	struct bpf_prog *prog = load(test, p->insns, p->cnt, p->opts);

	cross(test, prog, fastterm_of(prog), p->expected, p->nr, p->result);
}

/*
 * Helpers that fail with NULL or with an errno, and helpers that fill their first or second
 * argument.
 */
static void across_helpers(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_HASH, 8, 8, 4, 0);
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_probe_read_kernel),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -40),
		BPF_MOV64_IMM(BPF_REG_3, 24),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_get_stack),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -48),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -48),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -56),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_map_update_elem),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = {
		FILL(HELPER, 1),
		FILL(HELPER, 2),
		SKIP(HELPER, NULL),
		SKIP(HELPER, ECANCELED),
		SKIP(HELPER, ECANCELED),
	};
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{ .type = BPF_PROG_TYPE_TRACEPOINT }, -ECANCELED,
	};

	cross_program(test, &program);
}

/* Kfuncs that return a pointer, a number or nothing, and an iterator that is at its end. */
static void across_kfuncs(struct kunit *test)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -32),
		BPF_MOV64_IMM(BPF_REG_4, 8),
		FTK_CALL(BPF_FUNC_skb_load_bytes),
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_put"),
		ftk_kfunc(test, "ftk_thing_count"),
		BPF_MOV64_IMM(BPF_REG_1, 5),
		ftk_kfunc(test, "ftk_thing_note"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		ftk_kfunc(test, "ftk_thing_read"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -64),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 3),
		ftk_kfunc(test, "bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -64),
		ftk_kfunc(test, "bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -64),
		ftk_kfunc(test, "bpf_iter_num_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 3),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = {
		FILL(HELPER, 3),
		SKIP(KFUNC, NULL),
		KEEP(KFUNC),
		SKIP(KFUNC, ECANCELED),
		SKIP(KFUNC, NULL),
		FILL(KFUNC, 1),
		KEEP(KFUNC),
		SKIP(KFUNC, ZERO),
		KEEP(KFUNC),
	};
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{ .type = BPF_PROG_TYPE_SCHED_CLS }, 3,
	};

	cross_program(test, &program);
}

/* A helper that fills its fourth argument, in a program whose result permits or denies. */
static void across_guard(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_2, SOL_SOCKET),
		BPF_MOV64_IMM(BPF_REG_3, SO_RCVBUF),
		BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -24),
		BPF_MOV64_IMM(BPF_REG_5, 8),
		FTK_CALL(BPF_FUNC_getsockopt),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 1),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = { FILL(HELPER, 4) };
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{
			.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			.expected_attach_type = BPF_CGROUP_INET4_CONNECT,
		}, 0,
	};

	cross_program(test, &program);
}

/* The program's type allows it to return the errno of the skipped call. */
static void across_hook(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_JMP_IMM(BPF_JSGT, BPF_REG_0, 0, 1),
		BPF_JMP_IMM(BPF_JSGE, BPF_REG_0, -MAX_ERRNO, 1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = { SKIP(HELPER, ECANCELED) };
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{
			.type = BPF_PROG_TYPE_LSM,
			.expected_attach_type = BPF_LSM_MAC,
			.func = "bpf_lsm_file_open",
		}, -ECANCELED,
	};

	cross_program(test, &program);
}

/*
 * Functions of the program: a global function is skipped, both in the main function and in a
 * static one. The static function is called, and a helper is skipped in it.
 */
static void across_functions(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0x123),
		BPF_MOV64_IMM(BPF_REG_1, 7),
		BPF_CALL_REL(18),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_1, 1),
		BPF_CALL_REL(3),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_7, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_7),
		BPF_EXIT_INSN(),
		/* 9: static */
		BPF_MOV64_IMM(BPF_REG_6, 0xaaa),
		BPF_MOV64_IMM(BPF_REG_7, 0xbbb),
		BPF_MOV64_IMM(BPF_REG_8, 0xccc),
		BPF_MOV64_IMM(BPF_REG_9, 0xddd),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, -0x2008),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, -0x2010),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0x456),
		BPF_MOV64_IMM(BPF_REG_1, 8),
		BPF_CALL_REL(2),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_EXIT_INSN(),
		/* 21: global */
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = {
		SKIP(SUBPROG, ECANCELED),
		CALLS,
		SKIP(HELPER, ECANCELED),
		SKIP(SUBPROG, ECANCELED),
	};
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{ .globals = BIT(2) }, -ECANCELED - ECANCELED + 1,
	};

	cross_program(test, &program);
}

/* Tail calls with a constant and with a variable index, which would find a program. */
static void across_tail_calls(struct kunit *test)
{
	static const struct bpf_insn target[] = {
		BPF_MOV64_IMM(BPF_REG_0, 7),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 8),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 6),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = { CUT(TAIL_CALL), CUT(TAIL_CALL) };
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{ .type = BPF_PROG_TYPE_TRACEPOINT }, 6,
	};
	const u32 key = 0;
	u32 fd;

	fd = ftk_prog_fd(test, ftk_load(test, target, ARRAY_SIZE(target), &opts));
	ftk_map_update(test, &m, &key, &fd);
	cross_program(test, &program);
}

/* Loops that the verifier has inserted, and kernel functions that loop. */
static void across_loops(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0);
	const struct bpf_insn insns[] = {
		/*
		 * Across a loop, R0 to R5 are compared, too. A caller may leave any value in
		 * them.
		 */
		BPF_MOV64_IMM(BPF_REG_0, 0xaaa),
		BPF_MOV64_IMM(BPF_REG_1, 0x111),
		BPF_MOV64_IMM(BPF_REG_2, 0x222),
		BPF_MOV64_IMM(BPF_REG_3, 0x333),
		BPF_MOV64_IMM(BPF_REG_4, 0x444),
		BPF_MOV64_IMM(BPF_REG_5, 0x555),
		/* may_goto */
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, 1),
		BPF_JMP_A(-3),
		/* inlined */
		BPF_MOV64_IMM(BPF_REG_1, 3),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 18),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_loop),
		/* Not inlined: the verifier does not know the flags. */
		BPF_MOV64_IMM(BPF_REG_1, 3),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 12),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_REG(BPF_REG_4, BPF_REG_0),
		FTK_CALL(BPF_FUNC_loop),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 5),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_EXIT_INSN(),
		/* the callback */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	static const struct expected expected[] = {
		CUT(LOOP),
		CUT(LOOP),
		KEEP(SUBPROG),
		SKIP(HELPER, ECANCELED),
		SKIP(HELPER, ECANCELED),
	};
	const struct program program = {
		insns, ARRAY_SIZE(insns), expected, ARRAY_SIZE(expected),
		{ .type = BPF_PROG_TYPE_TRACEPOINT }, -ECANCELED,
	};

	cross_program(test, &program);
}

/* End offsets of a program's instructions, from the JIT's line info. It has one function only. */
static u32 *ends_of(struct kunit *test, const struct bpf_prog *prog)
{
	u32 *ends = kunit_kcalloc(test, prog->len, sizeof(*ends), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, ends);
	/*
	 * One line for each instruction: none takes two slots, and the verifier has replaced
	 * none.
	 */
	KUNIT_ASSERT_EQ(test, prog->len, prog->aux->nr_linfo);
	for (i = 0; i + 1 < prog->len; i++)
		ends[i] = prog->aux->jited_linfo[i + 1] - (void *)prog->bpf_func;
	ends[i] = prog->jited_len + cfi_get_offset();
	return ends;
}

/*
 * All return values, including those that no kernel function needs: the image is built again
 * after the decision has been changed.
 */
static void across_values(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog *prog = load(test, insns, ARRAY_SIZE(insns), (struct ftk_opts){});
	const struct fastterm_prog *fprog = fastterm_of(prog);
	struct fastterm_aux *ours = prog->aux->fastterm.own;
	struct expected expected = { .kind = FASTTERM_HELPER };
	struct fastterm_prog *other;
	u32 v;
	int err;

	KUNIT_ASSERT_EQ(test, fprog->nr_sites, 1);
	fastterm_jited(prog, ends_of(test, prog));
	KUNIT_ASSERT_NOT_NULL(test, ours->layout);
	for (v = 0; v < FASTTERM_VALUES; v++) {
		other = kunit_kzalloc(test, struct_size(other, sites, 1), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, other);
		other->nr_funcs = 1;
		other->nr_sites = 1;
		other->sites[0] = fprog->sites[0];
		other->sites[0].value = v;
		other->sites[0].native = 0;
		expected.value = v;
		err = fastterm_images_build(prog, other);
		ours->image = fprog->images[0];
		KUNIT_EXPECT_EQ(test, err, 0);
		if (err)
			break;
		cross(test, prog, other, &expected, 1, numbers[v]);
		fastterm_images_free(other);
	}
	fastterm_layout_free(ours->layout);
	ours->layout = NULL;
}

struct kunit_case ftk_across_cases[] = {
	KUNIT_CASE(across_helpers),
	KUNIT_CASE(across_kfuncs),
	KUNIT_CASE(across_guard),
	KUNIT_CASE(across_hook),
	KUNIT_CASE(across_functions),
	KUNIT_CASE(across_tail_calls),
	KUNIT_CASE(across_loops),
	KUNIT_CASE(across_values),
	{}
};
