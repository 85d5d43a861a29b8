# SPDX-License-Identifier: GPL-2.0-only
"""Graft and ungraft, on a kernel tree of a few small files."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import graft
import hooks
import host
import parts
import tree as trees
from targets import ARCHES

MAKEFILE = 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION =\n'
SOURCE = 'int twice(int a)\n{\n\tint b = a + a;\n\n\treturn b;\n}\n\nint once(int a)\n{\n\treturn a;\n}\n'
KCONFIG = 'menu "x"\n\tselect ONE\nendmenu\n'

COCCI = '''// SPDX-License-Identifier: GPL-2.0-only
// Changes: kernel/bpf/core.c {places}
@@
@@
- return b;
+ fastterm();
+ return b;
'''
LINES = '[kernel/bpf/Kconfig]\nafter = select ONE\nline = select TWO\n'


class Fixture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree, self.hooks = Path(folder.name) / 'tree', Path(folder.name) / 'hooks'
        for name, text in (('Makefile', MAKEFILE), ('kernel/bpf/core.c', SOURCE), ('kernel/bpf/Kconfig', KCONFIG)):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)
        for arch in ARCHES.values():
            (self.tree / 'arch' / arch.srcarch).mkdir(parents=True)
            (self.tree / 'arch' / arch.srcarch / 'Kconfig').write_text('config X\n')
        self.hooks.mkdir()
        self.hook('a.cocci', COCCI.format(places=1))
        self.hook('b.lines', LINES)
        patch = mock.patch.object(hooks, 'FOLDER', self.hooks)
        patch.start()
        self.addCleanup(patch.stop)
        self.before = self.snapshot()

    def hook(self, name, text):
        (self.hooks / name).write_text(text)

    def snapshot(self):
        """Content and mode of every file, and the folders."""
        return {str(p.relative_to(self.tree)): (p.read_bytes(), p.stat().st_mode)
                if p.is_file() else None for p in self.tree.rglob('*')}

    def times(self):
        return {p: p.stat().st_mtime_ns for p in self.tree.rglob('*') if p.is_file()}


def interrupted_at(n):
    """A block in which the n-th file that is put in its place is not, since somebody interrupts that."""
    left, replace = [n], os.replace

    def failing(*args):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        replace(*args)
    return mock.patch.object(os, 'replace', failing)


class Graft(Fixture):
    def test_grafts_what_the_hooks_say(self):
        self.assertTrue(graft.apply(self.tree))
        self.assertIn('\tfastterm();\n\treturn b;', (self.tree / 'kernel/bpf/core.c').read_text())
        self.assertIn('\tselect ONE\n\tselect TWO\n', (self.tree / 'kernel/bpf/Kconfig').read_text())
        self.assertTrue((self.tree / 'kernel/bpf/fastterm/Kconfig').exists())
        self.assertTrue((self.tree / 'include/linux/fastterm_arch.h').exists())
        self.assertTrue((self.tree / 'Documentation/bpf/fastterm.rst').exists())

    def test_twice_is_once(self):
        graft.apply(self.tree)
        once, times = self.snapshot(), self.times()
        self.assertFalse(graft.apply(self.tree))
        self.assertEqual((self.snapshot(), self.times()), (once, times))

    def test_what_is_given_back_is_compiled_again(self):
        graft.apply(self.tree)
        grafted = (self.tree / 'kernel/bpf/core.c').stat().st_mtime_ns
        graft.remove(self.tree)
        self.assertGreaterEqual((self.tree / 'kernel/bpf/core.c').stat().st_mtime_ns, grafted)

    def test_interrupted_ungraft_is_done_again(self):
        graft.apply(self.tree)
        for n in (1, 2):
            with interrupted_at(n), self.assertRaises(KeyboardInterrupt):
                graft.remove(self.tree)
        graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_ungraft_gives_back_the_original(self):
        graft.apply(self.tree)
        graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_ungraft_of_what_is_not_grafted(self):
        with self.assertRaisesRegex(host.Error, 'not grafted'):
            graft.remove(self.tree)

    def test_a_newer_hook_replaces_the_older(self):
        graft.apply(self.tree)
        self.hook('a.cocci', COCCI.format(places=1).replace('fastterm()', 'newer()'))
        (self.hooks / 'b.lines').unlink()
        graft.apply(self.tree)
        self.assertNotIn('fastterm()', (self.tree / 'kernel/bpf/core.c').read_text())
        self.assertEqual((self.tree / 'kernel/bpf/Kconfig').read_text(), KCONFIG)
        self.assertFalse(graft.apply(self.tree))
        graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_no_match_names_hook_file_and_version(self):
        self.hook('a.cocci', COCCI.format(places=1).replace('return b', 'return c'))
        with self.assertRaisesRegex(host.Error, r'a\.cocci matches 0 places in kernel/bpf/core\.c of kernel 6\.12\.3, '
                                    'expected 1'):
            graft.apply(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_too_many_matches(self):
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE.replace('return a', 'return b'))
        with self.assertRaisesRegex(host.Error, 'matches 2 places'):
            graft.apply(self.tree)

    def test_line_without_its_anchor(self):
        (self.tree / 'kernel/bpf/Kconfig').write_text('menu "x"\n')
        with self.assertRaisesRegex(host.Error, r'b\.lines matches 0 places in kernel/bpf/Kconfig'):
            graft.apply(self.tree)

    def test_file_that_a_hook_names_is_missing(self):
        (self.tree / 'kernel/bpf/core.c').unlink()
        with self.assertRaisesRegex(host.Error, r'a\.cocci: kernel 6\.12\.3 has no file kernel/bpf/core\.c'):
            graft.apply(self.tree)

    def test_interrupted_anywhere_is_undone_or_finished(self):
        """The n-th write fails, for every n: afterwards graft finishes, and ungraft gives back the original."""
        write, n = host.write_whole, 0
        while True:
            n, left = n + 1, [n]

            def failing(*args):
                left[0] -= 1
                if not left[0]:
                    raise OSError(28, 'No space left on device', 'x')
                write(*args)
            for after in (graft.apply, lambda tree: None):
                left[0] = n
                with mock.patch.object(host, 'write_whole', failing):
                    try:
                        graft.apply(self.tree)
                    except OSError:
                        pass
                after(self.tree)
                if graft.State(self.tree).exists():
                    graft.remove(self.tree)
                self.assertEqual(self.snapshot(), self.before, f'write {n}')
            if left[0] > 0:
                break
        self.assertGreater(n, 8)

    def test_killed_anywhere_leaves_nothing(self):
        """The n-th file is whole, and not yet in its place: nobody can tidy up, and ungraft gives back the original."""
        code = ('import os, signal, sys; from pathlib import Path; import graft, hooks\n'
                'left, replace = int(sys.argv[3]), os.replace\n'
                'def replaced(*args):\n'
                '    global left\n'
                '    left -= 1\n'
                '    replace(*args) if left else os.kill(os.getpid(), signal.SIGKILL)\n'
                'hooks.FOLDER, os.replace = Path(sys.argv[2]), replaced\n'
                'graft.apply(Path(sys.argv[1]))\n')
        for n in (1, 2, 4, 5, 6, 7, 20):
            with self.subTest(n):
                done = subprocess.run([sys.executable, '-B', '-c', code, self.tree, self.hooks, str(n)], check=False,
                                      env=dict(os.environ, PYTHONPATH=':'.join(sys.path)))
                self.assertEqual(done.returncode, -signal.SIGKILL)
                graft.remove(self.tree)
                self.assertEqual(self.snapshot(), self.before)

    def test_ungraft_on_a_full_disk(self):
        """What goes makes room for what has to be written."""
        graft.apply(self.tree)
        write = host.write_whole

        def full(path, data, folder=None):
            if any((self.tree / name).exists() for name in graft.overlay()):
                raise OSError(28, 'No space left on device', 'x')
            write(path, data, folder)
        with mock.patch.object(host, 'write_whole', full):
            graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def edit(self, name, old, new):
        path = self.tree / name
        self.assertIn(old, path.read_text())
        path.write_text(path.read_text().replace(old, new))

    def test_an_edit_elsewhere_in_a_hooked_file_stays(self):
        graft.apply(self.tree)
        self.edit('kernel/bpf/core.c', 'return a;', 'return 1 * a;')
        self.hook('a.cocci', COCCI.format(places=1).replace('fastterm()', 'newer()'))
        for _ in range(2):
            graft.apply(self.tree)
            self.assertEqual((self.tree / 'kernel/bpf/core.c').read_text(),
                             SOURCE.replace('return b;', 'newer();\n\treturn b;').replace('return a;', 'return 1 * a;'))
        self.edit('kernel/bpf/core.c', 'once', 'again')
        graft.remove(self.tree)
        self.assertEqual((self.tree / 'kernel/bpf/core.c').read_text(),
                         SOURCE.replace('return a;', 'return 1 * a;').replace('once', 'again'))

    def test_an_edit_that_was_being_taken_in(self):
        """Interrupted at each write and each renaming: the next graft, or ungraft, goes on, and the edit stays."""
        def edited():
            graft.apply(self.tree)
            self.edit('kernel/bpf/core.c', 'return a;', 'return 1 * a;')
        for n in range(1, 12):
            edited()
            with contextlib.suppress(KeyboardInterrupt), interrupted_at(n):
                graft.apply(self.tree)
            if n % 2:
                graft.apply(self.tree)
            graft.remove(self.tree)
            self.assertEqual((self.tree / 'kernel/bpf/core.c').read_text(), SOURCE.replace('return a;', 'return 1 * a;'), n)
            (self.tree / 'kernel/bpf/core.c').write_text(SOURCE)

    def is_refused(self, what):
        before = self.snapshot()
        for action in (graft.apply, graft.remove):
            with self.assertRaisesRegex(host.Error, f'changed since the graft, in what it has put there: {what}\n'):
                action(self.tree)
            self.assertEqual(self.snapshot(), before)

    def test_an_edit_of_the_grafts_own_lines_is_named_and_not_lost(self):
        graft.apply(self.tree)
        self.edit('kernel/bpf/core.c', 'fastterm();', 'fastterm(1);')
        self.is_refused(r'kernel/bpf/core\.c, line 5')

    def test_an_edit_of_a_file_of_ours_is_named_and_not_lost(self):
        graft.apply(self.tree)
        self.edit('kernel/bpf/fastterm/walk.c', '#include', '\n#include')
        self.is_refused(r'kernel/bpf/fastterm/walk\.c')

    def test_an_edit_after_an_interrupted_graft_is_not_lost(self):
        with mock.patch.object(graft.State, 'complete', side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                graft.apply(self.tree)
        self.edit('kernel/bpf/core.c', 'return a;', 'return 1 * a;')
        self.is_refused(r'kernel/bpf/core\.c')

    def test_architectures_that_the_tree_has_not_are_left_out(self):
        (self.tree / 'arch/riscv/Kconfig').unlink()
        (self.tree / 'arch/riscv').rmdir()
        self.hook('c.lines', ''.join(f'[arch/{arch.srcarch}/Kconfig]\nat = end\nline = config Y\n'
                                     for arch in ARCHES.values()))
        with mock.patch.object(host, 'say') as says:
            graft.apply(self.tree)
        self.assertIn('left out, since the tree does not have them: riscv64', says.call_args[0][0])
        self.assertTrue((self.tree / 'arch/x86/net/fastterm.c').exists())
        self.assertIn('config Y', (self.tree / 'arch/x86/Kconfig').read_text())
        self.assertFalse((self.tree / 'arch/riscv').exists())
        with self.assertRaisesRegex(host.Error, r'has no arch/riscv/, so nothing can be put in for ARCH=riscv64'):
            parts.of(self.tree, 'riscv64')

    def test_one_architecture_and_no_tests(self):
        self.hook('kunit.lines', '[kernel/bpf/Kconfig]\nafter = select TWO\nline = select TESTS\n')
        graft.apply(self.tree)
        self.assertIn('select TESTS', (self.tree / 'kernel/bpf/Kconfig').read_text())
        self.assertTrue((self.tree / 'kernel/bpf/fastterm/kunit/Kconfig').exists())
        for _ in range(2):
            graft.apply(self.tree, parts.of(self.tree, 'arm64', '0'))
            self.assertNotIn('select TESTS', (self.tree / 'kernel/bpf/Kconfig').read_text())
            self.assertFalse((self.tree / 'kernel/bpf/fastterm/kunit').exists())
            self.assertEqual([p.parts[-3] for p in self.tree.glob('arch/*/net/fastterm.c')], ['arm64'])
        graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_kunit_is_0_or_1(self):
        with self.assertRaisesRegex(host.Error, 'KUNIT=no: unknown; valid are 0 and 1'):
            parts.of(self.tree, kunit='no')

    def test_a_reserved_word_is_used_where_there_is_one(self):
        """Android promises modules that a structure keeps its layout: our pointer has to be in the word that it has for that."""
        def put_into(members):
            (self.tree / 'include/linux').mkdir(parents=True, exist_ok=True)
            path = self.tree / 'include/linux/bpf.h'
            path.write_text('struct other {\n\tstruct module *mod;\n\tANDROID_KABI_RESERVE(1);\n};\n\n'
                            f'struct bpf_prog_aux {{\n\tstruct module *mod;\n\tunion {{\n\t\tint a;\n\t}};\n{members}}};\n')
            before = path.read_text()
            self.hook('d.lines', (host.CHECKOUT / 'core/hooks/15-data.lines').read_text())
            graft.apply(self.tree)
            after = path.read_text()
            graft.remove(self.tree)
            return before, after
        before, after = put_into('\tANDROID_KABI_RESERVE(1);\n')
        head, _, aux = before.partition('struct bpf_prog_aux')
        self.assertEqual(after, head + 'struct bpf_prog_aux' +
                         aux.replace('ANDROID_KABI_RESERVE(1)', 'ANDROID_KABI_USE(1, struct fastterm_ptr fastterm)'))
        with self.assertRaisesRegex(host.Error, r'15-data|d\.lines matches 0 places in include/linux/bpf\.h'):
            put_into('\tANDROID_KABI_USE(1, int somebodys);\n')
        before, after = put_into('')
        head, _, aux = before.partition('struct bpf_prog_aux')
        self.assertEqual(after, head + 'struct bpf_prog_aux' +
                         aux.replace('*mod;\n', '*mod;\n\tstruct fastterm_ptr fastterm;\n'))

    def test_what_an_interrupted_graft_has_not_reached_is_no_change(self):
        graft.apply(self.tree)
        self.hook('a.cocci', COCCI.format(places=1).replace('fastterm()', 'newer()'))
        write = host.write_whole

        def failing(path, data, folder=None):
            if path == self.tree / 'kernel/bpf/core.c':
                raise KeyboardInterrupt
            write(path, data, folder)
        with mock.patch.object(host, 'write_whole', failing):
            with self.assertRaises(KeyboardInterrupt):
                graft.apply(self.tree)
        self.assertIn('fastterm();', (self.tree / 'kernel/bpf/core.c').read_text())
        graft.remove(self.tree)
        self.assertEqual(self.snapshot(), self.before)

    def test_what_somebody_has_given_back_is_no_change(self):
        graft.apply(self.tree)
        once = self.snapshot()
        for action, after in ((graft.apply, once), (graft.remove, self.before)):
            (self.tree / 'kernel/bpf/core.c').write_text(SOURCE)
            (self.tree / 'include/linux/fastterm.h').unlink()
            action(self.tree)
            self.assertEqual(self.snapshot(), after)

    def test_a_graft_without_its_record_is_not_grafted_again(self):
        graft.apply(self.tree)
        shutil.rmtree(self.tree / '.fastterm')
        for name in graft.overlay():
            (self.tree / name).unlink()
        with self.assertRaisesRegex(host.Error, r'grafted already, and the record of it, \.fastterm/, is gone: '
                                    r'kernel/bpf/core\.c'):
            graft.apply(self.tree)

    def follow(self, advice):
        """Do what an error says: files given back, and the others removed."""
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE)
        (self.tree / 'kernel/bpf/Kconfig').write_text(KCONFIG)
        for name in advice.split():
            path = self.tree / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        graft.apply(self.tree)
        graft.remove(self.tree)

    def test_the_advice_helps_where_the_record_is_gone(self):
        graft.apply(self.tree)
        shutil.rmtree(self.tree / '.fastterm')
        with self.assertRaises(host.Error) as caught:
            graft.apply(self.tree)
        self.follow(re.search(r'remove what it has added \((.*?)\)', str(caught.exception))[1])

    def test_the_advice_helps_where_the_record_is_damaged(self):
        graft.apply(self.tree)
        (self.tree / '.fastterm/state.json').write_text('{"complete": tr')
        with self.assertRaises(host.Error) as caught:
            graft.apply(self.tree)
        self.follow(re.search(r'by hand, and remove (.*)', str(caught.exception))[1])

    @unittest.skipIf(os.geteuid(), 'not root, which alone can give files away')
    def test_root_leaves_files_to_their_owner(self):
        for path in (self.tree, *self.tree.rglob('*')):
            os.chown(path, 1234, 1234)
        for action in (graft.apply, graft.remove):
            action(self.tree)
            self.assertEqual({(p.stat().st_uid, p.stat().st_gid) for p in (self.tree, *self.tree.rglob('*'))},
                             {(1234, 1234)})

    def test_damaged_record(self):
        graft.apply(self.tree)
        (self.tree / '.fastterm/state.json').write_text('{"complete": tr')
        with self.assertRaisesRegex(host.Error, 'the record of the graft is damaged'):
            graft.remove(self.tree)

    def test_line_behind_a_last_line_that_does_not_end(self):
        (self.tree / 'kernel/bpf/Makefile').write_text('obj-y += core.o')
        self.hook('c.lines', '[kernel/bpf/Makefile]\nat = end\nline = obj-y += fastterm/\n')
        graft.apply(self.tree)
        self.assertEqual((self.tree / 'kernel/bpf/Makefile').read_text(), 'obj-y += core.o\nobj-y += fastterm/\n')

    def test_the_index_of_the_documentation_lists_the_first_page(self):
        path = self.tree / 'Documentation/bpf/index.rst'
        path.parent.mkdir(parents=True)
        before = '.. toctree::\n   :maxdepth: 1\n\n   maps\n   bpf_prog_run\n   other\n'
        path.write_text(before)
        self.hook('docs.lines', (host.CHECKOUT / 'core/hooks/docs.lines').read_text())
        graft.apply(self.tree)
        self.assertEqual(path.read_text(), before.replace('bpf_prog_run\n', 'bpf_prog_run\n   fastterm\n'))
        graft.remove(self.tree)
        self.assertEqual(path.read_text(), before)

    def test_what_is_already_there_is_not_overwritten(self):
        path = self.tree / 'include/linux/fastterm.h'
        path.parent.mkdir(parents=True)
        path.write_text('theirs\n')
        with self.assertRaisesRegex(host.Error, 'already has include/linux/fastterm.h'):
            graft.apply(self.tree)
        self.assertEqual(path.read_text(), 'theirs\n')


class Pages(unittest.TestCase):
    def test_the_first_page_leads_to_the_others(self):
        """Sphinx warns of a page that no table of contents has; the index lists the first one alone."""
        pages = {path.stem: path.read_text() for path in (host.CHECKOUT / 'core/docs').glob('*.rst')}
        self.assertRegex(pages.pop('fastterm'), r'(?m)^\.\. toctree::\n   :maxdepth: 1\n   :glob:\n\n   fastterm-\*$')
        for name, text in pages.items():
            self.assertTrue(name.startswith('fastterm-'), name)
            self.assertNotIn(':orphan:', text)


class WorkingCopy(Fixture):
    """A user's tree is copied, the copy is grafted, and what the user changes comes into the copy."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.dict('os.environ', XDG_CACHE_HOME=folder.name)
        patch.start()
        self.addCleanup(patch.stop)

    def copy(self):
        copy = trees.working_copy(self.tree)
        graft.apply(copy.path)
        return copy.path

    def test_the_users_tree_is_not_written_to(self):
        copy = self.copy()
        self.assertEqual(self.snapshot(), self.before)
        self.assertIn('fastterm();', (copy / 'kernel/bpf/core.c').read_text())

    def test_the_users_changes_come_along(self):
        self.copy()
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE.replace('a + a', '2 * a'))
        (self.tree / 'kernel/bpf/new.c').write_text('int n;\n')
        copy = self.copy()
        self.assertIn('2 * a', (copy / 'kernel/bpf/core.c').read_text())
        self.assertIn('fastterm();', (copy / 'kernel/bpf/core.c').read_text())
        self.assertTrue((copy / 'kernel/bpf/new.c').exists())

    def test_a_hooked_file_that_the_user_has_removed_is_missed(self):
        self.copy()
        (self.tree / 'kernel/bpf/core.c').unlink()
        with self.assertRaisesRegex(host.Error, r'a\.cocci: kernel 6\.12\.3 has no file kernel/bpf/core\.c'):
            self.copy()
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE)
        self.assertIn('fastterm();', (self.copy() / 'kernel/bpf/core.c').read_text())

    def test_what_stays_the_same_keeps_its_time(self):
        path = self.copy() / 'kernel/bpf/core.c'
        before = path.stat().st_mtime_ns
        self.copy()
        self.assertEqual(path.stat().st_mtime_ns, before)

    def test_a_grafted_tree_is_copied_as_it_is(self):
        graft.apply(self.tree)
        copy = self.copy()
        self.assertEqual((copy / 'kernel/bpf/core.c').read_bytes(), (self.tree / 'kernel/bpf/core.c').read_bytes())
