# SPDX-License-Identifier: GPL-2.0-only
"""`make run`: what a user types, and what is printed of a program."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import host
import run
import targets

PROGRAM = {'record': 'program', 'object': '0-a.bpf.o', 'name': 'p', 'type': 'xdp', 'section': 'xdp', 'attach': 'lo',
           'error': '', 'image': 96, 'long': 'jumps back', 'no_image': '', 'refused': '', 'bound': 40, 'bound_calls': 2,
           'kept': 'f, g', 'loop': '', 'activations': 3, 'terminations': 2, 'kicks': 2, 'frames': 4, 'strikes': 0, 'quarantined_ms': 0, 'median': 900, 'longest': 2000, 'leaked': 0}
MACHINE = {'record': 'machine', 'watchdog': 1, 'events': 1}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Table(unittest.TestCase):
    def on_a_terminal(self, *records, sites='', lines=''):
        out = Terminal()

        def measure(kdir, target, files, length, append, tell, one):
            for record in records:
                tell(record)
            if not records[-1:] or records[-1]['record'] == 'failed':
                raise host.Error('it does not end')
        with mock.patch.object(run, 'measure', measure), mock.patch.object(host, 'say', lambda text: None), \
                mock.patch.object(run, 'objects', lambda obj: {'objects/0-a.bpf.o': Path('a.bpf.o')}), contextlib.redirect_stdout(out):
            try:
                run.run(None, targets.ARCHES['x86_64'], 'a.bpf.o', '', '', sites, '', lines)
            except host.Error:
                pass
        return out.getvalue().splitlines()

    def test_what_became_of_a_program(self):
        ends = [run.end(PROGRAM | fields) for fields in (
            {'terminations': 0}, {'terminations': 0, 'activations': 0}, {'error': 'no such hook'}, {},
            {'strikes': 3, 'quarantined_ms': 970, 'leaked': 1})]
        self.assertEqual(ends, ['ended by itself', 'was not entered', 'was not attached', 'terminated 2 times',
                                'terminated 2 times, quarantined for 1.0 s after 3 strikes, still there when it was detached'])

    def test_a_row_each(self):
        lines = self.on_a_terminal(PROGRAM, PROGRAM | {'name': 'short', 'terminations': 0, 'image': 0, 'no_image': 'it is short'})
        self.assertEqual(lines, ['program  type  attached to  can be ended     runs  what became of it',
                                 'p        xdp   lo           yes              3     terminated 2 times',
                                 'short    xdp   lo           no: it is short  3     ended by itself'])

    def test_objects_are_named_if_there_are_several(self):
        lines = self.on_a_terminal(PROGRAM, PROGRAM | {'object': '1-b.bpf.o'})
        self.assertEqual([text.split('  ')[0] for text in lines[1:]], ['a.bpf.o: p', 'b.bpf.o: p'])

    def test_what_was_seen_before_an_error_is_shown(self):
        self.assertEqual(len(self.on_a_terminal(PROGRAM, {'record': 'failed', 'object': '0-a.bpf.o', 'error': 'died'})), 2)

    def test_json_on_a_terminal(self):
        for options in ({'lines': '1'}, {'sites': '1'}):
            text, = self.on_a_terminal(PROGRAM, **options)
            self.assertEqual(json.loads(text)['name'], 'p')


class Typed(unittest.TestCase):
    def test_objects_keep_their_order(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ('b.o', 'a.o')]
            for file in files:
                file.write_text('')
            self.assertEqual(run.objects(f'{files[0]} {files[1]}'),
                             {'objects/0-b.o': files[0], 'objects/1-a.o': files[1]})

    def test_no_object(self):
        with self.assertRaisesRegex(host.Error, 'make run needs OBJ='):
            run.objects('')
        with self.assertRaisesRegex(host.Error, 'OBJ=/nowhere/a.o: no such file'):
            run.objects('/nowhere/a.o')

    def test_parameters(self):
        self.assertEqual(run.parameters('', '', ''), (1.0, 'SECONDS=1.0'))
        self.assertEqual(run.parameters('p', '2', '1'), (2.0, 'SECONDS=2.0 PROG=p SITES=1'))
        for seconds in ('0', '-1', 'long', 'nan', '1e9'):
            with self.assertRaisesRegex(host.Error, 'SECONDS='):
                run.parameters('', seconds, '')
        with self.assertRaisesRegex(host.Error, 'PROG=a b: not the name of a program'):
            run.parameters('a b', '', '')


class Printed(unittest.TestCase):
    def printed(self, records, cpus='1'):
        out = io.StringIO()
        said = []

        def measure(kdir, target, files, length, append, tell, one):
            for record in [MACHINE, *records, {'record': 'end'}]:
                tell(record)
        with mock.patch.object(run, 'measure', measure), \
                mock.patch.object(run, 'objects', lambda obj: {'objects/0-a.bpf.o': Path('a.bpf.o')}), \
                mock.patch.object(host, 'say', said.append), contextlib.redirect_stdout(out):
            good = run.run(None, targets.ARCHES['x86_64'], 'a.bpf.o', '', '', '', cpus, '')
        return good, [json.loads(text) for text in out.getvalue().splitlines()], said

    def test_one_line_a_program(self):
        short = PROGRAM | {'terminations': 0, 'image': 0, 'no_image': 'it is short'}
        good, lines, said = self.printed([PROGRAM, short])
        self.assertTrue(good)
        self.assertEqual(said, [])
        self.assertEqual(lines[0], {'name': 'p', 'type': 'xdp', 'attach': 'lo', 'terminable': True,
                                    'reason': 'jumps back', 'bound': {'instructions': 40, 'kept_calls': 2, 'kept': ['f', 'g'], 'loop': None},
                                    'activations': 3, 'terminations': 2, 'kicks': 2, 'frames': 4, 'quarantined': None, 'instructions_kick_to_exit': {'median': 900, 'most': 2000},
                                    'end': 'terminated 2 times', 'leaked': False})
        self.assertEqual((lines[1]['terminable'], lines[1]['reason'], lines[1]['instructions_kick_to_exit']),
                         (False, 'it is short', None))

    def test_a_program_that_was_quarantined(self):
        _, lines, _ = self.printed([PROGRAM | {'strikes': 3, 'quarantined_ms': 970}])
        self.assertEqual(lines[0]['quarantined'], {'strikes': 3, 'ms': 970})

    def test_a_stub_image_that_the_verifier_refuses(self):
        _, lines, _ = self.printed([PROGRAM | {'image': 0, 'no_image': 'the verifier does not accept its stub image',
                                               'refused': '7: R1 !read_ok', 'bound': 0}])
        self.assertEqual((lines[0]['reason'], lines[0]['bound']),
                         ('the verifier does not accept its stub image: insn 7: R1 !read_ok', None))

    def test_instructions_that_are_not_counted(self):
        _, lines, _ = self.printed([PROGRAM, PROGRAM | {'terminations': 0}], cpus='')
        self.assertIsNone(lines[0]['instructions_kick_to_exit'])
        self.assertIn('CPUS=1', lines[0]['not_counted'])
        self.assertNotIn('not_counted', lines[1])

    def test_sites(self):
        _, lines, _ = self.printed([PROGRAM | {'sites': 'long: no\ninsn 1: kept\n'}])
        self.assertEqual(lines[0]['sites'], ['long: no', 'insn 1: kept'])

    def test_what_is_not_attached_or_stays_behind_is_a_failure(self):
        self.assertFalse(self.printed([PROGRAM | {'leaked': 1}])[0])
        good, lines, _ = self.printed([PROGRAM | {'error': 'lo: Device busy'}])
        self.assertFalse(good)
        self.assertEqual(lines[0]['attach'], 'lo: Device busy')

    def test_an_object_that_the_guest_has_not_found(self):
        with mock.patch.object(run.corpus, 'kernel_and_types', lambda *args: (None, '')), \
                mock.patch.object(run.guest, 'build', lambda *args: None), \
                mock.patch.object(run.guest, 'boot', lambda *args, **kwargs: [{'record': 'end', 'objects': 1}]), \
                mock.patch.object(host, 'say', lambda text: None):
            target = targets.Target(targets.ARCHES['x86_64'], 'default')
            with self.assertRaisesRegex(host.Error, 'the guest has found 1 of 2 objects'):
                run.measure(None, target, {'objects/0-a.o': None, 'objects/1-b.o': None}, 1, '', None, False)

    def test_the_loaders_message(self):
        good, lines, said = self.printed([{'record': 'failed', 'object': '0-a.bpf.o',
                                           'error': 'libbpf: bad\nR1 !read_ok\n'}])
        self.assertFalse(good)
        self.assertEqual((lines, said), ([], ['fastterm: a.bpf.o: libbpf: bad\nR1 !read_ok']))
