/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what structures of other parts of the
 * kernel contain. Apart from <linux/fastterm.h>, since half the kernel includes
 * those structures.
 */
#ifndef _LINUX_FASTTERM_TYPES_H
#define _LINUX_FASTTERM_TYPES_H

#include <linux/types.h>

struct fastterm_image;
struct fastterm_layout;
struct fastterm_prog;
struct fastterm_snapshot;

#ifdef CONFIG_BPF_FASTTERM

/**
 * struct fastterm_decision - what becomes of an instruction in the stub image
 * @kind: enum fastterm_kind, 0 while the instruction is no site
 * @why: enum fastterm_why, 0 while nothing forbids to skip it
 * @arg: the argument that @why is about, counted from 1; 0 if none
 * @values: bits of enum fastterm_value that every visit so far allows
 * @fill: bit k: in every visit so far argument k is memory on the stack, of the
 *	  size in argument k + 1, that may be zeroed; bit 0: some has to be
 *
 * Part of struct bpf_insn_aux_data, so that it moves with its instruction
 * when the verifier rewrites the program.
 */
struct fastterm_decision {
	u8 kind;
	u8 why;
	u8 arg;
	u8 values;
	u8 fill;
};

/**
 * struct fastterm_aux - what we keep with a program: part of bpf_prog_aux
 * @prog: sites and images; of the whole program, with its main function
 * @snapshot: while the verifier runs, its state before the current call
 * @layout: while the program is loaded, where the JIT has put a function's
 *	    instructions; of that function
 * @image: the stub image; of that function, or of the one that it is a shadow of
 * @terminations: how many activations of the program have been terminated
 */
struct fastterm_aux {
	struct fastterm_prog *prog;
	struct fastterm_snapshot *snapshot;
	struct fastterm_layout *layout;
	const struct fastterm_image *image;
	atomic_t terminations;
};

#else

struct fastterm_decision { };
struct fastterm_aux { };

#endif /* CONFIG_BPF_FASTTERM */

#endif /* _LINUX_FASTTERM_TYPES_H */
