// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the machine code of stub images.
 *
 * The memory comes from the allocator of BPF programs, which packs them, and is written by
 * bpf_arch_text_copy(). If the architecture lacks one of the two, an image has pages of its
 * own, which are written first and then protected.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cache.h>
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

static bool packs __ro_after_init;

/**
 * fastterm_packs() - are programs packed, and written by bpf_arch_text_copy()?
 *
 * Context: process context.
 * Return: true if they are on this architecture.
 */
bool fastterm_packs(void)
{
	KUNIT_STATIC_STUB_REDIRECT(fastterm_packs);
	return packs;
}

static void *alloc_pages_for(u32 size)
{
	void *code = bpf_jit_alloc_exec(PAGE_ALIGN(size));

	if (!code)
		return NULL;
	set_vm_flush_reset_perms(code);
	/* Old content of the pages must not become executable. */
	return memset(code, 0, PAGE_ALIGN(size));
}

/* How much memory an image uses. */
static u32 taken_by(const struct fastterm_image *image)
{
	return image->packed ? image->size : PAGE_ALIGN(image->size);
}

/**
 * fastterm_code_alloc() - allocate memory for machine code
 * @image: the stub image, which receives it
 * @size: how many bytes
 *
 * The memory counts against bpf_jit_limit, as that of programs does. Bytes that are not
 * written trap if programs are packed, and are zero otherwise.
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOMEM.
 */
int fastterm_code_alloc(struct fastterm_image *image, u32 size)
{
	image->packed = fastterm_packs();
	image->size = size;
	if (bpf_jit_charge_modmem(taken_by(image)))
		return -ENOMEM;
	image->code = image->packed ? arch_alloc_bpf_trampoline(size) : alloc_pages_for(size);
	if (!image->code) {
		bpf_jit_uncharge_modmem(taken_by(image));
		return -ENOMEM;
	}
	atomic_long_add(taken_by(image), &fastterm_text);
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
 * fastterm_code_protect() - make machine code executable and read-only
 * @image: the stub image, whose code has been written
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
 * Context: process context, may sleep; when the image can no longer run.
 */
void fastterm_code_free(const struct fastterm_image *image)
{
	if (!image->code)
		return;
	if (image->packed)
		arch_free_bpf_trampoline(image->code, image->size);
	else
		bpf_jit_free_exec(image->code);
	bpf_jit_uncharge_modmem(taken_by(image));
	atomic_long_sub(taken_by(image), &fastterm_text);
}

/*
 * Trampolines are packed where programs are packed. The default allocator returns whole
 * pages, and the default bpf_arch_text_copy() returns an error for any arguments.
 */
static int __init fastterm_memory_init(void)
{
	long nothing = 0;
	void *first = arch_alloc_bpf_trampoline(sizeof(nothing));
	void *second = arch_alloc_bpf_trampoline(sizeof(nothing));

	packs = first && second && (!PAGE_ALIGNED(first) || !PAGE_ALIGNED(second)) &&
		!IS_ERR(bpf_arch_text_copy(first, &nothing, sizeof(nothing)));
	if (first)
		arch_free_bpf_trampoline(first, sizeof(nothing));
	if (second)
		arch_free_bpf_trampoline(second, sizeof(nothing));
	return 0;
}
late_initcall(fastterm_memory_init);
