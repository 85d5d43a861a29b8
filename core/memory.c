// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the machine code of stub images.
 *
 * It comes from the allocator of BPF programs and trampolines, which packs them and writes
 * them by bpf_arch_text_copy(). Where the architecture has neither, an image has pages of its
 * own, which are written first and protected then.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cacheflush.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <kunit/static_stub.h>

#include "image.h"

atomic_long_t fastterm_text = ATOMIC_LONG_INIT(0);

static bool copies_text __ro_after_init;

/**
 * fastterm_copies_text() - does the architecture have bpf_arch_text_copy()?
 *
 * Context: process context.
 * Return: true if it does.
 */
bool fastterm_copies_text(void)
{
	KUNIT_STATIC_STUB_REDIRECT(fastterm_copies_text);
	return copies_text;
}

static void *alloc_pages_for(u32 size)
{
	void *code = bpf_jit_alloc_exec(PAGE_ALIGN(size));

	if (code)
		set_vm_flush_reset_perms(code);
	return code;
}

/**
 * fastterm_code_alloc() - allocate memory for machine code
 * @image: the stub image, which receives it
 * @size: how many bytes
 *
 * It is counted as that of programs is. What is not written traps, where the architecture has
 * bpf_arch_text_copy().
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOMEM.
 */
int fastterm_code_alloc(struct fastterm_image *image, u32 size)
{
	if (bpf_jit_charge_modmem(size))
		return -ENOMEM;
	image->packed = fastterm_copies_text();
	image->code = image->packed ? arch_alloc_bpf_trampoline(size) : alloc_pages_for(size);
	if (!image->code) {
		bpf_jit_uncharge_modmem(size);
		return -ENOMEM;
	}
	image->size = size;
	atomic_long_add(size, &fastterm_text);
	return 0;
}

/**
 * fastterm_code_write() - write machine code
 * @image: the stub image, which is not protected yet
 * @off: where in its memory
 * @from: the code
 * @len: its length
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL if it cannot be written.
 */
int fastterm_code_write(const struct fastterm_image *image, u32 off, const u8 *from, u32 len)
{
	if (!image->packed)
		memcpy(image->code + off, from, len);
	else if (len && IS_ERR(bpf_arch_text_copy(image->code + off, (void *)from, len)))
		return -EINVAL;
	return 0;
}

/**
 * fastterm_code_protect() - all code has been written
 * @image: the stub image; it can be executed from now on, and not be written
 *
 * Context: process context, may sleep.
 * Return: 0, or an error.
 */
int fastterm_code_protect(const struct fastterm_image *image)
{
	flush_icache_range((unsigned long)image->code, (unsigned long)image->code + image->size);
	if (image->packed)
		return 0;
	return set_memory_rox((unsigned long)image->code,
			      PAGE_ALIGN(image->size) >> PAGE_SHIFT);
}

/**
 * fastterm_code_free() - free memory of fastterm_code_alloc()
 * @image: the stub image; nothing happens if it has none
 *
 * Context: process context, may sleep; when nothing can run in it any more.
 */
void fastterm_code_free(const struct fastterm_image *image)
{
	if (!image->code)
		return;
	if (image->packed)
		arch_free_bpf_trampoline(image->code, image->size);
	else
		bpf_jit_free_exec(image->code);
	bpf_jit_uncharge_modmem(image->size);
	atomic_long_sub(image->size, &fastterm_text);
}

/* The default of bpf_arch_text_copy() says that there is none, whatever it is given. */
static int __init fastterm_memory_init(void)
{
	long nothing = 0;
	void *code = arch_alloc_bpf_trampoline(sizeof(nothing));

	if (!code)
		return 0;
	copies_text = bpf_arch_text_copy(code, &nothing, sizeof(nothing)) != ERR_PTR(-ENOTSUPP);
	arch_free_bpf_trampoline(code, sizeof(nothing));
	return 0;
}
late_initcall(fastterm_memory_init);
