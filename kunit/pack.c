// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program stays loaded while the suites run, as there is on most machines.
 *
 * The code of programs is placed in packs, each of which is a huge page. The kernel allocates a
 * pack when the others have no room, and frees it together with the last program in it. Both
 * change the permissions of each page of the pack, one by one. Without this program, suites that
 * load one program at a time would spend most of their time there.
 */

#include <linux/filter.h>
#include <linux/init.h>

/* The pointer also keeps kmemleak from reporting the program. */
static struct bpf_prog *stays;

static int __init stay_loaded(void)
{
	static struct sock_filter insns[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog_kern drop_all = { .len = ARRAY_SIZE(insns), .filter = insns };

	return bpf_prog_create(&stays, &drop_all);
}
late_initcall(stay_loaded);
