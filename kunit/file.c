// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to the kernel's files from KUnit test cases; see file.h
 *
 * When the tests run there is no process yet, and nothing is mounted. Some of these files can be
 * read and written with user memory only, so user memory is used.
 */

#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "file.h"
#include "syscall.h"

static void ftk_unmount(void *mnt)
{
	kern_unmount(mnt);
}

static void ftk_close(void *file)
{
	filp_close(file, NULL);
}

/**
 * ftk_open() - open a file
 * @test: the test case, which is failed if there is no such file, and at whose end the file is
 *	  closed
 * @fs: the type of the file system, such as "proc" or "debugfs"
 * @path: the path in this file system
 *
 * Context: the thread of the test case.
 * Return: the file, open for reading, and for writing if its mode allows it.
 */
struct file *ftk_open(struct kunit *test, const char *fs, const char *path)
{
	struct file_system_type *type = get_fs_type(fs);
	struct vfsmount *mnt;
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, type);
	mnt = kern_mount(type);
	put_filesystem(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mnt);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ftk_unmount, mnt), 0);

	file = file_open_root_mnt(mnt, path, O_RDWR, 0);
	if (PTR_ERR_OR_ZERO(file) == -EACCES)
		file = file_open_root_mnt(mnt, path, O_RDONLY, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ftk_close, file), 0);
	return file;
}

/**
 * ftk_write() - write to a file, at its beginning
 * @test: the test case
 * @file: the file
 * @text: the text, which is shorter than a page
 *
 * Context: the thread of the test case.
 * Return: as write(2); errors are negative errnos.
 */
ssize_t ftk_write(struct kunit *test, struct file *file, const char *text)
{
	char __user *page = ftk_user_memory(test, PAGE_SIZE);
	loff_t pos = 0;

	KUNIT_ASSERT_EQ(test, copy_to_user(page, text, strlen(text)), 0);
	return vfs_write(file, page, strlen(text), &pos);
}

/**
 * ftk_read() - read a file
 * @test: the test case
 * @file: the file
 * @pos: the position, which is advanced; NULL for the beginning of the file
 * @text: receives what is read, and a terminating 0
 * @size: size of @text, at most a page
 *
 * Context: the thread of the test case.
 * Return: as read(2); errors are negative errnos.
 */
ssize_t ftk_read(struct kunit *test, struct file *file, loff_t *pos, char *text, size_t size)
{
	char __user *page = ftk_user_memory(test, PAGE_SIZE);
	loff_t begin = 0;
	ssize_t len = vfs_read(file, page, size - 1, pos ?: &begin);

	text[max(len, 0)] = 0;
	if (len > 0)
		KUNIT_ASSERT_EQ(test, copy_from_user(text, page, len), 0);
	return len;
}

/**
 * ftk_seq() - create a file for functions that show something in a seq_file
 * @test: the test case, at whose end it is freed
 *
 * Return: the file, which is empty and has room for a page.
 */
struct seq_file *ftk_seq(struct kunit *test)
{
	struct seq_file *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->size = PAGE_SIZE;
	m->buf = kunit_kzalloc(test, m->size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->buf);
	return m;
}

/**
 * ftk_seq_text() - read what has been shown in a file, and empty it
 * @test: the test case, which is failed if the file has overflowed
 * @m: a file created by ftk_seq()
 *
 * Return: the text, which is valid until something is shown in the file again.
 */
const char *ftk_seq_text(struct kunit *test, struct seq_file *m)
{
	KUNIT_ASSERT_LT(test, m->count, m->size);
	m->buf[m->count] = 0;
	m->count = 0;
	return m->buf;
}
