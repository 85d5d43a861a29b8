/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what an architecture provides.
 *
 * The generic core knows two things: how to make a stub image, and when to
 * redirect a program into it. Everything that knows an instruction's encoding,
 * a stack frame or an interrupt is behind the functions below. They live in
 * arch/<arch>/net/fastterm.c, in the same order and under the same names on
 * every architecture, and an architecture that has them all selects
 * HAVE_BPF_FASTTERM.
 *
 * Every function has a weak default that returns -EOPNOTSUPP, so that a kernel
 * for any other architecture builds, boots, and says that it cannot.
 *
 * The functions that decode and encode are pure: they read and write only the
 * bytes they are given, which are not where they will run. Addresses are those
 * at which the code will run. They may be called in any context.
 *
 *	u8 code[64];			// a copy of an image
 *	unsigned long ip = 0x...;	// where code[0] runs, or will run
 *	struct fastterm_insn insn;
 *	int len;
 *
 *	for (off = 0; off < size; off += len) {
 *		len = fastterm_arch_decode(code, off, size, ip, &insn);
 *		if (len < 0)
 *			return len;
 *		if (insn.kind == FASTTERM_INSN_CALL) {
 *			insn.target = (unsigned long)stub;
 *			err = fastterm_arch_encode(code, off, ip, &insn);
 *		}
 *	}
 */
#ifndef _LINUX_FASTTERM_ARCH_H
#define _LINUX_FASTTERM_ARCH_H

#include <linux/types.h>

/**
 * enum fastterm_insn_kind - what copying an image has to know of an instruction
 * @FASTTERM_INSN_PLAIN: it means the same wherever it stands
 * @FASTTERM_INSN_CALL: it calls the target and goes on behind itself
 * @FASTTERM_INSN_JUMP: it goes on at the target
 * @FASTTERM_INSN_BRANCH: it goes on at the target, or behind itself
 * @FASTTERM_INSN_DATA: it forms the target's address, or reads or writes there
 */
enum fastterm_insn_kind {
	FASTTERM_INSN_PLAIN,
	FASTTERM_INSN_CALL,
	FASTTERM_INSN_JUMP,
	FASTTERM_INSN_BRANCH,
	FASTTERM_INSN_DATA,
};

/**
 * struct fastterm_insn - one native instruction
 * @kind: what it is
 * @len: its length in bytes
 * @split: it shares its meaning with the instruction behind it: where the two
 *	   differ between an image and its copy, nobody may be moved from the
 *	   boundary between them
 * @target: the absolute address that it refers to; 0 for a plain one
 *
 * A call whose address is formed by instructions before it is of the kind
 * FASTTERM_INSN_CALL with the whole address as @target; those before it are
 * plain, and what they form does not matter once the call is encoded anew.
 */
struct fastterm_insn {
	enum fastterm_insn_kind kind;
	u8 len;
	bool split;
	unsigned long target;
};

int fastterm_arch_init(void);
int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn);
int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn);
int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target);
void fastterm_arch_fill(void *area, unsigned int size);

#endif /* _LINUX_FASTTERM_ARCH_H */
