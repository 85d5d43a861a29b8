// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that do not end, threads that run them, and their termination; see runaway.h
 */

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>

#include <asm/sections.h>

#include <kunit/test.h>

#include "../events.h"
#include "../mode.h"
#include "kfuncs.h"
#include "map.h"
#include "mode.h"
#include "prog.h"
#include "run.h"
#include "runaway.h"

/* Calls of short functions of three kinds. The exit of the last one is added by ftk_runaway(). */
static const struct bpf_insn body_calls[] = {
	BPF_CALL_REL(9),
	BPF_CALL_REL(8),
	BPF_CALL_REL(9),
	BPF_CALL_REL(8),
	BPF_CALL_REL(11),
	BPF_CALL_REL(10),
	BPF_CALL_REL(5),
	BPF_CALL_REL(2),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
	/* 10: a leaf function */
	BPF_MOV64_IMM(BPF_REG_0, 1),
	BPF_EXIT_INSN(),
	/* 12: a leaf function with a frame */
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -64, 0),
	BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -64),
	BPF_MOV64_IMM(BPF_REG_6, 1),
	BPF_EXIT_INSN(),
	/* 16: a function that calls another one and saves registers */
	BPF_MOV64_IMM(BPF_REG_6, 1),
	BPF_MOV64_IMM(BPF_REG_7, 1),
	BPF_MOV64_IMM(BPF_REG_8, 1),
	BPF_CALL_REL(-10),
	BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_8),
};

const struct ftk_snippet ftk_body_calls = FTK_SNIPPET(body_calls);

static void emit(struct ftk_insns *p, const struct bpf_insn *insns, u32 cnt)
{
	memcpy(&p->insns[p->cnt], insns, cnt * sizeof(*insns));
	p->cnt += cnt;
}

/* Count entries into the program. */
static void emit_entered(struct ftk_insns *p, const struct ftk_map *m)
{
	struct bpf_insn insns[FTK_COUNT_LEN];

	ftk_count(insns, m);
	emit(p, insns, ARRAY_SIZE(insns));
}

static void emit_snippet(struct ftk_insns *p, const struct ftk_snippet *snippet)
{
	emit(p, snippet->insns, snippet->cnt);
}

/* Emit bpf_loop(iterations, the next function, R3, R4), and the instructions behind it. */
static void emit_loop(struct ftk_insns *p, u32 iterations, const struct ftk_snippet *after)
{
	const struct bpf_insn loop[] = {
		BPF_MOV64_IMM(BPF_REG_1, iterations ?: FTK_FOREVER),
		/* Skip the rest of this snippet, @after, the result and the exit. */
		BPF_LD_IMM64_RAW(BPF_REG_2, BPF_PSEUDO_FUNC, 2 + after->cnt + 2),
		FTK_CALL(BPF_FUNC_loop),
	};
	const struct bpf_insn end[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	emit(p, loop, ARRAY_SIZE(loop));
	emit_snippet(p, after);
	emit(p, end, ARRAY_SIZE(end));
}

/**
 * ftk_runaway() - compose a program, which usually does not end
 * @test: the test case, at whose end its instructions are freed
 * @shape: description of the program
 *
 * Return: the instructions of the program.
 */
struct ftk_insns *ftk_runaway(struct kunit *test, const struct ftk_shape *shape)
{
	static const struct bpf_insn save[] = { BPF_MOV64_REG(BPF_REG_6, BPF_REG_1) };
	static const struct bpf_insn first[] = {
		/* The callbacks get a pointer to the flags. */
		BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_6, 8),
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_4, -8),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -8),
	};
	static const struct bpf_insn inner[] = {
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_2, 0),
	};
	static const struct bpf_insn inlined[] = {
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_4, 0),
	};
	static const struct bpf_insn end[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	static const struct ftk_snippet nothing;
	struct ftk_insns *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	u32 i;

	if (shape->out_of_line)
		ftk_need_callbacks(test);
	KUNIT_ASSERT_NOT_NULL(test, p);
	emit(p, save, ARRAY_SIZE(save));
	if (shape->entered)
		emit_entered(p, shape->entered);
	emit_snippet(p, &shape->before);
	for (i = 0; i < shape->levels; i++) {
		if (!shape->out_of_line)
			emit(p, inlined, ARRAY_SIZE(inlined));
		else if (i)
			emit(p, inner, ARRAY_SIZE(inner));
		else
			emit(p, first, ARRAY_SIZE(first));
		emit_loop(p, shape->iterations, i ? &nothing : &shape->after);
	}
	emit_snippet(p, &shape->body);
	if (!shape->levels)
		emit_snippet(p, &shape->after);
	emit(p, end, ARRAY_SIZE(end));
	return p;
}

/**
 * ftk_snippet() - allocate instructions for a snippet
 * @test: the test case, at whose end they are freed
 * @s: receives the instructions
 * @cnt: number of instructions
 *
 * Return: the instructions, which the caller has to write.
 */
struct bpf_insn *ftk_snippet(struct kunit *test, struct ftk_snippet *s, u32 cnt)
{
	struct bpf_insn *insns = kunit_kcalloc(test, cnt, sizeof(*insns), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, insns);
	s->insns = insns;
	s->cnt = cnt;
	return insns;
}

/* Number of references for which the stack has room, and the stack slot of the i-th one. */
#define NR_HELD		50
#define STACK_OF(i)	(-16 - 8 * (i))

/* Number of instructions of the outermost loop, if it is to be inlined. */
#define LOOP_LEN	6

/**
 * ftk_hold_fifty() - make a program hold fifty references
 * @test: the test case
 * @shape: the program, whose loops are to be inlined. Its instructions before and after the
 *	   loops are set.
 * @get: acquires a reference, or NULL, in R0
 * @put: releases the reference in R1
 * @count: an array of one u64, in which the program counts references that it has acquired, or
 *	   NULL
 *
 * If one cannot be acquired, the program jumps into the chain of releases, to those that it has
 * acquired before.
 */
void ftk_hold_fifty(struct kunit *test, struct ftk_shape *shape, const struct ftk_snippet *get,
		    const struct ftk_snippet *put, const struct ftk_map *count)
{
	const u32 rest = 1 + (count ? FTK_COUNT_LEN : 0);
	const u32 get_len = get->cnt + 1 + rest, put_len = 1 + put->cnt;
	struct bpf_insn *insn;
	u32 i, left;

	insn = ftk_snippet(test, &shape->before, NR_HELD * get_len);
	for (i = 0; i < NR_HELD; i++) {
		/*
		 * Skip the other acquisitions, the loop, and the releases of references that
		 * were not acquired.
		 */
		left = get_len * (NR_HELD - 1 - i) + LOOP_LEN + put_len * (NR_HELD - i);
		memcpy(insn, get->insns, get->cnt * sizeof(*insn));
		insn += get->cnt;
		*insn++ = BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, rest + left);
		*insn++ = BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, STACK_OF(i));
		if (count)
			ftk_count(insn, count);
		insn += rest - 1;
	}
	insn = ftk_snippet(test, &shape->after, NR_HELD * put_len);
	for (i = NR_HELD; i--; ) {
		*insn++ = BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, STACK_OF(i));
		memcpy(insn, put->insns, put->cnt * sizeof(*insn));
		insn += put->cnt;
	}
}

/**
 * ftk_hold_things() - make a program hold fifty references to things, which are counted
 * @test: the test case
 * @shape: as in ftk_hold_fifty()
 */
void ftk_hold_things(struct kunit *test, struct ftk_shape *shape)
{
	const struct bpf_insn get[] = { ftk_kfunc(test, "ftk_thing_get") };
	const struct bpf_insn put[] = { ftk_kfunc(test, "ftk_thing_put") };
	const struct ftk_snippet getter = FTK_SNIPPET(get), putter = FTK_SNIPPET(put);

	ftk_hold_fifty(test, shape, &getter, &putter, NULL);
}

/**
 * ftk_loop_locked() - make a program hold a spin lock for a long time, again and again
 * @test: the test case
 * @shape: the program, whose body is set
 * @m: a map created by ftk_map_typed(), which has the lock
 *
 * No function can be called with a lock held, so the loop is the program's own.
 */
void ftk_loop_locked(struct kunit *test, struct ftk_shape *shape, const struct ftk_map *m)
{
	const struct bpf_insn body[] = {
		BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		BPF_LD_MAP_FD(BPF_REG_1, m->fd),
		FTK_CALL(BPF_FUNC_map_lookup_elem),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 8),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_lock),
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 2, 0),
		BPF_MOV64_IMM(BPF_REG_7, 4),
		BPF_JMP_A(-3),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
		FTK_CALL(BPF_FUNC_spin_unlock),
	};

	memcpy(ftk_snippet(test, &shape->body, ARRAY_SIZE(body)), body, sizeof(body));
}

/**
 * ftk_run_guarded() - run a program and check that it preserves what it must
 * @prog: the program
 * @ctx: its context
 * @broken: incremented if the program changes a callee-saved register, the caller's stack, the
 *	    depth of RCU or the preemption count
 *
 * More variables are live across the call than any architecture has callee-saved registers.
 *
 * Context: any thread.
 * Return: what the program returns.
 */
noinline u64 ftk_run_guarded(const struct bpf_prog *prog, const void *ctx, u64 *broken)
{
	unsigned long v0 = 0x1000, v1 = 0x1001, v2 = 0x1002, v3 = 0x1003,
		      v4 = 0x1004, v5 = 0x1005, v6 = 0x1006, v7 = 0x1007,
		      v8 = 0x1008, v9 = 0x1009, va = 0x100a, vb = 0x100b;
	unsigned long stack[2] = { 0x2000, 0x2001 };
	const int rcu = rcu_preempt_depth(), preempt = preempt_count();
	u64 result;

	/* The compiler does not know these values, so they are live in registers and in memory. */
	OPTIMIZER_HIDE_VAR(v0);
	OPTIMIZER_HIDE_VAR(v1);
	OPTIMIZER_HIDE_VAR(v2);
	OPTIMIZER_HIDE_VAR(v3);
	OPTIMIZER_HIDE_VAR(v4);
	OPTIMIZER_HIDE_VAR(v5);
	OPTIMIZER_HIDE_VAR(v6);
	OPTIMIZER_HIDE_VAR(v7);
	OPTIMIZER_HIDE_VAR(v8);
	OPTIMIZER_HIDE_VAR(v9);
	OPTIMIZER_HIDE_VAR(va);
	OPTIMIZER_HIDE_VAR(vb);
	barrier_data(stack);
	result = bpf_prog_run(prog, ctx);
	barrier_data(stack);
	*broken += v0 != 0x1000 || v1 != 0x1001 || v2 != 0x1002 || v3 != 0x1003 ||
		   v4 != 0x1004 || v5 != 0x1005 || v6 != 0x1006 || v7 != 0x1007 ||
		   v8 != 0x1008 || v9 != 0x1009 || va != 0x100a || vb != 0x100b ||
		   stack[0] != 0x2000 || stack[1] != 0x2001 ||
		   rcu != rcu_preempt_depth() || preempt != preempt_count();
	return result;
}

/* Run the program under the RCU that its hooks hold; see ftk_run(). */
static u64 run_once(struct ftk_runner *r)
{
	const void *ctx = r->context ?: r->ctx;
	u64 result;

	migrate_disable();
	if (r->prog->sleepable) {
		rcu_read_lock_trace();
		result = ftk_run_guarded(r->prog, ctx, &r->broken);
		rcu_read_unlock_trace();
	} else {
		rcu_read_lock();
		result = ftk_run_guarded(r->prog, ctx, &r->broken);
		rcu_read_unlock();
	}
	migrate_enable();
	return result;
}

static int run(void *data)
{
	struct ftk_runner *r = data;
	u64 result;

	if (r->mm)
		kthread_use_mm(r->mm);
	do {
		result = run_once(r);
		r->result = result;
		r->wrong += r->expected && result != r->expected;
		WRITE_ONCE(r->runs, r->runs + 1);
		cond_resched();
	} while (!READ_ONCE(r->once) && !READ_ONCE(r->stop));
	if (r->mm)
		kthread_unuse_mm(r->mm);
	/* Pairs with the acquires that read r->done: all counts are visible then. */
	smp_store_release(&r->done, true);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static bool icount;
core_param(fastterm_icount, icount, bool, 0444);

/**
 * ftk_all_init() - begin a case in which all programs get images
 * @test: the test case, which is skipped if the architecture has no backend
 *
 * Return: 0.
 */
int ftk_all_init(struct kunit *test)
{
	if (!fastterm_supported())
		kunit_skip(test, "no fastterm backend for this architecture");
	ftk_mode_init(test);
	fastterm_mode = FASTTERM_MODE_ALL;
	return 0;
}

/**
 * ftk_all_exit() - undo ftk_all_init()
 * @test: the test case
 */
void ftk_all_exit(struct kunit *test)
{
	if (fastterm_supported())
		ftk_mode_exit(test);
}

/**
 * ftk_icount_init() - begin a case for a machine that counts instructions
 * @test: the test case, which is skipped on other machines
 *
 * On such a machine one ns is one instruction, and an interrupt can come between any two
 * instructions. All programs get images, however short they are.
 *
 * Return: 0.
 */
int ftk_icount_init(struct kunit *test)
{
	if (!icount)
		kunit_skip(test, "the machine does not count instructions (fastterm_icount)");
	return ftk_all_init(test);
}

/**
 * ftk_icount_exit() - undo ftk_icount_init()
 * @test: the test case
 */
void ftk_icount_exit(struct kunit *test)
{
	if (icount)
		ftk_all_exit(test);
}

/**
 * ftk_requester_init() - begin a case that terminates programs on other CPUs
 * @test: the test case, which is skipped if that is not possible
 *
 * The thread of the test case is bound to CPU 0, away from the programs that keep a CPU busy.
 *
 * Return: 0, or an error.
 */
int ftk_requester_init(struct kunit *test)
{
	if (!fastterm_supported())
		kunit_skip(test, "no fastterm backend for this architecture");
	if (num_online_cpus() < 2)
		kunit_skip(test, "one processor: nobody is there to request anything");
	return set_cpus_allowed_ptr(current, cpumask_of(0));
}

/**
 * ftk_requester_exit() - undo ftk_requester_init()
 * @test: the test case
 */
void ftk_requester_exit(struct kunit *test)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/**
 * ftk_runner() - create a thread for a program, and do not start it
 * @test: the test case, at whose end the program and the runner are freed
 * @shape: the program
 * @opts: as in ftk_load()
 *
 * Context: the thread of the test case.
 * Return: the runner.
 */
struct ftk_runner *ftk_runner(struct kunit *test, const struct ftk_shape *shape,
			      const struct ftk_opts *opts)
{
	struct ftk_insns *p = ftk_runaway(test, shape);
	struct ftk_runner *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->prog = ftk_load(test, p->insns, p->cnt, opts);
	if (shape->entered)
		r->entered = (u64 *)container_of(shape->entered->map, struct bpf_array,
						 map)->value;
	return r;
}

/**
 * ftk_runner_start() - start a thread that runs a program
 * @test: the test case, which has to call ftk_runner_end()
 * @r: the runner
 * @cpu: the CPU on which it runs
 *
 * Context: the thread of the test case.
 */
void ftk_runner_start(struct kunit *test, struct ftk_runner *r, u32 cpu)
{
	r->cpu = cpu;
	r->stop = false;
	r->done = false;
	r->thread = kthread_create_on_cpu(run, r, cpu, "ftk_runner/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, r->thread);
	wake_up_process(r->thread);
}

/**
 * ftk_runner_entered() - wait until a runner's program is entered again
 * @r: the runner, whose program counts its entries
 *
 * Context: any thread, on another CPU; does not sleep, so that it returns at once.
 * Return: false if it was not entered within FTK_PATIENCE.
 */
bool ftk_runner_entered(struct ftk_runner *r)
{
	unsigned long end = jiffies + FTK_PATIENCE;
	u64 now;

	while ((now = READ_ONCE(*r->entered)) == r->seen) {
		if (time_after(jiffies, end))
			return false;
		cpu_relax();
	}
	r->seen = now;
	return true;
}

/**
 * ftk_terminate() - terminate a runner's program, and wait until it has left
 * @r: the runner
 * @outcome: receives the result of bpf_fastterm_outcome()
 *
 * The request is repeated once after a while, since the program may have interrupts off.
 *
 * Context: any, on another CPU; does not sleep.
 * Return: 0, or the error of the request or of the outcome; -ETIMEDOUT if the program does not
 * leave within FTK_PATIENCE.
 */
int ftk_terminate(struct ftk_runner *r, struct fastterm_outcome *outcome)
{
	unsigned long end = jiffies + FTK_PATIENCE, patience = jiffies + HZ / 10;
	int err = bpf_fastterm_terminate(r->prog, r->cpu);

	while (!err) {
		err = bpf_fastterm_outcome(r->cpu, outcome);
		if (err != -EINPROGRESS)
			return err;
		err = time_after(jiffies, end) ? -ETIMEDOUT : 0;
		if (time_after(jiffies, patience)) {
			bpf_fastterm_terminate(r->prog, r->cpu);
			patience = end;
		}
		cpu_relax();
	}
	return err;
}

/*
 * Has this kick interrupted the entry or the exit of another interrupt? The preemption count
 * does not show it then, but both entries are on the stack. Only NMIs arrive at such a time.
 */
static bool in_entry(void)
{
	unsigned long entries[64];
	u32 i, nr, nr_entries = 0;

	nr = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	for (i = 0; i < nr; i++)
		nr_entries += entries[i] >= (unsigned long)__entry_text_start &&
			      entries[i] < (unsigned long)__entry_text_end;
	return nr_entries > 1;
}

/*
 * A kick may find another task, or an earlier interrupt; this is no failure. Nor is it one if
 * the kick finds the runner's task in the scheduler, where preemption is disabled once more than
 * for the tracepoint.
 */
static void count_elsewhere(void *data, const struct fastterm_outcome *outcome, u8 level,
			    int err)
{
	struct ftk_runner *r = data;

	if (err == -ENOENT && smp_processor_id() == r->cpu &&
	    (level || current != r->thread ||
	     (preempt_count() & PREEMPT_MASK) > PREEMPT_OFFSET || in_entry()))
		r->elsewhere++;
}

/**
 * ftk_on_kick() - have a function called at the end of each kick, in the kick
 * @fn: the function, which receives the outcome so far, the level of the interrupted context,
 *	and the result of fastterm_redirect()
 * @data: its first argument
 *
 * Return: 0, or -EBUSY if there is such a function already.
 */
int ftk_on_kick(void (*fn)(void *data, const struct fastterm_outcome *outcome, u8 level, int err),
		void *data)
{
	if (fastterm_on_kick)
		return -EBUSY;
	fastterm_on_kick_data = data;
	/* A kick on another CPU that sees the function sees its argument as well. */
	smp_wmb();
	WRITE_ONCE(fastterm_on_kick, fn);
	return 0;
}

/**
 * ftk_on_kick_end() - undo ftk_on_kick()
 *
 * Context: may sleep.
 */
void ftk_on_kick_end(void)
{
	WRITE_ONCE(fastterm_on_kick, NULL);
	/* Interrupts are off in a kick. */
	synchronize_rcu();
}

/**
 * ftk_kick() - terminate a runner's program many times, and print the results
 * @test: the test case, which is failed on an error
 * @r: the runner, whose program counts its entries. It is started on the second CPU, and ended.
 * @nr: number of terminations
 * @phase_ns: the program is kicked at random moments, up to this long after its entry
 * @percent: percentage of activations that have to be gone after the first kick that has found
 *	     them
 *
 * Context: the thread of the test case.
 */
void ftk_kick(struct kunit *test, struct ftk_runner *r, u32 nr, u32 phase_ns, u32 percent)
{
	u32 i, kicks, gone[4] = {}, elsewhere = 0, refused = 0;
	struct fastterm_outcome outcome = {};
	int err = 0;

	KUNIT_ASSERT_EQ(test, 0, ftk_on_kick(count_elsewhere, r));
	ftk_runner_start(test, r, 1);
	for (i = 0; i < nr && !err; i++) {
		if (!ftk_runner_entered(r))
			break;
		ndelay(get_random_u32_below(phase_ns));
		r->elsewhere = 0;
		err = ftk_terminate(r, &outcome);
		kicks = outcome.kicks - min(r->elsewhere, outcome.kicks);
		gone[clamp(kicks, 1, ARRAY_SIZE(gone)) - 1]++;
		elsewhere += r->elsewhere;
		refused += outcome.refused;
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "at kick %u", i);
	KUNIT_EXPECT_EQ(test, i, nr);
	ftk_runner_end(test, r);
	ftk_on_kick_end();
	KUNIT_EXPECT_EQ(test, r->broken, 0);
	KUNIT_EXPECT_GE(test, gone[0] * 100, i * percent);
	/* If there are too many, kicks do not recognise the program. */
	KUNIT_EXPECT_LE(test, elsewhere, nr);
	kunit_info(test, "gone after kick 1: %u, 2: %u, 3: %u, later: %u; stacks refused: %u\n",
		   gone[0], gone[1], gone[2], gone[3], refused);
	kunit_info(test, "another %u kicks found the processor doing something else\n",
		   elsewhere);
}

/**
 * ftk_runner_end() - end a runner
 * @test: the test case
 * @r: the runner, whose program is terminated if it runs
 *
 * Context: the thread of the test case.
 */
void ftk_runner_end(struct kunit *test, struct ftk_runner *r)
{
	struct fastterm_outcome outcome;
	unsigned long end = jiffies + FTK_PATIENCE;
	u32 us = 0;

	WRITE_ONCE(r->stop, true);
	/* Pairs with the release at the end of the runner's thread. */
	while (!smp_load_acquire(&r->done) && time_before(jiffies, end)) {
		/*
		 * The program has usually just left. A request would then look for it for a long
		 * time, or find what runs on its behalf instead.
		 */
		if (us++ < 1000) {
			udelay(1);
		} else {
			ftk_terminate(r, &outcome);
			us = 0;
		}
	}
	KUNIT_ASSERT_TRUE_MSG(test, r->done, "the program does not end");
	kthread_stop(r->thread);
}
