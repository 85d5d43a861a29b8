// SPDX-License-Identifier: GPL-2.0-only
/*
 * Termination at every instruction
 *
 * Programs that end by themselves are interrupted at one instruction after the
 * other, by a timer on a machine whose clock counts instructions and that takes
 * interrupts between any two of them. From each they leave at once, having given
 * back what they had taken, and the next run is an ordinary one.
 *
 * Without such a machine (boot parameter fastterm_icount) the cases are skipped.
 */

#include <linux/bitmap.h>
#include <linux/fastterm_arch.h>
#include <linux/hrtimer.h>
#include <linux/prandom.h>
#include <linux/timekeeping.h>

#include <asm/irq_regs.h>

#include <kunit/test.h>

#include "../internal.h"
#include "kfuncs.h"
#include "prog.h"
#include "runaway.h"

/*
 * Tries for each ns that a program takes, at least; and then as many again as were
 * needed until the last one that hit something new.
 */
#define TRIES_PER_NS	5
#define MAX_TRIES	60000

/*
 * The program begins so many ns after the timer has been set, since no timer is for
 * less than ten microseconds everywhere; and up to so many turns of a short loop,
 * since none counts single instructions everywhere.
 */
#define LEAD_NS		(12 * NSEC_PER_USEC)
#define MAX_LEAD	64

/* What is before it and behind it, in ns, where the timer may be late. */
#define MARGIN_NS	500

#define MAX_FUNCS	8

/**
 * struct sweep - a program that is interrupted everywhere
 * @timer: interrupts it
 * @prog: the program
 * @known: what is known of it
 * @hit: for each function, at which offsets
 * @struck: it has been interrupted this time
 * @ip: and there
 * @err: what the request said
 */
struct sweep {
	struct hrtimer timer;
	struct bpf_prog *prog;
	const struct fastterm_prog *known;
	unsigned long *hit[MAX_FUNCS];
	bool struck;
	unsigned long ip;
	int err;
};

static enum hrtimer_restart strike(struct hrtimer *timer)
{
	struct sweep *s = container_of(timer, struct sweep, timer);
	struct fastterm_text text;
	u32 i;

	if (!fastterm_text_at(instruction_pointer(get_irq_regs()), &text) ||
	    text.copy || !text.image || text.image->known != s->known)
		return HRTIMER_NORESTART;
	for (i = 0; s->known->images[i] != text.image; i++)
		;
	__set_bit(text.off, s->hit[i]);
	s->struck = true;
	s->ip = instruction_pointer(get_irq_regs());
	s->err = bpf_fastterm_terminate(s->prog, smp_processor_id());
	/* This interrupt is as good as the one that it has just sent. */
	fastterm_kicked(get_irq_regs());
	return HRTIMER_NORESTART;
}

static u64 run_struck(struct sweep *s, u32 delay, u32 lead, u64 *broken)
{
	static const u64 ctx[MAX_BPF_FUNC_ARGS] = { 3 };
	u64 result, begin = ktime_get_mono_fast_ns();

	migrate_disable();
	rcu_read_lock();
	s->struck = false;
	hrtimer_start(&s->timer, ns_to_ktime(delay), HRTIMER_MODE_REL_PINNED_HARD);
	while (ktime_get_mono_fast_ns() - begin < LEAD_NS)
		barrier();
	while (lead--)
		barrier();
	result = ftk_run_guarded(s->prog, ctx, broken);
	rcu_read_unlock();
	migrate_enable();
	hrtimer_cancel(&s->timer);
	return result;
}

static u32 existing(struct kunit *test, struct sweep *s)
{
	struct fastterm_insn insn;
	u32 i, off, nr = 0;
	int len;

	for (i = 0; i < s->known->nr_funcs; i++) {
		const struct bpf_prog *p = fastterm_func(s->prog, i);
		const u8 *code = (u8 *)p->bpf_func;

		for (off = 0; off < p->jited_len; off += len, nr++) {
			len = fastterm_arch_decode(code, off, p->jited_len, (long)code, &insn);
			KUNIT_ASSERT_GT(test, len, 0);
		}
	}
	return nr;
}

static u32 hits(const struct sweep *s)
{
	u32 i, nr = 0;

	for (i = 0; i < s->known->nr_funcs; i++)
		nr += bitmap_weight(s->hit[i], s->known->images[i]->size);
	return nr;
}

static void sweep(struct kunit *test, enum bpf_prog_type type,
		  const struct bpf_insn *insns, u32 cnt)
{
	const struct ftk_opts opts = { .type = type };
	struct sweep *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 i, length, struck = 0, first = 0, hit = 0, last = 0;
	struct fastterm_outcome outcome;
	struct rnd_state rnd;
	u64 ordinary, broken = 0;
	s64 things;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->prog = ftk_load(test, insns, cnt, &opts);
	s->known = s->prog->aux->fastterm.prog;
	KUNIT_ASSERT_LE(test, s->known->nr_funcs, MAX_FUNCS);
	KUNIT_ASSERT_NOT_NULL(test, s->known->images);
	for (i = 0; i < s->known->nr_funcs; i++) {
		s->hit[i] = kunit_kcalloc(test, BITS_TO_LONGS(s->known->images[i]->size),
					  sizeof(long), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->hit[i]);
	}
	hrtimer_init(&s->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	s->timer.function = strike;
	prandom_seed_state(&rnd, 1);

	/* How long is it, and what does it return? */
	run_struck(s, NSEC_PER_MSEC, 0, &broken);
	length = -(u32)ktime_get_mono_fast_ns();
	ordinary = run_struck(s, NSEC_PER_MSEC, MAX_LEAD, &broken);
	length += (u32)ktime_get_mono_fast_ns() - LEAD_NS + 2 * MARGIN_NS;

	for (i = 0; i < max(length * TRIES_PER_NS, 2 * last) && i < MAX_TRIES; i++) {
		things = atomic_read(&ftk_things);
		run_struck(s, LEAD_NS - MARGIN_NS + prandom_u32_state(&rnd) % length,
			   prandom_u32_state(&rnd) % MAX_LEAD, &broken);
		KUNIT_ASSERT_EQ(test, things, atomic_read(&ftk_things));
		if (!s->struck)
			continue;
		struck++;
		KUNIT_ASSERT_EQ_MSG(test, s->err, 0, "at %pS", (void *)s->ip);
		err = bpf_fastterm_outcome(smp_processor_id(), &outcome);
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "at %pS", (void *)s->ip);
		first += outcome.kicks == 1;
		if (hits(s) > hit) {
			hit = hits(s);
			last = i;
		}
		KUNIT_ASSERT_EQ(test, ordinary, run_struck(s, NSEC_PER_MSEC, 0, &broken));
		KUNIT_ASSERT_EQ(test, things, atomic_read(&ftk_things));
	}
	kunit_info(test, "%u boundaries hit of %u that exist; %u kicks, gone after the first: %u\n",
		   hit, existing(test, s), struck, first);
	KUNIT_EXPECT_EQ(test, broken, 0);
	KUNIT_EXPECT_GT(test, hit, 0);
	/* Whatever is executed has been hit. */
	KUNIT_EXPECT_GE(test, i, 2 * last);
	/* Not all are safepoints; from those the program goes on until the next kick. */
	KUNIT_EXPECT_GE(test, first * 100, struck * 95);
}

/* Helpers that are skipped, with and without filling memory; references. */
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

/* Functions with and without frames, in callbacks of a loop that is inlined. */
static void boundary_calls(struct kunit *test)
{
	sweep_shape(test, false);
}

/* And in callbacks of a helper. */
static void boundary_callbacks(struct kunit *test)
{
	sweep_shape(test, true);
}

/* Locks, sections, and a may_goto. */
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

	/* Programs that trace may not hold a lock. */
	sweep(test, BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

/* Iterators, one of which has something to give back, and the elements of a map. */
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
		/* the callback: go on */
		FTK_CALL(BPF_FUNC_ktime_get_ns),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	sweep(test, BPF_PROG_TYPE_TRACEPOINT, insns, ARRAY_SIZE(insns));
}

/* Tail calls, of either kind, that find nothing there. */
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

static struct kunit_case boundary_cases[] = {
	KUNIT_CASE(boundary_helpers),
	KUNIT_CASE(boundary_calls),
	KUNIT_CASE(boundary_callbacks),
	KUNIT_CASE(boundary_sections),
	KUNIT_CASE(boundary_iterators),
	KUNIT_CASE(boundary_tail_calls),
	{}
};

static struct kunit_suite boundary_suite = {
	.name = "fastterm_icount_boundary",
	.init = ftk_icount_init,
	.exit = ftk_icount_exit,
	.test_cases = boundary_cases,
};

kunit_test_suite(boundary_suite);
