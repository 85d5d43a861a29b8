# SPDX-License-Identifier: GPL-2.0-only
"""Real programs that run away, where people attach programs, and what the watchdog makes of them.

Each program of cross/demo/ runs on an emulated machine whose time is the number of instructions that it has run, first
with the watchdog off, for a moment, then with it on. The guest says what it has seen; what is right is decided here.
"""

from dataclasses import dataclass, field

import corpus
import guest
import host
import machine
from host import Error
from targets import HERE, Target

SOURCES = HERE / 'demo'
# Longest that a guest may take, in seconds.
TIMEOUT = 900
# At least so many programs must be shown.
PROGRAMS = 8
# With the watchdog off, a CPU is held if it has at most this share of the beats that it has when it is free.
HELD = 0.1
# What a program may take beyond its budget until it is detected: as much again, and what the samples are apart, in ms.
LATE = 50
# Instructions from the kick to the exit: more is no fast path.
EXIT = 100_000
# Where instructions are not counted, time depends on what else this machine does: so many times as late is no fault.
UNCOUNTED = 10

# The fields of an event, in the guest's order.
EVENT = ('kind', 'time', 'kicks', 'frames', 'exit_ns', 'ran_ns')
HEADS = ('program', 'hook', 'would run for', 'off: CPU', 'kill -9', 'detected after', 'kicks', 'frames', 'kick to exit',
         'held, then given back', 'alive')


def measure(kdir, target):
    """(version of the kernel, the guest's records) of an architecture."""
    out = host.OUT / f'demo-{target.name}'
    tree, types = corpus.kernel_and_types(kdir, target, out)
    programs = corpus.ours(tree, target.arch, types, 'demo', sorted(SOURCES.glob('*.bpf.c')))
    shown = {name: path for name, path in programs.items() if not unreachable(target.arch, name)}
    files = {f'demo/{name}': path for name, path in shown.items()}
    files |= corpus.ours(tree, target.arch, types, 'refs', [guest.SOURCES / 'refs.bpf.c'])
    files['init'] = guest.build(tree, target.arch, 'demo')
    host.say(f'  running {len(shown)} programs on {target.name}')

    def progress(record):
        if record['record'] == 'machine' and not (record['watchdog'] and record['events']):
            raise Error(f'{target.name}: this kernel has no watchdog that terminates programs: it needs '
                        'CONFIG_BPF_FASTTERM_WATCHDOG=y')
        if record['record'] == 'program':
            said = record.get('stuck') or record.get('error', 'done')
            host.say(f'  {record["program"]}: {said.splitlines()[0]}')
            stuck.extend([f'{record["program"]}: {said}'] if 'stuck' in record else [])

    stuck = []
    try:
        records = guest.boot(target, out, files, extra=machine.counted_smp(target.arch), timeout=TIMEOUT,
                             on_record=progress)
    except Error as error:
        raise Error(f'{target.name}: {stuck[0]}; what the kernel said is in {out / "console.log"}'
                    if stuck else str(error)) from error
    records = [record for record in records if record['record'] == 'program']
    if {record['program'] for record in records} != set(shown):
        raise Error(f'{target.name}: {len(records)} of {len(shown)} programs were run: see {out / "console.log"}')
    return tree.version, records + [{'program': name} for name in sorted(programs.keys() - shown.keys())]


def unreachable(arch, name):
    """Why a program is not run on an architecture; None where it is."""
    return arch.unreachable.get(name.removesuffix('.bpf.o'))


@dataclass
class Row:
    """A program's line of the table: its cells, and what is wrong with those that are."""
    cells: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def add(self, text, fault=None):
        self.cells.append(f'{text} !' if fault else text)
        if fault:
            self.wrong.append(f'{self.cells[0]}: {HEADS[len(self.cells) - 1]}: {fault}')


def judge(arch, record):
    """The Row of a guest's record."""
    row = Row()
    row.add(record['program'].removesuffix('.bpf.o'))
    if 'record' not in record:
        row.add(f'not run: {unreachable(arch, record["program"])}')
        return row
    row.add(record.get('hook', ''))
    if 'error' in record:
        row.add('-', record['error'])
        return row
    events = [dict(zip(EVENT, event)) for event in record['events']]
    by_kind = {kind: [event for event in events if event['kind'] == kind] for kind in ('overrun', 'request', 'exit')}
    wanted = record['off_ran'] * record['all_turns'] / max(record['off_turns'], 1)
    row.add(duration(wanted), 'it has not taken a turn' if not record['off_turns'] else
            'it has ended by itself' if record['off_ended'] else None)
    share = record['off_beats'] / max(record['free_beats'], 1)
    row.add(f'{share:.0%} free', None if record['free_beats'] and share <= HELD else
            f'{record["off_beats"]} beats while it ran, {record["free_beats"]} while nothing did')
    row.add('ignored' if record['off_survived'] else 'ends it', None if record['off_survived'] else 'the process ended')
    _terminated(row, record, by_kind, arch.counted)
    resources = record['resources']
    row.add(', '.join(_resource(*resource) for resource in resources) or 'nothing', _kept(resources))
    dead = [what for what, ok in (
        (f'the CPU has {record["beats"]} of {record["free_beats"]} beats', record['beats'] >= record['free_beats'] / 2),
        ('the process has not returned', record['returned']), ('RCU waits', record['rcu']),
        ('the program has not gone', record['gone'])) if not ok]
    row.add('no' if dead else 'yes', '; '.join(dead))
    return row


def _terminated(row, record, by_kind, counted):
    """The cells of a program that the watchdog must have terminated, once. @counted: time is instructions."""
    overrun, request, left = by_kind['overrun'], by_kind['request'], by_kind['exit']
    if not left or not request:
        row.add('-', 'the kernel told of no termination')
        for _ in range(3):
            row.add('-')
        return
    after = (request[0]['time'] - record['began']) / 1e6
    fault = None
    if not 0.9 * record['budget'] <= after <= (2 * record['budget'] + LATE) * (1 if counted else UNCOUNTED):
        fault = f'{after:.1f} ms, with a budget of {record["budget"]} ms'
    elif len(overrun) != 1:
        fault = f'the watchdog blamed it {len(overrun)} times'
    row.add(f'{after:.1f} ms' if counted else 'in time' if not fault else 'not in time', fault)
    told = record.get('terminations')
    fault = f'{len(left)} terminations' if len(left) != 1 else 'it was not kicked' if not left[0]['kicks'] else None
    if told != 1:
        fault = 'fdinfo does not count terminations' if told is None else f'fdinfo counts {told} terminations'
    row.add(str(left[0]['kicks']), fault)
    row.add(str(left[0]['frames']), None if left[0]['frames'] else 'not one frame was moved')
    instructions = left[0]['exit_ns']
    if counted:
        row.add(f'<= {instructions:,} ns', None if 0 < instructions <= EXIT else f'more than {EXIT:,} instructions')
    else:
        row.add('not counted')


def _resource(name, held, _released, *counts):
    text = name if held == 1 else f'{held} {name}s'
    return f'{text} ({" -> ".join(map(str, counts))})' if counts else text


def _kept(resources):
    """What was not given back, as text; None if nothing. The kernel's counts are before, while it ran, and after."""
    if not resources:
        return 'it has taken nothing, and shows nothing'
    for name, held, released, *counts in resources:
        if held != released:
            return f'{name}: taken {held} times, given back {released} times'
        if counts and not counts[0] == counts[2] < counts[1]:
            return f'{name}: the kernel counts {counts[0]} before, {counts[1]} meanwhile, {counts[2]} after'
    return None


def duration(ns):
    """A time for people, of nanoseconds."""
    value, unit = ns / 1e9, 's'
    for size, name in ((60, 'min'), (60, 'h'), (24, 'days'), (365, 'years')):
        if value < size * 2:
            break
        value, unit = value / size, name
    return f'{value:,.1f} {unit}' if value < 10 else f'{value:,.0f} {unit}'


def show(arch, version, records):
    """(lines of the table, what is wrong) of an architecture."""
    rows = [judge(arch, record) for record in records]
    wrong = [text for row in rows for text in row.wrong]
    number = sum('record' in record for record in records)
    if number < PROGRAMS:
        wrong.append(f'{number} programs were run, fewer than {PROGRAMS}')
    table = [list(HEADS), *(row.cells for row in rows)]
    widths = [max(len(cells[column]) for cells in table if len(cells) == len(HEADS)) for column in range(len(HEADS))]
    time = (f'a nanosecond is an instruction of any of the four processors, counted in steps of {arch.tick}' if arch.tick else
            'this emulator does not count the instructions of several processors')
    lines = [f'{arch.name}, Linux {version}; {time}']
    lines += ['  '.join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in table]
    lines += [f'WRONG  {text}' for text in wrong]
    good = sum(not row.wrong for row in rows)
    lines.append(f'{arch.name}: {good} of {len(rows)} programs as they should be, {number} of them run')
    return lines, wrong


def cases(kdir, arch):
    """The same as cases of a ktap suite: one a program."""
    try:
        _, records = measure(kdir, Target(arch, 'default'))
    except (Error, OSError) as error:
        return [('runs', 'failed', str(error))]
    rows = [(judge(arch, record), unreachable(arch, record['program'])) for record in records]
    return [(row.cells[0], 'failed' if row.wrong else 'skipped' if why else 'passed', why or '\n'.join(row.wrong))
            for row, why in rows]


def run(kdir, arches):
    """Show all; true if every cell is as it should be."""
    good = True
    for arch in arches:
        try:
            version, records = measure(kdir, Target(arch, 'default'))
        except (Error, OSError) as error:
            host.say(f'fastterm: {arch.name}: {error}')
            good = False
            continue
        lines, wrong = show(arch, version, records)
        print('\n'.join(lines), flush=True)
        good = good and not wrong
    return good
