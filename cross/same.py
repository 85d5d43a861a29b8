# SPDX-License-Identifier: GPL-2.0-only
"""Is the machine code of two loads of one program the same?

No two loads lie at the same address, so operands that are relative to the code, or name a place in it, have other
bytes. An operand is the same if what it names is the same: an address outside the program, or the same place of the
same function. A pointer to what the kernel keeps with the program (a timer's callback comes with one) has another value
in each load: it is the same if one value stands for the other wherever either is. Every byte that differs must be in
such an operand.

How operands are encoded is in one function for each architecture, Arch.operands(a, b, at, bt, byte), which gets two
pieces of code, their addresses, and the offset of a byte that differs, and gives all readings of it: (begin, end, what
one names, what the other names).
"""

import struct

MASK = (1 << 64) - 1


def signed(value, bits):
    """The number that @value is, whose sign is in the highest of its @bits."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def read(code, form, offset):
    """What is at @offset, in struct's @form; None where that is not all within the code."""
    size = struct.calcsize(form)
    if offset < 0 or offset + size > len(code):
        return None
    return struct.unpack_from(form, code, offset)[0]


def _place(functions, address):
    """What an address names: (function, offset) in the program, or the address."""
    for number, (begin, length) in enumerate(functions):
        if begin <= address < begin + length:
            return number, address - begin
    return address


class Comparison:
    """Two loads of a program of an architecture, an Arch.

    @functions_a, @functions_b: [(address, length)] of the functions of either load.
    """

    def __init__(self, arch, functions_a, functions_b):
        self.arch = arch
        self.functions_a, self.functions_b = functions_a, functions_b
        self.pairs = {}         # pointer of a -> pointer of b
        self.moved = 0          # operands that name the same in other bytes
        self.different = []     # (function, offset) of each byte that differs and is in none

    def piece(self, number, offset, a, b):
        """Compare a piece of function @number, of the same length in both loads."""
        at, bt = self.functions_a[number][0] + offset, self.functions_b[number][0] + offset
        byte = 0
        while byte < len(a):
            if a[byte] == b[byte]:
                byte += 1
                continue
            ends = [end for _, end, one, other in self.arch.operands(a, b, at, bt, byte)
                    if self._same(one & MASK, other & MASK)]
            if ends:
                self.moved += 1
                byte = max(ends)
            else:
                self.different.append((number, offset + byte))
                byte += 1

    def _same(self, one, other):
        if any(begin <= one < end and begin <= other < end for begin, end in self.arch.linear):
            known = {b: a for a, b in self.pairs.items()}
            return self.pairs.setdefault(one, other) == other and known.get(other, one) == one
        return _place(self.functions_a, one) == _place(self.functions_b, other)
