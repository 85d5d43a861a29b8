// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program stays loaded while the suites run, as on any machine that has some.
 *
 * The code of programs is put into packs of a huge page. A pack is made when there
 * is no room in others, and goes with the last program that is in it: both take
 * the permissions of each of its pages, one by one. Suites that load one program
 * at a time would do little else.
 */

#include <linux/filter.h>
#include <linux/init.h>

/* Also for kmemleak, which wants to know who has it. */
static struct bpf_prog *stays;

static int __init stay_loaded(void)
{
	static struct sock_filter insns[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog_kern drop_all = { .len = ARRAY_SIZE(insns), .filter = insns };

	return bpf_prog_create(&stays, &drop_all);
}
late_initcall(stay_loaded);
