// SPDX-License-Identifier: GPL-2.0-only
/*
 * The architecture contract's functions where no backend has them, with what
 * each of them promises.
 */
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/string.h>

/**
 * fastterm_arch_init() - prepare the architecture's backend
 *
 * Called once at boot, before the first program is loaded. A backend checks
 * here what can only be known on the running machine, and registers what its
 * kicks need.
 *
 * Context: process context, may sleep.
 * Return: 0; -EOPNOTSUPP if programs cannot be terminated on this machine, and
 * the kernel then runs as without fastterm.
 */
int __weak fastterm_arch_init(void)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_decode() - what is the instruction at an offset of an image?
 * @code: bytes of the image, from its beginning
 * @off: where the instruction begins
 * @size: number of bytes at @code
 * @ip: the address at which @code[0] runs
 * @insn: receives the answer
 *
 * Only the forms that the architecture's BPF JIT emits need be known, but no
 * instruction that refers to an address relative to its own may be called
 * plain. The bytes before @off may be looked at, for an address that is formed
 * in several instructions. Of two instructions that are @split, the second is
 * plain by itself, and @size must cover both for the first.
 *
 * Context: any.
 * Return: the instruction's length, more than 0; -EINVAL if it is not one that
 * can be copied, or not complete in @size.
 */
int __weak fastterm_arch_decode(const u8 *code, u32 off, u32 size,
				unsigned long ip, struct fastterm_insn *insn)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_encode() - make an instruction refer elsewhere, or always jump
 * @code: bytes of the image, which are changed
 * @off: where the instruction begins
 * @ip: the address at which @code[0] will run
 * @insn: what fastterm_arch_decode() said of it, with another target, or with
 *	  FASTTERM_INSN_JUMP in place of FASTTERM_INSN_BRANCH
 *
 * The bytes at @off are those of the old instruction, from which a branch takes
 * its condition and data its register. A call or a jump may stand in any place
 * of a suitable length. That length stays, if need be by instructions that do
 * nothing. The bytes behind it are changed only if the instruction is @split,
 * the bytes before it never.
 *
 * Context: any.
 * Return: 0; -ERANGE if the target is out of reach, and @code is unchanged;
 * -EINVAL if the instruction cannot be what is asked for, or never reaches such
 * a target, as with a misaligned one.
 */
int __weak fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
				const struct fastterm_insn *insn)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_thunk() - write a jump that reaches everywhere
 * @code: bytes of the image, or NULL to ask for the length alone
 * @off: where the jump is put
 * @ip: the address at which @code[0] will run
 * @target: where it goes; any address in the kernel or in a JITed program
 *
 * It changes no register that passes an argument, the result or the return
 * address of a call, nor one that a called function would preserve.
 *
 * Context: any.
 * Return: its length, the same for every target; -ERANGE if even this does not
 * reach.
 */
int __weak fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			       unsigned long target)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_kick() - interrupt a CPU
 * @cpu: which, this one included
 * @insist: an ordinary interrupt has not come: there, they may be off
 *
 * Soon afterwards fastterm_kicked() runs there, with the interrupted registers, in
 * an interrupt whose return they decide. It is an ordinary one, in which more is
 * allowed, or one that it takes no trouble to make an NMI. With @insist it is an
 * NMI, if the machine has one.
 *
 * Nothing is waited for. A CPU that is offline is not interrupted.
 *
 * Context: any, NMI included.
 * Return: 0.
 */
int __weak fastterm_arch_kick(int cpu, bool insist)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_walk() - find all addresses at which a context will go on
 * @regs: the registers with which it was interrupted, by a kick on this CPU
 * @fn: told of each of them, the innermost first: the interrupted pc, then the
 *	return addresses, of the kernel's functions as of those of programs
 * @data: handed to @fn
 *
 * A return address that is only in a register, or that a tracer keeps, is one of
 * them. Frames of programs are known by where in the function they are, since
 * they have no other description; see fastterm_text_at(). The first address that
 * is not reported is one of another context: the walk ends where the stack does,
 * or at saved registers. It never believes what it reads: every address that it
 * reads from is on the stack that it began on, and above the one before.
 *
 * Context: hardirq or NMI, with interrupts off; in the one that interrupted @regs.
 * Return: 0 if @fn ended it, -ENOENT if the context did, -EFAULT if the stack made
 * no sense.
 */
int __weak fastterm_arch_walk(struct pt_regs *regs, fastterm_slot_fn fn, void *data)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_move() - let a context go on elsewhere
 * @slot: a slot, from fastterm_arch_walk() in this same interrupt
 * @to: the address where it goes on
 *
 * What is there must still be what the walk said, with the signature that it
 * ought to have where return addresses are signed; it is replaced in one store,
 * and wherever else the same address is kept (a shadow call stack).
 *
 * Context: that of fastterm_arch_walk().
 * Return: 0; -EAGAIN if something else is there, and nothing has been written.
 */
int __weak fastterm_arch_move(const struct fastterm_slot *slot, unsigned long to)
{
	return -EOPNOTSUPP;
}

/**
 * fastterm_arch_exit() - what a tagged base frame returns to
 *
 * Not to be called. On an architecture without a backend nothing is tagged.
 */
void __weak fastterm_arch_exit(void)
{
}
