/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Golden vectors: what an architecture's decoder and encoder are expected to do
 *
 * The suite fastterm_encode knows no architecture. Its expectations are in vectors-<arch>.c,
 * where <arch> is the architecture's folder in arch/; the Makefile chooses the file. A port
 * copies one of these files, keeps the names of the arrays, and takes the bytes from an
 * assembler or a manual, not from its own encoder.
 *
 * Instructions are at ftk_vector_ip; rules do not depend on an address. An empty entry ends each
 * array.
 */
#ifndef _BPF_FASTTERM_KUNIT_VECTORS_H
#define _BPF_FASTTERM_KUNIT_VECTORS_H

#include <linux/fastterm_arch.h>
#include <linux/types.h>

#define FTK_VECTOR_SIZE 24

/**
 * struct ftk_vector - an instruction, and the expected results
 * @name: the instruction in the assembler's syntax, or what is done to it
 * @size: number of bytes of @code
 * @off: offset of the instruction in @code
 * @code: the code; for a thunk, what is there before
 * @ret: what the function returns
 * @insn: for a decoder, its result; for an encoder, its input; for a thunk, the target only
 * @want: the code after encoding, if encoding succeeds
 *
 * For a decoder, @code ends with the instruction, so that it is incomplete without its last
 * byte.
 */
struct ftk_vector {
	const char *name;
	u8 size;
	u8 off;
	u8 code[FTK_VECTOR_SIZE];
	int ret;
	struct fastterm_insn insn;
	u8 want[FTK_VECTOR_SIZE];
};

#define FTK_RULES_SIZE	112
#define FTK_MAX_RANGES	3

/**
 * struct ftk_rules_vector - a function, and the rules that are expected for it
 * @name: what distinguishes the function
 * @size: number of bytes of @code
 * @code: the function
 * @nr_ranges: number of @ranges
 * @ranges: the code of the BPF instructions that leave the function; see fastterm_arch_rules()
 * @ret: what fastterm_arch_rules() returns
 * @rules: the rules
 */
struct ftk_rules_vector {
	const char *name;
	u8 size;
	u8 code[FTK_RULES_SIZE];
	u8 nr_ranges;
	struct fastterm_range ranges[FTK_MAX_RANGES];
	int ret;
	struct fastterm_rule rules[FASTTERM_MAX_RULES + FTK_MAX_RANGES * FASTTERM_RANGE_RULES];
};

extern const unsigned long ftk_vector_ip;
extern const struct ftk_vector ftk_decode_vectors[];
extern const struct ftk_vector ftk_encode_vectors[];
extern const struct ftk_vector ftk_thunk_vectors[];
extern const struct ftk_rules_vector ftk_rules_vectors[];

#endif /* _BPF_FASTTERM_KUNIT_VECTORS_H */
