// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel functions for test programs, which the core does not know; see kfuncs.h
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/string.h>

#include "kfuncs.h"

static struct ftk_thing ftk_the_thing;
atomic_t ftk_things = ATOMIC_INIT(0);

atomic_t ftk_nr_permitted = ATOMIC_INIT(0);

void (*ftk_on_put)(void);

__bpf_kfunc_start_defs();

__bpf_kfunc struct ftk_thing *ftk_thing_get(void)
{
	atomic_inc(&ftk_things);
	return &ftk_the_thing;
}

__bpf_kfunc void ftk_thing_put(struct ftk_thing *thing)
{
	typeof(ftk_on_put) on_put = READ_ONCE(ftk_on_put);

	if (on_put)
		on_put();
	atomic_dec(&ftk_things);
}

__bpf_kfunc struct ftk_thing *ftk_thing_find(int value)
{
	return ftk_the_thing.value == value ? &ftk_the_thing : NULL;
}

__bpf_kfunc struct ftk_thing *ftk_thing_first(void)
{
	return &ftk_the_thing;
}

__bpf_kfunc void ftk_thing_note(int value)
{
	ftk_the_thing.value = value;
}

__bpf_kfunc int ftk_thing_count(void)
{
	return 1;
}

__bpf_kfunc int ftk_thing_read(void *dst, u32 dst__sz)
{
	memset(dst, 1, dst__sz);
	return 0;
}

__bpf_kfunc int ftk_guarded(void)
{
	atomic_inc(&ftk_nr_permitted);
	return 0;
}

__bpf_kfunc int bpf_iter_ftk_thing_new(struct bpf_iter_ftk_thing *it)
{
	atomic_inc(&ftk_things);
	it->next = 0;
	return 0;
}

__bpf_kfunc struct ftk_thing *
bpf_iter_ftk_thing_next(struct bpf_iter_ftk_thing *it)
{
	return it->next++ ? NULL : &ftk_the_thing;
}

__bpf_kfunc void bpf_iter_ftk_thing_destroy(struct bpf_iter_ftk_thing *it)
{
	atomic_dec(&ftk_things);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(ftk_thing_ids)
BTF_ID_FLAGS(func, ftk_thing_get, KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, ftk_thing_put, KF_RELEASE)
BTF_ID_FLAGS(func, ftk_thing_find, KF_RET_NULL)
BTF_ID_FLAGS(func, ftk_thing_first)
BTF_ID_FLAGS(func, ftk_thing_note)
BTF_ID_FLAGS(func, ftk_thing_count)
BTF_ID_FLAGS(func, ftk_thing_read)
BTF_ID_FLAGS(func, ftk_guarded)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_new, KF_ITER_NEW)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_ftk_thing_destroy, KF_ITER_DESTROY)
BTF_KFUNCS_END(ftk_thing_ids)

static const struct btf_kfunc_id_set ftk_thing_set = {
	.owner = THIS_MODULE,
	.set = &ftk_thing_ids,
};

/* The functions that sleepable programs may be attached to, and guards. */
BTF_KFUNCS_START(ftk_sleepable_ids)
BTF_ID_FLAGS(func, ftk_thing_put, KF_SLEEPABLE)
BTF_ID_FLAGS(func, ftk_guarded, KF_SLEEPABLE)
BTF_KFUNCS_END(ftk_sleepable_ids)

static const struct btf_kfunc_id_set ftk_sleepable_set = {
	.owner = THIS_MODULE,
	.set = &ftk_sleepable_ids,
};

static int __init ftk_thing_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_SCHED_CLS, &ftk_thing_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &ftk_thing_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &ftk_thing_set) ?:
	       register_btf_fmodret_id_set(&ftk_sleepable_set);
}
late_initcall(ftk_thing_init);
