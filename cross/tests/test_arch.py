# SPDX-License-Identifier: GPL-2.0-only
"""Architectures: a file each, and nothing to add elsewhere in the harness."""

import shutil
import tempfile
import unittest
from pathlib import Path

import arch
import host
import packages
import targets


class Architectures(unittest.TestCase):
    def test_each_has_all_variants(self):
        for known in targets.ARCHES.values():
            self.assertEqual(tuple(known.variants), targets.VARIANTS, known.name)

    def test_each_has_its_backend(self):
        for known in targets.ARCHES.values():
            self.assertTrue((host.CHECKOUT / known.ours / 'fastterm.c').exists(), known.name)

    def test_one_is_first(self):
        self.assertEqual([known.first for known in targets.ARCHES.values()], [True, False, False])
        self.assertEqual(targets.TESTED[0], (targets.FIRST, 'default'))

    def test_what_it_needs_is_installed(self):
        for known in targets.ARCHES.values():
            self.assertLessEqual(set(known.tools), set(packages.TOOLS))
            self.assertLessEqual(set(known.guests), set(packages.GUESTS))

    def test_another_file_is_another_architecture(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in Path(arch.__file__).parent.glob('*.py'):
                shutil.copy(path, folder)
            shutil.copy(Path(folder) / 'riscv64.py', Path(folder) / 'axp.py')
            self.assertEqual(list(arch.load(Path(folder))), ['x86_64', 'arm64', 'axp', 'riscv64'])
