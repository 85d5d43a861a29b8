// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing and replacing the address in a slot.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>

#include "walk.h"

/**
 * fastterm_move_signed() - fastterm_move() for an address that may be signed
 * @where: of a slot, from a walk in this same interrupt; its form is not FASTTERM_PLAIN
 * @to: the address where execution shall continue
 *
 * Context: hardirq or NMI, with interrupts off.
 * Return: as fastterm_move().
 */
int fastterm_move_signed(const struct fastterm_where *where, unsigned long to)
{
	unsigned long from = where->ip, was = READ_ONCE_NOCHECK(*where->at);
	unsigned long from_signed = fastterm_arch_sign(from, where->sp);
	unsigned long to_signed = fastterm_arch_sign(to, where->sp);

	/* A signature may happen to be none. Then it is not known which form it is. */
	if (where->form == FASTTERM_EITHER && from == from_signed && to != to_signed)
		return -EAGAIN;
	if (where->form == FASTTERM_SIGNED || was == from_signed) {
		from = from_signed;
		to = to_signed;
	}
	if (was != from)
		return -EAGAIN;
	WRITE_ONCE(*where->at, to);
	return 0;
}
