/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cases of the suites fastterm_image and fastterm_image_blinded
 *
 * Both suites are in image.c and share many cases. A case that enters a program through its stub
 * image uses ftk_load_stub():
 *
 *	stub = ftk_load_stub(test, insns, ARRAY_SIZE(insns), NULL, &prog);
 *	KUNIT_EXPECT_EQ(test, ftk_run(stub, ctx), (u32)-ECANCELED);
 */
#ifndef _BPF_FASTTERM_KUNIT_IMAGE_H
#define _BPF_FASTTERM_KUNIT_IMAGE_H

#include <linux/types.h>

struct bpf_insn;
struct bpf_prog;
struct ftk_opts;
struct kunit;

const struct bpf_prog *ftk_load_stub(struct kunit *test, const struct bpf_insn *insns, u32 cnt,
				     const struct ftk_opts *opts, struct bpf_prog **loaded);

/* Registers and memory: image-data.c */
void image_helper(struct kunit *test);
void image_fill(struct kunit *test);
void image_fill_name(struct kunit *test);
void image_acquire(struct kunit *test);
void image_fault(struct kunit *test);

/* Control flow: image-flow.c */
void image_loop(struct kunit *test);
void image_may_goto(struct kunit *test);
void image_call(struct kunit *test);
void image_global(struct kunit *test);
void image_tail_call(struct kunit *test);
void image_throw(struct kunit *test);

/* Large programs: image-size.c */
void image_far(struct kunit *test);
void image_large(struct kunit *test);
void image_own_pages(struct kunit *test);

/* Files in debugfs: image-show.c */
void image_show(struct kunit *test);
void image_show_nmi(struct kunit *test);
void image_counted(struct kunit *test);

#endif /* _BPF_FASTTERM_KUNIT_IMAGE_H */
