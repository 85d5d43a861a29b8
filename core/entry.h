/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of programs, which trampolines and quarantines patch.
 */
#ifndef _BPF_FASTTERM_ENTRY_H
#define _BPF_FASTTERM_ENTRY_H

#include <linux/types.h>

struct bpf_prog;

int fastterm_entry_close(const struct bpf_prog *func, void *instead);
int fastterm_entry_open(const struct bpf_prog *func);
void fastterm_entry_forget(const struct bpf_prog *func);
void *fastterm_returning(s32 value);

#endif /* _BPF_FASTTERM_ENTRY_H */
