/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs for KUnit test cases
 *
 * A suite writes its programs as arrays of instructions and loads them here
 * through kern_sys_bpf(): what runs has passed the real verifier and the real
 * JIT, as if a process had loaded it.
 *
 *	struct ftk_map m = ftk_map(test, BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
 *	struct bpf_insn insns[] = {
 *		BPF_LD_MAP_FD(BPF_REG_1, m.fd),
 *		...
 *		BPF_EXIT_INSN(),
 *	};
 *	struct bpf_prog *prog = ftk_load(test, insns, ARRAY_SIZE(insns), NULL);
 *
 *	KUNIT_EXPECT_EQ(test, ftk_run(prog, ctx), 42);
 *
 * What they need is in map.h and btf.h, what becomes of them in run.h and attach.h.
 *
 * Everything that a test case gets there is released when the case ends. What
 * cannot be had fails the case at once, so there is no error to handle. The
 * functions that take @test are called from the thread of the test case, whose
 * kernel credentials and file table the loads use.
 *
 * The prefix is for "fastterm kunit".
 */
#ifndef _BPF_FASTTERM_KUNIT_PROG_H
#define _BPF_FASTTERM_KUNIT_PROG_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/types.h>

struct ftk_map;
struct kunit;

/**
 * struct ftk_opts - how to load a program, where it is not the usual way
 * @type: program type; BPF_PROG_TYPE_RAW_TRACEPOINT if left 0
 * @expected_attach_type: as bpf(2) has it
 * @flags: BPF_F_SLEEPABLE and the like
 * @globals: bit n set: the function that is the n-th by its place in the
 *	     program is a global one, which the verifier checks on its own.
 *	     The entry is function 0 and always global.
 * @fillers: bit n set: that function is handed an int * that it may write to
 * @name: name of the program; that of the test case if NULL
 * @target: a program of ftk_load() whose main function it is attached to by
 *	    ftk_attach(), or NULL
 * @func: a function of the kernel that it is attached to instead, or for BPF_TRACE_RAW_TP
 *	  the type of a tracepoint's, or NULL
 * @lines: tell the kernel where each instruction is, so that the JIT says where it has
 *	   put it: bpf_prog_aux.jited_linfo
 * @types: a map of ftk_map_typed() whose BTF the program uses in place of one of
 *	   its own; then it has at most four functions, all but the entry static
 * @no_perfmon: the loader has no CAP_PERFMON, and the verifier makes the program safe from
 *		speculation of the processor's
 * @log: somebody asks for the verifier's log
 */
struct ftk_opts {
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	u32 flags;
	u32 globals;
	u32 fillers;
	const char *name;
	struct bpf_prog *target;
	const char *func;
	bool lines;
	const struct ftk_map *types;
	bool no_perfmon;
	bool log;
};

struct bpf_prog *ftk_load(struct kunit *test, const struct bpf_insn *insns,
			  u32 cnt, const struct ftk_opts *opts);
int ftk_load_errno(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
		   const struct ftk_opts *opts);
struct bpf_prog *ftk_load_counter(struct kunit *test, const struct ftk_map *count,
				  const struct ftk_opts *opts);
void ftk_unload(struct kunit *test, struct bpf_prog *prog);
int ftk_drain(void);
int ftk_prog_fd(struct kunit *test, struct bpf_prog *prog);

/*
 * The call of a helper. BPF_EMIT_CALL() is for what the verifier has left
 * behind: it holds the helper's address and not its number.
 */
#define FTK_CALL(func_id) \
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func_id)

/* Number of instructions of ftk_count(). */
#define FTK_COUNT_LEN	5

struct bpf_insn ftk_kfunc(struct kunit *test, const char *name);
void ftk_count(struct bpf_insn insns[FTK_COUNT_LEN], const struct ftk_map *count);

#endif /* _BPF_FASTTERM_KUNIT_PROG_H */
