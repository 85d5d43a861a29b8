/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions for the programs of KUnit test cases, which nobody has heard of
 *
 * What is decided on them comes from their flags and types, by way of the verifier.
 * What they hand out is counted.
 */
#ifndef _BPF_FASTTERM_KUNIT_KFUNCS_H
#define _BPF_FASTTERM_KUNIT_KFUNCS_H

#include <linux/atomic.h>
#include <linux/types.h>

struct ftk_thing {
	int value;
};

struct bpf_iter_ftk_thing {
	u64 next;
};

/* How many references to a thing, and iterators over things, there are. */
extern atomic_t ftk_things;

/* What happens when a thing is put, if a case wants anything to: in its program's context. */
extern void (*ftk_on_put)(void);

struct ftk_thing *ftk_thing_get(void);
void ftk_thing_put(struct ftk_thing *thing);
struct ftk_thing *ftk_thing_find(int value);
struct ftk_thing *ftk_thing_first(void);
void ftk_thing_note(int value);
int ftk_thing_count(void);
int ftk_thing_read(void *dst, u32 dst__sz);
int bpf_iter_ftk_thing_new(struct bpf_iter_ftk_thing *it);
struct ftk_thing *bpf_iter_ftk_thing_next(struct bpf_iter_ftk_thing *it);
void bpf_iter_ftk_thing_destroy(struct bpf_iter_ftk_thing *it);

#endif /* _BPF_FASTTERM_KUNIT_KFUNCS_H */
