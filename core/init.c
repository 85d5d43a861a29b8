// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether this machine can terminate BPF programs: determined once, at boot.
 */
#define pr_fmt(fmt) "fastterm: " fmt

#include <linux/cache.h>
#include <linux/err.h>
#include <linux/fastterm.h>
#include <linux/fastterm_arch.h>
#include <linux/init.h>
#include <linux/kernel.h>

static bool supported __ro_after_init;

/**
 * fastterm_supported() - can programs be terminated on this machine?
 *
 * Context: any, after the initcalls of the subsys level.
 * Return: true if the architecture's backend has been initialised.
 */
bool fastterm_supported(void)
{
	return supported;
}

static int __init fastterm_init(void)
{
	int err = fastterm_arch_init();

	supported = !err;
	if (err)
		pr_info("not available on this machine (%pe)\n", ERR_PTR(err));
	return 0;
}
subsys_initcall(fastterm_init);
