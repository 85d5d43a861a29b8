/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fast-path termination of BPF programs: what an architecture provides.
 *
 * The generic core knows two things: how to make a stub image, and when to
 * redirect a program into it. Everything that knows an instruction's encoding,
 * a stack frame or an interrupt is behind the functions below. They live in
 * arch/<arch>/net/fastterm.c, in the same order and under the same names on
 * every architecture, and an architecture that has them all selects
 * HAVE_BPF_FASTTERM.
 *
 * Every function has a weak default that returns -EOPNOTSUPP, so that a kernel
 * for any other architecture builds, boots, and says that it cannot.
 */
#ifndef _LINUX_FASTTERM_ARCH_H
#define _LINUX_FASTTERM_ARCH_H

int fastterm_arch_init(void);

#endif /* _LINUX_FASTTERM_ARCH_H */
