// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the backend for riscv64.
 *
 * Displacements count from the instruction itself. Addresses that are far are
 * formed by an auipc and the instruction behind it. The JIT uses compressed
 * instructions, but none that jumps within its image.
 */
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

#include <asm/insn.h>
#include <asm/ptrace.h>
#include <asm/sections.h>
#include <asm/stacktrace.h>

#include "bpf_jit.h"

#define INSN_SIZE	4
#define PAIR_SIZE	(2 * INSN_SIZE)
#define RET_SIZE	(rvc_enabled() ? INSN_SIZE / 2 : INSN_SIZE)

/* A function makes its frame behind a pair that is patched, and a counter of tail calls. */
#define FRAME_OFF	(PAIR_SIZE + INSN_SIZE)

int fastterm_arch_init(void)
{
	return 0;
}

/* The kind of a jump that leaves a return address in @rd. */
static int flow(u32 rd)
{
	switch (rd) {
	case RV_REG_RA:
		return FASTTERM_INSN_CALL;
	case RV_REG_ZERO:
		return FASTTERM_INSN_JUMP;
	default:
		return -EINVAL;
	}
}

static bool is_auipc_t1(u32 word)
{
	return riscv_insn_is_auipc(word) && RV_EXTRACT_RD_REG(word) == RV_REG_T1;
}

/* The half of a far jump that jumps: the JIT keeps t1 for it. */
static bool is_jalr_t1(u32 word)
{
	return riscv_insn_is_jalr(word) && RV_EXTRACT_RS1_REG(word) == RV_REG_T1;
}

/* addi @rd, @rd */
static bool is_addi(u32 word, u32 rd)
{
	return (word & GENMASK(19, 0)) == rv_addi(rd, rd, 0);
}

static long get_pair_offset(u32 auipc, u32 second)
{
	return (long)(s32)RV_EXTRACT_UTYPE_IMM(auipc) +
	       (s32)RV_EXTRACT_ITYPE_IMM(second);
}

static long get_branch_offset(u32 word)
{
	return (s32)RV_EXTRACT_BTYPE_IMM(word);
}

static int decode_compressed(u16 word)
{
	if (riscv_insn_is_c_j(word) || riscv_insn_is_c_beqz(word) ||
	    riscv_insn_is_c_bnez(word))
		return -EINVAL;
	return FASTTERM_INSN_PLAIN;
}

static int decode_auipc(const u8 *at, u32 left, unsigned long ip,
			struct fastterm_insn *insn)
{
	u32 word = get_unaligned_le32(at), next;

	if (left < PAIR_SIZE)
		return -EINVAL;
	next = get_unaligned_le32(at + INSN_SIZE);
	/* A far jump, or what encoding has made of it. */
	if (is_auipc_t1(word) && (is_jalr_t1(next) || riscv_insn_is_jal(next)))
		return FASTTERM_INSN_PLAIN;
	if (!is_addi(next, RV_EXTRACT_RD_REG(word)))
		return -EINVAL;
	insn->split = true;
	insn->target = ip + get_pair_offset(word, next);
	return FASTTERM_INSN_DATA;
}

static int decode_jalr(const u8 *code, u32 off, unsigned long ip,
		       struct fastterm_insn *insn)
{
	u32 word = get_unaligned_le32(code + off), prev;

	if (off < INSN_SIZE || !is_jalr_t1(word))
		return FASTTERM_INSN_PLAIN;
	prev = get_unaligned_le32(code + off - INSN_SIZE);
	if (!is_auipc_t1(prev))
		return FASTTERM_INSN_PLAIN;
	insn->target = ip + off - INSN_SIZE + get_pair_offset(prev, word);
	return flow(RV_EXTRACT_RD_REG(word));
}

int fastterm_arch_decode(const u8 *code, u32 off, u32 size, unsigned long ip,
			 struct fastterm_insn *insn)
{
	const u8 *at = code + off;
	u32 word, left = size - off;
	int kind = FASTTERM_INSN_PLAIN;

	if (left < sizeof(u16))
		return -EINVAL;
	word = get_unaligned_le16(at);
	insn->len = GET_INSN_LENGTH(word);
	insn->split = false;
	insn->target = 0;
	/* All of the lower five bits are ones in what is longer than 4 bytes. */
	if (left < insn->len || (word & GENMASK(4, 0)) == GENMASK(4, 0))
		return -EINVAL;
	if (insn->len != INSN_SIZE) {
		kind = decode_compressed(word);
	} else {
		word = get_unaligned_le32(at);
		switch (word & RV_INSN_OPCODE_MASK) {
		case RVG_OPCODE_JAL:
			kind = flow(RV_EXTRACT_RD_REG(word));
			insn->target = ip + off + riscv_insn_extract_jtype_imm(word);
			break;
		case RVG_OPCODE_BRANCH:
			kind = FASTTERM_INSN_BRANCH;
			insn->target = ip + off + get_branch_offset(word);
			break;
		case RVG_OPCODE_AUIPC:
			kind = decode_auipc(at, left, ip + off, insn);
			break;
		case RVG_OPCODE_JALR:
			kind = decode_jalr(code, off, ip, insn);
			break;
		}
	}
	if (kind < 0)
		return kind;
	insn->kind = kind;
	return insn->len;
}

/* Here and below: what does not fit into an instruction does not come back. */
static int put_jal(u8 *at, u8 rd, long offset)
{
	u32 word = rv_jal(rd, offset >> 1);

	if (riscv_insn_extract_jtype_imm(word) != offset)
		return -ERANGE;
	put_unaligned_le32(word, at);
	return 0;
}

static int put_branch(u8 *at, long offset)
{
	u32 word = get_unaligned_le32(at);

	if (!riscv_insn_is_branch(word))
		return -EINVAL;
	word &= ~rv_b_insn(0xfff, 0, 0, 0, 0);
	word |= rv_b_insn(offset >> 1, 0, 0, 0, 0);
	if (get_branch_offset(word) != offset)
		return -ERANGE;
	put_unaligned_le32(word, at);
	return 0;
}

/* The lower part of the offset, in the second instruction, will be sign-extended. */
static int put_pair(u8 *at, u8 rd, u32 second, long offset)
{
	u32 auipc = rv_auipc(rd, (offset + BIT(11)) >> 12);

	second |= (u32)offset << 20;
	if (get_pair_offset(auipc, second) != offset)
		return -ERANGE;
	put_unaligned_le32(auipc, at);
	put_unaligned_le32(second, at + INSN_SIZE);
	return 0;
}

static int put_data(u8 *at, long offset)
{
	u32 word = get_unaligned_le32(at);
	u8 rd = RV_EXTRACT_RD_REG(word);

	if (!riscv_insn_is_auipc(word) ||
	    !is_addi(get_unaligned_le32(at + INSN_SIZE), rd))
		return -EINVAL;
	return put_pair(at, rd, rv_addi(rd, rd, 0), offset);
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	long offset = insn->target - (ip + off);

	if (insn->len != INSN_SIZE)
		return -EINVAL;
	if (insn->kind == FASTTERM_INSN_DATA)
		return put_data(code + off, offset);
	if (offset & 1)
		return -EINVAL;
	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		return put_jal(code + off, RV_REG_RA, offset);
	case FASTTERM_INSN_JUMP:
		return put_jal(code + off, RV_REG_ZERO, offset);
	case FASTTERM_INSN_BRANCH:
		return put_branch(code + off, offset);
	default:
		return -EINVAL;
	}
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target)
{
	long offset = target - (ip + off);
	int err = 0;

	if (code)
		err = put_pair(code + off, RV_REG_T1,
			       rv_jalr(RV_REG_ZERO, RV_REG_T1, 0), offset);
	return err ?: PAIR_SIZE;
}

/* fastterm_arch_kick() is where interrupts between CPUs are: in kernel/smp.c. */

/**
 * struct walk - how far a walk has come
 * @regs: the interrupted registers
 * @fn: told of each slot
 * @data: handed to it
 * @tracers: what they keep has been passed as far as this
 * @shadow: and the shadow call stack down to here
 * @program: whether the present function is one of a program
 * @ra: where it keeps its return address
 * @sp: stack pointer of its caller
 * @fp: frame pointer of its caller
 * @slot: what @fn has been told of last
 * @text: what is there, if that is a program
 */
struct walk {
	struct pt_regs *regs;
	fastterm_slot_fn fn;
	void *data;
	struct fastterm_tracers tracers;
	unsigned long *shadow;
	bool program;
	unsigned long *ra;
	unsigned long sp;
	unsigned long fp;
	struct fastterm_slot slot;
	struct fastterm_text *text;
};

/* As programs have them: aligned, if to 2 bytes only. */
static u32 insn_at(const u8 *at)
{
	const __le16 *half = (const __le16 *)at;

	return le16_to_cpu(half[0]) | le16_to_cpu(half[1]) << 16;
}

/*
 * The size of the frame of a program's function, by the instructions that make it
 * and save the first register: ra, or fp in a @leaf, which calls nothing.
 */
static __always_inline u32 frame_size(const struct fastterm_text *text, bool *leaf)
{
	const u8 *at = text->code + FRAME_OFF;
	u32 word = insn_at(at);

	if (GET_INSN_LENGTH(word) == INSN_SIZE) {
		*leaf = RV_X(insn_at(at + INSN_SIZE), 20, 0x1f) != RV_REG_RA;
		return -RV_EXTRACT_ITYPE_IMM(word);
	}
	/* c.addi16sp, of which bits 3 to 6 and 2 are 7, 8, 6, 4 and 5 of the size; c.sdsp */
	*leaf = RV_X(word, 16 + 2, 0x1f) != RV_REG_RA;
	return BIT(9) - ((word & GENMASK(4, 3)) << 4 | (word & BIT(5)) << 1 |
			 (word & BIT(2)) << 3 | (word & BIT(6)) >> 2);
}

/* Is it the "sd ra" of a prologue, or what follows the "ld ra" of an epilogue? */
static bool only_in_ra(u32 word)
{
	bool loads_ra = RV_EXTRACT_RD_REG(word) == RV_REG_RA;
	u16 half = word;

	if (GET_INSN_LENGTH(word) == INSN_SIZE)
		return is_addi(word, RV_REG_SP) ||
		       (word & ~rv_s_insn(0xfff, 0, 0, 0, 0)) == rv_sd(RV_REG_SP, 0, RV_REG_RA) ||
		       (!loads_ra &&
			(word & ~rv_i_insn(0xfff, 0, 0, 0x1f, 0)) == rv_ld(0, 0, RV_REG_SP));
	return (half & ~rv_ci_insn(0, 0x3f, 0, 0)) == rvc_addi16sp(0) ||
	       (half & ~rv_css_insn(0, 0x3f, 0, 0)) == rvc_sdsp(0, RV_REG_RA) ||
	       (!loads_ra && (half & ~rv_ci_insn(0, 0x3f, 0x1f, 0)) == rvc_ldsp(0, 0));
}

/* A program's function has been interrupted. */
static void begin_in_program(struct walk *w, const struct fastterm_text *text)
{
	unsigned long *top;
	bool leaf;
	u32 word;

	w->program = true;
	w->ra = &w->regs->ra;
	w->sp = w->regs->sp;
	w->fp = w->regs->s0;
	/* There is no frame yet, or no longer: "addiw a0, a5, 0; ret", or a tail call. */
	if (text->off <= FRAME_OFF || text->off + INSN_SIZE + RET_SIZE >= text->size)
		return;
	word = insn_at(text->code + text->off);
	if ((word & ~rv_i_insn(0xfff, 0, 0, 0, 0)) == rv_jalr(RV_REG_ZERO, RV_REG_T3, 0))
		return;
	w->sp += frame_size(text, &leaf);
	top = (unsigned long *)w->sp;
	if (w->fp == w->sp)
		w->fp = READ_ONCE_NOCHECK(top[leaf ? -1 : -2]);
	if (!leaf && !only_in_ra(word))
		w->ra = top - 1;
}

static int read_record(const struct walk *w, unsigned long above, unsigned long fp,
		       struct stackframe *record)
{
	const struct stackframe *at = (struct stackframe *)fp - 1;

	if (!fastterm_same_stack(w->regs->sp, (unsigned long)at))
		return -ENOENT;
	if (fp <= above || fp % sizeof(*at))
		return -EFAULT;
	__get_kernel_nofault(&record->fp, &at->fp, unsigned long, fault);
	__get_kernel_nofault(&record->ra, &at->ra, unsigned long, fault);
	return 0;
fault:
	return -EFAULT;
}

/* On to the present function's caller. */
static int next(struct walk *w)
{
	struct stackframe record;
	int err;

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	struct __arch_ftrace_regs *fregs = arch_ftrace_regs(w->sp);

	/* A traced function has no frame yet, and ftrace makes none. */
	if (w->slot.ip == (unsigned long)ftrace_call + MCOUNT_INSN_SIZE &&
	    fastterm_same_stack(w->regs->sp, (unsigned long)&fregs->sp)) {
		w->ra = &fregs->ra;
		w->sp = fregs->sp;
		return 0;
	}
#endif
	err = read_record(w, w->sp, w->fp, &record);
	if (err)
		return err;
	w->ra = (unsigned long *)w->fp - 1;
	w->sp = w->fp;
	w->fp = record.fp;
	return 0;
}

/* By what the function graph tracer knows a frame; rethook does by the frame pointer. */
static unsigned long graph_frame(unsigned long sp)
{
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	return sp - ALIGN(sizeof(struct __arch_ftrace_regs), STACK_ALIGN) +
	       offsetof(struct __arch_ftrace_regs, ra);
#else
	return 0;
#endif
}

/*
 * A function of the kernel has been interrupted, or what behaves like one, and may
 * not have its frame. If ra leads into a program it counts, unless a frame says so
 * already. The caller's frame pointer is in s0, or if that has been set, where it
 * has been saved: with ra, or alone. That of a program tells by the frame's size.
 */
static int begin_in_kernel(struct walk *w)
{
	struct pt_regs *regs = w->regs;
	struct fastterm_tracers tracers = { .floor = graph_frame(regs->sp) };
	struct fastterm_slot slot = { .ip = regs->ra };
	unsigned long fp = regs->s0, saved;
	struct fastterm_text text, stale;
	struct stackframe outer;
	bool traced, leaf;
	u32 size;
	int err;

	w->sp = regs->sp;
	w->fp = fp;
	err = next(w);
	if (err)
		return err;
	saved = READ_ONCE_NOCHECK(*w->ra);
	if (saved == regs->ra)
		return 0;
	traced = fastterm_resolve(&slot, &text, &tracers, 0, 0);
	if (!slot.text || text.off <= FRAME_OFF) {
		if (!read_record(w, fp, saved, &outer)) {
			w->ra = &regs->ra;
			w->fp = saved;
		}
		return 0;
	}
	/* A trampoline has two frames, and this is in the second. */
	if (!traced && !read_record(w, fp, w->fp, &outer) && outer.ra == regs->ra)
		return 0;
	if (!traced && !fastterm_called_from(&text, INSN_SIZE, regs->epc))
		return -EFAULT;

	w->ra = &regs->ra;
	size = frame_size(&text, &leaf);
	if (saved - size == fp) {
		w->fp = saved;
	} else if (w->fp - size != fp ||
		   (fastterm_text_at(saved, &stale) ? stale.code != text.code :
						      __kernel_text_address(saved))) {
		w->sp = fp - size;
		w->fp = fp;
	}
	return w->sp < regs->sp ? -EFAULT : 0;
}

/* The slot's address is kept there. */
static void keep_at(struct walk *w, unsigned long *at)
{
	w->slot.at = at;
	w->slot.regs = at == &w->regs->ra ? w->regs : NULL;
}

/* Functions of the kernel return to what the shadow call stack says. */
static unsigned long *find_shadow(struct walk *w, u32 depth)
{
	unsigned long *at = w->shadow;

	for (; depth--; at--) {
		if (READ_ONCE_NOCHECK(*at) == w->slot.ip)
			return w->shadow = at;
		if (IS_ALIGNED((unsigned long)at, PAGE_SIZE))
			break;
	}
	return NULL;
}

/* The address may be kept twice: about to be saved, or loaded already. */
static bool tell_copies(struct walk *w, bool program)
{
	unsigned long *places[] = {
		&w->regs->ra,
		w->sp > w->regs->sp ? (unsigned long *)w->sp - 1 : NULL,
		IS_ENABLED(CONFIG_SHADOW_CALL_STACK) && !program ?
			find_shadow(w, w->ra == &w->regs->ra ? 2 : PAGE_SIZE) : NULL,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (!places[i] || places[i] == w->ra ||
		    READ_ONCE_NOCHECK(*places[i]) != w->slot.ip)
			continue;
		keep_at(w, places[i]);
		if (!w->fn(&w->slot, w->data))
			return false;
	}
	return true;
}

/* Tell where the present function returns to. Returns 1 if the walk is to end. */
static int visit(struct walk *w)
{
	struct fastterm_slot *slot = &w->slot;
	bool program = w->program, twice = false, traced, leaf;

	keep_at(w, w->ra);
	slot->ip = READ_ONCE_NOCHECK(*w->ra);
	slot->sp = w->sp;
	if (slot->ip >= (unsigned long)__irqentry_text_start &&
	    slot->ip < (unsigned long)__irqentry_text_end)
		return -ENOENT;
	traced = fastterm_resolve(slot, w->text, &w->tracers, graph_frame(w->sp), w->fp);
	if (!slot->text) {
		if (!__is_kernel_text(slot->ip) && !__kernel_text_address(slot->ip))
			return -EFAULT;
		if (!program)
			slot->sp = 0;
	} else if (w->text->off <= FRAME_OFF) {
		/* From a trampoline, which has made a frame for it. */
		slot->sp = w->fp;
	} else {
		if (w->fp - frame_size(w->text, &leaf) != w->sp)
			return -EFAULT;
		twice = !traced;
	}
	w->program = slot->text;
	return !w->fn(slot, w->data) || (twice && !tell_copies(w, program));
}

notrace int fastterm_arch_walk(struct pt_regs *regs, fastterm_slot_fn fn, void *data)
{
	struct fastterm_text text;
	struct walk w = {
		.regs = regs, .fn = fn, .data = data,
		.tracers = { 0, NULL, graph_frame(regs->sp) }, .shadow = (unsigned long *)regs->gp,
		.program = false, .ra = NULL, .sp = 0, .fp = 0,
		.slot = { &regs->epc, regs->epc, regs->sp, regs, NULL, 0 }, .text = &text,
	};
	int err = 0;

	if (user_mode(regs))
		return -ENOENT;
	w.slot.text = fastterm_text_at(regs->epc, &text);
	if (!fn(&w.slot, data))
		return 0;
	/* Thunks are as good as what they lead to. */
	if (w.slot.text && text.off < text.size)
		begin_in_program(&w, w.text);
	else
		err = begin_in_kernel(&w);
	while (!err)
		err = visit(&w) ?: next(&w);
	return min(err, 0);
}

notrace __no_sanitize_address
int fastterm_arch_move(const struct fastterm_slot *slot, unsigned long to)
{
	if (READ_ONCE_NOCHECK(*slot->at) != slot->ip)
		return -EAGAIN;
	WRITE_ONCE(*slot->at, to);
	return 0;
}
