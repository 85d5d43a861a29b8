# SPDX-License-Identifier: GPL-2.0-only
"""The series of patches, on a kernel tree of a few small files that is a git repository."""

import fnmatch
import os
import re
import shutil
import subprocess
import unittest
from unittest import mock

import context
import formats
import graft
import hooks
import host
import matrix
import parts
import series
import source
from test_graft import COCCI, SOURCE, Fixture


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
        """The patches that are made, without the letter to them."""
        return [path for path in series.make(self.tree, self.out) if path.suffix == '.patch']

    def there(self):
        """The patches that are there, whole."""
        return [(path, path.read_bytes()) for path in sorted(self.out.rglob('*')) if path.is_file()]

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

    def test_whom_git_does_not_know_is_not_made_up(self):
        self.config.write_text('')
        # The address alone does not do: the name would be that of the account.
        for env in {}, {'EMAIL': 'one@example.org'}:
            with mock.patch.dict(os.environ, env):
                for patch in self.made():
                    self.assertIn('\nFrom: fastterm <fastterm@example.invalid>\n', patch.read_text())
                self.assertIn('git knows nobody here', series.how_to_take(self.tree, self.out))

    def sed(self, name, old, new, root=None):
        path = (root or self.tree) / name
        self.assertIn(old, path.read_text())
        path.write_text(path.read_text().replace(old, new))

    def test_it_applies_where_more_stands_around_its_places(self):
        """By git am, by patch without fuzz, and by quilt, to a kernel that differs two lines away from each place."""
        patches = self.made()
        self.sed('kernel/bpf/core.c', 'int b = a + a;\n', 'int b = 2 * a;\n')
        self.sed('kernel/bpf/core.c', '}\n\nint once', '}\n\nint more;\nint once')
        self.sed('kernel/bpf/Kconfig', 'menu "x"', 'menu "y"\n\tselect ZERO')
        self.git('commit', '--quiet', '-a', '-m', 'another kernel')
        graft.apply(self.tree)
        grafted = self.source()
        graft.remove(self.tree)
        self.git('am', *patches)
        self.assertEqual({**self.source(), 'MAINTAINERS': b''}, {**grafted, 'MAINTAINERS': b''})
        self.git('reset', '--quiet', '--hard', f'HEAD~{len(patches)}')
        for patch in patches:
            subprocess.run(['patch', '-d', self.tree, '-p1', '-F0', '--silent', '--no-backup-if-mismatch', '-i', patch], check=True)
        self.assertEqual({**self.source(), 'MAINTAINERS': b''}, {**grafted, 'MAINTAINERS': b''})

    def test_a_place_has_the_context_that_makes_it_the_only_one(self):
        lines = [f'{n}\n'.encode() for n in (1, 2, 3, 4, 1, 2, 3, 5)]
        after = lines[:6] + [b'new\n'] + lines[6:]
        for name, data in (('before', lines), ('after', after)):
            (self.tree / name).write_bytes(b''.join(data))
        diff = subprocess.run(['git', 'diff', '--no-index', '-U0', 'before', 'after'], cwd=self.tree, check=False,
                              stdout=subprocess.PIPE).stdout.replace(b'b/after', b'b/before')
        made = context.widened(diff, {'before': b''.join(lines)})
        self.assertIn(b'@@ -5,4 +5,5 @@\n 1\n 2\n+new\n 3\n 5\n', made)

    def test_a_tree_without_an_architecture_gets_no_backend_for_it(self):
        (self.tree / 'arch/x86/Kconfig').unlink()
        (self.tree / 'arch/x86').rmdir()
        self.git('commit', '--quiet', '-a', '-m', 'no x86')
        with mock.patch.object(host, 'say'):
            patches = self.made()
        self.assertEqual(len(patches), len(series.PATCHES) - 1)
        self.git('am', *patches)
        self.assertFalse((self.tree / 'arch/x86').exists())
        self.assertTrue((self.tree / 'arch/arm64/net/fastterm.c').exists())

    def test_one_architecture_without_tests(self):
        patches = [path for path in series.make(self.tree, self.out, parts.of(self.tree, 'arm64', '0'))
                   if path.suffix == '.patch']
        self.assertEqual(len(patches), len(series.PATCHES) - 3)
        text = ''.join(patch.read_text() for patch in patches)
        self.assertNotIn('b/kernel/bpf/fastterm/kunit', text)
        self.assertNotIn('b/arch/x86', text)
        self.assertIn('b/arch/arm64/net/fastterm.c', text)

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

    def test_the_letter(self):
        self.made()
        letter = (self.out / '0000-cover-letter.txt').read_text()
        self.assertRegex(letter, r'^From: Some One <one@example.org>\nSubject: \[PATCH 0/8\] bpf: Fast-path termination')
        for n, (subject, *_) in enumerate(series.PATCHES, 1):
            self.assertIn(f'[{n}/8] {subject}', letter)
        self.assertRegex(letter, r'\n \d+ files changed, \d+ insertions')
        self.assertFalse([line for line in letter.splitlines() if len(line) > 78])
        self.assertNotIn('Figures', letter)
        summary = self.out.parent / 'bench-arm64-default' / 'summary.txt'
        summary.parent.mkdir()
        summary.write_text('arm64, Linux 6.12.3, kernel.bpf_fastterm = needed\n  text       1.1x\n  log        2\n')
        kept = '#\n    | | arm64 |\n    | quarantine | part (1) |\n    (1) a\n'
        with mock.patch.object(host, 'OUT', self.out.parent), mock.patch.object(matrix, 'known', lambda: kept):
            self.made()
        letter = (self.out / '0000-cover-letter.txt').read_text()
        self.assertIn('have found (make test):\n\n----', letter)
        self.assertIn('\n| quarantine | part  |\n', letter)
        self.assertIn('Figures (make bench):\n\narm64, Linux 6.12.3, kernel.bpf_fastterm = needed\n  text       1.1x\n\n', letter)

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

    def take(self):
        """Take the series, and change one of its files elsewhere, as vendors do."""
        reference = self.tree.parent / 'reference'
        shutil.copytree(self.tree, reference, ignore=lambda *_: ['.git'])
        self.git('am', *self.made())
        self.sed('kernel/bpf/core.c', 'int once', 'long once')
        self.git('commit', '--quiet', '-a', '-m', 'a fix')
        return mock.patch.object(source, 'distribution', lambda: reference)

    def test_a_tree_that_has_taken_it_counts_as_grafted(self):
        with self.take():
            before = self.source()
            copy = self.tree.parent / 'copy'
            shutil.copytree(self.tree, copy, ignore=lambda *_: ['.git'])
            graft.adopt(copy)
            self.assertFalse(graft.apply(copy))
            self.assertEqual({name: data for name, data in before.items() if (copy / name).read_bytes() != data}, {})
            graft.remove(copy)
            self.assertEqual((copy / 'kernel/bpf/core.c').read_text(), SOURCE.replace('int once', 'long once'))
            self.assertFalse((copy / 'kernel/bpf/fastterm').exists())

    def test_a_tree_that_has_taken_another_version_is_told_what_to_do(self):
        with self.take():
            for name, old in (('kernel/bpf/core.c', 'fastterm();'), ('kernel/bpf/fastterm/walk.c', '#include')):
                with self.subTest(name):
                    self.sed(name, old, f'\n{old}')
                    with self.assertRaisesRegex(host.Error, f'another version of fastterm than this: {name}\n'):
                        graft.adopt(self.tree)
                    self.git('checkout', '--quiet', '.')
            with self.assertRaisesRegex(host.Error, 'make series makes a patch'):
                graft.apply(self.tree)

    def test_what_a_tree_has_taken_is_brought_up_to_date_by_one_patch(self):
        self.take()
        with self.assertRaisesRegex(host.Error, 'there is nothing to bring up to date'):
            self.made()
        for name in ('newer', 'newest'):
            self.hook('a.cocci', COCCI.format(places=1).replace('fastterm()', f'fastterm_{name}()'))
            self.hook('c.cocci', '// Nothing.\n// Changes: kernel/bpf/core.c 0\n@@\n@@\n- nothing();\n')
            self.assertEqual([path.name for path in self.made()], ['0001-bpf-Update-fastterm.patch'])
            self.assertNotIn('M: line', series.how_to_take(self.tree, self.out))
            self.git('am', *self.made())
            self.assertEqual((self.tree / 'kernel/bpf/core.c').read_text(),
                             SOURCE.replace('return b;', f'fastterm_{name}();\n\treturn b;').replace('int once', 'long once'))

    def test_what_an_android_tree_has_taken(self):
        """By the word that is reserved there, which is put back."""
        path = self.tree / 'include/linux/bpf.h'
        path.parent.mkdir(parents=True)
        path.write_text('struct bpf_prog_aux {\n\tstruct module *mod;\n\tint more;\n};\n')
        self.hook('d.lines', (host.CHECKOUT / 'core/hooks/15-data.lines').read_text())
        with self.assertRaisesRegex(host.Error, 'FORMAT=android is made of an Android tree'):
            series.make(self.tree, self.out, None, formats.android)
        reference = self.tree.parent / 'reference'
        shutil.copytree(self.tree, reference, ignore=lambda *_: ['.git'])
        self.sed('include/linux/bpf.h', 'int more;', 'int more;\n\tANDROID_KABI_RESERVE(1);')
        self.git('add', '--all')
        self.git('commit', '--quiet', '-m', 'android')
        (_, status, text), = series.fits(reference, self.tree, parts.of(self.tree))
        self.assertEqual(status, 'skipped')
        self.assertIn('include/linux/bpf.h has a place that is reserved there', text)
        made = series.make(self.tree, self.out, None, formats.android)
        self.git('am', *(name for name in made if name.suffix == '.patch'))
        self.assertIn('ANDROID_KABI_USE(1, struct fastterm_ptr fastterm);', path.read_text())
        copy = self.tree.parent / 'copy'
        shutil.copytree(self.tree, copy, ignore=lambda *_: ['.git'])
        with mock.patch.object(source, 'distribution', lambda: reference):
            graft.adopt(copy)
        self.assertFalse(graft.apply(copy))
        graft.remove(copy)
        self.assertIn('ANDROID_KABI_RESERVE(1);', (copy / 'include/linux/bpf.h').read_text())

    def test_an_update_of_commits_whose_subjects_are_others(self):
        patches = self.made()
        for patch in patches:
            patch.write_text(re.sub(r'(?m)^Subject: \[PATCH (\d/\d)\] ', r'Subject: [PATCH \1] ANDROID: ', patch.read_text()))
        self.git('am', *patches)
        shutil.rmtree(self.out)
        with self.assertRaisesRegex(host.Error, 'there is nothing to bring up to date'):
            self.made()
        self.git('reset', '--soft', f'HEAD~{len(patches)}')
        self.git('commit', '--quiet', '-m', 'all of it')
        with self.assertRaisesRegex(host.Error, 'changes what is ours under another subject'):
            self.made()

    def test_an_update_does_not_revert_a_fix_in_a_file_of_ours(self):
        self.take()
        self.sed('kernel/bpf/fastterm/walk.c', '#include', '\n#include')
        self.git('commit', '--quiet', '-a', '-m', 'theirs')
        with self.assertRaisesRegex(host.Error, r'changed where the series has changed it: kernel/bpf/fastterm/walk\.c, line'):
            self.made()

    def test_an_update_has_the_parts_that_were_taken(self):
        series.make(self.tree, self.out, parts.of(self.tree, 'arm64', '0'))
        self.git('am', *sorted(self.out.glob('*.patch')))
        with self.assertRaisesRegex(host.Error, 'there is nothing to bring up to date'):
            self.made()

    def test_what_stands_in_the_way_of_an_update_is_named(self):
        self.take()
        self.sed('kernel/bpf/core.c', 'fastterm();', 'fastterm(1);')
        self.hook('a.cocci', COCCI.format(places=1).replace('fastterm()', 'newer()'))
        with self.assertRaisesRegex(host.Error, r'changed where the series has changed it: kernel/bpf/core\.c, line 5\n'):
            self.made()
        self.git('checkout', '--quiet', '.')
        shutil.rmtree(self.tree / '.git')
        with self.assertRaisesRegex(host.Error, 'git does not say which files'):
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
