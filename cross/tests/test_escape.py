# SPDX-License-Identifier: GPL-2.0-only
"""cross/escape.py: what is right of an input, and machines that do not come to their end."""

import contextlib
import io
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import escape
import machine
import targets
from console import Console
from host import Error

X86 = targets.Target(targets.ARCHES['x86_64'], 'default')


def program(name, terminations=1, **more):
    return {'record': 'program', 'object': '00-x.bpf.o', 'name': name, 'terminations': terminations, 'quarantined_ms': 900, 'error': '',
            'leaked': 0} | more


def out(*words):
    return {'record': 'out', 'object': '00-x.bpf.o', 'out': list(words)}


class Judged(unittest.TestCase):
    def test_all_that_has_to_be_is_terminated(self):
        right = [out(0, 1, 1), program('victim'), program('immune_exit', 2)]
        self.assertEqual(escape.judge('d_tp_exit', right), [])
        self.assertEqual(escape.judge('d_tp_exit', [out(0, 1, 1), program('victim', 0), program('immune_exit')]),
                         ['victim was not terminated'])
        self.assertEqual(escape.judge('d_tp_exit', [out(0, 1, 1), program('victim')]), ['immune_exit was not terminated'])

    def test_none_that_is_to_be_spared_is_terminated(self):
        self.assertEqual(escape.judge('blame', [program('culprit'), program('innocent', 0)]), [])
        self.assertEqual(escape.judge('blame', [program('culprit'), program('innocent', 2)]), ['innocent was terminated 2 times'])
        self.assertEqual(escape.judge('blame', [program('culprit')]), ['innocent was not run'])

    def test_what_it_has_written_down(self):
        self.assertEqual(escape.judge('g_guard', [out(0), program('attacker'), program('guard', 0)]), [])
        self.assertEqual(escape.judge('g_guard', [out(3), program('attacker'), program('guard', 0)]), ['out[0] is 3, right is 0'])
        self.assertEqual(escape.judge('g_guard', [program('attacker')]), ['out[0] is None, right is 0'])

    def test_what_is_left_behind_and_what_does_not_end(self):
        self.assertEqual(escape.judge('deep_redirect', [program('flood', leaked=1)]), ['flood is not gone after it was detached'])
        self.assertEqual(escape.judge('deep_redirect', [program('flood', error='tracing: no such function')]),
                         ['flood: tracing: no such function'])
        self.assertEqual(escape.judge('deep_redirect', [{'record': 'stuck'}]), ['a process does not come back'])
        self.assertEqual(escape.judge('deep_redirect', []), ['the guest has run no program'])
        self.assertEqual(escape.judge('deep_redirect', [{'record': 'failed', 'error': 'soft lockup'}]), ['soft lockup'])

    def test_who_runs_away_all_the_time_is_quarantined(self):
        self.assertEqual(escape.judge('every_call', [program('runs_away', quarantined_ms=900)]), [])
        self.assertEqual(escape.judge('every_call', [program('runs_away', quarantined_ms=0)]), ['runs_away was not quarantined'])

    def test_a_kernel_that_is_to_panic(self):
        self.assertEqual(escape.judge('lockup_off', [{'record': 'failed', 'error': 'soft lockup', 'panicked': True}]), [])
        self.assertEqual(escape.judge('lockup_off', [{'record': 'failed', 'error': 'no end', 'panicked': False}]),
                         ['the kernel has not panicked'])
        self.assertEqual(escape.judge('lockup_off', [program('holds_on')]), ['the kernel has not panicked'])


class Inputs(unittest.TestCase):
    def test_each_has_a_source_and_its_programs(self):
        paths = {path.name.partition('.')[0]: path for path in escape.SOURCES.glob('*.bpf.c')}
        self.assertEqual(set(paths), set(escape.INPUTS))
        for name, path in paths.items():
            text = path.read_text()
            # A source may be another one with other definitions.
            for included in re.findall(r'#include "(\w+\.bpf\.c)"', text):
                text += (path.parent / included).read_text()
            self.assertRegex(text, r'^// SPDX-License-Identifier: GPL-2.0-only\n/\*', name)
            for ended in escape.INPUTS[name].ended + escape.INPUTS[name].spared:
                self.assertRegex(text, rf'(int {ended}\(|BPF_PROG\({ended},)', name)


class Machines(unittest.TestCase):
    def measured(self, boot, names):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as held:
            for where, name, instead in (
                    (escape.host, 'OUT', Path(folder)), (escape.host, 'say', lambda text: None),
                    (escape.corpus, 'kernel_and_types', lambda *_: (None, '')),
                    (escape.corpus, 'ours', lambda *_: {f'{name}.bpf.o': Path(name) for name in names}),
                    (escape.guest, 'build', lambda *_: Path('init')), (escape.guest, 'boot', boot)):
                held.enter_context(mock.patch.object(where, name, instead))
            (Path(folder) / 'escape-x86_64-default').mkdir()
            (Path(folder) / 'escape-x86_64-default' / 'console.log').write_text('it said something')
            return escape.measure('', X86)

    def test_the_others_run_on_a_new_machine(self):
        """One that takes its machine with it is named, and no other one is."""
        booted = []

        def boot(target, out, files, *, on_record, **_):
            names = [name.partition('-')[2] for name in sorted(files) if name.startswith('objects/')]
            booted.append(names)
            on_record({'record': 'machine', 'watchdog': 1})
            for number, name in enumerate(names):
                if name == 'b.bpf.o':
                    raise machine.Failed('no end after 60 s', Console())
                on_record(program('p') | {'object': f'{number:02}-{name}'})
        seen = self.measured(boot, ['a', 'b', 'c'])
        self.assertEqual(booted, [['a.bpf.o', 'b.bpf.o', 'c.bpf.o'], ['c.bpf.o']])
        self.assertEqual([record['record'] for record in seen.records['b']], ['failed'])
        self.assertEqual([seen.records[name][0]['record'] for name in 'ac'], ['program', 'program'])

    def test_an_input_that_needs_another_budget_has_its_own_machine(self):
        booted = []

        def boot(target, out, files, *, append, on_record, **_):
            names = [name.partition('-')[2] for name in files if name.startswith('objects/')]
            booted.append((names, 'softlockup_panic=1' in append))
            for number, name in enumerate(names):
                on_record(program('holds_on') | {'object': f'{number:02}-{name}'})
        self.measured(boot, ['a', 'lockup', 'z'])
        self.assertEqual(booted, [(['a.bpf.o', 'z.bpf.o'], False), (['lockup.bpf.o'], True)])

    def test_a_kernel_without_the_watchdog(self):
        def boot(target, out, files, *, on_record, **_):
            on_record({'record': 'machine', 'watchdog': 0})
        with self.assertRaisesRegex(Error, 'CONFIG_BPF_FASTTERM_WATCHDOG=y'):
            self.measured(boot, ['a'])

    def test_what_no_interrupt_reaches_is_skipped_and_named(self):
        arch = escape.unreachable
        with mock.patch.object(escape, 'measure', return_value=escape.Seen(records={
                name: [{'record': 'failed', 'error': 'soft lockup', 'panicked': right.panics}] if right.panics else
                [program(ended) for ended in right.ended] + [program(spared, 0) for spared in right.spared] + [out(*(min(right.out.get(index, {0})) for index in range(16)))] for name, right in escape.INPUTS.items()})), \
                mock.patch.object(escape, 'unreachable', lambda a, name: 'no NMI' if name == 'f_deep' else arch(a, name)), \
                contextlib.redirect_stdout(io.StringIO()):
            found = {name: (result, why) for name, result, why in escape.cases('', X86)}
        self.assertEqual(found.pop('f_deep'), ('skipped', 'no NMI'))
        self.assertEqual({result for result, _ in found.values()}, {'passed'})


if __name__ == '__main__':
    unittest.main()
