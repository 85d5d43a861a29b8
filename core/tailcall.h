/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tail calls into programs that are quarantined.
 */
#ifndef _BPF_FASTTERM_TAILCALL_H
#define _BPF_FASTTERM_TAILCALL_H

struct bpf_prog;

void fastterm_tail_hide(struct bpf_prog *prog);
void fastterm_tail_show(struct bpf_prog *prog);

#endif /* _BPF_FASTTERM_TAILCALL_H */
