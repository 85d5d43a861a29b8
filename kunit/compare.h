/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparison of stub images with the code that they were copied from, for KUnit test cases
 */
#ifndef _BPF_FASTTERM_KUNIT_COMPARE_H
#define _BPF_FASTTERM_KUNIT_COMPARE_H

#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;
struct kunit;

void ftk_compare_image(struct kunit *test, struct bpf_prog *prog,
		       const struct fastterm_prog *fprog, u32 func);

#endif /* _BPF_FASTTERM_KUNIT_COMPARE_H */
