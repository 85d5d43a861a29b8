# SPDX-License-Identifier: GPL-2.0-only
"""cross/debugger.py: gdb beside an emulator, with others in their places."""

import os
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import debugger
import host
import targets

TARGET = targets.Target(targets.ARCHES[targets.FIRST], 'default')
# Creates the socket that it is told of, as the emulator does, and goes on until it is ended.
EMULATOR = '''#!/bin/sh
echo "$@" >"$FOLDER/emulator"
echo $$ >"$FOLDER/pid"
for word; do case $word in unix:*) socket=${word#unix:}; : >"${socket%%,*}";; esac; done
exec sleep 100
'''
GDB = '''#!/bin/sh
for word; do echo "$word"; done >"$FOLDER/gdb"
exit ${STATUS:-0}
'''


class Debugger(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.out = self.folder / 'out'
        self.out.mkdir()
        for name, text in ((f'qemu-system-{TARGET.arch.qemu}', EMULATOR), ('gdb-multiarch', GDB)):
            self.put(name, text)
        self.enterContext(mock.patch.dict(os.environ, {'PATH': f'{self.folder}:{os.environ["PATH"]}', 'FOLDER': str(self.folder)}))
        self.enterContext(mock.patch.object(host, 'say', lambda text: None))

    def put(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def run_it(self, suite='', more=''):
        _, where = next(TARGET.machines)
        return debugger.run(TARGET, where, self.folder / 'build', self.out, suite, more)

    def test_gdb_is_connected(self):
        self.assertTrue(self.run_it('fastterm_redirect', '-batch -ex "info registers"'))
        emulator = (self.folder / 'emulator').read_text()
        self.assertIn(' -S', emulator)
        self.assertIn('nokaslr', emulator)
        self.assertIn('kunit.filter_glob=fastterm_redirect', emulator)
        words = (self.folder / 'gdb').read_text().splitlines()
        socket, = (word.removeprefix('target remote ') for word in words if word.startswith('target remote '))
        self.assertIn(f'unix:{socket},', emulator)
        self.assertEqual(words[-3:], ['-batch', '-ex', 'info registers'])
        self.assertIn(f'source {debugger.SCRIPT}', words)

    def test_the_emulator_ends_with_gdb(self):
        self.run_it()
        pid = int((self.folder / 'pid').read_text())
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_what_gdb_says_counts(self):
        with mock.patch.dict(os.environ, {'STATUS': '3'}):
            self.assertFalse(self.run_it())

    def test_an_emulator_that_does_not_begin(self):
        self.put(f'qemu-system-{TARGET.arch.qemu}', '#!/bin/sh\necho no such machine; exit 1\n')
        begin = time.monotonic()
        with self.assertRaisesRegex(host.Error, 'did not begin: see .*emulator.log'):
            self.run_it()
        self.assertLess(time.monotonic() - begin, debugger.PATIENCE / 2)
        self.assertEqual((self.out / 'emulator.log').read_text(), 'no such machine\n')

    def test_arguments_that_are_no_words(self):
        with self.assertRaisesRegex(host.Error, 'GDB=-ex ": No closing quotation'):
            self.run_it('', '-ex "')
