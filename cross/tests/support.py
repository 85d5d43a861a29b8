# SPDX-License-Identifier: GPL-2.0-only
"""What several test files share: consoles of imagined boots, and an emulator that plays them."""

import os
import stat
import sys
import tempfile
from pathlib import Path
from unittest import mock

import source
import targets
import tree

PASSING = '''Linux version 6.12.117
KTAP version 1
1..1
    KTAP version 1
    # Subtest: fastterm_load
    # module: load
    1..2
    ok 1 straight_line
    ok 2 kfunc # SKIP no such kfunc here
# fastterm_load: pass:1 fail:0 skip:1 total:2
# Totals: pass:1 fail:0 skip:1 total:2
ok 1 fastterm_load
reboot: Restarting system
'''
FAILING = PASSING.replace('ok 1 straight_line', '# straight_line: EXPECTATION FAILED\n    not ok 1 straight_line') \
    .replace('ok 1 fastterm_load', 'not ok 1 fastterm_load')
PANIC = PASSING[:PASSING.index('    ok 2')] + 'Kernel panic - not syncing: Fatal exception\n'
SPLAT = PASSING.replace('    ok 2', 'BUG: sleeping function called from invalid context\n    ok 2')


def kernel_tree():
    """The distribution's kernel, or the one that is tested, for the tools in it; nothing is built."""
    given = os.environ.get('FASTTERM_TEST_TREE')
    original = Path(given) if given else source.distribution()
    return tree.Tree(original, original)


TARGET = targets.Target(targets.ARCHES['x86_64'], 'default')


EMULATOR = '''#!{python}
import os, pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
sys.stdout.write((here / 'console').read_text())
sys.stdout.flush()
if {holds}:
    subprocess.Popen(['sleep', '600'])
(here / 'pid').write_text(str(os.getpid()))
if {stay}:
    time.sleep(600)
'''


class FakeQemu:
    """A folder at the head of PATH whose qemu-system-x86_64 prints a console and then ends, or stays.

    @holds: the console stays open when it has ended.
    """

    def __init__(self, console, stay=False, holds=False):
        self.console, self.stay, self.holds = console, stay, holds

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        (path / 'console').write_text(self.console)
        qemu = path / 'qemu-system-x86_64'
        qemu.write_text(EMULATOR.format(python=sys.executable, holds=self.holds, stay=self.stay))
        qemu.chmod(qemu.stat().st_mode | stat.S_IXUSR)
        self.path = mock.patch.dict(os.environ, PATH=f'{path}:{os.environ["PATH"]}')
        self.path.start()
        self.pid_file = path / 'pid'
        return self

    def __exit__(self, *_):
        self.path.stop()
        self.folder.cleanup()
