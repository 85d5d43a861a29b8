// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compare and replace the address in a slot.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>

#include "walk.h"

/**
 * fastterm_move_signed() - replace an address that may be signed
 * @where: a slot, from a walk in this same interrupt; its form is not FASTTERM_PLAIN
 * @to: the address where execution shall continue
 *
 * Context: hardirq or NMI, with interrupts off.
 * Return: the same as for fastterm_move().
 */
int fastterm_move_signed(const struct fastterm_where *where, unsigned long to)
{
	unsigned long from = where->ip, was = READ_ONCE_NOCHECK(*where->at);
	unsigned long from_signed = fastterm_arch_sign(from, where->sp);
	unsigned long to_signed = fastterm_arch_sign(to, where->sp);

	/*
	 * The signed address may equal the plain one. Then the form of the old address is
	 * unknown.
	 */
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
