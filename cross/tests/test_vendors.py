# SPDX-License-Identifier: GPL-2.0-only
"""The series in each form that distributions take, on a kernel tree of a few small files."""

from unittest import mock

import formats
import host
import series
import vendors
from test_graft import Fixture


class Vendors(Fixture):
    def setUp(self):
        super().setUp()
        (self.tree / 'MAINTAINERS').write_text('A\nL:\tx@example.org\n')
        self.out = self.tree.parent / 'series'

    def cases(self, name, after=lambda out: None):
        """What is said of a form, once @after has changed what is in its folder."""
        make = series.make

        def changed(reference, out, *args):
            made = make(reference, out, *args)
            after(out)
            return made
        with mock.patch.object(formats, 'FORMATS', {name: formats.FORMATS[name]}), mock.patch.object(series, 'make', changed):
            (_, status, text), = vendors.cases(self.tree, self.tree)
        return status, text

    def test_each_form_applies_and_gives_what_the_hooks_give(self):
        for name in formats.FORMATS:
            with self.subTest(name):
                status, text = self.cases(name)
                self.assertIn(status, ('passed', 'skipped'), text)

    def test_a_patch_that_is_not_there_is_noticed(self):
        def remove(out):
            next(path for path in out.rglob('*.patch') if 'Let-fastterm' in path.name).unlink()
        for name in set(formats.FORMATS) - {'mbox'}:
            with self.subTest(name):
                self.assertIn(self.cases(name, remove)[0], ('failed', 'skipped'))

    def test_the_one_file_is_what_patch_takes_as_well(self):
        series.make(self.tree, self.out, None, formats.mbox)
        name, = (path for path in self.out.iterdir() if path.name != series.RECORD)
        host.run(['patch', '-d', self.tree, '-p1', '-F0', '--silent', '-i', name])
        self.assertIn('fastterm();', (self.tree / 'kernel/bpf/core.c').read_text())

    def test_a_form_that_its_tool_does_not_parse_is_noticed(self):
        for name, file, old, new in (
                ('yocto', 'recipes-kernel/linux/linux-yocto_6.12.bbappend', ' \\\n', '\n'),
                ('yocto', 'recipes-kernel/linux/files/fastterm/fastterm.scc', 'patch ', 'apply '),
                ('buildroot', 'configs/fastterm.fragment', 'linux-patches', 'elsewhere'),
                ('nixos', 'fastterm.nix', './patches/', './elsewhere/'),
                ('openwrt', 'target/linux/generic/config-6.12.fastterm', 'FASTTERM', 'SLOWTERM')):
            def change(out):
                path = out / file
                self.assertIn(old, path.read_text())
                path.write_text(path.read_text().replace(old, new))
            with self.subTest(file):
                self.assertEqual(self.cases(name, change)[0], 'failed')

    def test_an_unknown_form_is_named(self):
        with self.assertRaisesRegex(host.Error, 'FORMAT=rpm: unknown; valid are git, mbox, quilt, '):
            formats.named('rpm')

    def test_another_form_takes_the_place_of_the_last(self):
        for name in ('debian', 'yocto', 'git', 'debian'):
            made = series.make(self.tree, self.out, None, formats.FORMATS[name])
            self.assertEqual(sorted(made), sorted(path for path in self.out.rglob('*')
                                                  if path.is_file() and path.name != series.RECORD))
        (self.out / 'debian/mine').write_text('mine\n')
        with self.assertRaisesRegex(host.Error, 'debian/mine: not as a series was made here'):
            series.make(self.tree, self.out)

    def test_the_page_names_each_form(self):
        page = (host.CHECKOUT / 'cross/vendors/README.md').read_text()
        for name in formats.FORMATS:
            self.assertIn(f'| `{name}`', page)
        self.assertEqual(set(vendors.TRIED), set(formats.FORMATS))
