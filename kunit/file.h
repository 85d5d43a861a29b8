/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to the kernel's files from KUnit test cases, in the way a process accesses them
 */
#ifndef _BPF_FASTTERM_KUNIT_FILE_H
#define _BPF_FASTTERM_KUNIT_FILE_H

#include <linux/types.h>

struct file;
struct kunit;
struct seq_file;

struct file *ftk_open(struct kunit *test, const char *fs, const char *path);
ssize_t ftk_write(struct kunit *test, struct file *file, const char *text);
ssize_t ftk_read(struct kunit *test, struct file *file, loff_t *pos, char *text, size_t size);

struct seq_file *ftk_seq(struct kunit *test);
const char *ftk_seq_text(struct kunit *test, struct seq_file *m);

#endif /* _BPF_FASTTERM_KUNIT_FILE_H */
