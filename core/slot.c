// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing and replacing the address in a slot.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fastterm_arch.h>

#include "walk.h"

/**
 * fastterm_slot_move_signed() - fastterm_slot_move() for an address that may be signed
 * @slot: a slot, from a walk in this same interrupt, whose form is not FASTTERM_PLAIN
 * @to: the address where execution shall continue
 *
 * Context: hardirq or NMI, with interrupts off.
 * Return: as fastterm_slot_move().
 */
int fastterm_slot_move_signed(const struct fastterm_slot *slot, unsigned long to)
{
	unsigned long from = slot->ip, was = READ_ONCE_NOCHECK(*slot->at);
	unsigned long from_signed = fastterm_arch_sign(from, slot->sp);
	unsigned long to_signed = fastterm_arch_sign(to, slot->sp);

	/* A signature may happen to be none. Then it is not known which form it is. */
	if (slot->form == FASTTERM_EITHER && from == from_signed && to != to_signed)
		return -EAGAIN;
	if (slot->form == FASTTERM_SIGNED || was == from_signed) {
		from = from_signed;
		to = to_signed;
	}
	if (was != from)
		return -EAGAIN;
	WRITE_ONCE(*slot->at, to);
	return 0;
}
