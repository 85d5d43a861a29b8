// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which programs get stub images: the sysctl kernel.bpf_fastterm, "off", "needed", "all"
 * or "required". A new value applies to programs that are loaded from then on.
 */
#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/string.h>
#include <linux/sysctl.h>

#include "mode.h"

int fastterm_mode __read_mostly = FASTTERM_MODE_NEEDED;

static const char *const names[] = {
	[FASTTERM_MODE_OFF] = "off",
	[FASTTERM_MODE_NEEDED] = "needed",
	[FASTTERM_MODE_ALL] = "all",
	[FASTTERM_MODE_REQUIRED] = "required",
};

static_assert(ARRAY_SIZE(names) == FASTTERM_MODES);

/**
 * fastterm_choose() - handle a sysctl whose value is one of several words
 * @words: the words
 * @nr: their number
 * @chosen: the number of the present one
 * @write: as of a proc_handler; a word that is not known is -EINVAL, and changes nothing
 * @buffer: as of a proc_handler
 * @lenp: as of a proc_handler
 * @ppos: as of a proc_handler
 *
 * Context: process context.
 * Return: 0 or an error.
 */
int fastterm_choose(const char *const words[], size_t nr, int *chosen, int write, void *buffer,
		    size_t *lenp, loff_t *ppos)
{
	char word[16] = "";
	struct ctl_table text = { .data = word, .maxlen = sizeof(word) };
	int err, i;

	if (!write)
		strscpy(word, words[READ_ONCE(*chosen)]);
	err = proc_dostring(&text, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	i = match_string(words, nr, word);
	if (i < 0)
		return -EINVAL;
	WRITE_ONCE(*chosen, i);
	return 0;
}

static int mode_handler(const struct ctl_table *table, int write, void *buffer,
			size_t *lenp, loff_t *ppos)
{
	return fastterm_choose(names, FASTTERM_MODES, &fastterm_mode, write, buffer, lenp, ppos);
}

static struct ctl_table mode_table[] = {
	{
		.procname = "bpf_fastterm",
		.mode = 0644,
		.proc_handler = mode_handler,
	},
};

static int __init fastterm_mode_init(void)
{
	register_sysctl("kernel", mode_table);
	return 0;
}
late_initcall(fastterm_mode_init);
