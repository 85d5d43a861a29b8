/* SPDX-License-Identifier: GPL-2.0-only */
/* What refs.bpf.c is asked, and answers. */
#ifndef REFS_H
#define REFS_H

/**
 * struct refs - references to a task
 * @pid: the task's
 * @users: how many there are; 0 if there is no such task
 */
struct refs {
	__u32 pid;
	__u32 users;
};

#endif
