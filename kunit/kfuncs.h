/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions for the programs of KUnit test cases
 *
 * The core does not know them by name: decisions on them follow from their flags and types, as
 * for any other kfunc. The references and iterators that they hand out are counted.
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

/* Number of references to things, and of iterators over things. */
extern atomic_t ftk_things;

/* If set, called whenever a thing is put, in the context of the program. */
extern void (*ftk_on_put)(void);

/* How often ftk_guarded() has been entered, which a guard may deny. */
extern atomic_t ftk_nr_permitted;

struct ftk_thing *ftk_thing_get(void);
void ftk_thing_put(struct ftk_thing *thing);
struct ftk_thing *ftk_thing_find(int value);
struct ftk_thing *ftk_thing_first(void);
void ftk_thing_note(int value);
int ftk_thing_count(void);
int ftk_thing_read(void *dst, u32 dst__sz);
int ftk_guarded(void);
int bpf_iter_ftk_thing_new(struct bpf_iter_ftk_thing *it);
struct ftk_thing *bpf_iter_ftk_thing_next(struct bpf_iter_ftk_thing *it);
void bpf_iter_ftk_thing_destroy(struct bpf_iter_ftk_thing *it);

#endif /* _BPF_FASTTERM_KUNIT_KFUNCS_H */
