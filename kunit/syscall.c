// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments and results of system calls in KUnit test cases; see syscall.h
 *
 * Descriptors are in the file table that all kernel threads share. So the thread that releases a
 * case's resources can close what the case's own thread has opened. Kernel threads have no user
 * memory; KUnit provides some.
 */

#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/mman.h>

#include <kunit/resource.h>
#include <kunit/test.h>

#include "syscall.h"

static void ftk_close_fd(void *fd)
{
	close_fd((unsigned long)fd);
}

/**
 * ftk_close_fd_later() - close a descriptor when the test case ends
 * @test: the test case
 * @fd: the descriptor
 *
 * Context: the thread of the test case.
 */
void ftk_close_fd_later(struct kunit *test, int fd)
{
	int err = kunit_add_action_or_reset(test, ftk_close_fd,
					    (void *)(unsigned long)fd);

	KUNIT_ASSERT_EQ(test, err, 0);
}

/**
 * ftk_user_memory() - allocate user memory
 * @test: the test case, at whose end the memory is unmapped
 * @size: its size, in bytes
 *
 * Context: the thread of the test case.
 * Return: the address of the memory, which is zeroed.
 */
char __user *ftk_user_memory(struct kunit *test, size_t size)
{
	unsigned long memory;

	memory = kunit_vm_mmap(test, NULL, 0, size, PROT_READ | PROT_WRITE,
			       MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, memory, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(memory));
	return (char __user *)memory;
}
