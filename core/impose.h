/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values that are imposed on programs which leave before they have decided.
 */
#ifndef _BPF_FASTTERM_IMPOSE_H
#define _BPF_FASTTERM_IMPOSE_H

#include <linux/types.h>

struct bpf_prog;
struct fastterm_prog;

/**
 * enum fastterm_says - what a program's value decides on
 * @FASTTERM_SAYS_NOTHING: on nothing that could be denied
 * @FASTTERM_SAYS_ACCESS: on whether an operation is permitted
 * @FASTTERM_SAYS_PACKET: on what becomes of a packet
 */
enum fastterm_says {
	FASTTERM_SAYS_NOTHING,
	FASTTERM_SAYS_ACCESS,
	FASTTERM_SAYS_PACKET,
};

/**
 * struct fastterm_denial - how a program says no
 * @says: what its value decides on
 * @value: the value that denies it
 * @least: the least value that is admitted wherever the program, an extension, has been attached
 * @most: the greatest one
 */
struct fastterm_denial {
	enum fastterm_says says;
	s32 value;
	s32 least;
	s32 most;
};

void fastterm_find_denial(const struct bpf_prog *prog, struct fastterm_denial *denial);
void fastterm_inherit_denial(void *target, void *extension);
bool fastterm_imposes(const struct fastterm_denial *denial);

#endif /* _BPF_FASTTERM_IMPOSE_H */
