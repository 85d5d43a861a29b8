# SPDX-License-Identifier: GPL-2.0-only
"""Is the machine code of two loads of one program the same?

No two loads lie at the same address, so operands that are relative to the code, or name a place in it, have other
bytes. An operand is the same if what it names is the same: an address outside the program, or the same place of the
same function. A pointer to what the kernel keeps with the program (a timer's callback comes with one) has another value
in each load: it is the same if one value stands for the other wherever either is. Every byte that differs must be in
such an operand.

How operands are encoded is in one function for each architecture, which gets two pieces of code and the offset of a
byte that differs, and gives all readings of it: (begin, end, what one names, what the other names). @at and @bt are
the addresses of the pieces.
"""

import struct

MASK = (1 << 64) - 1


def _signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _at(code, form, offset):
    size = struct.calcsize(form)
    if offset < 0 or offset + size > len(code):
        return None
    return struct.unpack_from(form, code, offset)[0]


def x86(a, b, at, bt, byte):
    """call, jmp and jcc rel32; mov reg, imm32 and imm64."""
    for begin in range(byte - 3, byte + 1):
        in_a, in_b = _at(a, '<i', begin), _at(b, '<i', begin)
        if in_a is None or in_b is None:
            continue
        end = begin + 4
        opcode = a[:begin]
        if opcode[-1:] in (b'\xe8', b'\xe9') or opcode[-2:-1] == b'\x0f' and opcode[-1] & 0xf0 == 0x80:
            yield begin, end, at + end + in_a, bt + end + in_b
        if opcode[-3:-2] in (b'\x48', b'\x49') and opcode[-2:-1] == b'\xc7' and opcode[-1] & 0xf8 == 0xc0:
            yield begin, end, in_a, in_b
    for begin in range(byte - 7, byte + 1):
        in_a, in_b = _at(a, '<Q', begin), _at(b, '<Q', begin)
        if None not in (in_a, in_b) and a[:begin][-2:-1] in (b'\x48', b'\x49') and a[begin - 1] & 0xf8 == 0xb8:
            yield begin, begin + 8, in_a, in_b


def arm64(a, b, at, bt, byte):
    """b and bl; movn or movz, and the movk that follow."""
    begin = byte & ~3
    in_a, in_b = _at(a, '<I', begin), _at(b, '<I', begin)
    if None in (in_a, in_b):
        return
    if in_a >> 26 == in_b >> 26 and in_a >> 26 & 0x1f == 5:
        yield (begin, begin + 4, at + begin + 4 * _signed(in_a & 0x3ffffff, 26),
               bt + begin + 4 * _signed(in_b & 0x3ffffff, 26))
    for first in range(begin, begin - 16, -4):
        one, other = _arm64_constant(a, first), _arm64_constant(b, first)
        if one and other and one[0] == other[0] and one[1] == other[1] > begin:
            yield first, one[1], one[2], other[2]


def _arm64_constant(code, begin):
    """(register, end, value) of the constant that is built from @begin on."""
    word = _at(code, '<I', begin)
    if word is None or word >> 23 not in (0x125, 0x1a5):    # movn, movz
        return None
    reg, shift, part = word & 31, (word >> 21 & 3) * 16, word >> 5 & 0xffff
    value = part << shift if word >> 23 == 0x1a5 else ~(part << shift) & MASK
    end = begin + 4
    while True:
        word = _at(code, '<I', end)
        if word is None or word >> 23 != 0x1e5 or word & 31 != reg:    # movk
            return reg, end, value
        shift = (word >> 21 & 3) * 16
        value = value & ~(0xffff << shift) | (word >> 5 & 0xffff) << shift
        end += 4


def riscv(a, b, at, bt, byte):
    """auipc and the jalr or addi behind it; jal; the instructions that build a constant."""
    for begin in range(byte - 7, byte + 1):
        in_a, in_b = _at(a, '<Q', begin), _at(b, '<Q', begin)
        if None not in (in_a, in_b):
            one, other = _riscv_pair(in_a), _riscv_pair(in_b)
            if one and other and one[0] == other[0]:
                yield begin, begin + 8, at + begin + one[1], bt + begin + other[1]
    for begin in range(byte - 3, byte + 1):
        in_a, in_b = _at(a, '<I', begin), _at(b, '<I', begin)
        if None not in (in_a, in_b) and in_a & 0xfff == in_b & 0xfff and in_a & 0x7f == 0x6f:
            yield begin, begin + 4, at + begin + _riscv_jal(in_a), bt + begin + _riscv_jal(in_b)
    for begin in range(byte & ~1, byte - 32, -2):
        one, other = _riscv_constant(a, begin), _riscv_constant(b, begin)
        if one and other and one[:2] == other[:2] and one[1] > byte:
            yield begin, one[1], one[2], other[2]


def _riscv_pair(pair):
    """(everything but the distance, distance) of auipc and jalr or addi."""
    first, second = pair & 0xffffffff, pair >> 32
    reg = first >> 7 & 31
    if first & 0x7f != 0x17 or second >> 15 & 31 != reg or second & 0x707f not in (0x67, 0x13):
        return None
    return (reg, second & 0xfffff), _signed(first & 0xfffff000, 32) + _signed(second >> 20, 12)


def _riscv_jal(word):
    return _signed((word >> 31) << 20 | (word >> 12 & 0xff) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1, 21)


def _riscv_constant(code, begin):
    """(register, end, value) of the constant that is built from @begin on: li or lui, then addi, addiw and slli."""
    reg, value, end = None, 0, begin
    while True:
        step = _riscv_step(code, end)
        if not step or reg not in (None, step[1]) or (reg is None) != (step[0] in ('li', 'lui')):
            return (reg, end, value & MASK) if reg else None
        kind, reg, operand, size = step
        value = value << operand if kind == 'slli' else value + operand
        value = _signed(value & 0xffffffff, 32) if kind == 'addiw' else value
        end += size


def _riscv_step(code, offset):
    """(kind, register, operand, size) of an instruction that works on one register and an immediate."""
    half, word = _at(code, '<H', offset), _at(code, '<I', offset)
    if half is None:
        return None
    reg = half >> 7 & 31
    if half & 3 != 3:
        six = (half >> 12 & 1) << 5 | half >> 2 & 31
        kind = {(1, 0): 'addi', (1, 1): 'addiw', (1, 2): 'li', (1, 3): 'lui', (2, 0): 'slli'}.get((half & 3, half >> 13))
        operand = six if kind == 'slli' else _signed(six, 6) << (12 if kind == 'lui' else 0)
        return kind and (kind, reg, operand, 2)
    if word is None:
        return None
    if word & 0x7f == 0x37:
        return 'lui', reg, _signed(word & 0xfffff000, 32), 4
    source = word >> 15 & 31
    kind = {0x13: 'addi', 0x1b: 'addiw', 0x1013: 'slli'}.get(word & 0x707f)
    if kind == 'addi' and not source:
        kind, source = 'li', reg
    if not kind or source != reg:
        return None
    return kind, reg, word >> 20 & 63 if kind == 'slli' else _signed(word >> 20, 12), 4


# The linear map, where data of the kernel are and no code is; for each depth of page tables.
LINEAR = {'x86_64': ((0xffff888000000000, 0xffffc88000000000), (0xff11000000000000, 0xff91000000000000)),
          'arm64': ((0xffff000000000000, 0xffff800000000000), (0xfff0000000000000, 0xfff8000000000000)),
          'riscv64': ((0xffffffd600000000, 0xffffffff00000000), (0xffffaf8000000000, 0xffffef8000000000),
                      (0xff60000000000000, 0xffdf000000000000))}
OPERANDS = {'x86_64': x86, 'arm64': arm64, 'riscv64': riscv}


def _place(functions, address):
    """What an address names: (function, offset) in the program, or the address."""
    for number, (begin, length) in enumerate(functions):
        if begin <= address < begin + length:
            return number, address - begin
    return address


class Comparison:
    """Two loads of a program of an architecture.

    @functions_a, @functions_b: [(address, length)] of the functions of either load.
    """

    def __init__(self, arch, functions_a, functions_b):
        self.operands, self.linear = OPERANDS[arch], LINEAR[arch]
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
            ends = [end for _, end, one, other in self.operands(a, b, at, bt, byte)
                    if self._same(one & MASK, other & MASK)]
            if ends:
                self.moved += 1
                byte = max(ends)
            else:
                self.different.append((number, offset + byte))
                byte += 1

    def _same(self, one, other):
        if any(begin <= one < end and begin <= other < end for begin, end in self.linear):
            known = {b: a for a, b in self.pairs.items()}
            return self.pairs.setdefault(one, other) == other and known.get(other, one) == one
        return _place(self.functions_a, one) == _place(self.functions_b, other)
