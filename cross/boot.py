# SPDX-License-Identifier: GPL-2.0-only
"""Boot a kernel with kunit.py, and judge the run: by its parsed results, and by what the kernel said beside them."""

import importlib
import inspect
import io
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

import host
import kernel
import splat

# Longest silence-to-end a healthy run may take under emulation, in seconds.
TIMEOUT = 900
# How long kunit.py may take to end a run whose time is over, in seconds.
GRACE = 30
# How much of the console is shown of a run that has failed: its end, or from some lines before what the kernel said.
CONSOLE_TAIL, BEFORE = 25, 5
# What KUnit says where its filter lets nothing through.
NO_SUITE = r'^(\[ *[0-9.]+\] )?1\.\.0$'

# The line with which results begin, and the one that belongs behind it: the name of a suite or a case, or how many there are.
VERSION, BEHIND = r'KTAP version 1$', r'# Subtest: |^(\[ *[0-9.]+\])? *1\.\.[0-9]+$'

# The kernel's parser keeps in itself where it prints.
_judging = threading.Lock()


@dataclass
class Result:
    """One boot: @root is kunit_parser's tree of tests; @problems is empty when all is well; @shown: of the console."""
    name: str
    root: object = None
    problems: list = field(default_factory=list)
    skips: dict = field(default_factory=dict)
    shown: list = field(default_factory=list)

    @property
    def ok(self):
        return not self.problems


def parser(tree):
    """The kernel's own KTAP parser, from the tree's kunit.py."""
    folder = str(tree.path / 'tools' / 'testing' / 'kunit')
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module('kunit_parser')


def parse(tree, console):
    """kunit_parser's tree of tests for a console log; what it prints for people is dropped."""
    kunit = parser(tree)
    silent = importlib.import_module('kunit_printer').Printer(io.StringIO())
    kunit.stdout = silent
    if len(inspect.signature(kunit.parse_run_tests).parameters) > 1:   # newer kernels hand the printer over
        return kunit.parse_run_tests(console, silent)
    return kunit.parse_run_tests(console)


def undisturbed(console):
    """The lines of @console; what else the kernel said between those two, where the parser loses its way, before them."""
    lines, version = [], None
    for line in console:
        if re.search(VERSION, line):
            version = len(lines)
        elif re.search(BEHIND, line):
            version = None
        elif version is not None:
            lines.insert(version, line)
            version += 1
            continue
        lines.append(line)
    return lines


def skip_reasons(root, console):
    """{id(test): reason} for skipped tests: the parser knows that they were skipped, the result line says why."""
    lines = iter([line.partition('# SKIP')[2].strip() for line in console if parser_result(line)])
    reasons = {}

    def visit(test):
        for sub in test.subtests:
            visit(sub)
        if test.status.name == 'SKIPPED' and test is not root:
            reasons[id(test)] = next(lines, '')
    visit(root)
    return reasons


def parser_result(line):
    """Whether a console line is the result of a skipped test, as kunit_parser sees it."""
    return importlib.import_module('kunit_parser').TEST_RESULT_SKIP.match(line)


def unfinished(root):
    """Path of the test that was running when the results broke off, 'suite.case'."""
    path, test = [], root
    while test.subtests:
        test = test.subtests[-1]
        if test.ok_status():
            break
        path.append(test.name or '(next case)')
    return '.'.join(path) or 'before the first suite'


def running_at(console, number):
    """Which suite's results a line of the console comes in or after; numbers begin with 1."""
    names = [line.partition('# Subtest: ')[2].strip() for line in console[:number] if '# Subtest: ' in line]
    return f'in or after {names[-1]}' if names else 'before the first suite'


def judge(tree, console, *, hung=None, status=0):
    """(tree of tests, problems, lines to show) of a console log.

    @hung: seconds after which the run was ended; @status: kunit.py's.
    """
    root = parse(tree, undisturbed(console))
    counts, problems = root.counts, []
    if counts.failed:
        problems.append(f'{counts.failed} failed')
    broken = counts.crashed or counts.errors or not counts.total()
    if hung:
        problems.append(f'hang: no end after {hung} s; running was: {unfinished(root)}')
    elif not counts.total() and any(re.search(NO_SUITE, line) for line in console):
        problems.append('no test ran: this kernel has none of the name that SUITE= gives, or none at all')
    elif broken:
        problems.append(f'results break off or do not add up; running was: {unfinished(root)}')
    elif status and not problems:
        problems.append(f'kunit.py: exit status {status}')
    splats = splat.find(console)
    for number, line in splats:
        problems.append(f'kernel said, at line {number} of the console, {running_at(console, number)}: {line}')
    end = max(len(console) - CONSOLE_TAIL, 0)
    begin = max(splats[0][0] - 1 - BEFORE, 0) if splats else end
    shown = console[begin:begin + CONSOLE_TAIL]
    if begin + CONSOLE_TAIL < len(console) and (hung or broken):
        shown += ['[...]', *console[max(end, begin + CONSOLE_TAIL):]]
    return root, problems, shown if problems else []


def run(tree, target, machine, out, *, suite=None, timeout=TIMEOUT):
    """Boot what kernel.fetch() put into @out. @machine: (name of the run, Machine).

    Leaves console.log, results.json and results.ktap in @out.
    """
    name, where = machine
    host.say(f'  booting {name}')
    for old in ('console.log', 'results.json', 'results.ktap', 'test.log'):
        (out / old).unlink(missing_ok=True)
    # kunit.py reads a configuration even where it only boots: give it one that asks for nothing.
    nothing = out / 'kunitconfig'
    nothing.write_text('')
    qemu = kernel.qemu_config(target, where, out)
    begin = time.monotonic()
    try:
        status, _ = host.run(
            kernel.kunit_py(tree, 'exec', f'--arch={target.arch.linux}', f'--build_dir={out}', f'--kunitconfig={nothing}',
                            f'--qemu_config={qemu}', f'--timeout={timeout}', f'--json={out / "results.json"}',
                            *([suite] if suite else [])),
            log=out / 'kunit.log', check=False, timeout=timeout + GRACE, what=f'booting {name}')
    except host.Expired:
        status = None
    hung = timeout if time.monotonic() - begin >= timeout else None
    if not (out / 'test.log').exists():
        return Result(name, None, [f'kunit.py did not boot it: see {out / "kunit.log"}'], {},
                      (out / 'kunit.log').read_text().splitlines()[-CONSOLE_TAIL:])
    with _judging:
        return _result(tree, name, out, hung, status)


def _result(tree, name, out, hung, status):
    shutil.move(out / 'test.log', out / 'console.log')
    console = (out / 'console.log').read_text(errors='backslashreplace').splitlines()
    with open(out / 'results.ktap', 'w', encoding='utf-8') as file:
        subprocess.run([str(c) for c in kernel.kunit_py(tree, 'parse', '--raw_output=kunit', out / 'console.log')],
                       stdout=file, check=False, env=host.child_env())
    better = undisturbed(console)
    if better != console:
        # kunit.py has judged what came.
        with tempfile.NamedTemporaryFile('w', encoding='utf-8') as file:
            file.writelines(f'{line}\n' for line in better)
            file.flush()
            status, _ = host.run(kernel.kunit_py(tree, 'parse', f'--json={out / "results.json"}', file.name), check=False)
    root, problems, shown = judge(tree, console, hung=hung, status=status)
    return Result(name, root, problems, skip_reasons(root, console), shown)
