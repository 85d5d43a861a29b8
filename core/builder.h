/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stub image under construction: image.c lays it out, and copy.c fills it with code.
 */
#ifndef _BPF_FASTTERM_BUILDER_H
#define _BPF_FASTTERM_BUILDER_H

#include <linux/types.h>

#include "image.h"

struct bpf_jit_poke_descriptor;
struct bpf_prog;
struct fastterm_prog;
struct fastterm_site;

/**
 * struct fastterm_builder - a stub image under construction
 * @func: the function
 * @from: first byte of the function's image
 * @code_size: size of the code there
 * @copy_size: size of the code and of everything behind it that is copied
 * @thunks: offset of the first thunk
 * @refs: bitmap of the offsets of instructions that refer to an address
 * @image: the stub image
 * @rw: the contents of the stub image, from its first byte
 * @rw_size: size of @rw
 * @targets: the targets of the thunks
 * @nr_thunks: number of thunks
 * @max_thunks: for how many thunks there is room
 * @max_unsafe: for how many entries fastterm_image.unsafe has room
 */
struct fastterm_builder {
	struct bpf_prog *func;
	const u8 *from;
	u32 code_size;
	u32 copy_size;
	u32 thunks;
	unsigned long *refs;
	struct fastterm_image *image;
	u8 *rw;
	u32 rw_size;
	unsigned long *targets;
	u32 nr_thunks;
	u32 max_thunks;
	u32 max_unsafe;
};

/**
 * fastterm_from_ip() - get the address of the original
 * @b: the builder
 *
 * Context: any.
 * Return: the address of its first byte.
 */
static inline unsigned long fastterm_from_ip(const struct fastterm_builder *b)
{
	return (unsigned long)b->from;
}

/**
 * fastterm_to_ip() - get the final address of the stub image
 * @b: the builder
 *
 * Context: any.
 * Return: the address of its first byte.
 */
static inline unsigned long fastterm_to_ip(const struct fastterm_builder *b)
{
	return (unsigned long)b->image->code;
}

/**
 * fastterm_inside() - is an address part of what is copied?
 * @b: the builder
 * @target: the address that an instruction of the original refers to
 *
 * Context: any.
 * Return: true if it is: then the reference is the same in the copy.
 */
static inline bool fastterm_inside(const struct fastterm_builder *b, unsigned long target)
{
	return target >= fastterm_from_ip(b) && target < fastterm_from_ip(b) + b->copy_size;
}

const struct bpf_jit_poke_descriptor *fastterm_poke_at(const struct fastterm_builder *b, u32 off,
						       bool *bypass);
u8 fastterm_poke_len(const struct bpf_jit_poke_descriptor *poke);
long fastterm_thunk_to(struct fastterm_builder *b, unsigned long target);
unsigned long fastterm_counterpart(struct bpf_prog *prog, const struct fastterm_prog *fprog,
				   unsigned long target);
int fastterm_copy(struct fastterm_builder *b, struct bpf_prog *prog, struct fastterm_prog *fprog,
		  u32 func, struct fastterm_site *site);

#endif /* _BPF_FASTTERM_BUILDER_H */
