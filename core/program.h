/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data of a program: its sites, why it can run for a long time, and its stub images or
 * the reason why it has none.
 */
#ifndef _BPF_FASTTERM_PROGRAM_H
#define _BPF_FASTTERM_PROGRAM_H

#include <linux/bpf.h>
#include <linux/fastterm_types.h>
#include <linux/filter.h>
#include <linux/types.h>

#include "verdict.h"

struct dentry;

/**
 * enum fastterm_long - why a program can run for a long time, the strongest reason first
 * @FASTTERM_SHORT: it cannot, and gets no image
 * @FASTTERM_CALLBACK: it passes a callback to a function that iterates
 * @FASTTERM_ITERATOR: it has an open-coded iterator
 * @FASTTERM_MAY_GOTO: it has a may_goto
 * @FASTTERM_TAIL: it has a tail call
 * @FASTTERM_BACK_EDGE: it jumps back, and the verifier gives no small bound of the iterations
 * @FASTTERM_CALLS: it may make many calls
 * @FASTTERM_SLEEPABLE: it may sleep
 * @FASTTERM_LONGS: number of reasons
 */
enum fastterm_long {
	FASTTERM_SHORT,
	FASTTERM_CALLBACK,
	FASTTERM_ITERATOR,
	FASTTERM_MAY_GOTO,
	FASTTERM_TAIL,
	FASTTERM_BACK_EDGE,
	FASTTERM_CALLS,
	FASTTERM_SLEEPABLE,
	FASTTERM_LONGS,
};

/**
 * enum fastterm_absence - why a program has no stub images
 * @FASTTERM_PRESENT: it has stub images
 * @FASTTERM_UNSUPPORTED: the machine cannot terminate programs
 * @FASTTERM_NOT_JITED: the program is not machine code for the CPUs of this machine
 * @FASTTERM_OFF: images were switched off when it was loaded
 * @FASTTERM_NOT_NEEDED: it cannot run for a long time
 * @FASTTERM_NO_MEMORY: there was no memory for them
 * @FASTTERM_NOT_FOUND: an instruction that is to be skipped was not found in the machine
 *			code
 * @FASTTERM_TOO_LARGE: a function is larger than the reach of its calls
 * @FASTTERM_CODE: the machine code has an instruction that cannot be copied
 * @FASTTERM_UNSOUND: the verifier does not accept the stub image
 * @FASTTERM_NO_RULES: a function's prologue or epilogue was not recognised
 * @FASTTERM_ABSENCES: number of reasons
 */
enum fastterm_absence {
	FASTTERM_PRESENT,
	FASTTERM_UNSUPPORTED,
	FASTTERM_NOT_JITED,
	FASTTERM_OFF,
	FASTTERM_NOT_NEEDED,
	FASTTERM_NO_MEMORY,
	FASTTERM_NOT_FOUND,
	FASTTERM_TOO_LARGE,
	FASTTERM_CODE,
	FASTTERM_UNSOUND,
	FASTTERM_NO_RULES,
	FASTTERM_ABSENCES,
};

/**
 * struct fastterm_site - a site
 * @insn: its index in the program as the verifier left it ("xlated")
 * @func: the function that it is in
 * @jump: how many jumps and calls precede it in that function; constant blinding renumbers
 *	  instructions, but keeps the order of these
 * @code: its opcode, to recognise it
 * @native: its offset in the image of the function; 0 before there is an image
 * @target: the kernel function that it calls; 0 if none, or before there is an image
 * @decision: the decision on it
 * @value: the enum fastterm_value that the stub returns if it is skipped
 */
struct fastterm_site {
	u32 insn;
	u32 func;
	u32 jump;
	u32 native;
	unsigned long target;
	struct fastterm_decision decision;
	u8 code;
	u8 value;
};

/**
 * struct fastterm_prog - the data of a program
 * @why_long: why it can run for a long time
 * @loops: it may loop in its own code, where nothing tests whether to stop
 * @absence: why it has no images
 * @verdict: the result of the product check
 * @trace: while the program is loaded, the paths through it
 * @nr_loaded: number of instructions of the program as it was loaded
 * @nr_ids: number of @ids
 * @ids: while the program is loaded, for each instruction that the verifier has left, the
 *	 index of the instruction of the loaded program that it belongs to
 * @stays: the last reference is gone, and the symbols stay while the program may run
 * @prog: the program, which is freed with this
 * @id: the program's id, once it is published
 * @nr_funcs: number of its functions
 * @images: for each function its stub image; NULL if there are none
 * @dentry: its file in debugfs
 * @nr_sites: number of @sites
 * @sites: its sites, by @insn
 */
struct fastterm_prog {
	enum fastterm_long why_long;
	bool loops;
	enum fastterm_absence absence;
	struct fastterm_verdict verdict;
	struct fastterm_trace trace;
	u32 nr_loaded;
	u32 nr_ids;
	u32 *ids;
	bool stays;
	struct bpf_prog *prog;
	u32 id;
	u32 nr_funcs;
	struct fastterm_image **images;
	struct dentry *dentry;
	u32 nr_sites;
	struct fastterm_site sites[] __counted_by(nr_sites);
};

/*
 * A run of so many instructions is short, if it makes at most so many calls. How long a call
 * takes is not known: a helper may copy megabytes, and other programs may be attached to it.
 */
#define FASTTERM_SHORT_RUN	200000u
#define FASTTERM_SHORT_CALLS	100u

/*
 * Functions may be called several times, and call each other. If a program has at most
 * FASTTERM_NESTED_CALLS calls in all, no run makes more than 3 + 3 * 2 + 3 * 2 * 2 +
 * 3 * 2 * 2 * 2 + 3 * 2 * 2 * 2 * 1 calls, which is less than FASTTERM_SHORT_CALLS, or enters
 * a function more than FASTTERM_ENTRIES times, 3 * 3 * 2 * 2.
 */
#define FASTTERM_NESTED_CALLS	10u
#define FASTTERM_ENTRIES	36u

/*
 * The number of programs that have a struct fastterm_prog: those that are loaded and not
 * yet freed.
 */
extern atomic_t fastterm_nr_progs;

/*
 * How many programs have stopped running for good. Each is freed a grace period after it is
 * counted.
 */
extern atomic_t fastterm_ended_progs;

/* The number of guards among the programs that are loaded; see fastterm_is_guard(). */
extern atomic_t fastterm_nr_guards;

/* How many programs have been loaded since boot, by the reason why they have no images. */
extern atomic_t fastterm_loads[FASTTERM_ABSENCES];

/**
 * fastterm_nr_funcs() - get the number of a program's functions
 * @prog: the program
 *
 * Context: any, once it has been JITed.
 * Return: the number, at least 1.
 */
static inline u32 fastterm_nr_funcs(const struct bpf_prog *prog)
{
	return prog->aux->real_func_cnt ? : 1;
}

/**
 * fastterm_func() - get a function of a program
 * @prog: the program
 * @i: its number; 0 is the main function
 *
 * Context: any, once it has been JITed.
 * Return: the function.
 */
static inline struct bpf_prog *fastterm_func(struct bpf_prog *prog, u32 i)
{
	return prog->aux->real_func_cnt ? prog->aux->func[i] : prog;
}

/**
 * fastterm_is_guard() - does a program's value permit or deny something?
 * @prog: the program
 *
 * A guard decides for its caller. It is neither refused nor moved because its caller is
 * terminated, or the caller could walk past it.
 *
 * Context: any.
 * Return: true if it does, or if it is part of an implementation that the kernel relies on.
 */
static __always_inline bool fastterm_is_guard(const struct bpf_prog *prog)
{
	enum bpf_attach_type attached = prog->expected_attach_type;
	enum bpf_prog_type type = prog->type;

	/* An extension may replace the main function, and decides in its place. */
	if (type == BPF_PROG_TYPE_EXT) {
		type = prog->aux->saved_dst_prog_type;
		attached = prog->aux->saved_dst_attach_type;
	}
	switch (type) {
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_STRUCT_OPS:
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
	case BPF_PROG_TYPE_CGROUP_SYSCTL:
	case BPF_PROG_TYPE_CGROUP_DEVICE:
		return true;
	case BPF_PROG_TYPE_TRACING:
		return attached == BPF_MODIFY_RETURN;
	default:
		return false;
	}
}

/**
 * fastterm_jumps_back() - is an instruction the back edge of a loop?
 * @insn: the instruction
 *
 * Context: any.
 * Return: true if it is a jump to an earlier instruction, or to itself.
 */
static inline bool fastterm_jumps_back(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	if (class != BPF_JMP && class != BPF_JMP32)
		return false;
	if (op == BPF_CALL || op == BPF_EXIT || insn->code == (BPF_JMP | BPF_TAIL_CALL))
		return false;
	return (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off) < 0;
}

#endif /* _BPF_FASTTERM_PROGRAM_H */
