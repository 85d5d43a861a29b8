# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmark makes of a guest's records."""

import unittest

import bench
import host
import targets


def program(number, **fields):
    return {'record': 'program', 'object': 'a.bpf.o', 'program': f'p{number}', 'off': 1000, 'needed': 1010, 'bytes': 100,
            'long': 'jumps back', 'no_image': '', 'image': 20, 'insns': 30, 'refused': '', 'stub_insns': 9, 'again': 0,
            'alone': 0, 'bound': number, 'calls': 1, 'kept': 'f', 'loop': '', 'functions_off': [[4096, 100]],
            'functions_needed': [[8192, 100]], 'differences': []} | fields


def short(number):
    return program(number, long='no', no_image='the program cannot run for long', image=0)


FAILED = {'record': 'program', 'object': 'b.bpf.o', 'program': 'f', 'error': 'Invalid argument'}
CALLS = {'record': 'callbacks', 'by': 'loop', 'calls': 1000, 'ns': 9000}
END = {'record': 'end', 'objects': 2}


def figures(records, without=None):
    if without is None:
        without = [{key: r[key] for key in ('record', 'object', 'program', 'insns')} | {'without': 1000}
                   for r in records if 'needed' in r]
    return bench.figures(targets.ARCHES['x86_64'], [*records, FAILED, CALLS | {'ns': 12000}, END], [*without, CALLS])


class Figures(unittest.TestCase):
    def setUp(self):
        self.records = [program(n) for n in range(100)] + [short(n) for n in range(100, 200)]

    def test_all_reached(self):
        result = figures(self.records)
        self.assertEqual(result.missed(), [])
        self.assertEqual((len(result.programs), len(result.images), result.failed, result.objects), (200, 100, 1, 2))
        self.assertAlmostEqual(result.text, 1.1)
        self.assertAlmostEqual(result.load, 1.01)
        self.assertAlmostEqual(result.load_off, 1.0)

    def test_every_image_has_its_line_and_its_reason(self):
        lines = list(bench.show('x86_64', '6.12', figures(self.records)))
        self.assertEqual(sum(line.startswith('x86_64 image a.bpf.o:p') and line.endswith('jumps back') for line in lines),
                         100)
        self.assertIn('              100 the program cannot run for long', lines)
        self.assertIn('             loop 9.00, 12.00: +3.00', lines)

    def missed(self, text, records, without=None):
        result = figures(records, without)
        self.assertEqual(len(result.missed()), 1, result.missed())
        self.assertIn(text, result.missed()[0])
        self.assertIn('MISSED', list(bench.show('x86_64', '6.12', result))[-1])

    def test_too_few_programs(self):
        self.missed('149 programs load, fewer than 150', self.records[:149])

    def test_too_much_text(self):
        self.missed('text is 1.2600x', [r | {'image': 26} for r in self.records])

    def test_too_slow(self):
        self.missed('load time is 1.1500x', [r | {'needed': 1150} for r in self.records])

    def test_one_is_too_slow(self):
        slow = [program(0, needed=600_000, off=200_000), *self.records[1:]]
        without = [{key: r[key] for key in ('record', 'object', 'program', 'insns')} | {'without': r['off']} for r in slow]
        result = figures(slow, without)
        self.assertIn('load time of a.bpf.o:p0 is 3.0000x', ''.join(result.missed()))

    def test_a_stub_image_is_refused(self):
        self.missed('1 stub images refused: a.bpf.o:p7: insn 5: R1 !read_ok',
                    [*self.records[:7], program(7, refused='5: R1 !read_ok'), *self.records[8:]])

    def test_the_verifier_takes_another_way(self):
        without = [{key: r[key] for key in ('record', 'object', 'program', 'insns')} | {'without': 1000} for r in self.records]
        without[3]['insns'] += 1
        self.missed('verified at another length: a.bpf.o:p3', self.records, without)

    def test_the_log_is_another_one(self):
        self.missed('log of 1 programs differs: a.bpf.o:p4',
                    [*self.records[:4], program(4, same_log=0, same_xlated=1), *self.records[5:]])

    def test_the_longest_suffix_is_named(self):
        lines = list(bench.show('x86_64', '6.12', figures(self.records)))
        self.assertIn('               99 a.bpf.o:p99, 1 kept calls: f', lines)
        self.assertFalse([line for line in lines if 'a.bpf.o:p98' in line and 'kept' in line])

    def test_long_suffixes_are_listed_with_their_loops(self):
        loop = 'insn 3 to 7, up to 2000 times'
        long = [program(n, bound=10_000 + n, loop=loop, calls=0) for n in range(2)]
        lines = list(bench.show('x86_64', '6.12', figures([*long, *self.records[2:]])))
        self.assertIn(f'            10000 a.bpf.o:p0, {loop}', lines)
        self.assertIn(f'            10001 a.bpf.o:p1, {loop}', lines)
        self.assertTrue(any(line.endswith('the most 10001; 2 above 10000') for line in lines))

    def test_a_byte_differs(self):
        self.missed('a.bpf.o:p0: function 0, byte 0x10',
                    [program(0, differences=[[0, 16, '90', '91']]), *self.records[1:]])

    def test_the_length_differs(self):
        longer = program(0)
        del longer['differences']
        self.missed('a.bpf.o:p0: other length', [longer, *self.records[1:]])

    def test_code_that_is_not_shown_is_not_the_same(self):
        self.missed('a.bpf.o:p0: its code was not shown', [program(0, functions_needed=[]), *self.records[1:]])

    def test_a_program_does_not_load_any_more(self):
        without = [{'record': 'program', 'object': 'a.bpf.o', 'program': f'p{n}', 'without': 1000, 'insns': 30}
                   for n in range(201)]
        self.missed('load without fastterm only: a.bpf.o:p200', self.records, without)

    def test_nothing_loads(self):
        with self.assertRaisesRegex(host.Error, 'not one program loads'):
            figures([])
