# SPDX-License-Identifier: GPL-2.0-only
"""What guests are made of and what they say: things built once, archives, records."""

import importlib
import json
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import arch
import console
import guest
import host
import initramfs
import kernel
import machine
import made
import support
import sysroot
import targets


class Made(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        patch = mock.patch.object(host, 'cache', lambda: self.path / 'cache')
        patch.start()
        self.addCleanup(patch.stop)
        self.times = 0

    def make(self, folder):
        self.times += 1
        (folder / 'file').write_text(str(self.times))

    def failing(self, folder):
        self.make(folder)
        raise KeyboardInterrupt

    def test_once(self):
        for _ in range(2):
            self.assertEqual((made.folder('thing', ['a'], self.make) / 'file').read_text(), '1')

    def test_again_when_an_input_changes(self):
        source = self.path / 'source'
        source.mkdir()
        seen = set()
        for text in ('one', 'two'):
            (source / 'file').write_text(text)
            seen.add(made.folder('thing', [source], self.make))
        (source / 'file').rename(source / 'other')
        seen.add(made.folder('thing', [source], self.make))
        seen.add(made.folder('thing', [source, 'flag'], self.make))
        self.assertEqual(len(seen), 4)

    def test_interrupted_leaves_nothing_half_done(self):
        with self.assertRaises(KeyboardInterrupt):
            made.folder('thing', [], self.failing)
        self.assertEqual((made.folder('thing', [], self.make) / 'file').read_text(), '2')

    def test_old_ones_go(self):
        folders = []
        for number in range(made.KEPT + 2):
            folders.append(made.folder('thing', [str(number)], self.make))
            made.folder('thing-b', [str(number)], self.make)
            time.sleep(0.01)
        self.assertEqual([f.exists() for f in folders], [False] + [True] * (made.KEPT + 1))


class Initramfs(unittest.TestCase):
    def test_cpio_reads_it(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / 'init').write_bytes(b'#!/bin/sh\n')
            (folder / 'init').chmod(0o755)
            (folder / 'odd').write_bytes(b'12345')
            initramfs.write(folder / 'archive', {'init': folder / 'init', 'a/b/ödd': folder / 'odd'})
            names = subprocess.run(['cpio', '-itv', '--quiet'], input=(folder / 'archive').read_bytes(),
                                   stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
            self.assertEqual([(line.split()[0], line.split()[-1]) for line in names],
                             [('drwxr-xr-x', 'a'), ('drwxr-xr-x', 'a/b'), ('-rw-r--r--', 'a/b/ödd'),
                              ('-rwxr-xr-x', 'init')])
            content = subprocess.run(['cpio', '-i', '--quiet', '--to-stdout', 'a/b/ödd'], stdout=subprocess.PIPE,
                                     input=(folder / 'archive').read_bytes(), check=True).stdout
            self.assertEqual(content, b'12345')
            # The kernel, unlike cpio, wants the end of a name to be within its size: the last field but one.
            raw, name = (folder / 'archive').read_bytes(), 'a/b/ödd'.encode() + b'\0'
            self.assertEqual(int(raw[raw.index(name) - 16:][:8], 16), len(name))


class Sources(unittest.TestCase):
    def test_both_forms_of_apts_sources(self):
        self.assertEqual(sysroot.sources_of('Types: deb\nURIs: u\n'), 'Types: deb-src\nURIs: u\n')
        self.assertEqual(sysroot.sources_of('# deb\ndeb [arch=amd64] u s main\ndeb-src u s main\n'),
                         '# deb\ndeb-src [arch=amd64] u s main\ndeb-src u s main\n')


class Records(unittest.TestCase):
    MAIN = r'''
        #include "guest.h"
        int main(void)
        {
            record_begin("kind");
            record_string("text", "a \"quoted\" \\ line\n\x1e\xff");
            record_number("number", 18446744073709551615ULL);
            record_open("list");
            record_number(NULL, 1);
            record_open(NULL);
            record_hex(NULL, (__u8 *)"\x01\xfe", 2);
            record_close();
            record_close();
            record_string("empty", "");
            record_end();
        }'''

    def test_what_the_guest_writes_is_what_we_read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / 'main.c').write_text(self.MAIN)
            subprocess.run(['gcc', *guest.WARNINGS, f'-I{guest.SOURCES}', '-o', path / 'main', path / 'main.c',
                            guest.SOURCES / 'guest.c'], check=True)
            text = subprocess.run([path / 'main'], stdout=subprocess.PIPE, text=True, check=True).stdout
        reader = machine.Reader()
        reader.line(text)
        self.assertEqual(reader.records, [{'record': 'kind', 'text': 'a "quoted" \\ line\n\x1e\xff',
                                           'number': 2 ** 64 - 1, 'list': [1, ['01fe']], 'empty': ''}])

    def test_the_kernel_may_talk_before_a_record(self):
        reader = machine.Reader()
        for line in ('booting\r\n', '[ 1.0] message\x1e{"a": 1}\r\n', '\x1e{"a": 2}\r\n', '\r\n'):
            reader.line(line)
        self.assertEqual((reader.records, reader.console.lines), ([{'a': 1}, {'a': 2}], ['booting', '[ 1.0] message']))

    def test_a_broken_record_is_an_error(self):
        with self.assertRaisesRegex(host.Error, 'not whole: {"a": \\[ 1.0'):
            machine.Reader().line('\x1e{"a": [ 1.0] message\n')


class Machine(unittest.TestCase):
    def run_guest(self, console, **kwargs):
        _, first = next(support.TARGET.machines)
        with tempfile.TemporaryDirectory() as out, support.FakeQemu(console, **kwargs):
            try:
                return machine.run(support.TARGET.arch, first, 'image', 'initramfs', Path(out), timeout=2)
            finally:
                self.left = {path.name: path.read_text() for path in Path(out).iterdir()}

    def test_records_and_console_are_kept_apart(self):
        reader = self.run_guest('booting\n\x1e{"a": 1}\nbye\n')
        self.assertEqual(reader.records, [{'a': 1}])
        self.assertEqual(self.left, {'console.log': 'booting\nbye\n', 'records.jsonl': json.dumps({'a': 1}) + '\n'})

    def test_what_a_hanging_guest_said_is_kept(self):
        with self.assertRaisesRegex(host.Error, 'no end after 2 s'):
            self.run_guest('booting\n', stay=True)
        self.assertEqual(self.left['console.log'], 'booting\n')

    def test_kunit_py_can_read_every_machine(self):
        console.parser(support.kernel_tree())
        read = importlib.import_module('kunit_kernel')._get_qemu_ops
        with tempfile.TemporaryDirectory() as folder:
            for target in targets.select('all', 'all', ()):
                for _, where in target.machines:
                    linux, ops = read(str(kernel.qemu_config(target, where, Path(folder))), [], None)
                    self.assertEqual((linux, ops._qemu_arch, ops._kernel_path),
                                     (target.arch.linux, target.arch.qemu, kernel.image(target)))
                    self.assertEqual(ops._extra_qemu_params, machine.options(target.arch, where))

    def test_single_steps(self):
        """By the name that the emulator has for them."""
        where = arch.Machine(('-cpu', 'x'), '', counted=True, steps=True)
        for text, last, accel in ('-singlestep  always run', '-singlestep', 'tcg,thread=single'), \
                ('one-insn-per-tb=on|off', machine.COUNTED[-1], 'tcg,thread=single,one-insn-per-tb=on'):
            with mock.patch.object(host, 'run', lambda *args, text=text, **kwargs: (0, text)):
                options = machine.options(support.TARGET.arch, where)
            self.assertEqual(options[-1], last)
            self.assertIn(accel, options)
