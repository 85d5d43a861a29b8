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
#include <linux/string.h>
#include <linux/unaligned.h>

#include <asm/insn.h>

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

	switch (insn->kind) {
	case FASTTERM_INSN_CALL:
		word = aarch64_insn_get_bl_value();
		break;
	case FASTTERM_INSN_JUMP:
		word = aarch64_insn_get_b_value();
		break;
	case FASTTERM_INSN_BRANCH:
		if (!is_cond_branch(word))
			return -EINVAL;
		break;
	case FASTTERM_INSN_DATA:
		if (!aarch64_insn_is_ldr_lit(word))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
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

void fastterm_arch_fill(void *area, unsigned int size)
{
	u32 off;

	for (off = 0; off < size; off += AARCH64_INSN_SIZE)
		put_unaligned_le32(AARCH64_BREAK_FAULT, area + off);
}
