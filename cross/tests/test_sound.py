# SPDX-License-Identifier: GPL-2.0-only
"""What `make sound` makes of a guest's records: what is right, what is not, and who is blamed for a machine that ends."""

import argparse
import contextlib
import functools
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import guest
import host
import machine
import main
import sound
import targets
from console import Console

# What `make test` tests, here.
TESTED = [(name, 'default') for name in ('x86_64', 'arm64', 'riscv64')] + [('x86_64', 'debug'), ('arm64', 'hardened')]
LIMITS = {'record': 'machine', 'watchdog': 1, 'budget': 100, 'period': 10}
POINTER = 0xffff888004a2c000


def out(**words):
    values = [0] * 16
    for index, value in words.items():
        values[int(index[1:])] = value & (1 << 64) - 1
    return values


def record(name='a_stale', **fields):
    programs = [[sound.INPUTS[name].program, 512, '', 1], ['look', 0, 'the program cannot run for long', 0]]
    return {'record': 'ended', 'object': f'{name}.bpf.o', 'took': 108_000_000, 'programs': programs,
            'out': out(_0=5, _15=4711)} | fields


def target(arch='x86_64', variant='default'):
    return targets.Target(targets.ARCHES[arch], variant)


class Judge(unittest.TestCase):
    def wrong(self, *texts, name='a_stale', counted=True, **fields):
        self.assertEqual(sound.judge(name, record(name, **fields), LIMITS, counted), list(texts))

    def test_all_as_it_should_be(self):
        self.wrong()
        self.wrong(name='b_iter', out=out())
        self.wrong(name='c_immune_iter', out=out(_0=1 << 40))
        for result in (-125, 8):
            self.wrong(name='r_global', out=out(_0=result, _1=4, _2=1))

    def test_a_result_that_the_verifier_has_not_seen(self):
        self.wrong('out[0] is -125, right is 0 to 7', out=out(_0=-125))
        self.wrong('out[0] is 0xffff888004a2c000, right is -125 or 8', name='r_global', out=out(_0=POINTER, _1=4, _2=1))
        self.wrong('out[0] is 0xffff888004a2c000, right is 0', name='b_iter', out=out(_0=POINTER))

    def test_harm_that_was_done(self):
        self.wrong('out[1] is 387, right is 0', 'out[2] is 0x4141414141414141, right is 0',
                   out=out(_1=387, _2=0x4141414141414141))

    def test_a_way_out_that_was_not_gone_to_its_end(self):
        self.wrong('out[2] is 0, right is 1', name='r_global', out=out(_0=-125, _1=4))

    def test_no_image(self):
        self.wrong('stale has no image: its code is odd', programs=[['stale', 0, 'its code is odd', 1]])

    def test_terminations(self):
        self.wrong('stale was terminated 0 times', programs=[['stale', 512, '', 0]])
        self.wrong('stale was terminated 2 times', programs=[['stale', 512, '', 2]])
        self.wrong('look was terminated 1 times', programs=[['stale', 512, '', 1], ['look', 96, '', 1]])

    def test_another_object(self):
        self.wrong('it has no program stale', programs=[['other', 512, '', 1]])

    def test_stuck(self):
        self.wrong('stale was terminated 0 times', 'it did not end', record='stuck', took=0, programs=[['stale', 512, '', 0]])

    def test_time(self):
        self.wrong('it took 112.0 ms, more than 111 ms', took=112_000_000)
        self.wrong(took=112_000_000, counted=False)
        self.wrong('it took 5000.0 ms, more than 2220 ms', took=5_000_000_000, counted=False)
        for counted in (False, True):
            self.wrong('it ended by itself after 3.0 ms, with a budget of 100 ms', took=3_000_000, counted=counted)

    def test_what_does_not_load(self):
        failed = {'record': 'failed', 'object': 'a_stale.bpf.o', 'error': 'libbpf: no\nverifier: no'}
        self.assertEqual(sound.judge('a_stale', failed, LIMITS, True), ['libbpf: no\nverifier: no'])

    def test_where_time_is_counted(self):
        self.assertTrue(sound.is_counted(target()))
        self.assertFalse(sound.is_counted(target(variant='debug')))
        self.assertFalse(sound.is_counted(target('riscv64')))


class Boots(unittest.TestCase):
    """Guests that are imagined: of each, the records that it sends, and the error that it ends with."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.booted = []

    def measure(self, *guests, names=('a_stale', 'b_iter', 'r_global'), where=None, console=''):
        objects = {f'{name}.bpf.o': Path(name) for name in names}
        left = list(guests)

        def boot(target, out, files, *, extra, append, timeout, on_record):
            self.booted.append((sorted(name for name in files if name != 'init'), extra, append))
            records, error = left.pop(0)
            for entry in records:
                on_record(entry)
            (out / 'console.log').write_text('')
            if error:
                raise machine.Failed(error, Console(console.splitlines()))
            return records
        with mock.patch.object(host, 'OUT', self.path), mock.patch.object(host, 'say', lambda text: None), \
                mock.patch.object(sound.corpus, 'kernel_and_types', lambda *args: (self.place(where), '')), \
                mock.patch.object(sound.corpus, 'ours', lambda *args: objects), \
                mock.patch.object(guest, 'build', lambda *args: Path('init')), mock.patch.object(guest, 'boot', boot):
            seen = sound.measure(None, where or target())
        self.assertEqual(left, [])
        return seen

    def place(self, where):
        (self.path / f'sound-{(where or target()).name}').mkdir(exist_ok=True)

    def test_one_machine_for_all(self):
        names = ('a_stale', 'b_iter', 'r_global')
        seen = self.measure(([LIMITS, *map(record, names), {'record': 'end'}], None))
        self.assertEqual(sorted(seen.records), list(names))
        self.assertEqual((seen.limits, seen.complaints), (LIMITS, []))
        (files, extra, append), = self.booted
        self.assertEqual(files, [f'objects/{name}.bpf.o' for name in names])
        self.assertIn('-icount', extra)
        self.assertEqual(append, 'PATIENCE=1000')

    def test_time_that_is_not_counted(self):
        self.measure(([LIMITS, record(), {'record': 'end'}], None), names=('a_stale',), where=target(variant='debug'))
        self.assertEqual(self.booted[0][1:], ((), 'PATIENCE=20000'))

    def test_what_does_not_end_takes_no_other_with_it(self):
        seen = self.measure(([LIMITS, record(), record('b_iter', record='stuck')], 'the guest ended before it was done'),
                            ([LIMITS, record('r_global'), {'record': 'end'}], None))
        self.assertEqual(self.booted[1][0], ['objects/r_global.bpf.o'])
        self.assertEqual({name: entry['record'] for name, entry in seen.records.items()},
                         {'a_stale': 'ended', 'b_iter': 'stuck', 'r_global': 'ended'})
        self.assertEqual(seen.complaints, [])
        self.assertTrue((self.path / 'sound-x86_64-default' / 'console-b_iter.log').exists())

    def test_who_is_running_when_the_machine_ends_is_blamed(self):
        seen = self.measure(([LIMITS, record()], 'the kernel said: BUG'),
                            ([LIMITS, record('r_global'), {'record': 'end'}], None))
        self.assertEqual(seen.records['b_iter']['error'], 'the kernel said: BUG')
        self.assertEqual(seen.complaints, [])
        # Before it has said anything as well.
        seen = self.measure(([LIMITS, record(record='stuck')], 'the guest ended before it was done'),
                            ([], 'no kernel'), names=('a_stale', 'b_iter'))
        self.assertEqual(seen.records['b_iter']['error'], 'no kernel')

    def test_what_a_guest_forgets_has_failed(self):
        seen = self.measure(([LIMITS, record(), {'record': 'end'}], None), names=('a_stale', 'b_iter'))
        self.assertEqual(seen.records['b_iter']['error'], 'the guest has not run it')

    def test_what_the_kernel_says_is_not_lost(self):
        seen = self.measure(([LIMITS, record(), {'record': 'end'}], 'the kernel said: WARNING'), names=('a_stale',))
        self.assertEqual(seen.complaints, ['the kernel said: WARNING'])
        seen = self.measure(([LIMITS, record(record='stuck')], 'the kernel said: BUG: bad'), names=('a_stale',),
                            console='[ 1.0] BUG: bad\n')
        self.assertEqual(seen.complaints, ['the kernel said: BUG: bad'])

    def test_a_kernel_without_a_watchdog(self):
        with self.assertRaisesRegex(host.Error, 'this kernel has no watchdog'):
            self.measure(([LIMITS | {'watchdog': 0}], None))


class Cases(unittest.TestCase):
    def cases(self, **given):
        with mock.patch.object(sound, 'measure', **given):
            return sound.cases(None, target())

    def test_an_input_a_case(self):
        good = {name: {'record': 'failed', 'error': 'no'} for name in sound.INPUTS} | {'a_stale': record()}
        found = {name: (status, text) for name, status, text in self.cases(return_value=sound.Seen(LIMITS, good, []))}
        self.assertEqual(set(found), {*sound.INPUTS, 'the kernel does not complain'})
        self.assertEqual(found.pop('a_stale'), ('passed', ''))
        self.assertEqual(found.pop('the kernel does not complain'), ('passed', ''))
        self.assertEqual(set(found.values()), {('failed', 'no')})

    def test_complaints(self):
        good = {name: record(name) for name in sound.INPUTS}
        found = self.cases(return_value=sound.Seen(LIMITS, good, ['the kernel said: WARNING']))
        self.assertEqual(found[-1], ('the kernel does not complain', 'failed', 'the kernel said: WARNING'))

    def test_no_guest(self):
        self.assertEqual(self.cases(side_effect=host.Error('it does not build')), [('runs', 'failed', 'it does not build')])


class Programs(unittest.TestCase):
    def test_each_is_in_the_table_and_has_the_program_that_it_names(self):
        paths = {path.name.partition('.')[0]: path for path in sound.SOURCES.glob('*.bpf.c')}
        self.assertEqual(set(paths), set(sound.INPUTS))
        for name, path in paths.items():
            text = path.read_text()
            self.assertRegex(text, r'^// SPDX-License-Identifier: GPL-2.0-only\n/\*', name)
            self.assertIn(f'int {sound.INPUTS[name].program}(void *ctx)', text)
            self.assertTrue(set(sound.INPUTS[name].out) <= set(range(16)), name)


class Scheduled(unittest.TestCase):
    def test_beside_where_time_is_counted_and_else_alone(self):
        """By `make test`, on each kernel that it tests and that is of a variant for this."""
        done, text = [], io.StringIO()
        report = functools.partial(main.ktap.Report, file=text)

        def cases(kdir, target):
            done.append(target.name)
            return [('a_stale', 'passed', '')]

        def boots(args, chosen, beside):
            yield from [function() for function in beside]
            done.append('all boots')
        nothing = mock.Mock(return_value=[])
        with contextlib.ExitStack() as held:
            for where, name, instead in (
                    (main.targets, 'TESTED', TESTED), (main.packages, 'setup', nothing),
                    (main, 'setup', nothing), (main, 'harness', nothing),
                    (main, 'hook_cases', nothing), (main, 'callback_cases', nothing), (main.graft, 'taken', nothing),
                    (main.unchanged, 'check', nothing), (main.source, 'version', lambda _: '6.12.3'),
                    (main.source, 'distribution', nothing), (main.vectors, 'cases', nothing),
                    (main.demo, 'cases', nothing), (main.usable, 'cases', nothing),
                    (main.matrix, 'write', nothing), (main.matrix, 'cases', nothing), (main.ktap.junit.Results, 'write', nothing),
                    (main, 'number_of_boots', lambda *_: 0), (main.ktap, 'Report', report),
                    (main.kernel, 'prepared', lambda _: (contextlib.nullcontext(), nothing)), (sound, 'cases', cases), (main.escape, 'cases', nothing),
                    (main, 'own_locks', lambda *_: contextlib.nullcontext()), (main, 'boots', boots)):
                held.enter_context(mock.patch.object(where, name, instead))
            self.assertTrue(main.cmd_test(argparse.Namespace(kdir='', arch='', variant='', suite='')))
        self.assertEqual(done, ['x86_64-default', 'arm64-default', 'all boots', 'riscv64-default', 'x86_64-debug'])
        for name in ('x86_64-default', 'riscv64-default', 'x86_64-debug'):
            self.assertIn(f'sound-{name}\n', text.getvalue())
        self.assertIn('1..14\n', text.getvalue())
        self.assertIn('ok 10 sound-x86_64-debug\n', text.getvalue())
