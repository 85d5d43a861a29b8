# SPDX-License-Identifier: GPL-2.0-only
"""cross/usable.py: what is right of what healthy processes get beside a program that runs away."""

import unittest
from unittest import mock

import host
import targets
import usable

X86_64, RISCV64 = targets.ARCHES['x86_64'], targets.ARCHES['riscv64']
SLOT = 100_000_000


def slots(*beats):
    """Slots of a tenth of a second, in each of which two processes get on so often."""
    return [[SLOT, *both] for both in beats]


def record(beside, **fields):
    return {'record': 'program', 'object': '0-every_call.bpf.o', 'hook': 'raw_tp/sys_enter', 'free': slots(*[(40, 40)] * 10),
            'beside': beside, 'terminations': 4, 'strikes': 4, 'quarantined_ms': 7000} | fields


class Judge(unittest.TestCase):
    def test_the_worst_process_counts(self):
        seen = usable.judge(record(slots(*[(40, 38)] * 100)))
        self.assertEqual((round(seen.first, 3), seen.any, seen.wrong), (0.95, None, []))
        self.assertRegex(usable.judge(record(slots(*[(40, 30)] * 100))).wrong[0], 'gets 75% over the first 10 seconds, less than 90%')

    def test_only_the_first_ten_seconds_may_have_less(self):
        seen = usable.judge(record(slots(*[(36, 36)] * 100, *[(40, 40)] * 700)))
        self.assertEqual(seen.wrong, [])
        self.assertAlmostEqual(seen.any, 590 / 600, 2)
        self.assertRegex(usable.judge(record(slots(*[(37, 37)] * 700))).wrong[0], 'over sixty seconds, less than 95%')

    def test_the_worst_second(self):
        self.assertEqual(usable.judge(record(slots(*[(40, 40)] * 50, *[(0, 40)] * 5, *[(40, 40)] * 45))).worst, 0.5)

    def test_a_program_that_is_not_stopped(self):
        self.assertEqual(usable.judge(record(slots(*[(40, 40)] * 100), quarantined_ms=0)).wrong, ['it was not quarantined'])
        self.assertEqual(usable.judge(record(slots(*[(40, 40)] * 100), terminations=0)).wrong, ['it was not terminated'])
        self.assertEqual(usable.judge({'record': 'program', 'object': '0-x', 'error': 'no such function'}).wrong, ['no such function'])

    def test_processes_that_do_not_get_on_anyway(self):
        self.assertEqual(usable.judge(record([], free=slots((0, 40)))).wrong, ['a process does not get on even without the program'])


class SeenAgain(unittest.TestCase):
    def test_the_better_round_counts(self):
        low, high = record(slots(*[(30, 30)] * 100)), record(slots(*[(39, 39)] * 100))
        self.assertTrue(usable.too_low(low))
        self.assertFalse(usable.too_low(high))
        self.assertEqual(usable.better([low], [high]), [high])
        self.assertEqual(usable.better([low], [record(slots(*[(20, 20)] * 100))]), [low])
        other = low | {'object': '1-packets.bpf.o'}
        self.assertEqual(usable.better([low, other], [high]), [high, other])

    def test_only_where_time_is_the_hosts(self):
        rounds = []

        def boot(target, out, objects, init, extra, seconds):
            rounds.append((sorted(objects), bool(extra)))
            beats = (30, 30) if len(rounds) < 2 else (39, 39)
            return [record(slots(*[beats] * 100), object=f'{number}-{name}') for number, name in enumerate(sorted(objects))]
        objects = {f'{name}.bpf.o': name for name in ('every_call', 'packets')}
        with mock.patch.multiple(usable, _boot=boot), \
                mock.patch.multiple(usable.corpus, kernel_and_types=lambda *_: ('tree', 'types'), ours=lambda *_: objects), \
                mock.patch.object(usable.guest, 'build', lambda *_: 'init'):
            records = usable.measure(None, targets.Target(X86_64, 'default'), 10)
        self.assertEqual(rounds, [(['every_call.bpf.o'], False), (['every_call.bpf.o'], False), (['packets.bpf.o'], True)])
        self.assertEqual([usable.too_low(each) for each in records], [False, False])


class Shown(unittest.TestCase):
    def test_table(self):
        lines, wrong = usable.show(X86_64, [record(slots(*[(40, 38)] * 100))])
        self.assertEqual(wrong, [])
        self.assertRegex(lines[2], r'^every_call +raw_tp/sys_enter +95.0% +95% +- +4 times +7.0 s, 4 strikes$')

    def test_cases(self):
        records = [record(slots(*[(40, 38)] * 100)), {'object': '0-every_switch.bpf.o'}]
        with mock.patch.object(usable, 'measure', lambda kdir, target, seconds: records):
            good, skipped = usable.cases(None, RISCV64)
        self.assertEqual(good, ('usable beside every_call', 'passed', ''))
        self.assertEqual(skipped[1:], ('skipped', usable.unreachable(RISCV64, 'every_switch')))
        with mock.patch.object(usable, 'measure', side_effect=host.Error('it ended before it was done')):
            self.assertEqual(usable.cases(None, X86_64), [('usable', 'failed', 'it ended before it was done')])
