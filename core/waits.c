// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel waits, on behalf of a program, for what another CPU does.
 *
 * A program that waits until another CPU releases a lock, or until a timer's callback has
 * returned there, is not the one that takes the time: the other CPU may run a program that has
 * to be terminated. Such waits are recognised by the kernel functions on the stack.
 */
#include <linux/array_size.h>
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/types.h>

#include "walk.h"

/*
 * A function that takes a lock takes long only if it has to wait for the lock: hardly any sample
 * finds one that does not wait. Functions that the kernel does not have, or that are inline, are
 * not found.
 */
static const char *const names[] __initconst = {
	"hrtimer_cancel", "_raw_spin_lock", "_raw_spin_lock_bh", "_raw_spin_lock_irq",
	"_raw_spin_lock_irqsave", "_raw_read_lock", "_raw_read_lock_irqsave", "_raw_write_lock",
	"_raw_write_lock_irqsave", "queued_spin_lock_slowpath", "native_queued_spin_lock_slowpath",
	"bpf_spin_lock",
};

/**
 * struct extent - the code of a function
 * @start: address of its first byte
 * @size: its size in bytes; 0 if there is no such function
 */
struct extent {
	unsigned long start;
	unsigned long size;
};

static struct extent extents[ARRAY_SIZE(names)] __ro_after_init;

/**
 * fastterm_waits() - does code wait for another CPU?
 * @ip: where it has been interrupted, or where it continues after a call
 *
 * Context: any.
 * Return: true if @ip is in one of the functions that wait.
 */
bool fastterm_waits(unsigned long ip)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(extents); i++)
		if (ip - extents[i].start < extents[i].size)
			return true;
	return false;
}

static int __init fastterm_waits_init(void)
{
	unsigned long off;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		extents[i].start = kallsyms_lookup_name(names[i]);
		if (!extents[i].start ||
		    !kallsyms_lookup_size_offset(extents[i].start, &extents[i].size, &off))
			extents[i].size = 0;
	}
	return 0;
}
core_initcall(fastterm_waits_init);
