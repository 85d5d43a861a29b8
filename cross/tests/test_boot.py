# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts on boots, with the real kunit.py and its parser, and an emulator that plays a console."""

import argparse
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import boot
import host
import main
import support
import targets
from console import Console


def judge(lines, **kwargs):
    """(problems, lines to show) of a console."""
    said = Console(lines)
    return boot.judge(said, said.results(support.kernel_tree()), **kwargs)


def judged(console, **kwargs):
    return judge(console.splitlines(), **kwargs)[0]


class Judge(unittest.TestCase):
    def test_all_well(self):
        self.assertEqual(judged(support.PASSING), [])

    def test_failure(self):
        self.assertEqual(judged(support.FAILING), ['1 failed'])

    def test_panic_names_the_suite(self):
        problems = judged(support.PANIC)
        self.assertTrue(any('running was: fastterm_load' in p for p in problems), problems)
        self.assertTrue(any('Kernel panic' in p for p in problems), problems)

    def test_splat(self):
        problems = judged(support.SPLAT)
        self.assertEqual(len(problems), 1)
        self.assertIn('in or after fastterm_load: BUG: sleeping function', problems[0])

    def test_splat_before_everything(self):
        problems = judged(f'WARNING: x\n{support.PASSING}')
        self.assertIn('at line 1 of the console, before the first suite', problems[0])

    def test_what_is_shown(self):
        """Of a splat what is around it, of anything else the end."""
        end = '\n' * 200
        for console, line in (support.SPLAT + end, 'BUG: sleeping'), (end + support.FAILING, 'reboot: Restarting'):
            _, shown = judge(console.splitlines())
            self.assertTrue(any(line in text for text in shown), shown)
        self.assertEqual(judge(support.PASSING.splitlines()), ([], []))

    def test_of_a_hang_the_end_is_shown_as_well(self):
        lines = [*support.SPLAT.splitlines(), *['x'] * 200, 'the last line']
        for hung, shows in (5, True), (None, False):
            _, shown = judge(lines, hung=hung)
            self.assertTrue(any('BUG: sleeping' in line for line in shown))
            self.assertEqual('the last line' in shown, shows)

    def test_what_the_kernel_says_in_between(self):
        """Wherever a message comes, the results are the same; what is missing is missing all the same."""
        lines = support.PASSING.splitlines()
        for place in range(len(lines) + 1):
            with self.subTest(place):
                self.assertEqual(judged('\n'.join([*lines[:place], '[    2.60] clocksource: tsc', *lines[place:]])), [])
        for failing in support.FAILING, support.PANIC, support.PASSING.replace('    ok 1 straight_line\n', ''):
            self.assertTrue(judged(failing.replace('    KTAP version 1', '    KTAP version 1\nclocksource: tsc')))

    def test_truncated_anywhere(self):
        """However much of the end is missing, the run has not passed. Only what follows the results may be."""
        lines = support.PASSING.splitlines(keepends=True)
        results_end = next(i for i, line in enumerate(lines) if line.startswith('ok 1 fastterm_load'))
        for length in range(results_end + 1):
            with self.subTest(lines=length):
                self.assertTrue(judged(''.join(lines[:length])))
        self.assertEqual(judged(''.join(lines[:results_end + 1])), [])

    def test_missing_case(self):
        self.assertTrue(judged(support.PASSING.replace('    ok 1 straight_line\n', '')))

    def test_no_output(self):
        self.assertIn('before the first suite', judged('')[0])

    def test_no_such_suite(self):
        for console in ('KTAP version 1\n1..0\n', '[    0.512345] KTAP version 1\n[    0.512400] 1..0\n'):
            self.assertIn('SUITE=', judged(console)[0])
        self.assertNotIn('SUITE=', judged('KTAP version 1\n1..10\n')[0])

    def test_hang_names_the_suite(self):
        problems = judged(support.PANIC.replace('Kernel panic', ''), hung=5)
        self.assertIn('hang: no end after 5 s; running was: fastterm_load', problems[0])

    def test_skip_reason(self):
        lines = support.PASSING.splitlines()
        for console in lines, [f'[    0.512345] {line}' for line in lines]:
            results = Console(console).results(support.kernel_tree())
            self.assertEqual(list(results.skips.values()), ['no such kfunc here'])


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name)

    def boot(self, timeout):
        machine = next(support.TARGET.machines)
        return boot.run(support.kernel_tree(), support.TARGET, machine, self.out, timeout=timeout)

    def test_all_well(self):
        with support.FakeQemu(support.PASSING):
            result = self.boot(60)
        self.assertEqual(result.problems, [])
        for name in ('console.log', 'results.json', 'results.ktap'):
            self.assertGreater((self.out / name).stat().st_size, 0, name)

    def test_all_well_but_for_a_message_in_between(self):
        with support.FakeQemu(support.PASSING.replace('    KTAP version 1', '    KTAP version 1\nclocksource: tsc')):
            self.assertEqual(self.boot(60).problems, [])
        results = json.loads((self.out / 'results.json').read_text())
        self.assertEqual([case['name'] for case in results['sub_groups'][0]['test_cases']], ['straight_line', 'kfunc'])
        self.assertIn('clocksource: tsc', (self.out / 'console.log').read_text())

    def test_hang(self):
        with support.FakeQemu(support.PANIC.replace('Kernel panic', ''), stay=True) as qemu:
            result = self.boot(2)
            self.assertFalse(alive(int(qemu.pid_file.read_text())))
        self.assertIn('hang: no end after 2 s; running was: fastterm_load', result.problems[0])
        self.assertTrue(result.shown)

    def test_a_hang_that_kunit_py_does_not_end(self):
        """Something holds the console: the run ends all the same, and is judged."""
        # kunit.py writes the console to a file by and by.
        console = support.PANIC.replace('Kernel panic', '') + f'{"x" * 99}\n' * 500
        with support.FakeQemu(console, stay=True, holds=True) as qemu, \
                mock.patch.object(boot, 'GRACE', 2):
            result = self.boot(2)
            self.assertFalse(alive(int(qemu.pid_file.read_text())))
        self.assertIn('hang: no end after 2 s; running was: fastterm_load', result.problems[0])
        self.assertGreater((self.out / 'console.log').stat().st_size, 0)

    def test_what_goes_wrong_is_told(self):
        for what, console, says in (('panic', support.PANIC, 'Kernel panic'), ('splat', support.SPLAT, 'BUG: sleeping'),
                                    ('truncated', support.PASSING[:support.PASSING.index('    ok 2')], 'was: fastterm_load')):
            with self.subTest(what), support.FakeQemu(console):
                self.assertIn(says, ' '.join(self.boot(60).problems))

    def test_no_emulator(self):
        with tempfile.TemporaryDirectory() as empty, mock.patch.dict(os.environ, PATH=empty):
            result = self.boot(60)
        self.assertIn('kunit.py did not boot it: see ', result.problems[0])
        self.assertTrue(any('qemu-system-x86_64' in line for line in result.shown), result.shown)

    def test_an_emulator_that_fails(self):
        with support.FakeQemu('') as qemu:
            (Path(qemu.folder.name) / 'qemu-system-x86_64').write_text('#!/bin/sh\nexit 1\n')
            self.assertFalse(self.boot(60).ok)

    def test_interrupt_leaves_nothing(self):
        """Ctrl-C: the emulator is gone, the lock is free, the exit status says so."""
        lock = f'test-interrupt-{os.getpid()}'
        self.addCleanup((host.cache() / 'locks' / lock).unlink, missing_ok=True)
        # Whoever runs the tests in the background has it ignored.
        code = ('import sys, signal; from pathlib import Path; import boot, host, support\n'
                'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
                'try:\n'
                '    with host.lock(sys.argv[2]):\n'
                '        boot.run(support.kernel_tree(), support.TARGET, next(support.TARGET.machines), Path(sys.argv[1]))\n'
                'except KeyboardInterrupt:\n'
                '    sys.exit(130)\n')
        with support.FakeQemu('', stay=True) as qemu:
            env = dict(os.environ, PYTHONPATH=':'.join(sys.path))
            with subprocess.Popen([sys.executable, '-B', '-c', code, self.out, lock], env=env,
                                  stderr=subprocess.DEVNULL) as child:
                deadline = time.monotonic() + 30
                while not qemu.pid_file.exists() or not qemu.pid_file.read_text():
                    self.assertLess(time.monotonic(), deadline, 'the emulator did not start')
                    time.sleep(0.05)
                child.send_signal(signal.SIGINT)
                self.assertEqual(child.wait(30), 130)
            self.assertFalse(alive(int(qemu.pid_file.read_text())))
            begin = time.monotonic()
            with host.lock(lock):
                self.assertLess(time.monotonic() - begin, 5)


class Together(unittest.TestCase):
    def test_results_in_their_order(self):
        def wait(seconds):
            time.sleep(seconds)
            return seconds
        times = (0.2, 0.1, 0)
        self.assertEqual(list(host.together([functools.partial(wait, seconds) for seconds in times])), list(times))

    def test_an_end_for_all(self):
        """An error, or an interrupt, ends what still runs, and what has not begun does not begin."""
        begun = []

        def fail():
            # Where there is one processor, nothing runs beside it.
            end = time.monotonic() + 10
            while host.processors() > 1 and time.monotonic() < end and not host._children:
                time.sleep(0.01)
            raise self.reason

        def stay():
            begun.append(True)
            host.run(['sleep', '600'])
        for self.reason in (host.Error('x'), KeyboardInterrupt()):
            begun.clear()
            begin = time.monotonic()
            with self.assertRaises(type(self.reason)):
                list(host.together([fail, *[stay] * (host.processors() + 5)]))
            self.assertLess(time.monotonic() - begin, 30)
            self.assertLess(len(begun), host.processors() + 5)
            self.assertEqual(host.run(['echo', 'on'])[1], 'on\n')

    def test_who_asks_twice_gets_the_same(self):
        """A second interrupt does not keep what the first one does from being done."""
        stay = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(90)'
        begun = threading.Event()
        timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt), host.side_by_side() as pool:
            pool.submit(host.run, [sys.executable, '-c', stay], on_line=lambda line: begun.set())
            self.assertTrue(begun.wait(10))
            timer.start()
            raise KeyboardInterrupt
        timer.join()
        self.assertLess(time.monotonic() - begin, 60)
        self.assertFalse(host._children)

    def test_who_waits_for_a_lock_ends_as_well(self):
        with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, XDG_CACHE_HOME=cache), \
                contextlib.ExitStack() as held:
            def wait():
                with host.lock('x'):
                    pass
            held.enter_context(host.lock('x'))
            # Who waits all the same is too late, and does not wait for ever.
            timer = threading.Timer(40, held.close)
            timer.start()
            begin = time.monotonic()
            with self.assertRaises(KeyboardInterrupt), host.side_by_side() as pool:
                future = pool.submit(wait)
                time.sleep(0.5)
                raise KeyboardInterrupt
            timer.cancel()
            self.assertLess(time.monotonic() - begin, 30)
            self.assertIsInstance(future.exception(), host.Error)

    def test_locks_in_the_same_order(self):
        """Whoever takes several does not wait for one who waits for him."""
        taken = []
        with mock.patch.object(host, 'lock', lambda name: taken.append(name) or contextlib.nullcontext()):
            for folders in (('/a', '/b', '/c'), ('/c', '/a', '/b'), ('/b', '/c', '/a')):
                with main.own_locks(*folders):
                    pass
        self.assertEqual(len(set(taken)), 3)
        self.assertEqual(taken, taken[:3] * 3)

    def test_aside_leaves_the_processors_to_others(self):
        """Two want the same one: who is aside gets little of it."""
        with subprocess.Popen(['sleep', '600']) as child:
            try:
                os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))
            except OSError as error:
                self.skipTest(f'SCHED_IDLE: {error.strerror}')
            finally:
                child.kill()
        spin = ('import os, sys, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); end = float(sys.argv[1])\n'
                'while time.monotonic() < end: pass\nprint(time.process_time())')

        def spun(end):
            return float(host.run([sys.executable, '-S', '-c', spin, str(end)])[1])
        end = time.monotonic() + 3
        with host.side_by_side(aside=True) as pool:
            aside = pool.submit(spun, end)
            with host.side_by_side() as others:
                self.assertGreater(others.submit(spun, end).result(), 3 * aside.result())


class SideBySide(unittest.TestCase):
    def chosen(self):
        return [targets.Target(targets.ARCHES[name], 'default') for name in ('x86_64', 'arm64', 'riscv64')]

    def test_the_next_is_built_while_one_is_booted(self):
        """And what cannot be built fails its own boots alone."""
        chosen = self.chosen()
        going_on = threading.Event()

        def built(_args, target):
            if target is chosen[1]:
                going_on.set()
                return host.Error('no space')
            return 'tree'

        def run(_tree, _target, machine, _out, suite, timeout):
            return boot.Result(machine[0], None, [] if going_on.wait(10) else ['alone'])
        with mock.patch.object(main, 'built', built), mock.patch.object(boot, 'run', run):
            results = list(main.boots(argparse.Namespace(kdir='', suite='fastterm_load'), chosen))
        self.assertEqual([(result.name, result.problems) for result in results],
                         [('x86_64-default', []), ('arm64-default', ['no space']), ('arm64-default-nopac', ['no space']),
                          ('riscv64-default', [])])

    def test_machines_with_their_own_time_run_beside(self):
        """Behind all builds, and aside."""
        chosen = self.chosen()
        last = [*(f'{target.name}-icount' for target in chosen), 'shown']
        order, aside, beside = [], {}, threading.Event()

        def built(_args, target):
            time.sleep(0.01)
            order.append(target.name)
            aside[target] = host._thread.aside
            return 'tree'

        def run(_tree, _target, machine, _out, suite, timeout):
            aside[machine[0]] = getattr(host._thread, 'aside', False)
            if machine[0] in last:
                beside.set()
                return boot.Result(machine[0], None, [] if len(order) == len(chosen) else ['too early'])
            return boot.Result(machine[0], None, [] if beside.wait(10) else ['alone'])

        def shown():
            aside['shown'] = host._thread.aside
            return boot.Result('shown', None)
        with mock.patch.object(main, 'built', built), mock.patch.object(boot, 'run', run):
            results = list(main.boots(argparse.Namespace(kdir='', suite=''), chosen, [shown]))
        names = [result.name for result in results]
        self.assertEqual([problem for result in results for problem in result.problems], [])
        self.assertEqual(order, [target.name for target in chosen])
        self.assertEqual(names[-4:], last)
        self.assertEqual(len(names), 10)
        self.assertEqual(aside, {name: name in last for name in names} | {target: True for target in chosen})

    def test_who_stops_early_leaves_nothing(self):
        chosen = self.chosen()

        def built(_args, target):
            if target is not chosen[0]:
                host.run(['sleep', '40'])
            return 'tree'

        def run(_tree, _target, machine, _out, suite, timeout):
            return boot.Result(machine[0], None)
        with mock.patch.object(main, 'built', built), mock.patch.object(boot, 'run', run):
            results = main.boots(argparse.Namespace(kdir='', suite=''), chosen)
            self.assertEqual(next(results).name, 'x86_64-default')
            begin = time.monotonic()
            results.close()
        self.assertLess(time.monotonic() - begin, 30)
        self.assertFalse(host._children)


def alive(pid):
    try:
        os.kill(pid, 0)
        return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
