/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs for KUnit test cases
 *
 * A suite writes its programs as arrays of instructions and loads them through kern_sys_bpf():
 * they pass through the real verifier and the real JIT, as if a process had loaded them.
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
 * map.h and btf.h have what programs need; run.h and attach.h run and attach them.
 *
 * Everything that a test case gets from these functions is released when the case ends. If a
 * function fails, it fails the case at once, so that callers handle no errors. Functions that
 * take @test must be called from the thread of the test case, since loading uses its kernel
 * credentials and its file table.
 *
 * The prefix ftk stands for "fastterm kunit".
 */
#ifndef _BPF_FASTTERM_KUNIT_PROG_H
#define _BPF_FASTTERM_KUNIT_PROG_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/types.h>

struct ftk_map;
struct kunit;

/**
 * struct ftk_opts - options for loading a program; 0 and NULL are the defaults
 * @type: program type; BPF_PROG_TYPE_RAW_TRACEPOINT if 0
 * @expected_attach_type: as in bpf(2)
 * @flags: load flags, such as BPF_F_SLEEPABLE
 * @globals: bit n set: the n-th function in the program is global, so that the verifier checks
 *	     it on its own. Function 0 is the entry and always global.
 * @fillers: bit n set: the n-th function takes an int * that it may write to
 * @xdp: the main function takes a struct xdp_md *, so that an extension can replace it, or is one
 * @name: name of the program; the name of the test case if NULL
 * @target: a program whose main function ftk_attach() attaches the program to, or NULL
 * @func: a kernel function that ftk_attach() attaches the program to, or for BPF_TRACE_RAW_TP
 *	  the type of a tracepoint, or NULL
 * @lines: add line info for each instruction, so that the JIT stores the instructions' addresses
 *	   in bpf_prog_aux.jited_linfo
 * @types: a map created by ftk_map_typed(), whose BTF the program uses instead of its own. It
 *	   may then have four functions at most, all of them static except for the entry.
 * @no_perfmon: the loader has no CAP_PERFMON, so the verifier protects the program against
 *		speculation
 * @log: request the verifier's log
 */
struct ftk_opts {
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	u32 flags;
	u32 globals;
	u32 fillers;
	bool xdp;
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
 * A call of a helper by number. BPF_EMIT_CALL() has the helper's address instead, as
 * instructions do after the verifier.
 */
#define FTK_CALL(func_id) \
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func_id)

/* Number of instructions that ftk_count() writes. */
#define FTK_COUNT_LEN	5

struct bpf_insn ftk_kfunc(struct kunit *test, const char *name);
void ftk_count(struct bpf_insn insns[FTK_COUNT_LEN], const struct ftk_map *count);

#endif /* _BPF_FASTTERM_KUNIT_PROG_H */
