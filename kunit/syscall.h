/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf(2) for KUnit test cases, and the arguments and results of system calls
 *
 * System calls are meant for processes: they return descriptors, and some of them access user
 * memory only. These functions provide both until the end of the test case.
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
