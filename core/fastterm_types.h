/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: members of structures of other parts of the
 * kernel. They are not in <linux/fastterm.h>, since much of the kernel includes the
 * headers of those structures.
 */
#ifndef _LINUX_FASTTERM_TYPES_H
#define _LINUX_FASTTERM_TYPES_H

#include <linux/types.h>

struct fastterm_aux;
struct fastterm_check;

#ifdef CONFIG_BPF_FASTTERM

/**
 * struct fastterm_decision - what becomes of an instruction in the stub image
 * @id: counts the instructions as the program was loaded, from 1; 0 for those that
 *	the verifier has put there, which belong to the next one that has an id
 * @kind: enum fastterm_kind, 0 while the instruction is no site
 * @why: enum fastterm_why, 0 while nothing forbids to skip it
 * @arg: the argument that @why is about, counted from 1; 0 if none
 * @values: bits of enum fastterm_value that every visit so far allows
 * @fill: bit k: in every visit so far argument k is memory on the stack, of the
 *	  size in argument k + 1, that may be zeroed; bit 0: some has to be
 * @visited: there was a visit
 * @uninit: it reads memory on the program's stack that the program has not written
 * @is_next: it is the next() of an iterator
 *
 * Part of struct bpf_insn_aux_data, so that it moves with its instruction when the verifier
 * rewrites the program. It is packed, since that structure has just so many bytes of padding,
 * and the verifier copies an array of them each time that it puts an instruction into the
 * program.
 */
struct fastterm_decision {
	u32 id;
	u8 kind : 3;
	u8 why : 4;
	u8 visited : 1;
	u8 arg : 3;
	u8 values : 5;
	u8 fill : 6;
	u8 uninit : 1;
	u8 is_next : 1;
} __packed;

/**
 * struct fastterm_vstate - of a state of the verifier: part of bpf_verifier_state
 * @stub: it is a state of the stub image
 * @alike: and no call has been skipped that was handed the stack: what is not written there
 *	   is not written in the original either
 * @apart: it is not reached in the stub image from where it branched off
 * @node: the node of the trace that it has come from; of a saved state, its own
 * @first: where in the trace what it has run since then begins, counted from 1; 0 if it
 *	   has not run yet
 * @cover: the node of the state that it was found to be part of
 */
struct fastterm_vstate {
	bool stub;
	bool alike;
	bool apart;
	u32 node;
	u32 first;
	u32 cover;
};

/**
 * struct fastterm_venv - of the verifier's work on a program: part of bpf_verifier_env
 * @check: while the verifier explores the program, the check of its stub image
 * @in_stub: the current state is one of the stub image
 */
struct fastterm_venv {
	struct fastterm_check *check;
	bool in_stub;
};

/**
 * struct fastterm_vlog - of the verifier's log: part of bpf_verifier_log
 * @sentence: where the last sentence goes, of FASTTERM_SENTENCE bytes, instead of the
 *	      user's log; NULL if all go there
 */
struct fastterm_vlog {
	char *sentence;
};

#define FASTTERM_SENTENCE	128

/**
 * struct fastterm_ptr - where the data of a program is: part of bpf_prog_aux
 * @own: the data; NULL if there is none
 *
 * It is one pointer, since vendors who promise modules that structures keep their layout have
 * reserved just so much in bpf_prog_aux.
 */
struct fastterm_ptr {
	struct fastterm_aux *own;
};

#else

struct fastterm_decision { };
struct fastterm_vstate { };
struct fastterm_venv { };
struct fastterm_vlog { };
struct fastterm_ptr { };

#endif /* CONFIG_BPF_FASTTERM */

#endif /* _LINUX_FASTTERM_TYPES_H */
