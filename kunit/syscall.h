/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf(2) for KUnit test cases, and what system calls take and return
 *
 * System calls are made for processes: they return descriptors, and some read and
 * write user memory only. A test case gets both here, until it ends.
 */
#ifndef _BPF_FASTTERM_KUNIT_SYSCALL_H
#define _BPF_FASTTERM_KUNIT_SYSCALL_H

#include <linux/types.h>

struct kunit;
union bpf_attr;

/* Defined in kernel/bpf/syscall.c; no header of the kernel declares it. */
int kern_sys_bpf(int cmd, union bpf_attr *attr, unsigned int size);

void ftk_close_fd_later(struct kunit *test, int fd);
char __user *ftk_user_memory(struct kunit *test, size_t size);

#endif /* _BPF_FASTTERM_KUNIT_SYSCALL_H */
