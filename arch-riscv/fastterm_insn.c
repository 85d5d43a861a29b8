// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the instructions of riscv64, and the frames of
 * functions that the JIT makes of them.
 *
 * Displacements are relative to the instruction itself. Far addresses are formed by an
 * auipc and the next instruction. The JIT uses compressed instructions, but none that jumps
 * within its image.
 */
#include <linux/fastterm_arch.h>
#include <linux/unaligned.h>

#include <asm/bug.h>
#include <asm/insn.h>

#include "bpf_jit.h"

#define INSN_SIZE	4
#define PAIR_SIZE	(2 * INSN_SIZE)
/*
 * The prologue begins with a pair of instructions that is patched, and with the counter of
 * tail calls.
 */
#define FRAME_OFF	(PAIR_SIZE + INSN_SIZE)

/* Larger than any frame of a function; and the alignment of all frames. */
#define MAX_FRAME	1024
#define FRAME_ALIGN	16

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

/* The second instruction of a far jump: the JIT uses t1 for nothing else. */
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

static int decode_auipc(const u8 *at, u32 left, unsigned long ip,
			struct fastterm_insn *insn)
{
	u32 word = get_unaligned_le32(at), next;

	if (left < PAIR_SIZE)
		return -EINVAL;
	next = get_unaligned_le32(at + INSN_SIZE);
	/* A far jump, or its second instruction has been encoded as a jal. */
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
	*insn = (struct fastterm_insn){ .len = GET_INSN_LENGTH(word) };
	/* Instructions longer than 4 bytes have ones in all of the lower five bits. */
	if (left < insn->len || (word & GENMASK(4, 0)) == GENMASK(4, 0))
		return -EINVAL;
	if (insn->len != INSN_SIZE) {
		if (riscv_insn_is_c_j(word) || riscv_insn_is_c_beqz(word) ||
		    riscv_insn_is_c_bnez(word))
			return -EINVAL;
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

/* The CPU sign-extends the lower part of the offset, which is in the second instruction. */
static void put_pair(u8 *at, u8 rd, u32 second, long offset)
{
	put_unaligned_le32(rv_auipc(rd, (offset + BIT(11)) >> 12), at);
	put_unaligned_le32(second | (u32)offset << 20, at + INSN_SIZE);
}

int fastterm_arch_encode(u8 *code, u32 off, unsigned long ip,
			 const struct fastterm_insn *insn)
{
	long offset = insn->target - (ip + off);
	u32 word;
	u8 rd;

	if (insn->len != INSN_SIZE || (offset & 1 && insn->kind != FASTTERM_INSN_DATA))
		return -EINVAL;
	word = get_unaligned_le32(code + off);
	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		word = rv_jal(RV_REG_RA, offset >> 1);
		break;
	case FASTTERM_INSN_JUMP:
		word = rv_jal(RV_REG_ZERO, offset >> 1);
		break;
	case FASTTERM_INSN_BRANCH:
		if (!riscv_insn_is_branch(word))
			return -EINVAL;
		word &= ~rv_b_insn(0xfff, 0, 0, 0, 0);
		word |= rv_b_insn(offset >> 1, 0, 0, 0, 0);
		break;
	case FASTTERM_INSN_DATA:
		rd = RV_EXTRACT_RD_REG(word);
		if (!riscv_insn_is_auipc(word) ||
		    !is_addi(get_unaligned_le32(code + off + INSN_SIZE), rd))
			return -EINVAL;
		put_pair(code + off, rd, rv_addi(rd, rd, 0), offset);
		return 0;
	default:
		return -EINVAL;
	}
	put_unaligned_le32(word, code + off);
	return 0;
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip, unsigned long target)
{
	if (code)
		put_pair(code + off, RV_REG_T1, rv_jalr(RV_REG_ZERO, RV_REG_T1, 0),
			 target - (ip + off));
	return PAIR_SIZE;
}

/* The length of the instruction at @off if it is @word or @compressed; 0 if not. */
static u32 match(const u8 *code, u32 off, u32 size, u32 word, u16 compressed)
{
	u32 len = off + sizeof(u16) <= size ? GET_INSN_LENGTH(get_unaligned_le16(code + off)) : 0;

	if (len == INSN_SIZE && off + len <= size)
		return get_unaligned_le32(code + off) == word ? len : 0;
	return len == sizeof(u16) && get_unaligned_le16(code + off) == compressed ? len : 0;
}

static u32 match_adjust(const u8 *code, u32 off, u32 size, int adjust)
{
	return match(code, off, size, rv_addi(RV_REG_SP, RV_REG_SP, adjust), rvc_addi16sp(adjust));
}

static u32 match_save(const u8 *code, u32 off, u32 size, u8 reg, u32 at)
{
	return match(code, off, size, rv_sd(RV_REG_SP, at, reg), rvc_sdsp(at, reg));
}

static u32 match_load(const u8 *code, u32 off, u32 size, u8 reg, u32 at)
{
	return match(code, off, size, rv_ld(reg, at, RV_REG_SP), rvc_ldsp(reg, at));
}

/* Returns the rule for the function's body, or NULL if the prologue has another form. */
static struct fastterm_rule *add_prologue(const u8 *code, u32 size, struct fastterm_rule *rule)
{
	u32 off = FRAME_OFF, frame = 0, len;

	*rule++ = (struct fastterm_rule){ 0 };
	do
		frame += FRAME_ALIGN;
	while (!(len = match_adjust(code, off, size, -frame)) && frame < MAX_FRAME);
	if (!len)
		return NULL;
	*rule = (struct fastterm_rule){ off += len, .cfa = frame };
	len = match_save(code, off, size, RV_REG_RA, frame - 8);
	if (len) {
		rule[1] = *rule;
		(++rule)->off = off += len;
		rule->ra = 8;
	}
	len = match_save(code, off, size, RV_REG_FP, frame - rule->ra - 8);
	if (!len)
		return NULL;
	rule[1] = *rule;
	(++rule)->off = off += len;
	rule->fp = rule->ra + 8;
	/* Other registers are saved before the frame pointer is set. */
	while (!(len = match(code, off, size, rv_addi(RV_REG_FP, RV_REG_SP, frame),
			     rvc_addi4spn(RV_REG_FP, frame)))) {
		if (off + INSN_SIZE > size)
			return NULL;
		off += GET_INSN_LENGTH(get_unaligned_le16(code + off));
	}
	rule[1] = *rule;
	(++rule)->off = off + len;
	rule->cfa = 0;
	rule->sp = frame;
	rule->flags = FASTTERM_RULE_FP;
	return rule;
}

/*
 * The JIT lays out a function like this; parts in brackets are optional:
 *
 *	nop; nop; addi tcc, zero, ...
 *	addi sp, sp, -size; [sd ra, ...(sp)]; sd fp, ...(sp); ...; addi fp, sp, size; ...
 *	...
 *	[ld ra, ...(sp)]; ld fp, ...(sp); ...; addi sp, sp, size; addiw a0, a5, 0; ret
 *
 * Tail calls have the last line too, with a jump in place of its last two instructions. A
 * function that calls no other one does not save ra.
 */
int fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges, u32 nr,
			struct fastterm_rule *rules)
{
	struct fastterm_rule *body = add_prologue(code, size, rules), *rule = body;
	u32 off, len, rows;

	for (; rule && nr--; ranges++) {
		rows = 0;
		for (off = ranges->start; off + sizeof(u16) <= ranges->end; off += len) {
			len = GET_INSN_LENGTH(get_unaligned_le16(code + off));
			if (!rows && match_load(code, off, size, body->ra ? RV_REG_RA : RV_REG_FP,
						body->sp - 8))
				*++rule = (struct fastterm_rule){
					off + len, .cfa = body->sp, .fp = body->fp,
				};
			else if (rows == 1 && match_adjust(code, off, size, body->sp))
				*++rule = (struct fastterm_rule){ off + len };
			else
				continue;
			rows++;
		}
		if (rows == 1 || (!nr && !rows))
			return -EINVAL;
		if (rows && ranges->end < size) {
			*++rule = *body;
			rule->off = ranges->end;
		}
	}
	return rule ? rule - rules + 1 : -EINVAL;
}
