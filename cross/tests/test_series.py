# SPDX-License-Identifier: GPL-2.0-only
"""The series of patches, on a kernel tree of a few small files that is a git repository."""

import fnmatch
import os
import re
import shutil
import subprocess
import unittest
from unittest import mock

import graft
import hooks
import host
import series
from test_graft import SOURCE, Fixture


# As the kernel's: it begins with prose that has examples of fields.
MAINTAINERS = '''List of maintainers
===================

\tM: *Mail* patches to: FullName <address@domain>
\tF: *Files*

Maintainers List
----------------

BONDING DRIVER
M:\tOne \u00d6ther <one@example.org>
F:\tdrivers/net/bonding/

BPF JIT for ARC
L:\tbpf@vger.kernel.org
S:\tMaintained
F:\tarch/arc/net/

BPF [BTF]
F:\tkernel/bpf/btf.c

THE REST
M:\tAnother <another@example.org>
F:\t*
'''


class Series(Fixture):
    def setUp(self):
        super().setUp()
        folder = self.tree.parent
        # What the user has configured.
        self.config = folder / 'home' / '.gitconfig'
        self.config.parent.mkdir()
        self.config.write_text('[user]\n\tname = Some One\n\temail = one@example.org\n')
        # What hooks have made of these files before is kept where it always is.
        patch = mock.patch.dict(os.environ, {'HOME': str(self.config.parent), 'XDG_CACHE_HOME': str(host.cache().parent)})
        patch.start()
        self.addCleanup(patch.stop)
        # A hook of the repository that this is in says by some of them where that is.
        for name in [name for name in os.environ if name.startswith('GIT_') or name in ('XDG_CONFIG_HOME', 'EMAIL')]:
            del os.environ[name]
        os.environ['GIT_CONFIG_NOSYSTEM'] = '1'
        self.hook('c.cocci', '// SPDX-License-Identifier: GPL-2.0-only\n// So that it is\n// known who calls.\n'
                             '// Changes: kernel/bpf/core.c 1\n@@\n@@\n- return a;\n+ who();\n+ return a;\n')
        (self.tree / 'MAINTAINERS').write_text(MAINTAINERS)
        self.git('init', '--quiet')
        self.git('add', '--all')
        self.git('commit', '--quiet', '-m', 'before')
        self.out = folder / 'out' / 'series'

    def git(self, *args, check=True):
        return subprocess.run(['git', '-C', self.tree, *args], check=check, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout

    def made(self):
        return series.make(self.tree, self.out)

    def there(self):
        """The patches that are there, whole."""
        return [(path, path.read_bytes()) for path in sorted(self.out.iterdir())]

    def source(self):
        return {str(p.relative_to(self.tree)): p.read_bytes() for p in self.tree.rglob('*') if p.is_file()
                and not {'.git', '.fastterm'} & set(p.relative_to(self.tree).parts)}

    def test_git_am_gives_what_graft_gives(self):
        patches = self.made()
        self.assertEqual(len(patches), len(series.PATCHES))
        self.git('am', *patches)
        taken = self.source()
        self.assertNotEqual(taken.pop('MAINTAINERS'), MAINTAINERS.encode())
        self.git('reset', '--quiet', '--hard', f'HEAD~{len(patches)}')
        self.assertNotEqual({name: data for name, data in self.source().items() if name != 'MAINTAINERS'}, taken)
        graft.apply(self.tree)
        grafted = self.source()
        self.assertEqual(grafted.pop('MAINTAINERS'), MAINTAINERS.encode())
        self.assertEqual(grafted, taken)

    def entries(self):
        """The titles of the tree's MAINTAINERS, once it has taken the series."""
        self.git('am', *self.made())
        return re.findall(r'(?m)^(?![A-Z]:\t)([A-Z].*)\n[A-Z]:\t', (self.tree / 'MAINTAINERS').read_text())

    def test_the_entry_is_in_the_order_of_titles(self):
        self.assertEqual(self.entries(), ['BONDING DRIVER', series.TITLE, 'BPF JIT for ARC', 'BPF [BTF]', 'THE REST'])
        self.assertEqual((self.tree / 'MAINTAINERS').read_text().replace(f'{series.ENTRY}\n', ''), MAINTAINERS)

    def test_entries_that_are_out_of_order_make_no_difference(self):
        text = MAINTAINERS.replace('BONDING DRIVER', 'XYZ\nF:\tx\n\nABC\nF:\ta\n\nBONDING DRIVER')
        (self.tree / 'MAINTAINERS').write_text(text.replace('THE REST', 'ABD\nF:\tb\n\nTHE REST'))
        self.git('commit', '--quiet', '-a', '-m', 'out of order')
        self.assertEqual(self.entries()[2:5], ['BONDING DRIVER', series.TITLE, 'BPF JIT for ARC'])

    def test_the_entry_may_be_the_last_before_the_rest(self):
        (self.tree / 'MAINTAINERS').write_text(MAINTAINERS.replace('BPF ', 'ABC '))
        self.git('commit', '--quiet', '-a', '-m', 'other titles')
        self.assertEqual(self.entries()[-2:], [series.TITLE, 'THE REST'])

    def test_who_maintains_it_is_left_open(self):
        last = self.made()[-1].read_text()
        self.assertIn('\nSubject: [PATCH 8/8] MAINTAINERS: ', last)
        self.assertIn('has no M: line yet', last.replace('\n', ' '))
        self.assertNotRegex(last, r'(?m)^\+M:')
        self.assertIn('before you send the series, add who maintains it', series.how_to_take(self.tree, self.out))

    def test_every_file_of_ours_has_the_entry(self):
        patterns = re.findall(r'(?m)^F:\t(.+)$', series.ENTRY)
        for name in graft.overlay():
            self.assertTrue(any(fnmatch.fnmatchcase(name, f'{p}*' if p.endswith('/') else p) for p in patterns), name)

    def test_a_tree_without_maintainers_or_with_the_entry_alone(self):
        path = self.tree / 'MAINTAINERS'
        path.write_text(MAINTAINERS.replace('BPF [BTF]', series.TITLE))
        with self.assertRaisesRegex(host.Error, f'has an entry {series.TITLE}'):
            self.made()
        path.write_text('Nobody\n')
        with self.assertRaisesRegex(host.Error, 'has no entries'):
            self.made()
        path.unlink()
        with self.assertRaisesRegex(host.Error, 'kernel 6.12.3 has no file MAINTAINERS'):
            self.made()
        self.assertFalse(self.out.exists())

    def test_the_tree_is_only_read(self):
        before = self.snapshot()
        self.made()
        self.assertEqual(self.snapshot(), before)

    def test_from_whom_git_knows(self):
        self.git('config', 'user.name', 'An Other')
        for patch in self.made():
            self.assertIn('\nFrom: An Other <one@example.org>\n', patch.read_text())
        with mock.patch.dict(os.environ, {'GIT_AUTHOR_NAME': 'A Third'}):
            self.assertIn('\nFrom: A Third <one@example.org>\n', self.made()[0].read_text())

    def test_a_repository_that_git_does_not_read(self):
        (self.tree / '.git/config').write_text('[\n')
        self.assertIn('\nFrom: Some One <one@example.org>\n', self.made()[0].read_text())

    def test_what_git_says_besides_is_no_name(self):
        other = self.tree.parent / 'other'
        subprocess.run(['git', 'init', '--quiet', other], check=True)
        subprocess.run(['git', '-C', other, 'config', 'user.name', 'Wrong'], check=True)
        with mock.patch.dict(os.environ, {'GIT_TRACE': '1', 'GIT_DIR': str(other / '.git'), 'LD_PRELOAD': '/nowhere.so'}):
            self.assertIn('\nFrom: Some One <one@example.org>\n', self.made()[0].read_text())

    def test_nobody_is_made_up(self):
        self.config.write_text('')
        with self.assertRaisesRegex(host.Error, 'git config --global user.name'):
            self.made()
        # The address alone does not do: the name would be that of the account.
        with mock.patch.dict(os.environ, {'EMAIL': 'one@example.org'}), self.assertRaisesRegex(host.Error, 'user.name'):
            self.made()
        self.assertFalse(self.out.parent.exists())

    def test_a_patch_says_why_its_hooks_are_there(self):
        says = [patch for patch in self.made() if 'So that it is known who calls.' in patch.read_text().replace('\n', ' ')]
        self.assertEqual(len(says), 1)
        self.assertIn('diff --git a/kernel/bpf/core.c', says[0].read_text())

    def test_what_the_user_has_configured_makes_no_difference(self):
        patches = [patch.name for patch in self.made()]
        (self.config.parent / '.config/git').mkdir(parents=True)
        (self.config.parent / '.config/git/attributes').write_text('*.c binary\n')
        (self.config.parent / '.config/git/ignore').write_text('*.S\n')
        with self.config.open('a') as file:
            file.write('[commit]\n\tgpgsign = true\n[format]\n\tcoverLetter = true\n\tsubjectPrefix = X\n\tnumbered = false\n'
                       '[diff]\n\tnoprefix = true\n[core]\n\tautocrlf = true\n')
        with mock.patch.dict(os.environ, {'GIT_DIR': str(self.tree / '.git')}):
            again = self.made()
        self.assertEqual([patch.name for patch in again], patches)
        self.assertFalse([patch for patch in again if 'GIT binary patch' in patch.read_text()])
        self.config.write_text('[user]\n\tname = Some One\n\temail = one@example.org\n')
        self.git('am', *again)

    def test_a_change_beside_a_hook_is_merged(self):
        patches = self.made()
        path = self.tree / 'kernel/bpf/core.c'
        path.write_text(path.read_text().replace('int b = a', 'int b = 0 + a'))
        self.git('commit', '--quiet', '-a', '-m', 'beside')
        self.git('am', '-3', *patches)
        for line in patches[1].read_text().splitlines():
            if line.startswith('index '):
                self.assertRegex(line, r'^index [0-9a-f]{40}\.\.[0-9a-f]{40} ')

    def test_what_somebody_has_added_or_changed_is_not_lost(self):
        first = self.made()[0]
        for path, text in (self.out / '0000-cover-letter.patch', 'mine\n'), (first, first.read_text() + 'mine\n'):
            before = path.read_text() if path.exists() else None
            path.write_text(text)
            with self.assertRaisesRegex(host.Error, f'{path.name}: not as a series was made here; move .*/series elsewhere'):
                self.made()
            self.assertEqual(path.read_text(), text)
            path.unlink() if before is None else path.write_text(before)
        (self.out / 'mine').mkdir()
        with self.assertRaisesRegex(host.Error, 'mine: not as a series was made here'):
            self.made()
        (self.out / 'mine').rmdir()
        self.made()
        shutil.rmtree(self.out)
        self.out.write_text('a file of that name\n')
        with self.assertRaisesRegex(host.Error, 'series: not as a series was made here'):
            self.made()
        self.assertEqual(self.out.read_text(), 'a file of that name\n')

    def test_the_last_series_stays_until_there_is_another(self):
        self.made()
        before = self.there()
        rename = os.rename
        for fails in (KeyboardInterrupt, PermissionError):
            for when in (1, 2):
                calls = []

                def failing(*args):
                    calls.append(args)
                    if len(calls) == when:
                        raise fails
                    rename(*args)
                with mock.patch.object(os, 'rename', failing), self.assertRaises(fails):
                    self.made()
                self.assertTrue(self.there() == before)
                self.assertEqual([path.name for path in self.out.parent.iterdir()], ['series'])

    def test_what_to_do_with_it(self):
        def says(tree=None):
            return series.how_to_take(tree or self.tree, self.out)
        take, maintainer = says().splitlines()
        self.assertEqual(take, f'for Linux 6.12.3; in its repository: git am -s {self.out}/*.patch')
        self.assertIn('has no M: line', maintainer)
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE + '\n')
        self.assertRegex(says(), 'not committed.*\n M kernel/bpf/core.c$')
        self.git('checkout', '--quiet', '.')
        graft.apply(self.tree)
        self.assertIn(f'before that: make ungraft KDIR={self.tree}', says())
        graft.remove(self.tree)
        shutil.copytree(self.tree, self.tree / 'below', ignore=lambda *_: ['.git'])
        self.assertIn(f'git am -s --directory=below/ {self.out}/*.patch', says(self.tree / 'below'))
        shutil.rmtree(self.tree / '.git')
        self.assertEqual(len(says().splitlines()), 2)

    def test_a_tree_that_has_taken_it_is_told_so(self):
        self.git('am', *self.made())
        with self.assertRaisesRegex(host.Error, 'git revert if it has taken the series'):
            self.made()

    def test_no_repository_is_needed(self):
        shutil.rmtree(self.tree / '.git')
        self.assertEqual(len(self.made()), len(series.PATCHES))

    def test_a_hook_that_does_not_fit_leaves_the_last_series(self):
        self.made()
        before = self.there()
        (self.tree / 'kernel/bpf/core.c').write_text('int nothing;\n')
        with self.assertRaisesRegex(host.Error, 'hook a.cocci matches 0 places in kernel/bpf/core.c of kernel 6.12.3'):
            self.made()
        self.assertTrue(self.there() == before)
        self.assertEqual([path.name for path in self.out.parent.iterdir()], ['series'])

    def test_a_grafted_tree_gives_the_same(self):
        # But for the time.
        def lines():
            return [[line for line in path.read_text().splitlines() if not line.startswith('Date: ')] for path in self.made()]
        before = lines()
        graft.apply(self.tree)
        self.assertEqual(lines(), before)

    def test_a_graft_that_was_interrupted_is_named(self):
        state = graft.State(self.tree)
        state.begin({'kernel/bpf/core.c': b''}, {})
        before = self.snapshot()
        with self.assertRaisesRegex(host.Error, 'interrupted.*make ungraft'):
            self.made()
        self.assertEqual(self.snapshot(), before)

    def test_a_file_that_is_in_no_patch_is_named(self):
        (self.tree / 'lib').mkdir()
        (self.tree / 'lib/bug.c').write_text('int a;\n')
        self.hook('d.lines', '[lib/bug.c]\nat = end\nline = int b;\n')
        with self.assertRaisesRegex(host.Error, 'lib/bug.c: in no patch'):
            self.made()


class Split(unittest.TestCase):
    def test_every_file_is_in_a_patch_and_every_patch_has_files(self):
        for subject, _, files in series.split({*graft.overlay(), *hooks.files(), series.MAINTAINERS}):
            self.assertTrue(files, subject)
