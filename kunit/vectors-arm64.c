// SPDX-License-Identifier: GPL-2.0-only
/*
 * Golden vectors for arm64; see vectors.h
 *
 * The bytes are those of the GNU assembler.
 */
#include <linux/errno.h>

#include "vectors.h"

#define IP 0xffff800080001000UL

const unsigned long ftk_vector_ip = IP;

const struct ftk_vector ftk_decode_vectors[] = {
	{ "nop", 4, 0, { 0x1f, 0x20, 0x03, 0xd5 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "bti c", 4, 0, { 0x5f, 0x24, 0x03, 0xd5 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "paciasp", 4, 0, { 0x3f, 0x23, 0x03, 0xd5 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "ret", 4, 0, { 0xc0, 0x03, 0x5f, 0xd6 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "brk #0x100", 4, 0, { 0x00, 0x20, 0x20, 0xd4 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "stp x29,x30,[sp,#-16]!", 4, 0, { 0xfd, 0x7b, 0xbf, 0xa9 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "ldr x10,[x1,#8]", 4, 0, { 0x2a, 0x04, 0x40, 0xf9 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "movk x10,#0x1234,lsl #16", 4, 0, { 0x8a, 0x46, 0xa2, 0xf2 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "dsb ish", 4, 0, { 0x9f, 0x3b, 0x03, 0xd5 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "hvc #0", 4, 0, { 0x02, 0x00, 0x00, 0xd4 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "bl .+0x1000", 4, 0, { 0x00, 0x04, 0x00, 0x94 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x1000 } },
	{ "nop; bl .-4", 8, 4,
	  { 0x1f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0x97 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, IP } },
	{ "bl .+0x7fffffc", 4, 0, { 0xff, 0xff, 0xff, 0x95 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x7fffffc } },
	{ "bl .-0x8000000", 4, 0, { 0x00, 0x00, 0x00, 0x96 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, IP - 0x8000000 } },
	{ "b .", 4, 0, { 0x00, 0x00, 0x00, 0x14 }, 4,
	  { FASTTERM_INSN_JUMP, 4, false, IP } },
	{ "b .+0x7fffffc", 4, 0, { 0xff, 0xff, 0xff, 0x15 }, 4,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x7fffffc } },
	{ "b .-0x8000000", 4, 0, { 0x00, 0x00, 0x00, 0x16 }, 4,
	  { FASTTERM_INSN_JUMP, 4, false, IP - 0x8000000 } },
	{ "b.eq .+0x20", 4, 0, { 0x00, 0x01, 0x00, 0x54 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x20 } },
	{ "nop; b.ne .-4", 8, 4,
	  { 0x1f, 0x20, 0x03, 0xd5, 0xe1, 0xff, 0xff, 0x54 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP } },
	{ "b.cs .+0xffffc", 4, 0, { 0xe2, 0xff, 0x7f, 0x54 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0xffffc } },
	{ "b.lt .-0x100000", 4, 0, { 0x0b, 0x00, 0x80, 0x54 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x100000 } },
	{ "b.hi .", 4, 0, { 0x08, 0x00, 0x00, 0x54 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP } },
	{ "cbz x10,.+0x40", 4, 0, { 0x0a, 0x02, 0x00, 0xb4 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x40 } },
	{ "cbnz w3,.-0x40", 4, 0, { 0x03, 0xfe, 0xff, 0x35 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x40 } },
	{ "tbz x1,#33,.+0x7ffc", 4, 0, { 0xe1, 0xff, 0x0b, 0xb6 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x7ffc } },
	{ "tbnz w2,#5,.-0x8000", 4, 0, { 0x02, 0x00, 0x2c, 0x37 }, 4,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x8000 } },
	{ "ldr x10,.+8", 4, 0, { 0x4a, 0x00, 0x00, 0x58 }, 4,
	  { FASTTERM_INSN_DATA, 4, false, IP + 0x8 } },
	{ "ldr w3,.-0x100000", 4, 0, { 0x03, 0x00, 0x80, 0x18 }, 4,
	  { FASTTERM_INSN_DATA, 4, false, IP - 0x100000 } },
	{ "ldr x10,.+0xffffc", 4, 0, { 0xea, 0xff, 0x7f, 0x58 }, 4,
	  { FASTTERM_INSN_DATA, 4, false, IP + 0xffffc } },
	{ "movn x10,#0xdcbf; movk x10,#0xdef1,lsl #16; movk x10,#0x9abc,lsl #32; blr x10",
	  16, 12,
	  { 0xea, 0x97, 0x9b, 0x92, 0x2a, 0xde, 0xbb, 0xf2, 0x8a, 0x57, 0xd3,
	    0xf2, 0x40, 0x01, 0x3f, 0xd6 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, 0xffff9abcdef12340UL } },
	{ "movn x10,#0xffff; movk x10,#0x8000,lsl #16; movk x10,#0x8000,lsl #32; blr x10",
	  16, 12,
	  { 0xea, 0xff, 0x9f, 0x92, 0x0a, 0x00, 0xb0, 0xf2, 0x0a, 0x00, 0xd0,
	    0xf2, 0x40, 0x01, 0x3f, 0xd6 }, 4,
	  { FASTTERM_INSN_CALL, 4, false, 0xffff800080000000UL } },
	{ "movn x16,#0xdcbf; movk x16,#0xdef1,lsl #16; movk x16,#0x9abc,lsl #32; br x16",
	  16, 12,
	  { 0xf0, 0x97, 0x9b, 0x92, 0x30, 0xde, 0xbb, 0xf2, 0x90, 0x57, 0xd3,
	    0xf2, 0x00, 0x02, 0x1f, 0xd6 }, 4,
	  { FASTTERM_INSN_JUMP, 4, false, 0xffff9abcdef12340UL } },
	{ "movn x10,#0xdcbf; movk x10,#0xdef1,lsl #16; movk x10,#0x9abc,lsl #32; blr x9",
	  16, 12,
	  { 0xea, 0x97, 0x9b, 0x92, 0x2a, 0xde, 0xbb, 0xf2, 0x8a, 0x57, 0xd3,
	    0xf2, 0x20, 0x01, 0x3f, 0xd6 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "movn x10,#0xdcbf; movk x10,#0xdef1,lsl #16; blr x10", 12, 8,
	  { 0xea, 0x97, 0x9b, 0x92, 0x2a, 0xde, 0xbb, 0xf2, 0x40, 0x01, 0x3f, 0xd6 },
	  4, { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "blr x10", 4, 0, { 0x40, 0x01, 0x3f, 0xd6 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "mov x10,x9; nop; nop; blr x10", 16, 12,
	  { 0xea, 0x03, 0x09, 0xaa, 0x1f, 0x20, 0x03, 0xd5, 0x1f, 0x20, 0x03,
	    0xd5, 0x40, 0x01, 0x3f, 0xd6 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "br x10", 4, 0, { 0x40, 0x01, 0x1f, 0xd6 }, 4,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{ "adr x0,.+8", 4, 0, { 0x40, 0x00, 0x00, 0x10 }, -EINVAL },
	{ "adrp x0,.", 4, 0, { 0x00, 0x00, 0x00, 0x90 }, -EINVAL },
	{ "ldrsw x1,.+8", 4, 0, { 0x41, 0x00, 0x00, 0x98 }, -EINVAL },
	{ "prfm pldl1keep,.+8", 4, 0, { 0x40, 0x00, 0x00, 0xd8 }, -EINVAL },
	{ "ldr d0,.+8", 4, 0, { 0x40, 0x00, 0x00, 0x5c }, -EINVAL },
	{ "cbgt w0, w0, .", 4, 0, { 0x00, 0x00, 0x00, 0x74 }, -EINVAL },
	{ "retaasppc .", 4, 0, { 0x1f, 0x00, 0x00, 0x55 }, -EINVAL },
	{}
};

const struct ftk_vector ftk_encode_vectors[] = {
	{ "bl .+0x1000 -> bl .-0x2000", 4, 0, { 0x00, 0x04, 0x00, 0x94 }, 0,
	  { FASTTERM_INSN_CALL, 4, false, IP - 0x2000 },
	  { 0x00, 0xf8, 0xff, 0x97 } },
	{ "bl behind a nop", 8, 4,
	  { 0x1f, 0x20, 0x03, 0xd5, 0x00, 0x04, 0x00, 0x94 }, 0,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x24 },
	  { 0x1f, 0x20, 0x03, 0xd5, 0x08, 0x00, 0x00, 0x94 } },
	{ "bl, farthest forward", 4, 0, { 0x00, 0x00, 0x00, 0x94 }, 0,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x7fffffc },
	  { 0xff, 0xff, 0xff, 0x95 } },
	{ "bl, too far forward", 4, 0, { 0x00, 0x00, 0x00, 0x94 }, -ERANGE,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x8000000 } },
	{ "bl, farthest back", 4, 0, { 0x00, 0x00, 0x00, 0x94 }, 0,
	  { FASTTERM_INSN_CALL, 4, false, IP - 0x8000000 },
	  { 0x00, 0x00, 0x00, 0x96 } },
	{ "bl, too far back", 4, 0, { 0x00, 0x00, 0x00, 0x94 }, -ERANGE,
	  { FASTTERM_INSN_CALL, 4, false, IP - 0x8000004 } },
	{ "bl, too far for 32 bits", 4, 0, { 0x00, 0x00, 0x00, 0x94 },
	  -ERANGE, { FASTTERM_INSN_CALL, 4, false, IP + 0x100000000 } },
	{ "blr -> bl", 16, 12,
	  { 0xea, 0x97, 0x9b, 0x92, 0x2a, 0xde, 0xbb, 0xf2, 0x8a, 0x57, 0xd3,
	    0xf2, 0x40, 0x01, 0x3f, 0xd6 }, 0,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x10c },
	  { 0xea, 0x97, 0x9b, 0x92, 0x2a, 0xde, 0xbb, 0xf2, 0x8a, 0x57, 0xd3,
	    0xf2, 0x40, 0x00, 0x00, 0x94 } },
	{ "blr, too far", 4, 0, { 0x40, 0x01, 0x3f, 0xd6 }, -ERANGE,
	  { FASTTERM_INSN_CALL, 4, false, IP + 0x8000000 } },
	{ "b, farthest forward", 4, 0, { 0x01, 0x00, 0x00, 0x14 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x7fffffc },
	  { 0xff, 0xff, 0xff, 0x15 } },
	{ "b, too far forward", 4, 0, { 0x01, 0x00, 0x00, 0x14 }, -ERANGE,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x8000000 } },
	{ "b, farthest back", 4, 0, { 0x01, 0x00, 0x00, 0x14 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP - 0x8000000 },
	  { 0x00, 0x00, 0x00, 0x16 } },
	{ "b, too far back", 4, 0, { 0x01, 0x00, 0x00, 0x14 }, -ERANGE,
	  { FASTTERM_INSN_JUMP, 4, false, IP - 0x8000004 } },
	{ "b to itself", 4, 0, { 0x01, 0x00, 0x00, 0x14 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP }, { 0x00, 0x00, 0x00, 0x14 } },
	{ "nop -> b", 4, 0, { 0x1f, 0x20, 0x03, 0xd5 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x30 },
	  { 0x0c, 0x00, 0x00, 0x14 } },
	{ "b.cs -> b", 4, 0, { 0x02, 0x01, 0x00, 0x54 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x20 },
	  { 0x08, 0x00, 0x00, 0x14 } },
	{ "cbz -> b", 4, 0, { 0x0b, 0x01, 0x00, 0xb4 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP + 0x20 },
	  { 0x08, 0x00, 0x00, 0x14 } },
	{ "tbz -> b", 4, 0, { 0x01, 0x01, 0x08, 0xb6 }, 0,
	  { FASTTERM_INSN_JUMP, 4, false, IP - 0x20 },
	  { 0xf8, 0xff, 0xff, 0x17 } },
	{ "b.eq, farthest forward", 4, 0, { 0x00, 0x00, 0x00, 0x54 }, 0,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0xffffc },
	  { 0xe0, 0xff, 0x7f, 0x54 } },
	{ "b.eq, too far forward", 4, 0, { 0x00, 0x00, 0x00, 0x54 }, -ERANGE,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x100000 } },
	{ "b.eq, farthest back", 4, 0, { 0x00, 0x00, 0x00, 0x54 }, 0,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x100000 },
	  { 0x00, 0x00, 0x80, 0x54 } },
	{ "b.eq, too far back", 4, 0, { 0x00, 0x00, 0x00, 0x54 }, -ERANGE,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x100004 } },
	{ "cbnz, farthest forward", 4, 0, { 0x03, 0x00, 0x00, 0x35 }, 0,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0xffffc },
	  { 0xe3, 0xff, 0x7f, 0x35 } },
	{ "cbnz, too far back", 4, 0, { 0x03, 0x00, 0x00, 0x35 }, -ERANGE,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x100004 } },
	{ "tbz, farthest forward", 4, 0, { 0x01, 0x00, 0x08, 0xb6 }, 0,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x7ffc },
	  { 0xe1, 0xff, 0x0b, 0xb6 } },
	{ "tbz, too far forward", 4, 0, { 0x01, 0x00, 0x08, 0xb6 }, -ERANGE,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x8000 } },
	{ "tbnz, farthest back", 4, 0, { 0x01, 0x00, 0x18, 0x37 }, 0,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x8000 },
	  { 0x01, 0x00, 0x1c, 0x37 } },
	{ "tbnz, too far back", 4, 0, { 0x01, 0x00, 0x18, 0x37 }, -ERANGE,
	  { FASTTERM_INSN_BRANCH, 4, false, IP - 0x8004 } },
	{ "ldr, farthest forward", 4, 0, { 0x4a, 0x00, 0x00, 0x58 }, 0,
	  { FASTTERM_INSN_DATA, 4, false, IP + 0xffffc },
	  { 0xea, 0xff, 0x7f, 0x58 } },
	{ "ldr, too far forward", 4, 0, { 0x4a, 0x00, 0x00, 0x58 }, -ERANGE,
	  { FASTTERM_INSN_DATA, 4, false, IP + 0x100000 } },
	{ "ldr, farthest back", 4, 0, { 0x4a, 0x00, 0x00, 0x58 }, 0,
	  { FASTTERM_INSN_DATA, 4, false, IP - 0x100000 },
	  { 0x0a, 0x00, 0x80, 0x58 } },
	{ "ldr, too far back", 4, 0, { 0x4a, 0x00, 0x00, 0x58 }, -ERANGE,
	  { FASTTERM_INSN_DATA, 4, false, IP - 0x100004 } },
	{ "no instruction begins there", 4, 0, { 0x00, 0x00, 0x00, 0x94 },
	  -EINVAL, { FASTTERM_INSN_CALL, 4, false, IP + 0x2 } },
	{ "a bl is no branch", 4, 0, { 0x00, 0x00, 0x00, 0x94 }, -EINVAL,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x8 } },
	{ "a b is no branch", 4, 0, { 0x00, 0x00, 0x00, 0x14 }, -EINVAL,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x8 } },
	{ "a nop is no branch", 4, 0, { 0x1f, 0x20, 0x03, 0xd5 }, -EINVAL,
	  { FASTTERM_INSN_BRANCH, 4, false, IP + 0x8 } },
	{ "a nop has no literal", 4, 0, { 0x1f, 0x20, 0x03, 0xd5 }, -EINVAL,
	  { FASTTERM_INSN_DATA, 4, false, IP + 0x8 } },
	{ "nothing to encode", 4, 0, { 0x1f, 0x20, 0x03, 0xd5 }, -EINVAL,
	  { FASTTERM_INSN_PLAIN, 4, false, 0 } },
	{}
};

const struct ftk_vector ftk_thunk_vectors[] = {
	{ "near", 16, 0, { 0x00 }, 16, { .target = IP + 0x40 },
	  { 0xf0, 0xf7, 0x9d, 0x92, 0x10, 0x00, 0xb0, 0xf2, 0x10, 0x00, 0xd0,
	    0xf2, 0x00, 0x02, 0x1f, 0xd6 } },
	{ "far", 16, 0, { 0x00 }, 16, { .target = 0xffff9abcdef12340UL },
	  { 0xf0, 0x97, 0x9b, 0x92, 0x30, 0xde, 0xbb, 0xf2, 0x90, 0x57, 0xd3,
	    0xf2, 0x00, 0x02, 0x1f, 0xd6 } },
	{ "behind code", 20, 4, { 0x00 }, 16,
	  { .target = 0xffffffffffff0000UL },
	  { 0x00, 0x00, 0x00, 0x00, 0xf0, 0xff, 0x9f, 0x92, 0xf0, 0xff, 0xbf,
	    0xf2, 0xf0, 0xff, 0xdf, 0xf2, 0x00, 0x02, 0x1f, 0xd6 } },
	{ "lowest", 16, 0, { 0x00 }, 16, { .target = 0xffff000000000000UL },
	  { 0xf0, 0xff, 0x9f, 0x92, 0x10, 0x00, 0xa0, 0xf2, 0x10, 0x00, 0xc0,
	    0xf2, 0x00, 0x02, 0x1f, 0xd6 } },
	{ "no address of the kernel", 16, 0, { 0x00 }, -ERANGE,
	  { .target = 0xfffeffffffffffffUL } },
	{}
};

/* Instructions that depend on the kernel's configuration, with their sizes. */
#ifdef CONFIG_ARM64_BTI_KERNEL
#define B	4
#define BTI_JC	"\xdf\x24\x03\xd5"
#define BTI_J	"\x9f\x24\x03\xd5"
#else
#define B	0
#define BTI_JC
#define BTI_J
#endif
#ifdef CONFIG_ARM64_PTR_AUTH_KERNEL
#define P	4
#define PACIASP	"\x3f\x23\x03\xd5"
#define AUTIASP	"\xbf\x23\x03\xd5"
#define PAC	FASTTERM_RULE_SIGNED
#define IF_PAC(...) { __VA_ARGS__ },
#else
#define P	0
#define PACIASP
#define AUTIASP
#define PAC	0
#define IF_PAC(...)
#endif

#define ENTRY	BTI_JC "\xc9\x03\x00\x91\x1f\x20\x03\xd5"	/* mov x9, lr; nop */
#define PUSH	"\xfd\x7b\xbf\xa9"			/* stp fp, lr, [sp, #-16]! */
#define SET_FP	"\xfd\x03\x00\x91"			/* mov fp, sp */
/* stp xzr, x26, [sp, #-16]!; mov x26, sp */
#define COUNTER	"\xff\x6b\xbf\xa9\xfa\x03\x00\x91"
#define SAVE	"\xf3\x53\xbf\xa9\xf5\x67\xbf\xa9"	/* the same for x19, x20 and x21, x25 */
#define STACK	"\xf9\x03\x00\x91\xff\x43\x01\xd1"	/* mov x25, sp; sub sp, sp, #80 */
#define ZERO	"\x07\x00\x80\xd2"			/* mov x7, #0 */
#define UNSTACK	"\xff\x43\x01\x91"			/* add sp, sp, #80 */
#define RESTORE	"\xf5\x67\xc1\xa8\xf3\x53\xc1\xa8"
#define UNCOUNT	"\xff\x6b\xc1\xa8"			/* ldp xzr, x26, [sp], #16 */
#define POP	"\xfd\x7b\xc1\xa8"			/* ldp fp, lr, [sp], #16 */
#define RETURN	"\xe0\x00\x00\x91" AUTIASP "\xc0\x03\x5f\xd6"	/* mov x0, x7; autiasp; ret */
#define PLT	"\x4a\x00\x00\x58\x40\x01\x1f\xd6"	/* ldr x10, . + 8; br x10 */
#define BODY(at, size) \
	{ at, .cfa = 16, .sp = size, .ra = 8, .fp = 16, .flags = PAC | FASTTERM_RULE_FP }

const struct ftk_rules_vector ftk_rules_vectors[] = {
	{ "shortest", B + 2 * P + 52,
	  ENTRY PACIASP PUSH SET_FP COUNTER ZERO UNCOUNT POP RETURN PLT,
	  2, { { B + P + 28, B + P + 28 }, { B + P + 28, B + 2 * P + 52 } },
	  6 + P / 2, { { 0 }, { B + 4, .flags = FASTTERM_RULE_PATCHED }, { B + 8 },
		       IF_PAC(B + 12, .flags = PAC)
		       { B + P + 12, .cfa = 16, .ra = 8, .fp = 16, .flags = PAC },
		       BODY(B + P + 16, 32), { B + P + 36, .flags = PAC },
		       IF_PAC(B + 2 * P + 40) } },
	{ "saves registers, has a stack", 2 * B + 2 * P + 80,
	  ENTRY PACIASP PUSH SET_FP COUNTER BTI_J SAVE STACK ZERO UNSTACK RESTORE UNCOUNT POP
	  RETURN PLT,
	  2, { { 2 * B + P + 44, 2 * B + P + 44 }, { 2 * B + P + 44, 2 * B + 2 * P + 80 } },
	  6 + P / 2, { { 0 }, { B + 4, .flags = FASTTERM_RULE_PATCHED }, { B + 8 },
		       IF_PAC(B + 12, .flags = PAC)
		       { B + P + 12, .cfa = 16, .ra = 8, .fp = 16, .flags = PAC },
		       BODY(B + P + 16, 144), { 2 * B + P + 64, .flags = PAC },
		       IF_PAC(2 * B + 2 * P + 68) } },
	{ "exception callback", B + P + 48,
	  ENTRY "\x5d\x00\x00\x91\xbf\x83\x01\xd1\xf9\x03\x00\x91" ZERO UNCOUNT POP
	  RETURN PLT,
	  2, { { B + 24, B + 24 }, { B + 24, B + P + 48 } },
	  3 + P / 4, { { 0, .flags = FASTTERM_RULE_NONE }, BODY(B + 12, 112),
		       { B + 32, .flags = PAC }, IF_PAC(B + P + 36) } },
	{ "another order", B + 2 * P + 52,
	  ENTRY PACIASP SET_FP PUSH COUNTER ZERO UNCOUNT POP RETURN PLT,
	  2, { { B + P + 28, B + P + 28 }, { B + P + 28, B + 2 * P + 52 } }, -EINVAL },
	{ "no place to patch", B + 2 * P + 44,
	  BTI_JC PACIASP PUSH SET_FP COUNTER ZERO UNCOUNT POP RETURN PLT,
	  2, { { B + P + 20, B + P + 20 }, { B + P + 20, B + 2 * P + 44 } }, -EINVAL },
	{ "returns with its frame", B + 2 * P + 48,
	  ENTRY PACIASP PUSH SET_FP COUNTER ZERO UNCOUNT RETURN PLT,
	  2, { { B + P + 28, B + P + 28 }, { B + P + 28, B + 2 * P + 48 } }, -EINVAL },
	{ "does not return", B + P + 48,
	  ENTRY PACIASP PUSH SET_FP COUNTER ZERO UNCOUNT POP "\xe0\x00\x00\x91" AUTIASP PLT,
	  2, { { B + P + 28, B + P + 28 }, { B + P + 28, B + P + 48 } }, -EINVAL },
	{ "ends in its prologue", B + 8,
	  ENTRY, 1, { { B + 8, B + 8 } }, -EINVAL },
	{}
};
