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

static int mode_handler(const struct ctl_table *table, int write, void *buffer,
			size_t *lenp, loff_t *ppos)
{
	char name[16] = "";
	struct ctl_table text = { .data = name, .maxlen = sizeof(name) };
	int err, mode;

	if (!write)
		strscpy(name, names[READ_ONCE(fastterm_mode)]);
	err = proc_dostring(&text, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	mode = match_string(names, ARRAY_SIZE(names), name);
	if (mode < 0)
		return -EINVAL;
	WRITE_ONCE(fastterm_mode, mode);
	return 0;
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
