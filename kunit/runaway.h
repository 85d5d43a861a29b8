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

/* The most iterations that bpf_loop() allows. */
#define FTK_FOREVER	BIT(23)

/* Code that another CPU runs can be patched here: boot parameter fastterm_patching. */
extern bool ftk_patching;

/* How long a case waits for a termination on an emulated machine. */
#define FTK_PATIENCE	(10 * HZ)

/**
 * struct ftk_insns - a program that has been composed
 * @cnt: number of instructions
 * @insns: the instructions
 */
struct ftk_insns {
	u32 cnt;
	struct bpf_insn insns[900];
};

/**
 * struct ftk_snippet - instructions that become part of a program
 * @insns: the instructions
 * @cnt: their number
 */
struct ftk_snippet {
	const struct bpf_insn *insns;
	u32 cnt;
};

/* Calls of short functions: leaf functions with and without a frame, and one that calls another. */
extern const struct ftk_snippet ftk_body_calls;

#define FTK_SNIPPET(array...) { array, ARRAY_SIZE(array) }

/**
 * struct ftk_shape - description of a program with nested calls of bpf_loop()
 * @levels: number of loops; if 0, the program consists of the body
 * @out_of_line: keep the verifier from inlining the loops, by flags that it does not know: the
 *		 second word of the context, which has to be 0
 * @iterations: number of iterations of each loop; 0 for FTK_FOREVER
 * @entered: an array of one u64, in which the program counts its entries, or NULL
 * @before: instructions before the outermost loop. They may use the stack from -16 downwards,
 *	    and R7 to R9, which are preserved for @after.
 * @body: what the innermost callback does before it returns 0. It may clobber R6 to R9, and may
 *	  end with functions of its own.
 * @after: instructions behind the outermost loop, before the program returns 0
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
 * @ctx: its context as a raw tracepoint
 * @context: its context if it has another type; NULL for @ctx
 * @cpu: the CPU on which the thread runs
 * @mm: the memory that the thread uses, as a process would; NULL for none
 * @thread: the thread
 * @entered: the counter of the program's entries, or NULL
 * @seen: the value of @entered when it was last read
 * @elsewhere: number of kicks that found the CPU doing something else
 * @runs: how often the program has returned
 * @broken: how often it has changed registers or stack of its caller
 * @result: the result of its last run
 * @expected: its result if it is not terminated; 0 for any
 * @wrong: how often its result was another one
 * @once: run the program only once
 * @stop: end the thread after the current run
 * @done: the thread does not run the program any more
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
	u64 result;
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
int ftk_on_kick(void (*fn)(void *data, const struct fastterm_outcome *outcome, u8 level, int err),
		void *data);
void ftk_on_kick_end(void);

#endif /* _BPF_FASTTERM_KUNIT_RUNAWAY_H */
