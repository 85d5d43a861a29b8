# SPDX-License-Identifier: GPL-2.0-only
"""Our own output: KTAP that the kernel's parser reads, and the line that sums up."""

import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import boot
import host
import ktap
import support
from console import Console


def read(text):
    """(Console, Results) of the text of a console."""
    said = Console(text.splitlines())
    return said, said.results(support.kernel_tree())


def report(console):
    said, results = read(console)
    out = io.StringIO()
    whole = ktap.Report(2, out)
    whole.suite('harness', [('one', 'passed', ''), ('two', 'skipped', 'no tool')])
    whole.boot(boot.Result('x86_64-default', results, boot.judge(said, results)[0]))
    return whole.close(), out.getvalue()


class Ktap(unittest.TestCase):
    def test_passing(self):
        ok, text = report(support.PASSING)
        self.assertTrue(ok)
        self.assertEqual(text.splitlines()[-1], '3 passed, 0 failed, 2 skipped')
        self.assertIn('ok 2 kfunc # SKIP no such kfunc here', text)

    def test_failing(self):
        ok, text = report(support.FAILING)
        self.assertFalse(ok)
        self.assertEqual(text.splitlines()[-1], '1 passed, 2 failed, 2 skipped')
        self.assertIn('# straight_line: EXPECTATION FAILED', text)

    def test_panic_shows_the_console(self):
        said, results = read(support.PANIC)
        out = io.StringIO()
        whole = ktap.Report(1, out)
        whole.boot(boot.Result('x86_64-default', results, *boot.judge(said, results)))
        self.assertFalse(whole.close())
        self.assertIn('# Kernel panic - not syncing: Fatal exception\n', out.getvalue())

    def test_it_is_junit_xml_as_well(self):
        said, results = read(support.FAILING)
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(host, 'OUT', Path(folder)):
            whole = ktap.Report(2, io.StringIO(), xml='kunit')
            whole.suite('harness', [('one', 'passed', ''), ('two', 'skipped', 'no tool'), ('three', 'failed', 'a\x1b<b>\nc')])
            whole.boot(boot.Result('x86_64-default', results, boot.judge(said, results)[0]))
            whole.close()
            root = ElementTree.parse(Path(folder) / 'junit/kunit.xml').getroot()
        self.assertEqual([(suite.get('name'), suite.get('tests'), suite.get('failures'), suite.get('skipped')) for suite in root],
                         [('harness', '3', '1', '1'), ('x86_64-default', '3', '2', '1')])
        self.assertEqual(root.find('.//testcase[@name="three"]/failure').text, 'a?<b>\nc')
        self.assertEqual(root.find('.//testcase[@name="two"]/skipped').get('message'), 'no tool')
        self.assertIn('EXPECTATION FAILED', root.find('.//testcase[@name="fastterm_load.straight_line"]/failure').text)

    def test_the_kernels_parser_reads_it(self):
        for console, failed in ((support.PASSING, 0), (support.FAILING, 2)):
            root = read(report(console)[1])[1].root
            self.assertEqual((root.counts.failed, root.counts.crashed, root.counts.errors), (failed, 0, 0))
