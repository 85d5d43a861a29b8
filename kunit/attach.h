/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching BPF programs, for KUnit test cases
 *
 * A program is detached when the test case ends.
 */
#ifndef _BPF_FASTTERM_KUNIT_ATTACH_H
#define _BPF_FASTTERM_KUNIT_ATTACH_H

struct bpf_prog;
struct kunit;
struct perf_event;
struct perf_event_attr;

void ftk_patching_begin(void);
void ftk_patching_end(void);
int ftk_attach(struct kunit *test, struct bpf_prog *prog);
void ftk_detach(struct kunit *test, int fd);
struct perf_event *ftk_attach_event(struct kunit *test, struct bpf_prog *prog,
				    struct perf_event_attr *attr, int cpu);
void ftk_attach_kprobe(struct kunit *test, struct bpf_prog *prog, unsigned long addr);
void ftk_attach_kprobe_multi(struct kunit *test, struct bpf_prog *prog, unsigned long func);
unsigned long ftk_probed(unsigned long func);

#endif /* _BPF_FASTTERM_KUNIT_ATTACH_H */
