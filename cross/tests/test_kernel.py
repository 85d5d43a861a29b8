# SPDX-License-Identifier: GPL-2.0-only
"""Configuring a kernel, with the kernel's own tools."""

import tempfile
import unittest
from pathlib import Path

import host
import kernel
import support


class Configure(unittest.TestCase):
    def test_an_option_that_does_not_survive(self):
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / 'wanted.config'
            wanted.write_text('CONFIG_NO_SUCH_OPTION=y\n')
            with self.assertRaisesRegex(host.Error, r'configuring x86_64-default \(an option that is named did not survive'
                                                    r'[\s\S]*CONFIG_NO_SUCH_OPTION=y'):
                kernel.configure(support.kernel_tree(), support.TARGET, Path(folder) / 'build', [wanted])
            self.assertFalse((Path(folder) / 'build' / '.configured').exists())
