/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saving and restoring the sysctl kernel.bpf_fastterm, for KUnit test cases that change it
 */
#ifndef _BPF_FASTTERM_KUNIT_MODE_H
#define _BPF_FASTTERM_KUNIT_MODE_H

struct kunit;

int ftk_mode_init(struct kunit *test);
void ftk_mode_exit(struct kunit *test);

#endif /* _BPF_FASTTERM_KUNIT_MODE_H */
