# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel has said: each line is looked at once, when it comes, and whoever judges a run asks for what was seen.

Results of KUnit are read by the kernel's own parser, from the tree's kunit.py.
"""

import importlib
import inspect
import io
import re
import sys
import threading
from dataclasses import dataclass

from splat import Splats

# What KUnit says where its filter lets nothing through.
NO_SUITE = re.compile(r'^(\[ *[0-9.]+\] )?1\.\.0$')

# The line with which results begin, and the one that belongs behind it: the name of a suite or a case, or how many
# there are.
VERSION, SUBTEST = re.compile(r'KTAP version 1$'), '# Subtest: '
BEHIND = re.compile(rf'{SUBTEST}|^(\[ *[0-9.]+\])? *1\.\.[0-9]+$')

# The kernel's parser keeps in itself where it prints.
_parsing = threading.Lock()


def parser(tree):
    """The kernel's own KTAP parser, from the tree's kunit.py."""
    folder = str(tree.path / 'tools' / 'testing' / 'kunit')
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module('kunit_parser')


@dataclass
class Results:
    """Results of KUnit: @lines of KTAP; @root: kunit_parser's tree of tests; @skips: {id(test): why it was skipped}."""
    lines: list
    root: object
    skips: dict

    def unfinished(self):
        """Path of the test that was running when the results broke off, 'suite.case'."""
        path, test = [], self.root
        while test.subtests:
            test = test.subtests[-1]
            if test.ok_status():
                break
            path.append(test.name or '(next case)')
        return '.'.join(path) or 'before the first suite'


class Console:
    """The console of a kernel. @lines: all that has come; numbers of lines begin with 1."""

    def __init__(self, lines=()):
        self.lines = []
        # Whether the kernel said something where KUnit's parser would lose its way.
        self.disturbed = False
        # Whether KUnit has let nothing through.
        self.no_suite = False
        self._ordered, self._version = [], None
        self._suites, self._splats = [], Splats()
        for line in lines:
            self.add(line)

    def add(self, line):
        self.lines.append(line)
        self._order(line)
        if SUBTEST in line:
            self._suites.append((len(self.lines), line.partition(SUBTEST)[2].strip()))
        self.no_suite = self.no_suite or bool(NO_SUITE.search(line))
        self._splats.add(line)

    def _order(self, line):
        """Keep a line for the parser: what comes between the first two lines of results is put before them."""
        if VERSION.search(line):
            self._version = len(self._ordered)
        elif BEHIND.search(line):
            self._version = None
        elif self._version is not None:
            self._ordered.insert(self._version, line)
            self._version += 1
            self.disturbed = True
            return
        self._ordered.append(line)

    @property
    def splats(self):
        """[(line number, text)] of what the kernel complained of, and no test asked for."""
        return self._splats.found()

    def running_at(self, number):
        """Which suite's results a line comes in or after."""
        names = [name for begin, name in self._suites if begin <= number]
        return f'in or after {names[-1]}' if names else 'before the first suite'

    def results(self, tree):
        """Results of KUnit, by the parser of that tree. What it prints for people is dropped."""
        with _parsing:
            kunit = parser(tree)
            kunit.stdout = silent = importlib.import_module('kunit_printer').Printer(io.StringIO())
            lines = [line.rstrip() for line in kunit.extract_tap_lines(self._ordered)]
            # Newer kernels hand the printer over.
            more = [silent] if len(inspect.signature(kunit.parse_run_tests).parameters) > 1 else []
            root = kunit.parse_run_tests(lines, *more)
            return Results(lines, root, _skips(kunit, root, lines))


def _skips(kunit, root, lines):
    """{id(test): reason} for skipped tests: the parser knows that they were skipped, the result line says why."""
    said = (line.partition('# SKIP')[2].strip() for line in lines if kunit.TEST_RESULT_SKIP.match(line))
    reasons = {}

    def visit(test):
        for sub in test.subtests:
            visit(sub)
        if test.status.name == 'SKIPPED' and test is not root:
            reasons[id(test)] = next(said, '')
    visit(root)
    return reasons
