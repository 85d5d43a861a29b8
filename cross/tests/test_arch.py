# SPDX-License-Identifier: GPL-2.0-only
"""Architectures: a file each, and nothing to add elsewhere in the harness."""

import ast
import re
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
        self.assertEqual([known.name for known in targets.ARCHES.values() if known.first], [targets.FIRST])
        self.assertEqual(targets.TESTED[0], (targets.FIRST, 'default'))

    def test_what_it_needs_is_installed(self):
        for known in targets.ARCHES.values():
            self.assertLessEqual(set(known.tools), set(packages.TOOLS))
            self.assertLessEqual(set(known.guests), set(packages.GUESTS))

    def test_nothing_else_knows_one_by_its_name(self):
        names = {name for known in targets.ARCHES.values()
                 for name in (known.name, known.linux, known.srcarch, known.qemu)}
        word = re.compile(rf'(?<!ARCH=)\b({"|".join(sorted(names))})\b')
        for path in (host.CHECKOUT / 'cross').glob('*.py'):
            tree = ast.parse(path.read_text(encoding='utf-8'))
            said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and
                     isinstance(node.value, str) and id(node) not in said]
            self.assertEqual([text for text in texts if word.search(text)], [], path.name)

    def test_another_file_is_another_architecture(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in Path(arch.__file__).parent.glob('*.py'):
                shutil.copy(path, folder)
            shutil.copy(Path(folder) / 'riscv64.py', Path(folder) / 'axp.py')
            found = list(arch.load(Path(folder)))
        self.assertEqual(found, [targets.FIRST, *sorted({*targets.ARCHES, 'axp'} - {targets.FIRST})])
