# SPDX-License-Identifier: GPL-2.0-only
"""What works on which architecture, as the tests have found it, in the form of the kernel's Documentation/features.

`make test` writes it to out/features.txt, of its own results, and fails where core/docs/features.txt says something else. The
README and the cover letter of the series have a short form of that.
"""

import fnmatch
import re
from dataclasses import dataclass

import host

OK, PART, NO, FAILED = 'ok', 'part', 'no', 'failed'


@dataclass(frozen=True)
class Feature:
    """A row. @tests: patterns of names, <suite>.<case> of KUnit or <command>.<program> of a guest; where there are means for
    only one of several, they are separated by `|`. @short: the row is in the short form."""
    name: str
    tests: tuple
    short: bool = True


FEATURES = (
    Feature('stub images exist where they are sound',
            ('fastterm_load.*', 'fastterm_check.*', 'fastterm_rules.*', 'fastterm_sites.*', 'fastterm_bound.*',
             'fastterm_refuse.*', 'fastterm_mode.*', 'sound.*')),
    Feature('stub images have the layout of the program', ('fastterm_image.*', 'fastterm_encode.*', 'fastterm_suffix.*'), False),
    Feature('programs with blinded constants', ('fastterm_image_blinded.*',), False),
    Feature('running programs are terminated', ('fastterm_redirect.*', 'fastterm_external.*', 'fastterm_stress.*',
                                                'fastterm_unwind.*')),
    Feature('they are, at every instruction', ('fastterm_boundary.*|fastterm_icount_boundary.*',
                                               'fastterm_compare.*|fastterm_icount_compare.*')),
    Feature('what they hold is released', ('fastterm_held.*', 'escape.empty_hash', 'escape.heavy_short')),
    Feature('deep stacks and chains of short programs', ('escape.*deep*', 'escape.e_short', 'escape.short_chain'), False),
    Feature('programs that trace programs, or the way out', ('fastterm_traced.*', 'escape.d_tp_exit', 'escape.tp_ours', 'escape.under_sleepable')),
    Feature('programs on many functions at once', ('escape.core_functions',), False),
    Feature('guards are not walked past', ('fastterm_guard.*', 'escape.g_*')),
    Feature('the watchdog ends what is over its budget', ('fastterm_watchdog.*', 'fastterm_watchdog_times.*',
                                                          'escape.paused', 'escape.prints')),
    Feature('programs with interrupts off', ('fastterm_watchdog_nmi.*', 'escape.kick_functions', 'escape.lock_waits',
                                             'escape.short_switch', 'escape.storage_exit', 'escape.timer_in_kick')),
    Feature('idle CPUs are not woken', ('fastterm_watchdog_idle.*',)),
    Feature('the right program is blamed', ('fastterm_blame.*', 'fastterm_innocent.*', 'escape.blame*', 'escape.healthy')),
    Feature('what cannot be ended is named', ('fastterm_watchdog_stuck.*', 'escape.lockup*')),
    Feature('quarantine', ('fastterm_quarantine.*', 'fastterm_quarantine_strikes.*', 'escape.every_call', 'escape.tail_runaway',
                           'escape.timer_rearm')),
    Feature('share of a CPU', ('fastterm_watchdog_share.*',)),
    Feature('denials are imposed', ('fastterm_watchdog_impose.*',)),
    Feature('costs are counted in instructions', ('fastterm_icount_cost.*', 'fastterm_icount_quarantine.*',
                                                  'fastterm_icount_watchdog.*'), False),
)


class Results:
    """The results of the default kernels: {architecture: {test: its reason to be skipped, '' if it has passed, or None}}."""

    def __init__(self, root, arches):
        """@root: the results as junit.Results has them; @arches: the architectures that have been run as a whole."""
        self.of = {arch: {} for arch in arches}
        for suite in root:
            words = suite.get('name').split('-')
            guest = words[0] if words[0] in ('sound', 'escape') else ''
            arch, variant = (words[1:] if guest else words)[:2] if len(words) > (2 if guest else 1) else ('', '')
            if arch not in self.of or variant != 'default':
                continue
            for case in suite:
                name = f'{guest}.{case.get("name")}' if guest else case.get('name')
                self._add(self.of[arch], name, case)

    @staticmethod
    def _add(tests, name, case):
        """A test that is run on several machines has passed if it has on one, and failed on none."""
        if case.find('failure') is not None:
            tests[name] = None
        elif case.find('skipped') is None:
            if tests.get(name, '') is not None:
                tests[name] = ''
        else:
            tests.setdefault(name, case.find('skipped').get('message') or 'no reason is given')

    def cell(self, arch, feature):
        """(OK, PART, NO or FAILED, the reasons) of a feature on an architecture."""
        best = [min((self._one(arch, pattern) for pattern in alternatives.split('|')),
                    key=lambda found: (OK, PART, NO, FAILED).index(found[0])) for alternatives in feature.tests]
        words = {word for word, _ in best}
        word = FAILED if FAILED in words else words.pop() if len(words) == 1 else PART
        return word, list(dict.fromkeys(reason for _, reasons in best for reason in reasons))

    def _one(self, arch, pattern):
        found = [reason for test, reason in self.of[arch].items() if fnmatch.fnmatchcase(test, pattern)]
        if None in found:
            return FAILED, []
        if not found:
            return NO, ['there is no such test']
        skipped = list(dict.fromkeys(reason for reason in found if reason))
        return (OK if not skipped else PART if '' in found else NO), skipped


def text(results, line):
    """The matrix. @line: the kernel line, such as 6.12."""
    arches = list(results.of)
    notes, rows = [], []
    for feature in FEATURES:
        row = [feature.name]
        for arch in arches:
            word, reasons = results.cell(arch, feature)
            notes += [reason for reason in reasons if reason not in notes]
            row.append(' '.join([word, *(f'({notes.index(reason) + 1})' for reason in reasons)]))
        rows.append(row)
    head = ['#', '# Feature name:          fastterm', '#         Kconfig:       BPF_FASTTERM',
            '#         description:   arch terminates running BPF programs', f'#         kernel line:   {line}', '#',
            '# ok: every test of it passes; part: the others are skipped, and the note says why; no: all are skipped']
    lines = [*head, *('    ' + entry for entry in _box([['', *arches], *rows]))]
    return '\n'.join([*lines, *(f'    ({number}) {note}' for number, note in enumerate(notes, 1))]) + '\n'


def _box(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    drawn = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in rows]
    rule = '-' * len(drawn[0])
    return [rule, drawn[0], rule, *drawn[1:], rule]


def write(results, line):
    """Write the matrix of a run."""
    host.write_whole(host.OUT / 'features.txt', text(results, line).encode())


def known():
    """The text of the matrix that is kept."""
    return (host.CHECKOUT / 'core' / 'docs' / 'features.txt').read_text(encoding='utf-8')


def _rows(kept):
    """The rows of a matrix's text, the first of which has the names of the architectures."""
    return [[cell.strip() for cell in line.strip().strip('|').split('|')] for line in kept.splitlines() if line.startswith('    |')]


def cells(kept):
    """{architecture: {feature: (its word, the reasons)}} of a matrix's text."""
    notes = dict(re.findall(r'^    \((\d+)\) (.*)$', kept, re.MULTILINE))
    (_, *arches), *rows = _rows(kept)
    found = {arch: {} for arch in arches}
    for name, *row in rows:
        for arch, cell in zip(arches, row):
            found[arch][name] = cell.split()[0], [notes[number] for number in re.findall(r'\((\d+)\)', cell)]
    return found


def differences(results):
    """Where the matrix that is kept is not what the results say, as lines."""
    kept, wrong = cells(known()), []

    def said(cell):
        return ': '.join([cell[0], *filter(None, ['; '.join(cell[1])])]) if cell else 'nothing'
    for arch in results.of:
        has = kept.get(arch, {})
        gives = {feature.name: results.cell(arch, feature) for feature in FEATURES}
        wrong += [f'{arch}: {name}: the tests say {said(gives.get(name))}, and core/docs/features.txt says {said(has.get(name))}'
                  for name in dict.fromkeys([*gives, *has]) if gives.get(name) != has.get(name)]
    return wrong


def cases(results):
    """The same, as the case of a ktap suite."""
    wrong = differences(results)
    how = ['if the tests are right: cp out/features.txt core/docs/features.txt'] if wrong else []
    return [('core/docs/features.txt says what works', 'failed' if wrong else 'passed', '\n'.join(wrong + how))]


def short():
    """The matrix that is kept without its notes, and with the rows alone that the short form has, as lines."""
    head, *rows = _rows(known())
    shown = {feature.name for feature in FEATURES if feature.short}
    return _box([head, *([name, *(cell.split()[0] for cell in row)] for name, *row in rows if name in shown)])
