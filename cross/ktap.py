# SPDX-License-Identifier: GPL-2.0-only
"""Our own results as KTAP: suites of the harness and boots of kernels in one tree, and the line that sums them up."""

import sys

import host
import junit


class Report:
    """Prints KTAP as results come, and counts cases: a suite is what its cases are. At the end they are JUnit XML
    as well, in out/junit/, in a file named @xml."""

    def __init__(self, plan, file=sys.stdout, xml=None):
        self.file, self.number = file, 0
        self.xml, self.results = xml, junit.Results()
        self.passed = self.failed = self.skipped = 0
        self._print('KTAP version 1', f'1..{plan}')

    def _print(self, *lines, depth=0):
        for line in lines:
            print('    ' * depth + line, file=self.file, flush=True)

    def _count(self, status):
        setattr(self, status, getattr(self, status) + 1)

    def suite(self, name, cases):
        """A suite of ours: [(case, 'passed' | 'failed' | 'skipped', text)]; the text says why."""
        self._print('KTAP version 1', f'# Subtest: {name}', f'1..{len(cases)}', depth=1)
        self.results.suite(name)
        for number, (case, status, text) in enumerate(cases, 1):
            self._count(status)
            self._case(number, case, status, text, depth=1)
        self._end(name, all(status != 'failed' for _, status, _ in cases))

    def boot(self, result):
        """A boot of a kernel: boot.Result. What no case of KUnit answers for fails as a case of its own."""
        tests = result.results.root.subtests if result.results else []
        self._print('KTAP version 1', f'# Subtest: {result.name}', f'1..{len(tests) + 1}', depth=1)
        self.results.suite(result.name)
        for number, test in enumerate(tests, 1):
            self._test(number, test, result.results.skips, depth=1)
        status = 'passed' if result.ok else 'failed'
        self._count(status)
        text = '\n'.join(result.problems + (['from the console:', *result.shown] if result.shown else []))
        self._case(len(tests) + 1, 'boots, completes, and the kernel does not complain', status, text, depth=1)
        self._end(result.name, result.ok)

    def _test(self, number, test, skips, depth, within=''):
        status = {'SUCCESS': 'passed', 'SKIPPED': 'skipped'}.get(test.status.name, 'failed')
        if test.subtests:
            self._print('KTAP version 1', f'# Subtest: {test.name}', f'1..{len(test.subtests)}', depth=depth + 1)
            for inner, sub in enumerate(test.subtests, 1):
                self._test(inner, sub, skips, depth + 1, f'{within}{test.name}.')
        else:
            self._count(status)
        said = '\n'.join(line.strip(' #') for line in test.log if line.strip().startswith('#'))
        self._case(number, test.name or '(no name)', status, skips.get(id(test), '') if status == 'skipped' else said,
                   depth=depth, within=None if test.subtests else within)

    def _case(self, number, name, status, text, depth, within=''):
        lines = text.splitlines()
        # What has cases of its own is none.
        if within is not None:
            self.results.add(f'{within}{name}', status, text)
        skip = f' # SKIP {lines[0] if lines else ""}'.rstrip() if status == 'skipped' else ''
        self._print(*(f'# {line}' for line in lines if not skip), depth=depth)
        self._print(f'{"not ok" if status == "failed" else "ok"} {number} {name}{skip}', depth=depth)

    def _end(self, name, ok):
        self.number += 1
        self._print(f'{"ok" if ok else "not ok"} {self.number} {name}')

    def close(self):
        """The one line that sums up. True if nothing failed and something passed."""
        if self.xml:
            self.results.write(host.OUT / 'junit' / f'{self.xml}.xml')
        self._print(f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped')
        return not self.failed and self.passed > 0
