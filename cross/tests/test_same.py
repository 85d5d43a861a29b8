# SPDX-License-Identifier: GPL-2.0-only
"""Machine code of two loads: what moved with its address is the same, anything else is not."""

import struct
import unittest

import same
import targets

# Two loads of one program of two functions, and a helper that is elsewhere.
A, B = [(0x10000, 0x100), (0x20000, 0x100)], [(0x10cc4, 0x100), (0x2f010, 0x100)]
HELPER = 0x81000


def compare(arch, code_a, code_b, offset=16):
    """(operands that moved, what differs) of code at @offset of function 0."""
    comparison = same.Comparison(targets.ARCHES[arch], A, B)
    comparison.piece(0, offset, code_a, code_b)
    return comparison.moved, comparison.different


class Same(unittest.TestCase):
    """Each test builds code that is @offset bytes from the beginning of function 0."""

    def same(self, arch, encode, operands=1, offset=16):
        """@encode(address, functions) gives the code for either load."""
        one, other = encode(A[0][0] + offset, A), encode(B[0][0] + offset, B)
        self.assertNotEqual(one, other)
        self.assertEqual(compare(arch, one, other, offset), (operands, []))
        return one, other

    def different(self, arch, one, other):
        _, bad = compare(arch, one, other)
        self.assertTrue(bad)

    def test_equal_code(self):
        self.assertEqual(compare('x86_64', b'\x90\x90', b'\x90\x90'), (0, []))

    def test_x86(self):
        def call(at, target, opcode=b'\xe8'):
            return opcode + struct.pack('<i', target - at - len(opcode) - 4)
        one, other = self.same('x86_64', lambda at, _: b'\x90' + call(at + 1, HELPER) + b'\xc3')
        self.same('x86_64', lambda at, _: call(at, HELPER, b'\xe9'))
        self.same('x86_64', lambda at, _: call(at, HELPER, b'\x0f\x84'))
        self.same('x86_64', lambda at, functions: call(at, functions[1][0] + 4))
        self.same('x86_64', lambda at, functions: b'\x48\xc7\xc6' + struct.pack('<i', functions[1][0]))
        self.same('x86_64', lambda at, functions: b'\x48\xbe' + struct.pack('<Q', functions[1][0]))
        self.same('x86_64', lambda at, _: call(at, HELPER) + call(at + 5, HELPER + 64), operands=2)
        self.different('x86_64', one, other[:2] + bytes([other[2] ^ 1]) + other[3:])
        self.different('x86_64', one, other[:-1] + b'\x90')
        self.different('x86_64', b'\x81' + one[2:], b'\x81' + other[2:])

    def test_pointers_to_data_of_the_load(self):
        def movabs(*values):
            return b''.join(b'\x48\xba' + struct.pack('<Q', value) for value in values)
        one, two, three, code = 0xffff888001000000, 0xffff888001000440, 0xffff888002000000, 0xffffffff81000000
        self.assertEqual(compare('x86_64', movabs(one, two, one), movabs(two, three, two)), (3, []))
        self.different('x86_64', movabs(one, one), movabs(two, three))
        self.different('x86_64', movabs(one, two), movabs(three, three))
        self.different('x86_64', movabs(code), movabs(code + 16))

    def test_arm64(self):
        def bl(at, target, opcode=0x94000000):
            return struct.pack('<I', opcode | (target - at >> 2 & 0x3ffffff))

        def constant(value, first=0x92800000, flip=0xffff):    # movn
            return struct.pack('<III', first | ((value ^ flip) & 0xffff) << 5 | 10,
                               0xf2a00000 | (value >> 16 & 0xffff) << 5 | 10,
                               0xf2c00000 | (value >> 32 & 0xffff) << 5 | 10)
        one, other = self.same('arm64', lambda at, _: bl(at, HELPER))
        self.same('arm64', lambda at, functions: bl(at, functions[1][0] + 8, 0x14000000))
        self.same('arm64', lambda at, functions: constant(functions[1][0], 0xd2800000, 0))    # movz
        high = [[(0xffff << 48 | address, length) for address, length in functions] for functions in (A, B)]
        comparison = same.Comparison(targets.ARCHES['arm64'], *high)
        comparison.piece(0, 16, constant(high[0][1][0]), constant(high[1][1][0]))
        self.assertEqual((comparison.moved, comparison.different), (1, []))
        self.different('arm64', one, struct.pack('<I', struct.unpack('<I', other)[0] + 1))
        self.different('arm64', one, b'\x1f\x20\x03\xd5')
        self.different('arm64', constant(0x800000000005), constant(0x800000000006))

    def test_riscv(self):
        def far(at, target, second=0x67 | 1 << 7 | 6 << 15):
            distance = target - at
            high = distance + 0x800 & 0xfffff000
            return struct.pack('<II', high | 6 << 7 | 0x17, second | (distance - high & 0xfff) << 20)

        def near(at, target):
            d = target - at
            return struct.pack('<I', (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 |
                               (d >> 12 & 0xff) << 12 | 1 << 7 | 0x6f)
        one, other = self.same('riscv64', lambda at, _: far(at, HELPER))
        self.same('riscv64', lambda at, _: b'\x01\x00' + far(at + 2, HELPER))
        self.same('riscv64', lambda at, functions: far(at, functions[1][0], 0x13 | 6 << 7 | 6 << 15))
        self.same('riscv64', lambda at, functions: near(at, functions[1][0] + 2))
        self.different('riscv64', one, far(B[0][0] + 16, HELPER + 2))
        self.different('riscv64', one, other[:4] + b'\x13\x00\x00\x00')
        self.different('riscv64', near(A[0][0] + 16, A[1][0]), near(B[0][0] + 16, B[1][0] + 4))

    def test_riscv_pointers_to_data_of_the_load(self):
        """As the JIT has written them: one pointer from lui on, one from li on."""
        long, short = bytes.fromhex('370600b0052636061306f64d3206'), bytes.fromhex('6d5612161306b610460613060680')
        self.assertEqual(compare('riscv64', long, short), (1, []))
        self.assertEqual(compare('riscv64', b'\x01\x00' + long + b'\x01\x00', b'\x01\x00' + short + b'\x01\x00'), (1, []))
        self.different('riscv64', long + long, short + short.replace(b'\x06\xb6\x10', b'\x06\xc6\x10'))
        self.different('riscv64', bytes.fromhex('0545'), bytes.fromhex('0945'))
