/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine code of a program's functions: the offsets of its instructions, the frame
 * rules, and the stub image.
 */
#ifndef _BPF_FASTTERM_IMAGE_H
#define _BPF_FASTTERM_IMAGE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/fastterm_arch.h>
#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;

/**
 * struct fastterm_place - where a jump or a call is in the machine code
 * @start: offset of its first byte in the image
 * @end: offset behind its last byte
 * @target: for a call, the address that is called; for a jump, the offset that it goes to;
 *	    0 if unknown
 * @code: its opcode
 */
struct fastterm_place {
	u32 start;
	u32 end;
	u8 code;
	unsigned long target;
};

/**
 * struct fastterm_layout - where a function's instructions are in the machine code
 * @ends: for each instruction, the offset in the image behind its native code
 * @natives: for each instruction, the number of its native instructions, once an image was
 *	     made
 * @nr: number of @places
 * @places: the jumps and calls, in the order of the instructions
 */
struct fastterm_layout {
	u32 *ends;
	u32 *natives;
	u32 nr;
	struct fastterm_place places[] __counted_by(nr);
};

void fastterm_layout_free(struct fastterm_layout *layout);

/* Set by the core in rules that have FASTTERM_RULE_FP and by which both addresses are saved. */
#define FASTTERM_RULE_FRAME	BIT(7)

/**
 * struct fastterm_rules - the frame rules of a function
 * @nr: number of @row
 * @body: the rule that covers most of the function
 * @body_off: the first offset for which @body holds
 * @body_size: for how many bytes @body holds
 * @row: the rules, in ascending order of their offsets
 */
struct fastterm_rules {
	u32 nr;
	const struct fastterm_rule *body;
	u32 body_off;
	u32 body_size;
	struct fastterm_rule row[] __counted_by(nr);
};

/* How many bytes of memory all frame rules use. */
extern atomic_long_t fastterm_rule_bytes;

/*
 * The rules of a function that the backend does not recognise. Without memory there are no
 * rules: NULL.
 */
extern const struct fastterm_rules fastterm_no_rules;

void fastterm_rules_make(struct bpf_prog *prog, const u32 *ends);
void fastterm_rules_free(const struct fastterm_rules *rules);

/**
 * struct fastterm_image - the stub image of a function
 * @fprog: the program's data
 * @main: the function is the program's main function
 * @func: the function, as it is found by an address
 * @entry: the function's entry
 * @func_size: the size of the function from its entry
 * @rules: its frame rules
 * @code: first byte of the stub image, which corresponds to the first byte of the
 *	  function's image
 * @size: its size, with everything behind the code
 * @packed: it is in memory from the allocator of programs; otherwise it has pages of its
 *	    own
 * @shadow: a program for which the rest of the kernel takes the stub image, so that
 *	    symbols, unwinding and exception tables work in it
 * @nr_unsafe: number of @unsafe
 * @unsafe: boundaries that are not safepoints: the instructions before and behind each of
 *	    them form one address, and P and S differ in it
 */
struct fastterm_image {
	const struct fastterm_prog *fprog;
	bool main;
	const struct bpf_prog *func;
	unsigned long entry;
	u32 func_size;
	const struct fastterm_rules *rules;
	u8 *code;
	u32 size;
	bool packed;
	struct bpf_prog *shadow;
	u32 nr_unsafe;
	u32 unsafe[] __counted_by(nr_unsafe);
};

bool fastterm_packs(void);
int fastterm_code_alloc(struct fastterm_image *image, u32 size);
int fastterm_code_write(const struct fastterm_image *image, u32 off, const u8 *from, u32 len);
int fastterm_code_protect(const struct fastterm_image *image);
void fastterm_code_free(const struct fastterm_image *image);

/* How many bytes of text all stub images use. */
extern atomic_long_t fastterm_text;

bool fastterm_is_safepoint(const struct fastterm_image *image, u32 off);
int fastterm_images_build(struct bpf_prog *prog, struct fastterm_prog *fprog);
void fastterm_images_publish(struct fastterm_prog *fprog);
void fastterm_images_hide(struct fastterm_prog *fprog);
void fastterm_images_free(struct fastterm_prog *fprog);

#endif /* _BPF_FASTTERM_IMAGE_H */
