# SPDX-License-Identifier: GPL-2.0-only
"""What works where: how the matrix is made of results."""

import fnmatch
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import escape
import host
import junit
import main
import matrix
import sound
import targets

FEATURES = (
    matrix.Feature('first', ('suite_a.*', 'escape.*')),
    matrix.Feature('second', ('suite_b.*|suite_c.*',), False),
)


def results(*suites, arches=('arm64',)):
    """matrix.Results of [(name of a suite, {case: status or (status, reason)})]."""
    made = junit.Results()
    for name, cases in suites:
        made.suite(name)
        for case, status in cases.items():
            made.add(case, *((status, '') if isinstance(status, str) else status))
    return matrix.Results(made.root, arches)


GOOD = (('arm64-default', {'suite_a.one': 'passed', 'suite_b.one': ('skipped', 'no clock'), 'suite_c.one': 'passed'}),
        ('arm64-default-icount', {'suite_b.one': 'passed', 'suite_c.one': ('skipped', 'a clock')}),
        ('escape-arm64-default', {'two': ('skipped', 'no NMI'), 'three': 'passed'}),
        ('arm64-debug', {'suite_a.one': 'failed'}), ('harness', {'suite_a.one': 'failed'}),
        ('demo-arm64', {'suite_a.one': 'failed'}))


class Matrix(unittest.TestCase):
    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.object(matrix, 'FEATURES', FEATURES))
        self.enterContext(mock.patch.object(host, 'OUT', folder / 'out'))
        self.enterContext(mock.patch.object(host, 'CHECKOUT', folder))
        host.OUT.mkdir()
        self.kept = folder / 'core/docs/features.txt'
        self.kept.parent.mkdir(parents=True)

    def cells(self, *suites):
        found = results(*suites)
        return [found.cell('arm64', feature) for feature in FEATURES]

    def test_cells(self):
        self.assertEqual(self.cells(*GOOD), [('part', ['no NMI']), ('ok', [])])

    def test_what_fails_on_one_machine_fails(self):
        for order in 1, -1:
            boots = (('arm64-default', {'suite_a.one': 'passed'}), ('arm64-default-turns', {'suite_a.one': 'failed'}))
            self.assertEqual(self.cells(*boots[::order])[0][0], 'failed')

    def test_what_is_skipped_on_all_machines_is_not_there(self):
        self.assertEqual(self.cells(('arm64-default', {'suite_b.one': ('skipped', 'r'), 'suite_c.one': ('skipped', 's')}))[1],
                         ('no', ['r']))

    def test_what_is_not_run_is_not_there(self):
        self.assertEqual(self.cells(('arm64-default', {}))[0], ('no', ['there is no such test']))

    def test_notes(self):
        text = matrix.text(results(*GOOD), '6.12')
        self.assertIn('#         kernel line:   6.12\n', text)
        self.assertIn('    | first  | part (1) |\n    | second | ok       |\n', text)
        self.assertTrue(text.endswith('    (1) no NMI\n'))

    def keep(self, found):
        """As the message of a difference says."""
        matrix.write(found, '6.12')
        self.kept.write_bytes((host.OUT / 'features.txt').read_bytes())

    def test_what_is_kept_is_compared(self):
        self.keep(results(*GOOD, arches=('arm64', 'riscv64')))
        self.assertEqual(matrix.cases(results(*GOOD, arches=('arm64', 'riscv64')))[0][1], 'passed')
        self.assertEqual(matrix.differences(results(*GOOD)), [])
        # A reason that has changed, a feature that works now, one that is new, and one that is gone.
        other = results(GOOD[0], ('escape-arm64-default', {'two': ('skipped', 'no luck')}))
        self.assertEqual(matrix.differences(other), ['arm64: first: the tests say part: no luck, and core/docs/features.txt says '
                                                     'part: no NMI'])
        other = results(GOOD[0], ('escape-arm64-default', {'two': 'passed'}))
        (_, status, text), = matrix.cases(other)
        self.assertEqual((status, text.splitlines()), ('failed', [
            'arm64: first: the tests say ok, and core/docs/features.txt says part: no NMI',
            'if the tests are right: cp out/features.txt core/docs/features.txt']))
        with mock.patch.object(matrix, 'FEATURES', (FEATURES[0], matrix.Feature('third', ('suite_a.*',)))):
            self.assertEqual(matrix.differences(results(*GOOD)), [
                'arm64: third: the tests say ok, and core/docs/features.txt says nothing',
                'arm64: second: the tests say nothing, and core/docs/features.txt says ok'])

    def test_the_short_form(self):
        self.keep(results(*GOOD))
        self.assertEqual(matrix.short(), ['-----------------', '|       | arm64 |', '-----------------', '| first | part  |',
                                          '-----------------'])


class Features(unittest.TestCase):
    def test_the_readme_has_the_short_form(self):
        short = ''.join(f'    {line}\n' for line in matrix.short())
        self.assertIn(f'\n{short}', (host.CHECKOUT / 'README.md').read_text(encoding='utf-8'), f'it should have:\n{short}')

    def test_what_is_kept_is_about_all_features_and_architectures(self):
        kept = matrix.cells(matrix.known())
        self.assertEqual(list(kept), list(targets.ARCHES))
        for features in kept.values():
            self.assertEqual(list(features), [feature.name for feature in matrix.FEATURES])
            self.assertNotIn(matrix.FAILED, [word for word, _ in features.values()])

    def test_every_test_has_its_feature(self):
        patterns = [pattern for feature in matrix.FEATURES for tests in feature.tests for pattern in tests.split('|')]
        names = [f'{suite}.{case}' for suite, cases in main.suites().items() for case in cases]
        names += [f'escape.{name}' for name in escape.INPUTS] + [f'sound.{name}' for name in sound.INPUTS]
        for name in names:
            self.assertTrue([pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)], name)
        for pattern in patterns:
            self.assertTrue(fnmatch.filter(names, pattern), pattern)
