# SPDX-License-Identifier: GPL-2.0-only
"""Configuring a kernel, with the kernel's own tools."""

import re
import tempfile
import unittest
from pathlib import Path

import host
import kernel
import support
from targets import ARCHES, Target


class Compiler(unittest.TestCase):
    def test_what_is_included_when_it_is_assembled_counts(self):
        """A compressed kernel is included into the bootable image like this, and the configuration into the kernel."""
        self.compile('a.S', '.incbin "{}"\n')
        self.compile('a.c', 'asm(".incbin \\"{}\\"");\n')

    def compile(self, name, text):
        with tempfile.TemporaryDirectory() as folder:
            source, included, made = (Path(folder) / name for name in (name, 'a.bin', 'a.o'))
            source.write_text(text.format(included))
            objects = []
            for content in ('one', 'two'):
                included.write_text(content)
                host.run([host.compiler(), 'gcc', '-MMD', '-MF', Path(folder) / 'a.d', '-c', source, '-o', made])
                objects.append(made.read_bytes())
            self.assertNotEqual(*objects)


class Configure(unittest.TestCase):
    def test_an_option_that_does_not_survive(self):
        with tempfile.TemporaryDirectory() as folder:
            wanted = {'wanted': 'CONFIG_NO_SUCH_OPTION=y\n'}
            with self.assertRaisesRegex(host.Error, r'configuring x86_64-default \(an option that is named did not survive'
                                                    r'[\s\S]*CONFIG_NO_SUCH_OPTION=y'):
                kernel.configure(support.kernel_tree(), support.TARGET, Path(folder) / 'build', wanted)
            self.assertFalse((Path(folder) / 'build' / '.configured').exists())


class KunitConfig(unittest.TestCase):
    """kunit/.kunitconfig, with which the kernel's own kunit.py runs our suites."""

    def test_it_is_what_our_own_kernels_have(self):
        here = (host.CHECKOUT / 'kunit' / '.kunitconfig').read_text().splitlines()
        for arch in ARCHES.values():
            fragments = '\n'.join(Target(arch, 'default').fragments.values()).splitlines()
            self.assertEqual([line for line in here if line not in fragments], [], arch.name)

    def test_it_has_what_the_suites_depend_on(self):
        text = (host.CHECKOUT / 'kunit' / 'Kconfig').read_text()
        needed = [name for line in re.findall(r'depends on (.*)', text) for name in re.findall(r'[A-Z_]{2,}', line)]
        here = (host.CHECKOUT / 'kunit' / '.kunitconfig').read_text().splitlines()
        self.assertIn('BPF_FASTTERM', needed)
        for name in [*needed, 'BPF_FASTTERM_KUNIT_TEST']:
            self.assertIn(f'CONFIG_{name}=y', here)
