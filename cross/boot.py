# SPDX-License-Identifier: GPL-2.0-only
"""Boot a kernel with kunit.py, and judge the run: by its parsed results, and by what the kernel said beside them."""

import shutil
import time
from dataclasses import dataclass, field

import host
import kernel
from console import Console, Results

# Longest silence-to-end a healthy run may take under emulation, in seconds.
TIMEOUT = 900
# How long kunit.py may take to end a run whose time is over, in seconds.
GRACE = 30
# How much of the console is shown of a run that has failed: its end, or from some lines before what the kernel said.
CONSOLE_TAIL, BEFORE = 25, 5


@dataclass
class Result:
    """One boot: @results are KUnit's, if there are any; @problems is empty when all is well; @shown: of the console."""
    name: str
    results: Results = None
    problems: list = field(default_factory=list)
    shown: list = field(default_factory=list)

    @property
    def ok(self):
        return not self.problems


def judge(console, results, *, hung=None, status=0):
    """(problems, lines to show) of a console, and of the results that are in it.

    @hung: seconds after which the run was ended; @status: kunit.py's.
    """
    counts, problems = results.root.counts, []
    if counts.failed:
        problems.append(f'{counts.failed} failed')
    broken = counts.crashed or counts.errors or not counts.total()
    if hung:
        problems.append(f'hang: no end after {hung} s; running was: {results.unfinished()}')
    elif not counts.total() and console.no_suite:
        problems.append('no test ran: this kernel has none of the name that SUITE= gives, or none at all')
    elif broken:
        problems.append(f'results break off or do not add up; running was: {results.unfinished()}')
    elif status and not problems:
        problems.append(f'kunit.py: exit status {status}')
    splats, lines = console.splats, console.lines
    for number, line in splats:
        problems.append(f'kernel said, at line {number} of the console, {console.running_at(number)}: {line}')
    end = max(len(lines) - CONSOLE_TAIL, 0)
    begin = max(splats[0][0] - 1 - BEFORE, 0) if splats else end
    shown = lines[begin:begin + CONSOLE_TAIL]
    if begin + CONSOLE_TAIL < len(lines) and (hung or broken):
        shown += ['[...]', *lines[max(end, begin + CONSOLE_TAIL):]]
    return problems, shown if problems else []


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
        return Result(name, None, [f'kunit.py did not boot it: see {out / "kunit.log"}'],
                      (out / 'kunit.log').read_text().splitlines()[-CONSOLE_TAIL:])
    return _result(tree, name, out, hung, status)


def _result(tree, name, out, hung, status):
    shutil.move(out / 'test.log', out / 'console.log')
    console = Console((out / 'console.log').read_text(errors='backslashreplace').splitlines())
    results, ktap = console.results(tree), out / 'results.ktap'
    ktap.write_text(''.join(f'{line}\n' for line in results.lines), encoding='utf-8')
    if console.disturbed:
        # kunit.py has judged what came.
        status, _ = host.run(kernel.kunit_py(tree, 'parse', f'--json={out / "results.json"}', ktap), check=False)
    return Result(name, results, *judge(console, results, hung=hung, status=status))
