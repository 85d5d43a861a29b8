/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data of a program: its sites, why it can run for a long time, and its stub images or
 * the reason why it has none.
 */
#ifndef _BPF_FASTTERM_PROGRAM_H
#define _BPF_FASTTERM_PROGRAM_H

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/fastterm_types.h>
#include <linux/filter.h>
#include <linux/list.h>
#include <linux/types.h>

#include "impose.h"
#include "quarantine.h"
#include "verdict.h"

struct dentry;
struct fastterm_checked;
struct fastterm_image;
struct fastterm_layout;
struct fastterm_rules;

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
 * @func: the name of what it is attached to, or NULL: a copy, since bpf_prog_aux.attach_func_name
 *	  of an extension may be freed before the extension is
 * @linfo: its bpf_prog_aux.linfo, once the last reference is gone: samples may still need it
 * @jited_linfo: its bpf_prog_aux.jited_linfo, likewise
 * @terminations: how many of its activations have been terminated
 * @nr_funcs: number of its functions
 * @images: for each function its stub image; NULL if there are none
 * @watched: it is counted in fastterm_nr_stoppable
 * @denial: how it says no
 * @quarantine: its strikes and quarantines
 * @held: on which CPUs the quarantine has raised the counter that keeps the program from being
 *	  entered recursively; NULL if it has none, or if refusing it would permit something
 * @share: its share of CPU time
 * @nr_callbacks: number of @callbacks
 * @callbacks: its functions that the kernel calls by itself, and that the program does not call
 * @node: its place among fastterm_progs
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
	const char *func;
	struct bpf_line_info *linfo;
	void **jited_linfo;
	atomic_t terminations;
	u32 nr_funcs;
	struct fastterm_image **images;
	bool watched;
	struct fastterm_denial denial;
	struct fastterm_quarantine quarantine;
	unsigned long *held;
	struct fastterm_share share;
	u32 nr_callbacks;
	u32 *callbacks;
	struct list_head node;
	struct dentry *dentry;
	u32 nr_sites;
	struct fastterm_site sites[] __counted_by(nr_sites);
};

/**
 * struct fastterm_aux - what we keep with a program, and with each function of it
 * @prog: sites and images; of the whole program, with its main function
 * @checked: from when the verifier has explored the program until it has been rewritten,
 *	     what came of the check of its stub image
 * @layout: while the program is loaded, where the JIT has put a function's
 *	    instructions; of that function
 * @rules: the frame rules of that function; NULL if there are none
 * @image: the stub image of that function
 * @ranged: the verifier has checked the values that the program returns; of the whole program
 * @least: the least value that the program may return then
 * @most: the greatest one
 *
 * A stub image has that of the function that it is a copy of.
 */
struct fastterm_aux {
	struct fastterm_prog *prog;
	struct fastterm_checked *checked;
	struct fastterm_layout *layout;
	const struct fastterm_rules *rules;
	const struct fastterm_image *image;
	bool ranged;
	s32 least;
	s32 most;
};

/* What a program has that has nothing. */
extern const struct fastterm_aux fastterm_no_aux;

struct fastterm_aux *fastterm_own(struct bpf_prog_aux *aux);

/**
 * fastterm_aux() - get what we keep with a function of a program
 * @func: the function, or the program
 *
 * Context: any in which it is not freed.
 * Return: the data, which is empty if nothing is kept.
 */
static __always_inline const struct fastterm_aux *fastterm_aux(const struct bpf_prog *func)
{
	return func->aux->fastterm.own ?: &fastterm_no_aux;
}

/**
 * fastterm_of() - get the data of a program
 * @prog: the program
 *
 * Context: any in which it is not freed.
 * Return: the data; NULL if there is none.
 */
static __always_inline struct fastterm_prog *fastterm_of(const struct bpf_prog *prog)
{
	return fastterm_aux(prog)->prog;
}

/*
 * A run of so many instructions is short, if it makes at most so many calls. How long a call
 * takes is not known: a helper may copy megabytes. Light calls count less, by FASTTERM_HEAVY.
 */
#define FASTTERM_SHORT_RUN	200000u
#define FASTTERM_SHORT_CALLS	100u

/*
 * Functions may be called several times, and call each other. If a program has at most
 * FASTTERM_NESTED_CALLS calls in all, light or not, no run makes more than 3 + 3 * 2 + 3 * 2 * 2 +
 * 3 * 2 * 2 * 2 + 3 * 2 * 2 * 2 * 1 calls, which is less than FASTTERM_SHORT_CALLS, or enters
 * a function more than FASTTERM_ENTRIES times, 3 * 3 * 2 * 2.
 */
#define FASTTERM_NESTED_CALLS	10u
#define FASTTERM_ENTRIES	36u

/* The programs that may run. Readers are in an RCU read-side section. */
extern struct list_head fastterm_progs;

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
 * fastterm_is_of_cgroup() - does a program of a type decide, for a cgroup, what is permitted?
 * @type: the type
 *
 * Context: any.
 * Return: true if it does.
 */
static __always_inline bool fastterm_is_of_cgroup(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
	case BPF_PROG_TYPE_CGROUP_SYSCTL:
	case BPF_PROG_TYPE_CGROUP_DEVICE:
		return true;
	default:
		return false;
	}
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
		return true;
	case BPF_PROG_TYPE_TRACING:
		return attached == BPF_MODIFY_RETURN;
	default:
		return fastterm_is_of_cgroup(type);
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
