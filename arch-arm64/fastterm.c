// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for arm64.
 *
 * Displacements count from the instruction itself. Images are far from the
 * kernel's text, so most calls go through a register, which the JIT loads in
 * the same way each time.
 */
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/scs.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include <asm/compiler.h>
#include <asm/insn.h>
#include <asm/stacktrace.h>
#include <asm/traps.h>

/* An address is formed by a movn and two movk. */
#define ADDR_INSNS	3
#define ADDR_SIZE	(ADDR_INSNS * AARCH64_INSN_SIZE)

/* Free for veneers; and br through it may end at a bti c. */
#define THUNK_REG	AARCH64_INSN_REG_16
#define THUNK_SIZE	(ADDR_SIZE + AARCH64_INSN_SIZE)

int fastterm_arch_init(void)
{
	return 0;
}

/*
 * As the JIT does it: kernel addresses have 48 bits that differ, and only ones
 * above.
 */
static void form_address(u32 *word, enum aarch64_insn_register reg,
			 unsigned long addr)
{
	int i;

	word[0] = aarch64_insn_gen_movewide(reg, ~addr & 0xffff, 0,
					    AARCH64_INSN_VARIANT_64BIT,
					    AARCH64_INSN_MOVEWIDE_INVERSE);
	for (i = 1; i < ADDR_INSNS; i++)
		word[i] = aarch64_insn_gen_movewide(reg, (addr >> 16 * i) & 0xffff,
						    16 * i,
						    AARCH64_INSN_VARIANT_64BIT,
						    AARCH64_INSN_MOVEWIDE_KEEP);
}

/* The address that is formed in @reg right before @off; 0 if none is. */
static unsigned long formed_address(const u8 *code, u32 off,
				    enum aarch64_insn_register reg)
{
	unsigned long addr = ~0UL << 16 * ADDR_INSNS;
	u32 word[ADDR_INSNS], want[ADDR_INSNS];
	int i;

	if (off < ADDR_SIZE)
		return 0;
	for (i = 0; i < ADDR_INSNS; i++) {
		u64 imm;

		word[i] = get_unaligned_le32(code + off - ADDR_SIZE +
					     i * AARCH64_INSN_SIZE);
		imm = aarch64_insn_decode_immediate(AARCH64_INSN_IMM_16, word[i]);
		addr |= (i ? imm : ~imm & 0xffff) << 16 * i;
	}
	form_address(want, reg, addr);
	return memcmp(word, want, sizeof(word)) ? 0 : addr;
}

static bool is_cond_branch(u32 word)
{
	return aarch64_insn_is_branch_imm(word) && !aarch64_insn_is_b(word) &&
	       !aarch64_insn_is_bl(word);
}

/*
 * Whether an instruction that is not one of those below refers to an address
 * relative to its own: literals of all register files, and what there is or
 * will be beside b, bl and the conditional branches.
 */
static bool is_relative(u32 word)
{
	bool literal = (word & 0x3b000000) == 0x18000000;
	/* Exceptions, system instructions, and branches to a register. */
	bool absolute = (word & 0xfc000000) == 0xd4000000;

	return literal || aarch64_insn_is_adr_adrp(word) ||
	       (aarch64_insn_is_class_branch_sys(word) && !absolute);
}

static long get_offset(u32 word)
{
	if (aarch64_insn_is_ldr_lit(word))
		return sign_extend64(aarch64_insn_decode_immediate(AARCH64_INSN_IMM_19,
								   word), 18) * 4;
	return aarch64_get_branch_offset(word);
}

static u32 set_offset(u32 word, long offset)
{
	if (aarch64_insn_is_ldr_lit(word))
		return aarch64_insn_encode_immediate(AARCH64_INSN_IMM_19, word,
						     offset >> 2);
	return aarch64_set_branch_offset(word, offset);
}

int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn)
{
	u32 word;

	if (size - off < AARCH64_INSN_SIZE)
		return -EINVAL;
	word = get_unaligned_le32(code + off);

	insn->kind = FASTTERM_INSN_PLAIN;
	insn->len = AARCH64_INSN_SIZE;
	insn->split = false;
	insn->target = 0;
	if (aarch64_insn_is_blr(word) || aarch64_insn_is_br(word)) {
		u32 reg = aarch64_insn_decode_register(AARCH64_INSN_REGTYPE_RN,
						       word);

		insn->target = formed_address(code, off, reg);
		if (insn->target)
			insn->kind = aarch64_insn_is_blr(word) ?
				     FASTTERM_INSN_CALL : FASTTERM_INSN_JUMP;
		return insn->len;
	}

	if (aarch64_insn_is_bl(word))
		insn->kind = FASTTERM_INSN_CALL;
	else if (aarch64_insn_is_b(word))
		insn->kind = FASTTERM_INSN_JUMP;
	else if (is_cond_branch(word))
		insn->kind = FASTTERM_INSN_BRANCH;
	else if (aarch64_insn_is_ldr_lit(word))
		insn->kind = FASTTERM_INSN_DATA;
	else
		return is_relative(word) ? -EINVAL : insn->len;
	insn->target = ip + off + get_offset(word);
	return insn->len;
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	long offset = insn->target - (ip + off);
	u32 word = get_unaligned_le32(code + off);

	if (insn->kind == FASTTERM_INSN_CALL)
		word = aarch64_insn_get_bl_value();
	else if (insn->kind == FASTTERM_INSN_JUMP)
		word = aarch64_insn_get_b_value();
	else if (!(insn->kind == FASTTERM_INSN_BRANCH && is_cond_branch(word)) &&
		 !(insn->kind == FASTTERM_INSN_DATA && aarch64_insn_is_ldr_lit(word)))
		return -EINVAL;
	if (!IS_ALIGNED(offset, AARCH64_INSN_SIZE))
		return -EINVAL;

	/* What does not fit does not come back. */
	word = set_offset(word, offset);
	if (get_offset(word) != offset)
		return -ERANGE;
	put_unaligned_le32(word, code + off);
	return 0;
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target)
{
	u32 word[ADDR_INSNS + 1];
	int i;

	if (!code)
		return THUNK_SIZE;
	if (~target >> 16 * ADDR_INSNS)
		return -ERANGE;

	form_address(word, THUNK_REG, target);
	word[ADDR_INSNS] = aarch64_insn_gen_branch_reg(THUNK_REG,
						       AARCH64_INSN_BRANCH_NOLINK);
	for (i = 0; i < ARRAY_SIZE(word); i++)
		put_unaligned_le32(word[i], code + off + i * AARCH64_INSN_SIZE);
	return THUNK_SIZE;
}

/*
 * The JIT lays out a function like this; what is in brackets is not always there:
 *
 *	[bti jc]; mov x9, lr; nop
 *	[paciasp]; stp fp, lr, [sp, #-16]!; mov fp, sp
 *	stp ..., [sp, #-16]!; mov x26, sp; [bti j]; [stp ..., [sp, #-16]!; ...]
 *	[mov x25, sp]; [sub sp, sp, #...]
 *	...
 *	ldp fp, lr, [sp], #16; mov x0, x7; [autiasp]; ret
 *	[nop]; ldr x10, ...; br x10
 *
 * An exception callback takes over the frame of its program: "mov fp, x2; sub sp,
 * fp, #96" stand in place of the second and third line.
 */
#define ENTRY_INSNS	(IS_ENABLED(CONFIG_ARM64_BTI_KERNEL) + 2)
#define LEAVE_INSNS	(IS_ENABLED(CONFIG_ARM64_PTR_AUTH_KERNEL) + 2)
#define PLT_SIZE	(2 * AARCH64_INSN_SIZE)
/* In every function the frame is there behind HEAD_SIZE, and until TAIL_SIZE from the end. */
#define HEAD_SIZE	((ENTRY_INSNS + 2) * AARCH64_INSN_SIZE)
#define TAIL_SIZE	((LEAVE_INSNS + 1) * AARCH64_INSN_SIZE + PLT_SIZE)
#define RECORD_SIZE	16

/* How an address is kept: fastterm_slot.form. */
enum {
	PLAIN,		/* as it is */
	SIGNED,		/* signed, with the slot's sp */
	EITHER,		/* as a function of the kernel keeps it */
};

struct walk {
	struct fastterm_slot slot;		/* where execution goes on */
	struct fastterm_text *text;		/* where in it */
	unsigned long fp;			/* the frame pointer as it is then */
	unsigned long floor;			/* what has been read is below */
	struct stack_info stack;
	struct fastterm_tracers tracers;
};

static u32 insn_at(const struct fastterm_text *text, u32 i)
{
	return get_unaligned_le32(text->code + i * AARCH64_INSN_SIZE);
}

/* The instruction that sets the frame pointer. */
static u32 sets_fp(const struct fastterm_text *text)
{
	u32 i = ENTRY_INSNS;

	while (i < ENTRY_INSNS + 2 && !aarch64_insn_is_add_imm(insn_at(text, i)))
		i++;
	return i;
}

/* Is it neither where a frame is made nor where it is taken down, in any function? */
static bool in_body(const struct fastterm_text *text)
{
	return text->off > HEAD_SIZE && text->off + TAIL_SIZE < text->size;
}

static bool before_frame(const struct fastterm_text *text)
{
	return text->off <= HEAD_SIZE && text->off < sets_fp(text) * AARCH64_INSN_SIZE;
}

/* Whether an interrupted function has its return address in x30, and how. */
static bool is_in_x30(const struct fastterm_text *text, unsigned int *form)
{
	u32 i = text->off / AARCH64_INSN_SIZE, left;

	*form = PLAIN;
	if (text->off + PLT_SIZE >= text->size)
		return true;
	for (left = 0; left < LEAVE_INSNS; left++) {
		if (aarch64_insn_is_ret(insn_at(text, i + left))) {
			*form = left ? SIGNED : PLAIN;
			return true;
		}
	}
	*form = i > ENTRY_INSNS ? SIGNED : PLAIN;
	return i < max(sets_fp(text), ENTRY_INSNS + 1);
}

/* The stack pointer behind a call: the prologue says how far it is below @fp. */
static unsigned long sp_behind_call(const struct fastterm_text *text, unsigned long fp)
{
	u32 word, i = sets_fp(text);

	/* A trampoline has been called, and has made a frame record of our caller's. */
	if (before_frame(text))
		return fp + RECORD_SIZE;
	for (;;) {
		word = insn_at(text, ++i);
		if (aarch64_insn_is_stp_pre(word))
			fp -= RECORD_SIZE;
		else if (aarch64_insn_is_sub_imm(word) && (word & 0x1f) == AARCH64_INSN_REG_SP)
			fp -= aarch64_insn_decode_immediate(AARCH64_INSN_IMM_12, word);
		else if (!aarch64_insn_is_add_imm(word) && !aarch64_insn_is_hint(word))
			return fp;
	}
}

static unsigned long strip(const unsigned long *at)
{
	return ptrauth_strip_kernel_insn_pac(READ_ONCE_NOCHECK(*at));
}

/* Execution goes on at the address that is kept there, or with a tracer for it. */
static notrace void take(struct walk *walk, unsigned long *at, unsigned long sp,
			 unsigned int form, struct pt_regs *regs)
{
	walk->slot = (struct fastterm_slot){ at, strip(at), sp, regs, .form = form };
	fastterm_resolve(&walk->slot, walk->text, &walk->tracers, walk->fp, walk->fp);
	if (walk->slot.text)
		walk->slot.sp = sp_behind_call(walk->text, walk->fp);
}

/* Go by the frame record at the frame pointer. */
static int step(struct walk *walk)
{
	unsigned int form = !walk->slot.text ? EITHER : before_frame(walk->text) ? PLAIN : SIGNED;
	unsigned long addr = walk->fp, *record = (unsigned long *)addr;

	/* Saved registers follow, or another context's stack, or nothing. */
	if (in_entry_text(walk->slot.ip) || !stackinfo_on_stack(&walk->stack, addr, RECORD_SIZE))
		return -ENOENT;
	if (addr < walk->floor || !IS_ALIGNED(addr, sizeof(*record)))
		return -EFAULT;
	walk->floor = addr + RECORD_SIZE;
	walk->fp = READ_ONCE_NOCHECK(record[0]);
	take(walk, record + 1, walk->slot.text ? walk->floor : 0, form, NULL);
	return walk->slot.ip ? 0 : -ENOENT;
}

/*
 * How to leave the function that has been interrupted: 0 if it has been done, BY_RECORD
 * if the frame pointer leads to the frame record that says it, or an error.
 */
#define BY_RECORD 1

static int leave_program(struct walk *walk, struct pt_regs *regs)
{
	unsigned int form;

	if (in_body(walk->text))
		return BY_RECORD;
	if (is_in_x30(walk->text, &form)) {
		take(walk, (unsigned long *)&regs->regs[30], regs->sp, form, regs);
		return 0;
	}
	/* It may have been saved, and the frame pointer not have been set. */
	if (walk->text->off == sets_fp(walk->text) * AARCH64_INSN_SIZE)
		walk->fp = regs->sp;
	return BY_RECORD;
}

/*
 * In a function of the kernel, x30 counts as long as there is no frame record, and
 * again when there is none any more; else it has been used for other things. If it
 * is a return into the program that has called this, or to a tracer for just this frame,
 * then it does count or is what the frame record says. @copy: where that is, in use or not.
 */
static int leave_kernel(struct walk *walk, struct pt_regs *regs, struct fastterm_slot *copy)
{
	unsigned long *x30 = (unsigned long *)&regs->regs[30], fp = walk->fp;
	unsigned long *word = (unsigned long *)fp;
	bool same;

	if (!stackinfo_on_stack(&walk->stack, fp, RECORD_SIZE))
		return -ENOENT;
	same = strip(word + 1) == strip(x30);
	if (same)
		walk->fp = READ_ONCE_NOCHECK(word[0]);
	take(walk, x30, 0, EITHER, regs);
	if (walk->slot.at != x30)
		return 0;
	if (!walk->slot.text) {
		walk->fp = fp;
		return BY_RECORD;
	}
	if (!same && !fastterm_called_from(walk->text, AARCH64_INSN_SIZE, regs->pc))
		return -EFAULT;

	for (word = (unsigned long *)regs->sp; (unsigned long)(word + 1) < walk->slot.sp; word++) {
		if (READ_ONCE_NOCHECK(word[0]) != walk->fp || strip(word + 1) != walk->slot.ip)
			continue;
		*copy = walk->slot;
		copy->at = word + 1;
		copy->regs = NULL;
	}
	return 0;
}

notrace int fastterm_arch_walk(struct pt_regs *regs, fastterm_slot_fn fn, void *data)
{
	bool on_task = on_task_stack(current, regs->sp, 1);
	struct stack_info stack = on_task ? stackinfo_get_task(current) : stackinfo_get_irq();
	struct fastterm_slot copy = {};
	struct fastterm_text text;
	struct walk walk = {
		.slot = { (unsigned long *)&regs->pc, regs->pc, regs->sp, regs, NULL, PLAIN },
		.text = &text,
		.fp = regs->regs[29],
		.floor = regs->sp,
		.stack = { stack.low, stack.high },
		.tracers = { 0, NULL, 0 },
	};
	int err;

	if (user_mode(regs) || in_entry_text(regs->pc))
		return -ENOENT;
	walk.slot.text = fastterm_text_at(regs->pc, &text);
	if (!fn(&walk.slot, data))
		return 0;
	err = walk.slot.text ? leave_program(&walk, regs) : leave_kernel(&walk, regs, &copy);
	/* To where a trampoline has been called: who called that, only x9 knows. */
	if (!err && walk.slot.regs && walk.slot.text && before_frame(&text))
		return -EFAULT;
	for (;;) {
		if (err == BY_RECORD)
			err = step(&walk);
		if (err)
			return err;
		if (!fn(&walk.slot, data) || (copy.at && !fn(&copy, data)))
			return 0;
		copy.at = NULL;
		err = BY_RECORD;
	}
}

/* What paciasp makes of an address, with @modifier as the stack pointer. */
static unsigned long sign(unsigned long addr, unsigned long modifier)
{
	register unsigned long x17 asm("x17") = addr;
	register unsigned long x16 asm("x16") = modifier;

	if (IS_ENABLED(CONFIG_ARM64_PTR_AUTH_KERNEL))
		asm("hint #8" : "+r" (x17) : "r" (x16));	/* pacia1716 */
	return x17;
}

/* The address that counts is on the shadow call stack: signed by GCC, plain by Clang. */
static void move_shadow(unsigned long sp, const unsigned long *from, const unsigned long *to)
{
#ifdef CONFIG_SHADOW_CALL_STACK
	unsigned long *top;
	bool is_signed;

	/* We may have left the task's for that of the interrupt stack. */
	asm volatile("mov %0, x18" : "=r" (top));
	if (on_task_stack(current, sp, 1) && !on_thread_stack())
		top = task_scs_sp(current);
	while (!IS_ALIGNED((unsigned long)top, SCS_SIZE)) {
		is_signed = *--top == from[true];
		if (*top == from[is_signed]) {
			WRITE_ONCE(*top, to[is_signed]);
			return;
		}
	}
#endif
}

/*
 * As a function of the kernel keeps it: signed, if its compiler signs, or plain. Not
 * inline: the other forms, which are more frequent, need no stack.
 */
static noinline int move_either(const struct fastterm_slot *slot, unsigned long to)
{
	const unsigned long from[] = { slot->ip, sign(slot->ip, slot->sp) };
	const unsigned long into[] = { to, sign(to, slot->sp) };
	unsigned long was = READ_ONCE_NOCHECK(*slot->at);
	bool is_signed = was == from[true];

	/* A signature may be the same as none. Then only the place tells which it is. */
	if (was != from[is_signed] || (from[0] == from[1] && into[0] != into[1]))
		return -EAGAIN;
	WRITE_ONCE(*slot->at, into[is_signed]);
	move_shadow(slot->sp, from, into);
	return 0;
}

notrace int fastterm_arch_move(const struct fastterm_slot *slot, unsigned long to)
{
	unsigned long from = slot->ip;

	if (slot->form == EITHER)
		return move_either(slot, to);
	if (slot->form == SIGNED) {
		from = sign(from, slot->sp);
		to = sign(to, slot->sp);
	}
	if (READ_ONCE_NOCHECK(*slot->at) != from)
		return -EAGAIN;
	WRITE_ONCE(*slot->at, to);
	return 0;
}
