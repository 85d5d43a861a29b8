// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction
 *
 * Programs that end by themselves are stopped at each of their instructions in turn, and are
 * terminated there. Each time the program has to leave at once and to release what it holds, and
 * the next run has to return what it always returns. The redirect may change neither registers
 * nor the frame of the program. sweep.h describes how programs are stopped.
 */

#include <linux/bitmap.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/smp.h>

#include <kunit/test.h>

#include "../image.h"
#include "../program.h"
#include "../verdict.h"
#include "../walk.h"
#include "kfuncs.h"
#include "map.h"
#include "prog.h"
#include "regs.h"
#include "run.h"
#include "runaway.h"
#include "sweep.h"

/**
 * ftk_sweep_at() - find the boundary at an address
 * @s: the program
 * @ip: the address
 * @func: receives the number of the function
 * @off: receives the offset from the entry
 *
 * Context: any.
 * Return: false if the address is not in the program.
 */
bool ftk_sweep_at(const struct ftk_sweep *s, unsigned long ip, u32 *func, u32 *off)
{
	struct fastterm_text text;

	if (!fastterm_text_at(ip, &text) || text.copy || !text.image ||
	    text.image->fprog != s->fprog)
		return false;
	for (*func = 0; s->fprog->images[*func] != text.image; ++*func)
		;
	*off = text.off;
	return true;
}

/* Upper limits, in ns, for a kernel function that is called after the redirect, and for a stub. */
#define CALL_NS		2000
#define STUB_NS		50

/* Upper limit for the resolution of the clock, in ns. */
#define STEP_NS		100

/*
 * Does the verifier allow a program of this type to return this result? This repeats
 * check_return_code() for the types that are used here; for other types any result will do.
 */
static bool is_valid(const struct bpf_prog *prog, s32 result)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
		return result == 0 || result == 1;
	case BPF_PROG_TYPE_LSM:
		return result <= 0 && result >= -MAX_ERRNO;
	default:
		return true;
	}
}

/**
 * ftk_sweep_run() - run the program and expect that it releases what it has acquired
 * @test: the test case
 * @s: the program
 *
 * Context: the thread of the test case.
 * Return: what the program returns.
 */
u64 ftk_sweep_run(struct kunit *test, struct ftk_sweep *s)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS] = { 3 };
	const s64 things = atomic_read(&ftk_things);
	u64 result;

	migrate_disable();
	rcu_read_lock();
	result = ftk_run_guarded(s->prog, ctx, &s->broken);
	rcu_read_unlock();
	migrate_enable();
	KUNIT_ASSERT_EQ(test, things, atomic_read(&ftk_things));
	KUNIT_EXPECT_TRUE_MSG(test, is_valid(s->prog, result), "returns %d", (s32)result);
	return result;
}

/*
 * Has the function created its frame at this offset, and not begun to release it? This holds
 * from its second instruction on, except in instructions that leave the function.
 */
static bool has_frame(const struct ftk_sweep *s, u32 func, u32 off)
{
	const struct bpf_prog *p = fastterm_func(s->prog, func);
	const struct bpf_prog_aux *aux = s->prog->aux;
	const u32 first = p->aux->linfo_idx, start = aux->linfo[first].insn_off;
	u32 i, insn = 0;

	for (i = first + 1; i < aux->nr_linfo && aux->linfo[i].insn_off - start < p->len; i++)
		if (aux->jited_linfo[i] <= (void *)p->bpf_func + off)
			insn = aux->linfo[i].insn_off - start;
	return insn && p->insnsi[insn].code != (BPF_JMP | BPF_EXIT) &&
	       p->insnsi[insn].code != (BPF_JMP | BPF_TAIL_CALL);
}

/**
 * ftk_sweep_before() - record registers and frame before a redirect
 * @s: the program
 * @func: the interrupted function
 * @off: the interrupted offset, from its entry
 * @regs: the interrupted registers
 *
 * Context: the interrupt.
 */
void ftk_sweep_before(struct ftk_sweep *s, u32 func, u32 off, struct pt_regs *regs)
{
	const u32 depth = fastterm_func(s->prog, func)->aux->stack_depth;

	s->changed = NULL;
	ftk_regs_read(&s->was, regs, has_frame(s, func, off) ? depth : 0);
}

/**
 * ftk_sweep_after() - compare registers and frame after a redirect
 * @s: the program
 * @regs: the interrupted registers, with which the program continues
 *
 * Context: an interrupt at the boundary for which ftk_sweep_before() was called.
 */
void ftk_sweep_after(struct ftk_sweep *s, struct pt_regs *regs)
{
	struct ftk_regs now;

	ftk_regs_read(&now, regs, s->was.size);
	s->changed = ftk_regs_differ(&s->was, &now, BPF_REG_0);
}

/*
 * Record how long the program took to leave after its first kick. Time in which the kernel has
 * done something else in between does not count; the shortest time does.
 */
static void note_suffix(struct ftk_sweep *s, u32 func, u32 off, u64 exit_ns)
{
	u32 *least = &s->suffix[func][off], ns = exit_ns - s->redirect_ns;

	if (s->undisturbed && s->redirect_ns && exit_ns > s->redirect_ns &&
	    (!*least || ns < *least))
		*least = ns;
}

/*
 * No suffix took longer than the bound allows. All of them include the return from the interrupt
 * and the exit; the shortest one is subtracted for these. Times are known only where a timer
 * stops the program.
 */
static void judge_suffixes(struct kunit *test, const struct ftk_sweep *s)
{
	const struct fastterm_verdict *v = &s->fprog->verdict;
	u32 i, off, nr = 0, shortest = U32_MAX, longest = 0;

	for (i = 0; i < s->fprog->nr_funcs; i++) {
		for (off = 0; off < s->fprog->images[i]->size; off++) {
			if (!s->suffix[i][off])
				continue;
			shortest = min(shortest, s->suffix[i][off]);
			longest = max(longest, s->suffix[i][off]);
			nr++;
		}
	}
	KUNIT_EXPECT_GT(test, v->native_bound, 0);
	if (!nr)
		return;
	kunit_info(test, "suffixes took %u to %u ns; the bound is %u instructions and %u kept calls\n",
		   shortest, longest, v->native_bound, v->calls);
	KUNIT_EXPECT_LE(test, longest - shortest, v->native_bound + v->calls * CALL_NS +
			s->fprog->nr_sites * STUB_NS + STEP_NS);
}

/**
 * ftk_sweep_judge() - check the result of a termination at a boundary
 * @test: the test case
 * @s: the program
 * @func: the function
 * @off: the offset from its entry
 * @moved: the first kick is known to have moved everything, so that further kicks do not count
 *	   against it
 *
 * Context: the thread of the test case.
 */
void ftk_sweep_judge(struct kunit *test, struct ftk_sweep *s, u32 func, u32 off, bool moved)
{
	const void *ip = (u8 *)fastterm_func(s->prog, func)->bpf_func + off;
	struct fastterm_outcome outcome;

	KUNIT_ASSERT_EQ_MSG(test, s->err, 0, "at %pS", ip);
	KUNIT_EXPECT_NULL_MSG(test, s->changed, "%s at %pS", s->changed ?: "", ip);
	KUNIT_ASSERT_EQ_MSG(test, bpf_fastterm_outcome(s->cpu, &outcome), 0, "at %pS", ip);
	__set_bit(off, s->hit[func]);
	/* A program that is not at a safepoint continues until the next kick. */
	if (fastterm_is_safepoint(s->fprog->images[func], off + cfi_get_offset())) {
		s->struck++;
		s->first += moved || outcome.kicks == 1;
		if (outcome.kicks == 1)
			note_suffix(s, func, off, outcome.exit_ns);
		if (!moved && outcome.kicks != 1)
			kunit_info(test, "%u kicks at %pS\n", outcome.kicks, ip);
	}
	KUNIT_ASSERT_EQ_MSG(test, s->ordinary, ftk_sweep_run(test, s), "at %pS", ip);
}

/**
 * ftk_sweep_len() - the length of an instruction
 * @test: the test case, which is failed if there is none
 * @s: the program
 * @func: the function
 * @off: where the instruction is, from its entry
 *
 * Context: the thread of the test case.
 * Return: its length in bytes.
 */
u32 ftk_sweep_len(struct kunit *test, const struct ftk_sweep *s, u32 func, u32 off)
{
	const struct bpf_prog *p = fastterm_func(s->prog, func);
	const u8 *code = s->fprog->images[func]->code + cfi_get_offset();
	struct fastterm_insn insn;
	int len = fastterm_arch_decode(code, off, p->jited_len, (long)code, &insn);

	KUNIT_ASSERT_GT(test, len, 0);
	return len;
}

/**
 * ftk_sweep_hits() - number of boundaries at which the program has been terminated
 * @s: the program
 *
 * Context: any.
 * Return: the number.
 */
u32 ftk_sweep_hits(const struct ftk_sweep *s)
{
	u32 i, nr = 0;

	for (i = 0; i < s->fprog->nr_funcs; i++)
		nr += bitmap_weight(s->hit[i], s->fprog->images[i]->size);
	return nr;
}

static u32 existing(struct kunit *test, struct ftk_sweep *s)
{
	u32 i, off, nr = 0;

	for (i = 0; i < s->fprog->nr_funcs; i++)
		for (off = 0; off < fastterm_func(s->prog, i)->jited_len; nr++)
			off += ftk_sweep_len(test, s, i, off);
	return nr;
}

/* Returns the result of the program when it is not terminated. */
static u64 sweep_opts(struct kunit *test, struct ftk_opts opts,
		      const struct bpf_insn *insns, u32 cnt)
{
	struct ftk_sweep *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	opts.lines = true;
	/* Breakpoints are set on one CPU, to which this thread is bound. */
	s->cpu = raw_smp_processor_id();
	s->prog = ftk_load(test, insns, cnt, &opts);
	s->fprog = fastterm_of(s->prog);
	KUNIT_ASSERT_NOT_NULL(test, s->prog->aux->jited_linfo);
	KUNIT_ASSERT_LE(test, s->fprog->nr_funcs, ARRAY_SIZE(s->hit));
	KUNIT_ASSERT_NOT_NULL(test, s->fprog->images);
	for (i = 0; i < s->fprog->nr_funcs; i++) {
		s->hit[i] = kunit_kcalloc(test, BITS_TO_LONGS(s->fprog->images[i]->size),
					  sizeof(long), GFP_KERNEL);
		s->suffix[i] = kunit_kcalloc(test, s->fprog->images[i]->size,
					     sizeof(*s->suffix[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->hit[i]);
		KUNIT_ASSERT_NOT_NULL(test, s->suffix[i]);
	}
	/* The first run warms up caches. */
	ftk_sweep_run(test, s);
	s->ordinary = ftk_sweep_run(test, s);
	ftk_sweep_all(test, s);
	kunit_info(test, "%u boundaries hit of %u that exist, and all that are executed; %u kicks at safepoints, gone after the first: %u\n",
		   ftk_sweep_hits(s), existing(test, s), s->struck, s->first);
	KUNIT_EXPECT_EQ(test, s->broken, 0);
	KUNIT_EXPECT_GT(test, s->struck, 0);
	KUNIT_EXPECT_EQ(test, s->first, s->struck);
	judge_suffixes(test, s);
	return s->ordinary;
}

static u64 sweep(struct kunit *test, enum bpf_prog_type type,
		 const struct bpf_insn *insns, u32 cnt)
{
	return sweep_opts(test, (struct ftk_opts){ .type = type }, insns, cnt);
}

/* Skipped helpers, some of which fill memory, and references. */
static void boundary_helpers(struct kunit *test)
{
	struct ftk_map array = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	struct ftk_map hash = ftk_map(test, BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 1),
		ftk_kfunc(test, "bpf_task_from_pid"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
		ftk_kfunc(test, "ftk_thing_get"),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_8),
		ftk_kfunc(test, "bpf_task_release"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_7, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		BPF_MOV64_IMM(BPF_REG_2, 16),
		FTK_CALL(BPF_FUNC_get_current_comm),
		BPF_ST_MEM(BPF_W, BPF_REG_10, -20, 0),
		BPF_LD_MAP_FD(BPF_REG_1, hash.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -20),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -16),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_map_update_elem),
		BPF_LD_MAP_FD(BPF_REG_1, hash.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -20),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_LD_MAP_FD(BPF_REG_1, array.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -20),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
		ftk_kfunc(test, "ftk_thing_put"),
		BPF_MOV64_IMM(BPF_REG_0, 3),
		BPF_EXIT_INSN(),
	};

	sweep(test, BPF_PROG_TYPE_TRACEPOINT, insns, ARRAY_SIZE(insns));
}

static void sweep_shape(struct kunit *test, bool out_of_line)
{
	const struct ftk_shape shape = { 2, out_of_line, 2, .body = ftk_body_calls };
	const struct ftk_insns *p = ftk_runaway(test, &shape);

	sweep(test, BPF_PROG_TYPE_TRACEPOINT, p->insns, p->cnt);
}

/* Functions with and without a frame, in callbacks of an inlined loop. */
static void boundary_calls(struct kunit *test)
{
	sweep_shape(test, false);
}

/* The same functions, in callbacks of a helper. */
static void boundary_callbacks(struct kunit *test)
{
	sweep_shape(test, true);
}

/* Locks, RCU and preemption sections, and a may_goto. */
static void boundary_sections(struct kunit *test)
{
	struct ftk_map m = ftk_map_typed(test);
	const struct bpf_insn insns[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		ftk_kfunc(test, "bpf_rcu_read_lock"),
		ftk_kfunc(test, "bpf_preempt_disable"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_lock),
		BPF_MOV64_IMM(BPF_REG_7, 0),
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_7, 3, -3),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_unlock),
		ftk_kfunc(test, "bpf_preempt_enable"),
		ftk_kfunc(test, "bpf_rcu_read_unlock"),
		BPF_MOV64_IMM(BPF_REG_0, 4),
		BPF_EXIT_INSN(),
	};

	/* Tracing programs may not take a spin lock. */
	sweep(test, BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

/* Iterators, one of which holds a reference, and a loop over the elements of a map. */
static void boundary_iterators(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0);
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		ftk_kfunc(test, "bpf_iter_ftk_thing_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 3),
		ftk_kfunc(test, "bpf_iter_num_new"),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		ftk_kfunc(test, "bpf_iter_num_next"),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -4),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		ftk_kfunc(test, "bpf_iter_num_destroy"),
		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 9),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
		FTK_CALL(BPF_FUNC_for_each_map_elem),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		ftk_kfunc(test, "bpf_iter_ftk_thing_destroy"),
		BPF_MOV64_IMM(BPF_REG_0, 5),
		BPF_EXIT_INSN(),
		/* The callback: it returns 0, so that the loop continues. */
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	ftk_need_callbacks(test);
	sweep(test, BPF_PROG_TYPE_TRACEPOINT, insns, ARRAY_SIZE(insns));
}

/* Tail calls with a constant and with a variable index, which find no program. */
static void boundary_tail_calls(struct kunit *test)
{
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2, 0);
	const struct bpf_insn insns[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 1),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 8),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 6),
		BPF_EXIT_INSN(),
	};

	sweep(test, BPF_PROG_TYPE_TRACEPOINT, insns, ARRAY_SIZE(insns));
}

/* Tail calls that find a program: the result is that of their target. */
static void boundary_tail_called(struct kunit *test)
{
	static const struct bpf_insn target[] = {
		BPF_MOV64_IMM(BPF_REG_0, 7),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = { .type = BPF_PROG_TYPE_TRACEPOINT };
	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_2, m.fd),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		FTK_CALL(BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 6),
		BPF_EXIT_INSN(),
	};
	const u32 key = 0;
	u32 fd;

	fd = ftk_prog_fd(test, ftk_load(test, target, ARRAY_SIZE(target), &opts));
	ftk_map_update(test, &m, &key, &fd);
	KUNIT_EXPECT_EQ(test, 7, sweep(test, opts.type, insns, ARRAY_SIZE(insns)));
	/* The same with an index that is not known when the program is loaded. */
	insns[2] = BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 8);
	KUNIT_EXPECT_EQ(test, 7, sweep(test, opts.type, insns, ARRAY_SIZE(insns)));
}

/* The result of a program that permits or denies stays in the range that the verifier enforces. */
static void boundary_guard(struct kunit *test)
{
	static const struct bpf_insn insns[] = {
		FTK_CALL(BPF_FUNC_get_current_pid_tgid),
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_JMP_IMM(BPF_JSGT, BPF_REG_0, 0, 1),
		BPF_JMP_IMM(BPF_JSGE, BPF_REG_0, -MAX_ERRNO, 1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const struct ftk_opts opts = {
		.type = BPF_PROG_TYPE_LSM,
		.expected_attach_type = BPF_LSM_MAC,
		.func = "bpf_lsm_file_open",
	};

	sweep_opts(test, opts, insns, ARRAY_SIZE(insns));
}

struct kunit_case ftk_boundary_cases[] = {
	KUNIT_CASE(boundary_helpers),
	KUNIT_CASE(boundary_calls),
	KUNIT_CASE(boundary_callbacks),
	KUNIT_CASE(boundary_sections),
	KUNIT_CASE(boundary_iterators),
	KUNIT_CASE(boundary_tail_calls),
	KUNIT_CASE(boundary_tail_called),
	KUNIT_CASE(boundary_guard),
	{}
};
