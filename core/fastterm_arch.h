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
 * for any other architecture builds, boots, and says that it cannot. What each
 * promises, and in which contexts, is said there, in kernel/bpf/fastterm/arch.c.
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

struct bpf_prog;
struct fastterm_image;
struct llist_node;
struct pt_regs;

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

/**
 * struct fastterm_text - the function of a program that an address is in
 * @prog: the function, or the shadow of it that stands for its stub image
 * @image: the function's stub image; NULL if it has none
 * @code: bytes of the function from its entry, which nobody patches if there is a
 *	  stub image: those of the image
 * @size: size of the code from there
 * @off: where in it the address is; beyond @size it is in a thunk
 * @copy: whether the address is in the stub image
 */
struct fastterm_text {
	const struct bpf_prog *prog;
	const struct fastterm_image *image;
	const u8 *code;
	u32 size;
	u32 off;
	bool copy;
};

/**
 * struct fastterm_slot - an address at which the interrupted context will go on
 * @at: where it is kept: in @regs, on a stack, or with a tracer
 * @ip: the address itself, without a signature
 * @sp: the stack pointer when execution goes on there: right behind the return;
 *	0 if the backend cannot tell, which it can for every return into a program
 *	and from one
 * @regs: the interrupted registers if @at is one of them, NULL otherwise
 * @text: what is at @ip, NULL if that is no program; as long as a fastterm_slot_fn
 *	  is told of it
 * @form: how it is kept there, which the backend alone understands; 0: as it is
 */
struct fastterm_slot {
	unsigned long *at;
	unsigned long ip;
	unsigned long sp;
	struct pt_regs *regs;
	const struct fastterm_text *text;
	unsigned int form;
};

/**
 * typedef fastterm_slot_fn - is told of each slot, the innermost first
 * @slot: the slot
 * @data: what was handed to fastterm_arch_walk()
 *
 * Return: true to go on.
 */
typedef bool (*fastterm_slot_fn)(const struct fastterm_slot *slot, void *data);

/**
 * struct fastterm_tracers - which of the return addresses that tracers keep a
 *			     walk has passed
 * @graph: number of entries of the function graph tracer
 * @hook: the last node of rethook, or instance of a kretprobe
 * @floor: the lowest value by which the function graph tracer may know a frame of what
 *	   has been interrupted: entries with one below, or on another stack, are the
 *	   kick's own. 0 if fastterm_resolve() is never asked for the next entry
 *
 * To be zeroed when a walk begins, but for @floor.
 */
struct fastterm_tracers {
	int graph;
	struct llist_node *hook;
	unsigned long floor;
};

/* For backends: what the generic part knows of addresses, contexts: any. */
struct fastterm_text *fastterm_text_at(unsigned long ip, struct fastterm_text *text);
bool fastterm_resolve(struct fastterm_slot *slot, struct fastterm_text *text,
		      struct fastterm_tracers *tracers, unsigned long graph,
		      unsigned long hook);
bool fastterm_called_from(const struct fastterm_text *text, u32 len, unsigned long ip);
bool fastterm_same_stack(unsigned long sp, unsigned long addr);
void fastterm_kicked(struct pt_regs *regs);
unsigned long fastterm_exit(unsigned long sp, unsigned long *result);

int fastterm_arch_init(void);
int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn);
int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn);
int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target);
int fastterm_arch_kick(int cpu, bool insist);
int fastterm_arch_walk(struct pt_regs *regs, fastterm_slot_fn fn, void *data);
int fastterm_arch_move(const struct fastterm_slot *slot, unsigned long to);

/*
 * The eighth: no function that is called, but what a base frame returns to once
 * it is tagged, in arch/<arch>/net/fastterm_exit.S. It calls fastterm_exit()
 * with the stack pointer as it is right behind the return, and a pointer to the
 * program's result, in that order, and jumps to the address that it is given,
 * with every register as it was that a called function preserves, and the result
 * as fastterm_exit() has left it.
 */
void fastterm_arch_exit(void);

#endif /* _LINUX_FASTTERM_ARCH_H */
