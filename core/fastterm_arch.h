/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: the contract between the generic core
 * (kernel/bpf/fastterm/) and an architecture's backend (arch/<arch>/net/fastterm.c).
 *
 * A program that has to end is moved, from an interrupt, into its stub image: a copy of
 * its machine code with the same layout, in which calls and loops are skipped. The core
 * copies the code, walks the interrupted stack and replaces the addresses in it. The
 * backend encodes instructions, describes the frames of the JIT's functions, and
 * interrupts CPUs.
 *
 * An architecture selects HAVE_BPF_FASTTERM when it has
 *
 *	fastterm_arch_decode()	fastterm_arch_encode()	fastterm_arch_thunk()
 *	fastterm_arch_rules()	fastterm_arch_begin()	fastterm_arch_kick()
 *	fastterm_arch_exit()	in assembly
 *
 * The others have defaults that suit many architectures. A kernel for an architecture
 * without a backend builds and boots, and reports that it cannot terminate programs.
 *
 * How to port it is told in Documentation/bpf/fastterm-porting.rst. The KUnit suites
 * fastterm_* test a backend through these functions.
 */
#ifndef _LINUX_FASTTERM_ARCH_H
#define _LINUX_FASTTERM_ARCH_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

struct pt_regs;

/*
 * Instructions
 *
 * The next three functions and fastterm_arch_rules() are pure: they read and write only
 * the bytes that they are given, which are not at the address where they will run. They
 * may be called in any context. Addresses and offsets are those of code at its final
 * place: code[off] runs at ip + off.
 */

/**
 * enum fastterm_insn_kind - how an instruction depends on its own address
 * @FASTTERM_INSN_PLAIN: it does not; a copy means the same everywhere
 * @FASTTERM_INSN_CALL: it calls the target, and the call returns behind the instruction
 * @FASTTERM_INSN_JUMP: it continues at the target
 * @FASTTERM_INSN_BRANCH: it continues at the target, or behind itself
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
 * @kind: how it depends on its address
 * @len: its length in bytes
 * @split: it and the next instruction form one address. Where they differ between an
 *	   image and its copy, execution is not moved from the boundary between them.
 * @target: the absolute address that it refers to; 0 if it is plain
 *
 * If earlier instructions load the address of a call into a register, the call itself
 * is of kind FASTTERM_INSN_CALL, with that address as its target, and the earlier ones are plain.
 */
struct fastterm_insn {
	enum fastterm_insn_kind kind;
	u8 len;
	bool split;
	unsigned long target;
};

/**
 * fastterm_arch_decode() - decode one instruction
 * @code: the image, from its first byte
 * @off: offset of the instruction
 * @size: number of bytes at @code
 * @ip: the address at which @code[0] runs
 * @insn: receives the instruction
 *
 * Only what the architecture's BPF JIT emits has to be known, but an instruction that
 * depends on its address must never be reported as plain. Bytes before @off may be read,
 * to find an address that several instructions form. If an instruction is split, @size
 * covers the next one, too, and the next one by itself is plain.
 *
 * Context: any.
 * Return: the instruction's length; -EINVAL if it cannot be copied, is unknown, or is
 * not complete within @size.
 */
int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn);

/**
 * fastterm_arch_encode() - change what an instruction refers to, or its kind
 * @code: a copy of the image, which is changed
 * @off: offset of the instruction
 * @ip: the address at which @code[0] will run
 * @insn: what fastterm_arch_decode() has reported, with another target; or with the kind
 *	  FASTTERM_INSN_JUMP in place of FASTTERM_INSN_BRANCH
 *
 * @code still has the old instruction, from which a branch keeps its condition and data
 * its register. A call or a jump can be written over any instruction of its length. The
 * length does not change; it is filled up with instructions that do nothing. Only a split
 * instruction changes bytes behind its end, and none changes bytes before @off. The core finds out
 * whether the target was within reach: it decodes the result, and restores the bytes.
 *
 * Context: any.
 * Return: 0; -EINVAL if the bytes at @off cannot become such an instruction.
 */
int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn);

/**
 * fastterm_arch_thunk() - write a jump that reaches every address
 * @code: a copy of the image, or NULL to ask for the length only
 * @off: where the jump is written
 * @ip: the address at which @code[0] will run
 * @target: any address in the kernel or in a JITed program
 *
 * The jump preserves all registers that pass arguments, a result or the return address,
 * and all that a called function preserves. As above, the core finds out whether it reaches.
 *
 * Context: any.
 * Return: its length, which is the same for all targets.
 */
int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip, unsigned long target);

/*
 * Frames
 *
 * The core follows a stack from the interrupted function to its callers. The frames of
 * programs are described by rules, which the backend makes when a program is loaded. A
 * frame of a kernel function is left by fastterm_arch_step().
 */

/* The frame's base is the frame pointer. Without this flag it is the stack pointer. */
#define FASTTERM_RULE_FP	BIT(0)
/* The return address is signed, with the caller's stack pointer as modifier. */
#define FASTTERM_RULE_SIGNED	BIT(1)
/* The frame cannot be described here. The program is moved by a later kick. */
#define FASTTERM_RULE_NONE	BIT(2)
/*
 * The original image may have a call patched in at this offset, which overwrites the link
 * register. So a program that continues in the original must not have a tag in that register.
 */
#define FASTTERM_RULE_PATCHED	BIT(3)

/**
 * struct fastterm_rule - where a function's caller is, from one offset on
 * @off: the first offset, from the function's entry, for which the rule holds; it holds up
 *	 to the next rule's
 * @cfa: how far the caller's stack pointer is above the frame's base, in bytes. The
 *	 caller's stack pointer is the value that it has when the function has returned.
 * @sp: how far the function's own stack pointer is below the caller's while it calls
 *	another function, in bytes; 0 if that changes. Where a function of the kernel has a
 *	frame pointer only, the core computes the stack pointer of its caller, the program, by this.
 * @ra: how far below the caller's stack pointer the return address is saved, in bytes; 0 if
 *	it is still, or again, in the link register
 * @fp: the same for the caller's frame pointer; 0 if it is in its register
 * @flags: FASTTERM_RULE_*
 */
struct fastterm_rule {
	u32 off;
	u16 cfa;
	u16 sp;
	u8 ra;
	u8 fp;
	u8 flags;
};

/**
 * struct fastterm_range - a part of a function's code
 * @start: offset of its first byte from the function's entry
 * @end: offset behind its last byte
 */
struct fastterm_range {
	u32 start;
	u32 end;
};

/* The most rules that a function may need before it leaves, and for each range. */
#define FASTTERM_MAX_RULES	8
#define FASTTERM_RANGE_RULES	4

/**
 * fastterm_arch_rules() - describe the frames of a function
 * @code: the function as the JIT has written it, from its entry
 * @size: its size
 * @ranges: the code of each instruction that leaves the function, which are exits and tail
 *	    calls, in ascending order; the last range, which may be empty, is what the
 *	    JIT has put behind the last instruction
 * @nr: number of ranges, at least 1
 * @rules: receives the rules, in ascending order, the first for offset 0; has room for
 *	   FASTTERM_MAX_RULES + @nr * FASTTERM_RANGE_RULES
 *
 * A prologue or an epilogue that is not exactly what the backend expects has to be
 * refused: its program then is not offered for termination, and is never misread.
 *
 * Context: any.
 * Return: the number of rules; -EINVAL if the code is not understood.
 */
int fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges, u32 nr,
			struct fastterm_rule *rules);

/**
 * struct fastterm_frame - a function on the stack that is walked
 * @ip: where it continues
 * @sp: its stack pointer then; 0 if that is not known
 * @fp: its frame pointer then
 * @at: where @ip is kept: on the stack or in @regs
 * @regs: the interrupted registers if this function has been interrupted; NULL for its
 *	  callers
 * @link: the link register in the interrupted registers; NULL if the architecture has none
 * @shadow: the last entry of the shadow call stack; NULL if there is no such stack
 * @shadow_exact: that is the last one of what has been interrupted; otherwise, there may be later
 *		  ones of the interrupt
 * @bottom: the interrupted stack pointer
 * @low: the lowest address of the stack that is still to be read
 * @high: the end of the stack; 0 if it is not known
 * @unwind: for the backend; NULL if fastterm_arch_step() has not been called for the
 *	    function above this one
 */
struct fastterm_frame {
	unsigned long ip;
	unsigned long sp;
	unsigned long fp;
	unsigned long *at;
	struct pt_regs *regs;
	unsigned long *link;
	unsigned long *shadow;
	bool shadow_exact;
	unsigned long bottom;
	unsigned long low;
	unsigned long high;
	void *unwind;
};

/**
 * fastterm_arch_begin() - begin a walk at the interrupted function
 * @regs: the interrupted registers, which are those of the kernel
 * @frame: the function; @regs, @ip and @sp are set, and @high if that is on the task's stack.
 *	   Receives @fp, @link, @shadow, @shadow_exact, and @high if it is not yet known
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0; -ENOENT if what has been interrupted just saves or restores registers, or runs on an
 * unknown stack.
 */
int fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame);

/**
 * fastterm_arch_step() - go from a function of the kernel to its caller
 * @frame: the function; becomes its caller
 *
 * Also called for BPF trampolines, which have no rules. Only @ip, @regs and the
 * link register need not be changed: the core does that. Memory may be read where
 * fastterm_on_stack() says so.
 *
 * Default: fastterm_by_record(), with the frame record at the frame pointer.
 *
 * Context: that of fastterm_arch_begin().
 * Return: 0; -ENOENT if the walk is at its end: the function has been called by nothing, or
 * saved registers follow; -EFAULT if the stack makes no sense.
 */
int fastterm_arch_step(struct fastterm_frame *frame);

/**
 * fastterm_arch_traced() - by what do tracers know a frame?
 * @frame: a function whose return address, at @at, is that of a tracer
 * @graph: receives ftrace_ret_stack.retp; 0 if it cannot be told, and then the tracer's
 *	   latest entry is taken that the walk has not come to yet
 * @hook: receives rethook_node.frame, or kretprobe_instance.fp; 0 as above
 *
 * Default: both are the address at which the return address is saved.
 *
 * Context: that of fastterm_arch_begin().
 */
void fastterm_arch_traced(const struct fastterm_frame *frame, unsigned long *graph,
			  unsigned long *hook);

#ifdef CONFIG_HAVE_BPF_FASTTERM_SIGNED
/**
 * fastterm_arch_sign() - sign a return address
 * @ip: the address
 * @sp: the modifier: the stack pointer when the return has been made
 *
 * Only for architectures that select HAVE_BPF_FASTTERM_SIGNED.
 *
 * Context: that of fastterm_arch_begin().
 * Return: the address as a function keeps it that signs its return address.
 */
unsigned long fastterm_arch_sign(unsigned long ip, unsigned long sp);

/**
 * fastterm_arch_strip() - remove the signature from a return address
 * @ip: the address, signed or not
 *
 * Only for architectures that select HAVE_BPF_FASTTERM_SIGNED.
 *
 * Context: any.
 * Return: the address without a signature.
 */
unsigned long fastterm_arch_strip(unsigned long ip);
#else
static inline unsigned long fastterm_arch_sign(unsigned long ip, unsigned long sp)
{
	return ip;
}

static inline unsigned long fastterm_arch_strip(unsigned long ip)
{
	return ip;
}
#endif

/**
 * fastterm_arch_resume() - let the interrupted function continue elsewhere
 * @regs: the interrupted registers
 * @from: where it would continue
 * @to: where it shall
 *
 * Default: instruction_pointer_set().
 *
 * Context: that of fastterm_arch_begin().
 */
void fastterm_arch_resume(struct pt_regs *regs, unsigned long from, unsigned long to);

/*
 * Interrupts, and the rest
 */

/**
 * fastterm_arch_init() - prepare the backend
 *
 * Called once at boot, before the first program is loaded. Default: 0 if there is a backend.
 *
 * Context: process context, may sleep.
 * Return: 0; an error if programs cannot be terminated on this machine.
 */
int fastterm_arch_init(void);

/**
 * fastterm_arch_kick() - interrupt a CPU
 * @cpu: the CPU, which may be this one
 * @insist: it has not taken the last kick: interrupts may be off there
 *
 * Soon afterwards fastterm_kicked() is called there, in an interrupt and with the
 * registers that it returns to. The interrupt is an ordinary one if the architecture has
 * the choice, and with @insist an NMI if it has NMIs. A CPU that is offline is left alone.
 *
 * Context: any, NMI included. Must not wait for another CPU.
 * Return: 0.
 */
int fastterm_arch_kick(int cpu, bool insist);

/**
 * fastterm_arch_exit() - where the main function of a tagged activation returns to
 *
 * Not called, but returned to; written in assembly. It calls fastterm_exit() with the stack
 * pointer as it is behind the return, and a pointer to the program's result, and
 * continues at the address that fastterm_exit() returns, with the result, which that may
 * have changed, and with every other register that a called function preserves.
 */
void fastterm_arch_exit(void);

/**
 * fastterm_arch_canceled() - stands for a function of a program that is skipped
 *
 * Return: -ECANCELED, where the program's own functions leave their result. The default
 * returns it as a function of the kernel does.
 */
u64 fastterm_arch_canceled(void);

/*
 * What the core has for backends. Each is for the context of the function that needs it.
 */

/* Can the word at @addr be read, above all that has been read before? */
static inline bool fastterm_on_stack(const struct fastterm_frame *frame, unsigned long addr)
{
	return addr >= frame->low && addr <= frame->high - sizeof(long) &&
	       addr % sizeof(long) == 0;
}

/* The error for such an address: -ENOENT on another stack, else it was read or is misaligned. */
static inline int fastterm_off_stack(const struct fastterm_frame *frame, unsigned long addr)
{
	return addr < frame->bottom || addr > frame->high - sizeof(long) ? -ENOENT : -EFAULT;
}

/* If the bytes of a string are at @off of @code, go on behind them. For fastterm_arch_rules(). */
#define fastterm_match(code, size, off, bytes)	\
	fastterm_match_bytes(code, size, off, bytes, sizeof(bytes) - 1)

static inline bool fastterm_match_bytes(const u8 *code, u32 size, u32 *off, const void *bytes,
					u32 len)
{
	if (*off > size || size - *off < len || memcmp(code + *off, bytes, len))
		return false;
	*off += len;
	return true;
}

int fastterm_by_record(struct fastterm_frame *frame, int offset);
void fastterm_kicked(struct pt_regs *regs);
unsigned long fastterm_exit(unsigned long sp, unsigned long *result);

#endif /* _LINUX_FASTTERM_ARCH_H */
