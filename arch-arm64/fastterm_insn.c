// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast-path termination of BPF programs: the instructions of arm64, and the frames of
 * functions that the JIT makes of them.
 *
 * Displacements are relative to the instruction itself. Images are far from the kernel's
 * text, so most calls go through a register, which the JIT always loads by the same
 * sequence.
 */
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/fastterm_arch.h>
#include <linux/unaligned.h>

#include <asm/insn.h>

/* An address is formed by a movn and two movk. */
#define ADDR_INSNS	3
#define ADDR_SIZE	(ADDR_INSNS * AARCH64_INSN_SIZE)

/* Reserved for veneers, and "br" through this register is allowed to a "bti c". */
#define THUNK_REG	AARCH64_INSN_REG_16
#define THUNK_SIZE	(ADDR_SIZE + AARCH64_INSN_SIZE)

/* The instructions of prologues and epilogues. */
#define RECORD_SIZE	16
#define BTI_JC		"\xdf\x24\x03\xd5"
#define PATCH_SLOT	"\xc9\x03\x00\x91\x1f\x20\x03\xd5"	/* mov x9, lr; nop */
#define PACIASP		"\x3f\x23\x03\xd5"
#define AUTIASP		"\xbf\x23\x03\xd5"
#define PUSH_FP_LR	"\xfd\x7b\xbf\xa9"	/* stp fp, lr, [sp, #-16]! */
#define POP_FP_LR	"\xfd\x7b\xc1\xa8"	/* ldp fp, lr, [sp], #16 */
#define MOV_FP_SP	"\xfd\x03\x00\x91"
#define MOV_FP_X2	"\x5d\x00\x00\x91"
#define MOV_X0_X7	"\xe0\x00\x00\x91"
#define RET		"\xc0\x03\x5f\xd6"

/* Form an address as the JIT does: the upper 16 bits of a kernel address are ones. */
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

/* The address that is formed in @reg by the instructions right before @off; 0 if there is none. */
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
 * Does an instruction, which is none of those that fastterm_arch_decode() handles, refer to
 * an address relative to its own? These are literals of all register files, adr and adrp,
 * and all other branches, including those of future extensions.
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
	put_unaligned_le32(set_offset(word, offset), code + off);
	return 0;
}

int fastterm_arch_thunk(u8 *code, u32 off, unsigned long ip,
			unsigned long target)
{
	u32 word[ADDR_INSNS + 1];
	int i;

	if (!code)
		return THUNK_SIZE;
	form_address(word, THUNK_REG, target);
	word[ADDR_INSNS] = aarch64_insn_gen_branch_reg(THUNK_REG,
						       AARCH64_INSN_BRANCH_NOLINK);
	for (i = 0; i < ARRAY_SIZE(word); i++)
		put_unaligned_le32(word[i], code + off + i * AARCH64_INSN_SIZE);
	return THUNK_SIZE;
}

/*
 * How far the stack pointer is below the frame pointer behind the prologue: from @off on,
 * the prologue saves registers and makes room for the program's stack.
 */
static u32 depth_behind(const u8 *code, u32 size, u32 off)
{
	u32 word, depth = 0;

	for (; off + AARCH64_INSN_SIZE <= size; off += AARCH64_INSN_SIZE) {
		word = get_unaligned_le32(code + off);
		if (aarch64_insn_is_stp_pre(word))
			depth += RECORD_SIZE;
		else if (aarch64_insn_is_sub_imm(word) && (word & 0x1f) == AARCH64_INSN_REG_SP)
			depth += aarch64_insn_decode_immediate(AARCH64_INSN_IMM_12, word);
		else if (!aarch64_insn_is_add_imm(word) && !aarch64_insn_is_hint(word))
			break;
	}
	return depth;
}

/*
 * The JIT lays out a function like this; parts in brackets are optional:
 *
 *	[bti jc]; mov x9, lr; nop
 *	[paciasp]; stp fp, lr, [sp, #-16]!; mov fp, sp
 *	stp ..., [sp, #-16]!; mov x26, sp; [bti j]; [stp ..., [sp, #-16]!; ...]
 *	[mov x25, sp]; [sub sp, sp, #...]
 *	...
 *	ldp fp, lr, [sp], #16; mov x0, x7; [autiasp]; ret
 *	[nop]; ldr x10, ...; br x10
 *
 * An exception callback takes over the frame of its program: "mov fp, x2; sub sp, fp, #96"
 * stand in place of the second line and of the instructions that save registers.
 */
int fastterm_arch_rules(const u8 *code, u32 size, const struct fastterm_range *ranges, u32 nr,
			struct fastterm_rule *rules)
{
	const u8 pac = IS_ENABLED(CONFIG_ARM64_PTR_AUTH_KERNEL) ? FASTTERM_RULE_SIGNED : 0;
	struct fastterm_rule *rule = rules;
	u32 off = 0;

	if ((IS_ENABLED(CONFIG_ARM64_BTI_KERNEL) && !fastterm_match(code, size, &off, BTI_JC)) ||
	    !fastterm_match(code, size, &off, PATCH_SLOT))
		return -EINVAL;
	if (fastterm_match(code, size, &off, MOV_FP_X2)) {
		*rule++ = (struct fastterm_rule){ .flags = FASTTERM_RULE_NONE };
	} else {
		*rule++ = (struct fastterm_rule){ 0 };
		/* At the nop, in place of which there may be a call of a trampoline. */
		*rule++ = (struct fastterm_rule){
			off - AARCH64_INSN_SIZE, .flags = FASTTERM_RULE_PATCHED,
		};
		*rule++ = (struct fastterm_rule){ off };
		if (pac) {
			if (!fastterm_match(code, size, &off, PACIASP))
				return -EINVAL;
			*rule++ = (struct fastterm_rule){ off, .flags = pac };
		}
		if (!fastterm_match(code, size, &off, PUSH_FP_LR))
			return -EINVAL;
		*rule++ = (struct fastterm_rule){ off, .cfa = 16, .ra = 8, .fp = 16, .flags = pac };
		if (!fastterm_match(code, size, &off, MOV_FP_SP))
			return -EINVAL;
	}
	*rule++ = (struct fastterm_rule){
		off, .cfa = RECORD_SIZE, .sp = RECORD_SIZE + depth_behind(code, size, off),
		.ra = 8, .fp = 16, .flags = pac | FASTTERM_RULE_FP,
	};

	for (off = ranges[nr - 1].start; !fastterm_match(code, size, &off, POP_FP_LR);
	     off += AARCH64_INSN_SIZE)
		if (off >= size)
			return -EINVAL;
	*rule++ = (struct fastterm_rule){ off, .flags = pac };
	if (!fastterm_match(code, size, &off, MOV_X0_X7) ||
	    (pac && !fastterm_match(code, size, &off, AUTIASP)))
		return -EINVAL;
	if (pac)
		*rule++ = (struct fastterm_rule){ off };
	return fastterm_match(code, size, &off, RET) ? rule - rules : -EINVAL;
}
