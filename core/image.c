// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub images: copies of a program's machine code with the same layout, in which everything
 * that can be skipped is skipped.
 *
 * This file lays out an image, allocates, publishes and frees it; copy.c fills it with
 * code. An image is copied from what the JIT has written, before anything is attached to
 * the program and patches its code. Behind the copied code there is a thunk for each target
 * that is out of reach. What follows the code of the original, literals and the exception
 * table, has the same distance from the code in the copy, so that references to it stay
 * valid.
 *
 *	| code | literals | exception table | thunks |
 */
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/cfi.h>
#include <linux/fastterm_arch.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/slab.h>

#include "builder.h"
#include "encode.h"
#include "image.h"
#include "program.h"

/* The size and alignment of a literal that an image may have behind its code. */
#define LITERAL 8

/**
 * fastterm_poke_at() - find the patch slot of a direct tail call
 * @b: the builder
 * @off: offset of an instruction of the original
 * @bypass: receives whether it is the slot that bypasses the tail call
 *
 * Such slots are patched while the program runs. The copy always takes the bypass. A
 * program that was redirected behind the bypass has already removed its frame, and must
 * make the tail call: in the copy, the slot of the target jumps back to that of the
 * original, which is kept up to date.
 *
 * Context: process context.
 * Return: the descriptor of the slot; NULL if there is none.
 */
const struct bpf_jit_poke_descriptor *fastterm_poke_at(const struct fastterm_builder *b, u32 off,
						       bool *bypass)
{
	const struct bpf_prog_aux *aux = b->func->aux;
	u32 i;

	for (i = 0; i < aux->size_poke_tab; i++) {
		const struct bpf_jit_poke_descriptor *poke = &aux->poke_tab[i];

		/* In a program of one function, poke->aux is not set. */
		if (poke->reason != BPF_POKE_REASON_TAIL_CALL ||
		    (poke->aux && poke->aux != aux) || !poke->tailcall_target)
			continue;
		*bypass = poke->tailcall_bypass == b->from + off;
		if (*bypass || poke->tailcall_target == b->from + off)
			return poke;
	}
	return NULL;
}

/**
 * fastterm_poke_len() - get the size of a patch slot
 * @poke: its descriptor
 *
 * Context: any.
 * Return: the size in bytes.
 */
u8 fastterm_poke_len(const struct bpf_jit_poke_descriptor *poke)
{
	return (u8 *)poke->bypass_addr - (u8 *)poke->tailcall_target;
}

/*
 * Scan the code before memory for a copy is allocated. This finds out whether a literal
 * belongs to it, how many thunks it needs at most (one for each call or jump to the
 * outside), and how many boundaries are not safepoints. The offsets of instructions that
 * refer to an address are recorded: all others are copied as they are. The bytes before the
 * entry, a CFI hash or the check of one, may be data, so they are not decoded. They do not
 * refer to anything outside of them.
 */
static int scan(struct fastterm_builder *b)
{
	const struct fastterm_layout *layout = fastterm_aux(b->func)->layout;
	const u32 literal = round_up(b->code_size, LITERAL);
	const struct bpf_jit_poke_descriptor *poke;
	struct fastterm_insn insn;
	bool bypass;
	u32 off, i = 0;
	int len;

	b->refs = kvcalloc(BITS_TO_LONGS(b->code_size), sizeof(*b->refs), GFP_KERNEL);
	if (!b->refs)
		return -ENOMEM;
	for (off = cfi_get_offset(); off < b->code_size; off += len) {
		while (layout && i < b->func->len - 1 && off >= layout->ends[i])
			i++;
		if (layout)
			layout->natives[i]++;
		poke = fastterm_poke_at(b, off, &bypass);
		if (poke) {
			len = fastterm_poke_len(poke);
			__set_bit(off, b->refs);
			continue;
		}
		len = fastterm_arch_decode(b->from, off, b->code_size, fastterm_from_ip(b), &insn);
		if (len < 0)
			return len;
		if (insn.kind == FASTTERM_INSN_PLAIN)
			continue;
		__set_bit(off, b->refs);
		if (insn.kind == FASTTERM_INSN_DATA && insn.target == fastterm_from_ip(b) + literal)
			b->copy_size = max(b->copy_size, literal + LITERAL);
		if ((insn.kind == FASTTERM_INSN_CALL || insn.kind == FASTTERM_INSN_JUMP) &&
		    !fastterm_inside(b, insn.target))
			b->max_thunks++;
		b->max_unsafe += insn.split;
	}
	return 0;
}

static void free_image(struct fastterm_image *image)
{
	if (!image)
		return;
	if (image->shadow)
		kfree(image->shadow->aux);
	kfree(image->shadow);
	fastterm_code_free(image);
	kfree(image);
}

static int begin(struct fastterm_builder *b, struct bpf_prog *func,
		 const struct fastterm_prog *fprog)
{
	const struct bpf_prog_aux *aux = func->aux;
	int err, thunk;
	u32 size;

	b->func = func;
	b->from = (u8 *)func->bpf_func - cfi_get_offset();
	b->code_size = fastterm_arch_code_size(func) + cfi_get_offset();
	b->copy_size = b->code_size;
	if (aux->num_exentries)
		b->copy_size = (u8 *)(aux->extable + aux->num_exentries) - b->from;

	err = scan(b);
	if (err)
		return err;
	b->thunks = round_up(b->copy_size, LITERAL);
	thunk = fastterm_arch_thunk(NULL, 0, 0, 0);
	if (thunk < 0)
		return thunk;

	size = b->thunks + b->max_thunks * thunk;
	b->rw_size = size;
	b->rw = kvzalloc(size, GFP_KERNEL);
	b->targets = kvcalloc(b->max_thunks, sizeof(*b->targets), GFP_KERNEL);
	b->image = kzalloc(struct_size(b->image, unsafe, b->max_unsafe),
			   GFP_KERNEL_ACCOUNT);
	if (!b->rw || !b->targets || !b->image)
		return -ENOMEM;
	b->image->fprog = fprog;
	memcpy(b->rw, b->from, b->copy_size);
	return fastterm_code_alloc(b->image, size);
}

/**
 * fastterm_thunk_to() - get a thunk that leads to a target
 * @b: the builder; receives the thunk if there is none yet
 * @target: the target
 *
 * Context: process context.
 * Return: its offset in the image; -ERANGE if it does not reach the target, or if there is
 * no room for it; or another error of fastterm_arch_thunk().
 */
long fastterm_thunk_to(struct fastterm_builder *b, unsigned long target)
{
	int len = fastterm_arch_thunk(NULL, 0, 0, 0);
	u32 i, off;
	int err;

	for (i = 0; i < b->nr_thunks && b->targets[i] != target; i++)
		;
	off = b->thunks + i * len;
	if (i == b->nr_thunks) {
		if (i == b->max_thunks)
			return -ERANGE;
		err = fastterm_thunk(b->rw, off, b->rw_size, fastterm_to_ip(b), target);
		if (err < 0)
			return err;
		b->targets[b->nr_thunks++] = target;
	}
	return off;
}

/**
 * fastterm_counterpart() - get the target of a call in the copy
 * @prog: the program
 * @fprog: its data, with its stub images
 * @target: the target of the call in the original
 *
 * Functions of the program that call each other do so in their stub images as well.
 *
 * Context: process context.
 * Return: the entry of the stub image, if @target is a function of the program; otherwise
 * @target.
 */
unsigned long fastterm_counterpart(struct bpf_prog *prog, const struct fastterm_prog *fprog,
				   unsigned long target)
{
	u32 i;

	for (i = 0; i < fprog->nr_funcs; i++)
		if (target == (unsigned long)fastterm_func(prog, i)->bpf_func)
			return (unsigned long)fprog->images[i]->code +
			       cfi_get_offset();
	return target;
}

/*
 * Make the shadow program of an image. For an address in the main function, the kernel
 * finds the program itself, with its exception callback. So the shadow of the main function
 * has a copy of the program's aux.
 */
static int make_shadow(struct fastterm_image *image, const struct bpf_prog *prog,
		       const struct bpf_prog *func)
{
	const struct bpf_prog_aux *of = func->aux->func_idx ? func->aux : prog->aux;
	const u8 *from = (u8 *)func->bpf_func - cfi_get_offset();
	struct bpf_prog_aux *aux;
	struct bpf_prog *shadow;

	shadow = kmemdup(func, offsetof(struct bpf_prog, insnsi), GFP_KERNEL_ACCOUNT);
	aux = kmemdup(of, sizeof(*aux), GFP_KERNEL_ACCOUNT);
	if (!shadow || !aux) {
		kfree(shadow);
		kfree(aux);
		return -ENOMEM;
	}
	shadow->aux = aux;
	shadow->bpf_func = (void *)(image->code + cfi_get_offset());
	aux->prog = shadow;
	if (aux->num_exentries)
		aux->extable = (void *)(image->code + ((u8 *)aux->extable - from));
	memset(&aux->ksym, 0, sizeof(aux->ksym));
	INIT_LIST_HEAD_RCU(&aux->ksym.lnode);
	aux->ksym.start = (unsigned long)shadow->bpf_func;
	/* The kernel takes the end of a symbol as part of it, so exclude the last byte. */
	aux->ksym.end = (unsigned long)image->code + image->size - 1;
	aux->ksym.prog = true;
	snprintf(aux->ksym.name, sizeof(aux->ksym.name), "bpf_stub_%*phN_%s_%u",
		 (int)sizeof(prog->tag), prog->tag, prog->aux->name, aux->func_idx);
	image->shadow = shadow;
	return 0;
}

/*
 * Write an image to its memory. The padding between the copy and the thunks keeps its trap
 * instructions.
 */
static int write_image(const struct fastterm_builder *b)
{
	const u32 thunks = b->nr_thunks * fastterm_arch_thunk(NULL, 0, 0, 0);

	return fastterm_code_write(b->image, 0, b->rw, b->copy_size) ?:
	       fastterm_code_write(b->image, b->thunks, b->rw + b->thunks, thunks) ?:
	       fastterm_code_protect(b->image);
}

/**
 * fastterm_images_build() - make the stub images of all functions of a program
 * @prog: the program
 * @fprog: its data, with its sites; receives the images
 *
 * Either all functions get an image or none does, since the images call each other.
 *
 * Context: process context, may sleep; after the JIT, before anything can be attached to
 * the program.
 * Return: 0; -ENOENT if an instruction that is to be skipped is not in the code; -EINVAL if
 * the code has an instruction that cannot be copied; -ERANGE if the code is so large that a
 * thunk is out of reach; -ENOMEM.
 */
int fastterm_images_build(struct bpf_prog *prog, struct fastterm_prog *fprog)
{
	struct fastterm_site *site = fprog->sites;
	struct fastterm_builder *builders;
	int err = 0;
	u32 i;

	builders = kvcalloc(fprog->nr_funcs, sizeof(*builders), GFP_KERNEL);
	fprog->images = kcalloc(fprog->nr_funcs, sizeof(*fprog->images),
				GFP_KERNEL_ACCOUNT);
	/* The shadow of the main function has a copy of the pointer to it. */
	if (!builders || !fprog->images || !fastterm_own(prog->aux)) {
		kvfree(builders);
		fastterm_images_free(fprog);
		return -ENOMEM;
	}
	for (i = 0; i < fprog->nr_funcs && !err; i++) {
		err = begin(&builders[i], fastterm_func(prog, i), fprog);
		fprog->images[i] = builders[i].image;
	}
	for (i = 0; i < fprog->nr_funcs && !err; i++) {
		while (site < fprog->sites + fprog->nr_sites && site->func < i)
			site++;
		err = fastterm_copy(&builders[i], prog, fprog, i, site);
	}
	for (i = 0; i < fprog->nr_funcs && !err; i++)
		err = write_image(&builders[i]) ?:
		      make_shadow(fprog->images[i], prog, builders[i].func);
	for (i = 0; i < fprog->nr_funcs; i++) {
		kvfree(builders[i].targets);
		kvfree(builders[i].rw);
		kvfree(builders[i].refs);
	}
	kvfree(builders);
	if (err) {
		fastterm_images_free(fprog);
		return err;
	}
	/* The main function has two structures: its own, and that of the program. */
	prog->aux->fastterm.own->image = fprog->images[0];
	for (i = 0; i < fprog->nr_funcs; i++) {
		struct fastterm_image *image = fprog->images[i];

		fastterm_func(prog, i)->aux->fastterm.own->image = image;
		image->main = !i;
		image->func = i ? fastterm_func(prog, i) : prog;
		image->entry = (unsigned long)image->func->bpf_func;
		image->func_size = fastterm_arch_code_size(image->func);
		image->rules = fastterm_aux(image->func)->rules;
	}
	return 0;
}

static void tell_perf(const struct bpf_ksym *ksym, bool gone)
{
	perf_event_ksymbol(PERF_RECORD_KSYMBOL_TYPE_BPF, ksym->start,
			   ksym->end - ksym->start, gone, ksym->name);
}

/**
 * fastterm_images_publish() - make the symbols and exception tables of stub images visible
 * @fprog: the data of a program; without images nothing happens
 *
 * Context: process context.
 */
void fastterm_images_publish(struct fastterm_prog *fprog)
{
	u32 i;

	for (i = 0; fprog->images && i < fprog->nr_funcs; i++) {
		struct bpf_prog_aux *aux = fprog->images[i]->shadow->aux;

		aux->id = fprog->id;
		bpf_ksym_add(&aux->ksym);
		tell_perf(&aux->ksym, false);
	}
}

/**
 * fastterm_images_hide() - undo fastterm_images_publish()
 * @fprog: the data of a program; if it was not published, nothing happens
 *
 * The images themselves stay until a grace period has passed.
 *
 * Context: process or softirq context.
 */
void fastterm_images_hide(struct fastterm_prog *fprog)
{
	u32 i;

	for (i = 0; fprog->images && i < fprog->nr_funcs; i++) {
		struct bpf_ksym *ksym = &fprog->images[i]->shadow->aux->ksym;

		if (list_empty(&ksym->lnode))
			continue;
		tell_perf(ksym, true);
		bpf_ksym_del(ksym);
	}
}

/**
 * fastterm_images_free() - free a program's stub images
 * @fprog: the data of a program
 *
 * Context: process context, may sleep; when no image can be running any more.
 */
void fastterm_images_free(struct fastterm_prog *fprog)
{
	u32 i;

	for (i = 0; fprog->images && i < fprog->nr_funcs; i++)
		free_image(fprog->images[i]);
	kfree(fprog->images);
	fprog->images = NULL;
}
