# SPDX-License-Identifier: GPL-2.0-only
"""What the demonstration makes of a guest's records: which cells are right, and which are not."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import demo
import escape
import guest
import host
import targets
import usable

X86_64, ARM64, RISCV64 = (targets.ARCHES[name] for name in ('x86_64', 'arm64', 'riscv64'))


def record(**fields):
    return {'record': 'program', 'program': 'fentry_may_goto.bpf.o', 'hook': 'fentry/vfs_open', 'where': 'vfs_open',
            'budget': 100, 'free_beats': 98, 'off_beats': 0, 'off_survived': 1, 'off_ended': 0, 'off_ran': 200_000_000,
            'off_turns': 1000, 'all_turns': 10 ** 12, 'off_until_end': 10 ** 7, 'returned': 1, 'began': 5 * 10 ** 9,
            'terminations': 1, 'resources': [['task', 1, 1, 2, 3, 2], ['section', 2, 2]],
            'events': [['overrun', 5_108_000_000, 0, 0, 0, 108_000_000], ['request', 5_108_000_000, 0, 0, 0, 0],
                       ['exit', 5_109_000_000, 1, 3, 2200, 0]],
            'beats': 97, 'rcu': 1, 'gone': 1} | fields


class Cases(unittest.TestCase):
    def test_a_program_a_case(self):
        records = [record(), record(beats=3), {'program': 'kretprobe_multi_pairs.bpf.o'}]
        with mock.patch.object(demo, 'measure', lambda kdir, target: ('6.12', records)):
            good, bad, skipped = demo.cases(None, ARM64)
        self.assertEqual(good[:2], ('fentry_may_goto', 'passed'))
        self.assertEqual(bad[1], 'failed')
        self.assertIn('3 of 98 beats', bad[2])
        self.assertEqual(skipped, ('kretprobe_multi_pairs', 'skipped', demo.unreachable(ARM64, 'kretprobe_multi_pairs')))

    def test_no_guest(self):
        with mock.patch.object(demo, 'measure', side_effect=host.Error('it ended before it was done')):
            self.assertEqual(demo.cases(None, X86_64),
                             [('runs', 'failed', 'it ended before it was done')])


class Judge(unittest.TestCase):
    def test_all_as_it_should_be(self):
        row = demo.judge(X86_64, record())
        self.assertEqual(row.wrong, [])
        self.assertEqual(row.cells, ['fentry_may_goto', 'fentry/vfs_open', '6.3 years', '0% free', 'ignored',
                                     '108.0 ms', '1', '3', '<= 2,200 ns', 'task (2 -> 3 -> 2), 2 sections', 'yes'])

    def wrong(self, text, **fields):
        row = demo.judge(X86_64, record(**fields))
        self.assertEqual(len(row.cells), len(demo.HEADS))
        self.assertEqual(len(row.wrong), 1, row.wrong)
        self.assertIn(text, row.wrong[0])

    def test_each_cell_can_be_wrong(self):
        events = record()['events']
        self.wrong('would run for: it has not taken a turn', off_turns=0)
        self.wrong('would run for: it has ended by itself', off_ended=1)
        self.wrong('off: CPU: 20 beats while it ran', off_beats=20)
        self.wrong('off: CPU: 0 beats while it ran, 0 while nothing did', free_beats=0)
        self.wrong('kill -9: the process ended', off_survived=0)
        self.wrong('detected after: 508.0 ms', began=4_600_000_000)
        self.wrong('detected after: 8.0 ms', began=5_100_000_000)
        self.wrong('detected after: the watchdog blamed it 0 times', events=events[1:])
        self.wrong('detected after: the kernel told of no termination', events=[])
        self.wrong('kicks: 2 terminations', events=[*events, events[-1]])
        self.wrong('kicks: fdinfo counts 0 terminations', terminations=0)
        self.wrong('kicks: it was not kicked', events=[*events[:2], ['exit', 5_109_000_000, 0, 3, 2200, 0]])
        self.wrong('frames: not one', events=[*events[:2], ['exit', 5_109_000_000, 1, 0, 2200, 0]])
        self.wrong('kick to exit: more than', events=[*events[:2], ['exit', 5_109_000_000, 1, 3, 10 ** 9, 0]])
        self.wrong('it has taken nothing', resources=[])
        self.wrong('task: taken 1 times, given back 0', resources=[['task', 1, 0, 2, 3, 2]])
        self.wrong('task: the kernel counts 2 before, 3 meanwhile, 3 after', resources=[['task', 1, 1, 2, 3, 3]])
        self.wrong('record: the kernel counts 0 before, 0 meanwhile', resources=[['record', 1, 1, 0, 0, 0]])
        self.wrong('the CPU has 3 of 98 beats', beats=3)
        self.wrong('the process has not returned', returned=0)
        self.wrong('RCU waits', rcu=0)
        self.wrong('the program has not gone', gone=0)

    def test_a_kernel_whose_fdinfo_does_not_count(self):
        silent = record()
        del silent['terminations']
        self.assertIn('fdinfo does not count', demo.judge(X86_64, silent).wrong[0])

    def test_what_does_not_load_is_wrong(self):
        row = demo.judge(X86_64, {'record': 'program', 'program': 'a.bpf.o', 'error': 'verifier: no'})
        self.assertEqual(row.wrong, ['a: would run for: verifier: no'])

    def test_what_nothing_reaches_is_not_run(self):
        row = demo.judge(RISCV64, {'program': 'perf_event_stacks.bpf.o'})
        self.assertEqual(row.wrong, [])
        self.assertIn('interrupts off, and there is no NMI', row.cells[1])
        self.assertIsNone(demo.unreachable(ARM64, 'perf_event_stacks.bpf.o'))
        self.assertIsNone(demo.unreachable(RISCV64, 'xdp_nested_loops.bpf.o'))

    def test_time_that_is_not_counted_is_not_shown(self):
        row = demo.judge(RISCV64, record())
        self.assertEqual(row.wrong, [])
        self.assertEqual((row.cells[5], row.cells[8]), ('in time', 'not counted'))
        self.assertIn('not in time', demo.judge(RISCV64, record(began=10 ** 9)).cells[5])

    def test_too_few_programs(self):
        lines, wrong = demo.show(X86_64, '6.12', [record()] * (demo.PROGRAMS - 1))
        self.assertEqual(len(wrong), 1)
        self.assertIn('WRONG  7 programs were run, fewer than 8', lines)
        unrun = [{'program': 'tc_locked.bpf.o'}] * demo.PROGRAMS
        self.assertTrue(demo.show(RISCV64, '6.12', unrun)[1])
        self.assertEqual(demo.show(X86_64, '6.12', [record()] * demo.PROGRAMS)[1], [])

    def test_durations(self):
        self.assertEqual([demo.duration(s * 1e9) for s in (0.9, 100, 3000, 90_000, 10 ** 7, 10 ** 11)],
                         ['0.9 s', '100 s', '50 min', '25 h', '116 days', '3,171 years'])


class Programs(unittest.TestCase):
    def test_each_is_named_like_its_file_and_says_what_it_does(self):
        for path in demo.SOURCES.glob('*.bpf.c'):
            text = path.read_text()
            self.assertRegex(text, r'^// SPDX-License-Identifier: GPL-2.0-only\n/\*\n \* \w', path.name)
            name = path.name.partition('.')[0]
            self.assertRegex(text, rf'\b{name}\(|BPF_PROG\({name}\b', path.name)

    def test_what_is_said_to_be_out_of_reach_is_there(self):
        names = {path.name.partition('.')[0] for folder in (demo.SOURCES, usable.SOURCES) for path in folder.glob('*.bpf.c')}
        for arch in targets.ARCHES.values():
            self.assertLessEqual(set(arch.unreachable), names | set(escape.INPUTS))


class Events(unittest.TestCase):
    MAIN = r'''
        #include "events.h"
        #include <stdio.h>
        int main(void)
        {
            char line[512];
            struct event e;
            while (fgets(line, sizeof(line), stdin))
                if (events_parse(&e, line))
                    printf("%s %u %llu %u %u %llu %llu\n", e.kind, e.id, e.time, e.kicks, e.frames,
                           e.exit_ns, e.ran_ns);
            return 0;
        }'''
    PIPE = '''#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
          init-63      [001] d.h2.    12.300087: bpf_fastterm_exit: prog=7 kicks=2 frames=3 request_ns=1 \
exit_ns=4119 result=0xffffffffffffff83
 ksoftirqd/1: x-63      [001] d..1.     2.000001: bpf_fastterm_request: prog=7 target_cpu=1
        idle-0       [000] d.h1.     3.100000: bpf_fastterm_overrun: prog=7 name=a_b cpu=1 ran_ns=108000000
        init-1       [000] .....     3.200000: sys_enter: prog=9
'''

    def test_lines_of_trace_pipe(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / 'main.c').write_text(self.MAIN)
            subprocess.run(['gcc', *guest.WARNINGS, f'-I{guest.SOURCES}', '-o', path / 'main', path / 'main.c',
                            guest.SOURCES / 'events.c'], check=True)
            text = subprocess.run([path / 'main'], input=self.PIPE, stdout=subprocess.PIPE, text=True,
                                  check=True).stdout
        self.assertEqual(re.findall('.+', text), ['exit 7 12300087000 2 3 4119 0',
                                                  'request 7 2000001000 0 0 0 0',
                                                  'overrun 7 3100000000 0 0 0 108000000'])
