/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: the contract between the generic core
 * (kernel/bpf/fastterm/) and an architecture's backend (arch/<arch>/net/fastterm.c).
 *
 * To terminate a program, an interrupt moves it into its stub image: a copy of its
 * machine code with the same layout, in which calls and loops are skipped. The core
 * copies the code, walks the interrupted stack and replaces the addresses in it. The
 * backend decodes and encodes instructions, describes the stack frames of the functions
 * that the JIT emits, and interrupts CPUs.
 *
 * An architecture selects HAVE_BPF_FASTTERM when it has
 *
 *	fastterm_arch_decode()	fastterm_arch_encode()	fastterm_arch_thunk()
 *	fastterm_arch_rules()	fastterm_arch_begin()	fastterm_arch_kick()
 *	fastterm_arch_exit()	in assembly
 *
 * The other functions have defaults that suit many architectures. A kernel for an
 * architecture without a backend builds and boots, and reports that it cannot terminate
 * programs.
 *
 * Documentation/bpf/fastterm-porting.rst says how to write a backend. The KUnit suites
 * fastterm_* test it through these functions.
 */
#ifndef _LINUX_FASTTERM_ARCH_H
#define _LINUX_FASTTERM_ARCH_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

struct bpf_prog;
struct pt_regs;

/*
 * Instructions
 *
 * The next three functions and fastterm_arch_rules() are pure: they read and write only
 * the bytes that they are given, which are not at the address where they will run. They
 * may be called in any context. Addresses and offsets are those of the code at its final
 * place: the byte code[off] runs at ip + off.
 */

/**
 * enum fastterm_insn_kind - how an instruction depends on its own address
 * @FASTTERM_INSN_PLAIN: it does not depend on it: a copy means the same everywhere
 * @FASTTERM_INSN_CALL: it calls the target, which returns to the next instruction
 * @FASTTERM_INSN_JUMP: execution continues at the target
 * @FASTTERM_INSN_BRANCH: execution continues at the target or at the next instruction
 * @FASTTERM_INSN_DATA: it forms the target's address, or accesses memory there
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
 * @split: this instruction and the next one together form one address. If the image and
 *	   its copy differ in them, the core moves no program from the boundary between
 *	   the two.
 * @target: the absolute address that the instruction refers to; 0 if it is plain
 *
 * If earlier instructions load the address of a call into a register, the call itself
 * is of kind FASTTERM_INSN_CALL, with that address as its target, and the earlier
 * instructions are plain. An instruction in a delay slot is part of the call or the jump that it
 * belongs to.
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
 * @ip: the address at which the first byte of @code runs
 * @insn: receives the instruction
 *
 * The function has to know only the instructions that the architecture's BPF JIT emits,
 * but it must never report an instruction that depends on its address as plain. It may
 * read bytes before @off to find an address that several instructions form. If an
 * instruction is split, @size covers the next instruction as well; decoded by itself,
 * that one is plain.
 *
 * Context: any.
 * Return: the instruction's length; -EINVAL if the instruction cannot be copied, is
 * unknown, or is not complete within @size.
 */
int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn);

/**
 * fastterm_arch_encode() - change an instruction's target, or its kind
 * @code: a copy of the image, which is changed
 * @off: offset of the instruction
 * @ip: the address at which the first byte of @code will run
 * @insn: what fastterm_arch_decode() has reported, with another target; or with the kind
 *	  FASTTERM_INSN_JUMP in place of FASTTERM_INSN_BRANCH
 *
 * @code still holds the old instruction: a branch keeps the condition of the old
 * instruction, and a data instruction its register. A call or a jump can be written over
 * any instruction of the same length. The length does not change; bytes that are left
 * over become instructions without effect. Only for a split instruction does the function
 * change bytes behind its end, and it never changes bytes before @off. The function need
 * not check whether the target is within reach: the core decodes the result, and restores
 * the bytes if the target is another one.
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
 * @ip: the address at which the first byte of @code will run
 * @target: any address in the kernel or in a JITed program
 *
 * The jump preserves all registers that pass arguments, a result or the return address,
 * and all callee-saved registers. As with fastterm_arch_encode(), the core checks whether
 * the jump reaches its target.
 *
 * Context: any.
 * Return: its length, which is the same for all targets.
 */
int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip, unsigned long target);

/**
 * fastterm_arch_code_size() - the size of a function's code
 * @func: the function
 *
 * The code begins at the entry, bpf_prog.bpf_func, and ends with its last instruction.
 *
 * Default: bpf_prog.jited_len. A JIT that counts in what follows the code, such as a literal
 * pool, needs another one.
 *
 * Context: any.
 * Return: the size in bytes.
 */
u32 fastterm_arch_code_size(const struct bpf_prog *func);

/**
 * fastterm_arch_patches() - may bpf_arch_text_poke() patch an entry that tasks execute?
 *
 * Where it replaces several instructions, a task that has been preempted between them would
 * continue in the middle of the new ones.
 *
 * Default: true.
 *
 * Context: any.
 * Return: true if it may. Otherwise no program is quarantined by its entry.
 */
bool fastterm_arch_patches(void);

/**
 * fastterm_arch_is_far() - does bpf_arch_text_poke() let an entry reach a target through memory?
 * @entry: the entry of a function
 * @target: where a call or a jump is to lead
 *
 * A CPU that is on its way through a far call, and loads its target only when a jump has replaced
 * the call, would enter the target of the jump as if that had been called. So a grace period has to
 * pass in between.
 *
 * Default: false. arm64 has an address behind each function, for targets out of a branch's reach.
 *
 * Context: any.
 * Return: true if the target is loaded from memory.
 */
bool fastterm_arch_is_far(const void *entry, const void *target);

/*
 * Frames
 *
 * The core follows a stack from the interrupted function to its callers. It unwinds the
 * frames of programs by rules, which the backend makes when a program is loaded, and the
 * frames of kernel functions by fastterm_arch_step().
 */

/* The frame's base is the frame pointer. Without this flag it is the stack pointer. */
#define FASTTERM_RULE_FP	BIT(0)
/* The return address is signed, with the caller's stack pointer as modifier. */
#define FASTTERM_RULE_SIGNED	BIT(1)
/* The frame cannot be described here. The next kick tries again. */
#define FASTTERM_RULE_NONE	BIT(2)
/*
 * A call may be patched into the original image at this offset, and would overwrite the
 * link register. So a program that continues in the original must not have a tag in that
 * register.
 */
#define FASTTERM_RULE_PATCHED	BIT(3)

/**
 * struct fastterm_rule - where a function's caller is, from one offset on
 * @off: the first offset, from the function's entry, for which the rule holds; it holds up
 *	 to the offset of the next rule
 * @cfa: how far the caller's stack pointer is above the frame's base, in bytes. The
 *	 caller's stack pointer is the value that it has when the function has returned.
 * @sp: how far the function's own stack pointer is below the caller's while the function
 *	calls another one, in bytes; 0 if that varies. Where the walk knows only the frame
 *	pointer of a kernel function, the core computes by @sp the stack pointer of the
 *	program that has called it.
 * @ra: how far below the caller's stack pointer the return address is saved, in bytes; 0 if
 *	the return address is in the link register
 * @fp: how far below the caller's stack pointer the caller's frame pointer is saved, in
 *	bytes; 0 if it is in the frame pointer register
 * @flags: FASTTERM_RULE_FP and so on
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
 * @end: offset of the byte behind its last one
 */
struct fastterm_range {
	u32 start;
	u32 end;
};

/*
 * The most rules that a function may have before the first range, and the most in each
 * range.
 */
#define FASTTERM_MAX_RULES	8
#define FASTTERM_RANGE_RULES	4

/**
 * fastterm_arch_rules() - describe the frames of a function
 * @code: the function as the JIT has written it, from its entry
 * @size: its size
 * @ranges: the code of each BPF instruction that leaves the function, that is, of exits and
 *	    tail calls, in ascending order; the last range, which may be empty, is the code
 *	    that the JIT has put behind the last instruction
 * @nr: number of ranges, at least 1
 * @rules: receives the rules in ascending order, the first one for offset 0; has room for
 *	   FASTTERM_MAX_RULES + @nr * FASTTERM_RANGE_RULES rules
 *
 * The backend must refuse a prologue or an epilogue that is not exactly of the form that it
 * expects: the program then has no stub image, and its frames are never misread.
 *
 * Context: any.
 * Return: the number of rules; -EINVAL if the code has another form.
 */
int fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges, u32 nr,
			struct fastterm_rule *rules);

/**
 * struct fastterm_frame - the function that a stack walk has come to
 * @ip: where the function continues
 * @sp: its stack pointer there; 0 if that is not known
 * @fp: its frame pointer there
 * @at: where @ip is kept: on the stack or in @regs
 * @regs: the interrupted registers if this is the interrupted function; NULL for its
 *	  callers
 * @link: the link register in the interrupted registers; NULL if the architecture has none
 * @shadow: the last entry of the shadow call stack; NULL if there is no such stack
 * @shadow_exact: @shadow is the last entry of the interrupted function. Otherwise the
 *		  interrupt may have added entries of its own.
 * @bottom: the interrupted stack pointer
 * @low: the lowest address that the walk may still read
 * @high: the end of the stack; 0 if that is not known
 * @unwind: for the backend's use; NULL if fastterm_arch_step() was not called for the
 *	    callee of this function
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
 * @frame: the interrupted function, with @regs, @ip and @sp, and with @high if @sp is on the
 *	   task's stack. Receives @fp, @link, @shadow, @shadow_exact, and @high if that is
 *	   not yet known.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0; -ENOENT if the interrupted code is saving or restoring registers, or runs on
 * an unknown stack.
 */
int fastterm_arch_begin(struct pt_regs *regs, struct fastterm_frame *frame);

/**
 * fastterm_arch_step() - go from a kernel function to its caller
 * @frame: the function; becomes its caller
 *
 * The core calls this for BPF trampolines as well, which have no rules. The function need
 * not update @ip, @regs and the link register: the core does that. It may read memory
 * for which fastterm_on_stack() returns true.
 *
 * Default: fastterm_by_record(), with the frame record at the frame pointer.
 *
 * Context: that of fastterm_arch_begin().
 * Return: 0; -ENOENT if the walk has reached its end: the function has no caller, or its
 * caller is an interrupt's entry; -EFAULT if the stack makes no sense.
 */
int fastterm_arch_step(struct fastterm_frame *frame);

/**
 * fastterm_arch_traced() - by which values do tracers identify a frame?
 * @frame: a function whose return address, at @at, is that of a tracer
 * @graph: receives ftrace_ret_stack.retp; 0 if that cannot be computed: the core then takes
 *	   the tracer's latest entry that the walk has not passed yet
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
 * @sp: the modifier: the stack pointer after the return
 *
 * Only for architectures that select HAVE_BPF_FASTTERM_SIGNED.
 *
 * Context: that of fastterm_arch_begin().
 * Return: the address as a function saves it that signs its return address.
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
 * @to: where it shall continue
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
 * The core calls this once at boot, before the first program is loaded. Default: 0 if
 * there is a backend.
 *
 * Context: process context, may sleep.
 * Return: 0; an error if programs cannot be terminated on this machine.
 */
int fastterm_arch_init(void);

/**
 * fastterm_arch_kick() - interrupt a CPU
 * @cpu: the CPU, which may be this one
 * @insist: the CPU has not taken the last kick: it may have interrupts off
 *
 * Soon afterwards, an interrupt on that CPU calls fastterm_kicked() with the registers
 * that it returns to. If the architecture has the choice, the interrupt is an ordinary
 * one; with @insist, and if the architecture has NMIs, it is an NMI. Nothing happens
 * if the CPU is offline.
 *
 * Context: any, NMI included. Must not wait for another CPU.
 * Return: 0.
 */
int fastterm_arch_kick(int cpu, bool insist);

#ifdef CONFIG_HAVE_BPF_FASTTERM_MASKED_PROBES
/**
 * fastterm_arch_let_nmis_in() - allow NMIs where the programs of a probe are about to run
 *
 * Only for architectures that select HAVE_BPF_FASTTERM_MASKED_PROBES: there, a probe is an
 * exception that masks NMIs. Ordinary interrupts stay off. An NMI may then interrupt the
 * probe's handler, as it may interrupt one that is entered with interrupts off: a probe that is
 * hit in the NMI is nested in this one.
 *
 * Context: any in which probes are handled, and programs of tracepoints and perf events run.
 * Return: what fastterm_arch_keep_nmis_out() needs; 0 if nothing has been changed, because NMIs
 * are not masked, or because this is an NMI.
 */
unsigned long fastterm_arch_let_nmis_in(void);

/**
 * fastterm_arch_keep_nmis_out() - undo fastterm_arch_let_nmis_in()
 * @before: what it has returned
 *
 * Context: the same.
 */
void fastterm_arch_keep_nmis_out(unsigned long before);
#endif

/**
 * enum fastterm_nmi_kind - a source of NMIs that come by themselves
 * @FASTTERM_NMI_NONE: there is none
 * @FASTTERM_NMI_CPU: a timer of each CPU, which interrupts that CPU
 * @FASTTERM_NMI_COUNTER: a counter of the cycles that each CPU executes; perf programs it
 * @FASTTERM_NMI_ALL: one timer, which interrupts all CPUs
 */
enum fastterm_nmi_kind {
	FASTTERM_NMI_NONE,
	FASTTERM_NMI_CPU,
	FASTTERM_NMI_COUNTER,
	FASTTERM_NMI_ALL,
};

/**
 * fastterm_arch_nmi_init() - find a timer whose interrupt is an NMI, and which nobody else uses
 * @name: receives its name for the kernel log, if there is one
 *
 * The core tries it on each CPU. It prefers a timer of each CPU to a counter of cycles, and
 * that one to a timer that interrupts all CPUs.
 *
 * Default: there is none.
 *
 * Context: process context, may sleep; once at boot, when devices have been initialised.
 * Return: FASTTERM_NMI_CPU, FASTTERM_NMI_ALL or FASTTERM_NMI_NONE.
 */
enum fastterm_nmi_kind fastterm_arch_nmi_init(const char **name);

/**
 * fastterm_arch_cycles_hz() - how many cycles does a CPU execute in a second?
 *
 * An estimate: a counter of cycles interrupts a CPU a hundred times in so many cycles.
 *
 * Default: 10^9.
 *
 * Context: process context.
 * Return: the number.
 */
u64 fastterm_arch_cycles_hz(void);

/**
 * fastterm_arch_nmi_up() - prepare this CPU for the timer's NMIs
 *
 * Context: process context on a CPU that comes online, with interrupts on.
 * Return: 0, or an error: then this CPU does without.
 */
int fastterm_arch_nmi_up(void);

/**
 * fastterm_arch_nmi_down() - undo fastterm_arch_nmi_up()
 *
 * Context: process context on a CPU that goes offline, with interrupts on.
 */
void fastterm_arch_nmi_down(void);

/**
 * fastterm_arch_nmi_arm() - set the timer whose interrupt is an NMI
 * @ns: when it expires, in ns from now on; 0 to stop it
 * @soon: this CPU wants to be interrupted then. Otherwise the NMI is only to come if nothing
 *	  else puts it off. A timer that interrupts all CPUs must not be put off by one that
 *	  does not want to be interrupted, while another one does.
 *
 * When it expires, an NMI calls fastterm_nmi() with the interrupted registers, on this CPU or on
 * all CPUs, once. For a timer that interrupts all CPUs, this is called on one CPU at a time, and
 * not in an NMI that interrupts it. This must be fast: it is called in each sample, and where a
 * CPU becomes idle.
 *
 * Context: any, NMI included, with interrupts off. Not traced.
 */
void fastterm_arch_nmi_arm(u64 ns, bool soon);

/**
 * fastterm_arch_exit() - where the main function of a tagged activation returns to
 *
 * This is assembly code that a program returns to; nobody calls it. It calls
 * fastterm_exit() with the stack pointer as it is after the return, and with a pointer
 * to the program's result. Then it continues at the address that fastterm_exit() returns,
 * with the result, which fastterm_exit() may have changed, and with all callee-saved
 * registers unchanged.
 */
void fastterm_arch_exit(void);

/**
 * fastterm_arch_canceled() - called in place of a function of a program that is skipped
 *
 * Default: returns as a kernel function does.
 *
 * Return: -ECANCELED, in the register in which functions of programs return their result.
 */
u64 fastterm_arch_canceled(void);

/*
 * What the core provides for backends. Each function may be called in the context of the
 * backend's function that needs it.
 */

/**
 * fastterm_on_stack() - may a walk read the word at an address?
 * @frame: the function that the walk has come to
 * @addr: the address
 *
 * Return: true if the word is on the stack, aligned, and above all that has been read.
 */
static inline bool fastterm_on_stack(const struct fastterm_frame *frame, unsigned long addr)
{
	return addr >= frame->low && addr <= frame->high - sizeof(long) &&
	       addr % sizeof(long) == 0;
}

/**
 * fastterm_off_stack() - the error for an address that a walk may not read
 * @frame: the function that the walk has come to
 * @addr: the address
 *
 * Return: -ENOENT if the address is on another stack, where the walk ends; -EFAULT if it is
 * misaligned or below what has been read.
 */
static inline int fastterm_off_stack(const struct fastterm_frame *frame, unsigned long addr)
{
	return addr < frame->bottom || addr > frame->high - sizeof(long) ? -ENOENT : -EFAULT;
}

/* Advance @off beyond the bytes of a string if @code has them there. For fastterm_arch_rules(). */
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
#ifdef CONFIG_BPF_FASTTERM_WATCHDOG
void fastterm_nmi(struct pt_regs *regs, bool timer);
#else
static inline void fastterm_nmi(struct pt_regs *regs, bool timer) { }
#endif
unsigned long fastterm_exit(unsigned long sp, unsigned long *result);

#endif /* _LINUX_FASTTERM_ARCH_H */
