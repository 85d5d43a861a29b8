/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that do not end, threads that run them, and their termination
 *
 *	struct ftk_shape shape = { .levels = 2, .body = FTK_SNIPPET(body) };
 *
 *	struct ftk_runner *runner = ftk_runner(test, &shape, NULL);
 *
 *	ftk_runner_start(test, runner, cpu);
 *	...
 *	ftk_runner_end(test, runner);
 */
#ifndef _BPF_FASTTERM_KUNIT_RUNAWAY_H
#define _BPF_FASTTERM_KUNIT_RUNAWAY_H

#include <linux/bpf.h>
#include <linux/fastterm.h>
#include <linux/filter.h>
#include <linux/types.h>

struct ftk_map;
struct ftk_opts;
struct kunit;

/* As many iterations as bpf_loop() allows. */
#define FTK_FOREVER	BIT(23)

/* How long a termination may take, emulated, before a case gives up. */
#define FTK_PATIENCE	(10 * HZ)

/**
 * struct ftk_insns - a program that is put together
 * @cnt: number of instructions
 * @insns: the instructions
 */
struct ftk_insns {
	u32 cnt;
	struct bpf_insn insns[900];
};

/**
 * struct ftk_snippet - instructions that are put in somewhere
 * @insns: the instructions
 * @cnt: their number
 */
struct ftk_snippet {
	const struct bpf_insn *insns;
	u32 cnt;
};

/* Functions that do next to nothing, with and without a frame, and that call. */
extern const struct ftk_snippet ftk_body_calls;

#define FTK_SNIPPET(array...) { array, ARRAY_SIZE(array) }

/**
 * struct ftk_shape - of a program of nested bpf_loop()
 * @levels: number of loops; with none, the body is all there is
 * @out_of_line: whether the verifier shall leave them calls of bpf_loop(), by flags
 *		 that it does not know: the second word of the context, to be 0
 * @iterations: of each loop; 0: as many as there can be
 * @entered: an array of one u64 that counts how often the program is entered, or
 *	     NULL
 * @before: what comes before the outermost loop. It may use R7 to R9, which are
 *	    as they were when @after comes, and the stack from -16 downwards.
 * @body: what the innermost callback does before it returns 0. R6 to R9 need not
 *	  be saved. It may end with functions of its own.
 * @after: what comes behind the outermost loop, before the program returns 0
 */
struct ftk_shape {
	u32 levels;
	bool out_of_line;
	u32 iterations;
	const struct ftk_map *entered;
	struct ftk_snippet before;
	struct ftk_snippet body;
	struct ftk_snippet after;
};

/**
 * struct ftk_runner - a thread that runs a program again and again
 * @prog: the program
 * @ctx: its context, as a raw tracepoint has it
 * @context: another one, of its type; NULL for @ctx
 * @cpu: where
 * @mm: memory that it runs with, as a process does; NULL for none
 * @thread: the thread
 * @entered: where the program counts how often it has been entered, or NULL
 * @seen: what that was when it was last looked at
 * @elsewhere: how many kicks did not find it since its CPU was doing something else
 * @runs: how often it has returned
 * @broken: how often it did not leave registers or stack as they were
 * @expected: what it returns unless it is terminated; 0 if nobody cares
 * @wrong: how often it returned something else
 * @once: do not run it again
 * @stop: the same, set later
 * @done: the thread runs it no more
 */
struct ftk_runner {
	struct bpf_prog *prog;
	u64 ctx[MAX_BPF_FUNC_ARGS];
	const void *context;
	u32 cpu;
	struct mm_struct *mm;
	struct task_struct *thread;
	const u64 *entered;
	u64 seen;
	u32 elsewhere;
	u64 runs;
	u64 broken;
	u64 expected;
	u64 wrong;
	bool once;
	bool stop;
	bool done;
};

struct ftk_insns *ftk_runaway(struct kunit *test, const struct ftk_shape *shape);
void ftk_hold_fifty(struct kunit *test, struct ftk_shape *shape, const struct ftk_snippet *get,
		    const struct ftk_snippet *put, const struct ftk_map *count);
void ftk_hold_things(struct kunit *test, struct ftk_shape *shape);
void ftk_loop_locked(struct kunit *test, struct ftk_shape *shape, const struct ftk_map *m);
struct bpf_insn *ftk_snippet(struct kunit *test, struct ftk_snippet *s, u32 cnt);

u64 ftk_run_guarded(const struct bpf_prog *prog, const void *ctx, u64 *broken);
int ftk_all_init(struct kunit *test);
void ftk_all_exit(struct kunit *test);
int ftk_icount_init(struct kunit *test);
void ftk_icount_exit(struct kunit *test);
int ftk_requester_init(struct kunit *test);
void ftk_requester_exit(struct kunit *test);
struct ftk_runner *ftk_runner(struct kunit *test, const struct ftk_shape *shape,
			      const struct ftk_opts *opts);
void ftk_runner_start(struct kunit *test, struct ftk_runner *r, u32 cpu);
bool ftk_runner_entered(struct ftk_runner *r);
int ftk_terminate(struct ftk_runner *r, struct fastterm_outcome *outcome);
void ftk_kick(struct kunit *test, struct ftk_runner *r, u32 nr, u32 phase_ns,
	      u32 percent);
void ftk_runner_end(struct kunit *test, struct ftk_runner *r);

#endif /* _BPF_FASTTERM_KUNIT_RUNAWAY_H */
