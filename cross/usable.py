# SPDX-License-Identifier: GPL-2.0-only
"""How a machine gets on on which a program runs away again and again: what healthy processes beside it get.

Each program of cross/usable/ runs away whenever it is entered. On each processor of an emulated machine there is a process
that sleeps for two milliseconds, makes a system call and sends a packet, again and again. How often it gets on, compared
with how often it does when no such program is loaded, is its share. The worst process counts.
"""

from dataclasses import dataclass, field

import corpus
import guest
import host
import machine
from host import Error
from targets import HERE, Target

SOURCES = HERE / 'usable'
# Longest that a guest may take, in seconds: for itself, and for each program besides the time that it is looked at.
TIMEOUT, EACH = 120, 60
# Programs that the kernel does not enter while their count of activations on a processor is raised, so that nobody runs
# their entry while it is patched.
HELD = ('every_call', 'every_switch')
# For how long a program is looked at by `make demo`, and by `make bench`, in seconds.
SECONDS, LONG = 10, 80
# The least share over the first ten seconds, and over any sixty.
FIRST, ANY = 0.90, 0.95


def measure(kdir, target, seconds):
    """The guest's records, one a program."""
    out = host.OUT / f'usable-{target.name}'
    tree, types = corpus.kernel_and_types(kdir, target, out)
    objects = corpus.ours(tree, target.arch, types, 'usable', sorted(SOURCES.glob('*.bpf.c')))
    shown = {name: path for name, path in objects.items() if not unreachable(target.arch, name)}
    init, records = guest.build(tree, target.arch, 'usable'), []
    # Some are entered all the time while their entry is patched: see machine.TURNS. Where instructions are counted,
    # processors take turns.
    held = {name: path for name, path in shown.items() if name.removesuffix('.bpf.o') in HELD}
    for some, extra in (held, ()), ({n: p for n, p in shown.items() if n not in held}, machine.counted_smp(target.arch)):
        found = _boot(target, out, some, init, extra, seconds)
        low = {name for name in some if any(name == f'{_name(record["object"])}.bpf.o' and too_low(record) for record in found)}
        if low and not extra:
            host.say('  a process has got too little: what else this machine does may be the reason, so that is seen again')
            found = better(found, _boot(target, out, {name: some[name] for name in low}, init, extra, seconds))
        records += found
    return records + [{'object': f'0-{name}'} for name in sorted(objects.keys() - shown.keys())]


def _boot(target, out, objects, init, extra, seconds):
    files = {f'objects/{number}-{name}': path for number, (name, path) in enumerate(sorted(objects.items()))}
    host.say(f'  running {len(files)} programs beside healthy processes on {target.name}')

    def take(record):
        if record['record'] == 'machine' and not record['watchdog']:
            raise Error(f'{target.name}: this kernel has no watchdog that terminates programs: it needs '
                        'CONFIG_BPF_FASTTERM_WATCHDOG=y')
        if record['record'] == 'program':
            host.say(f'  {_name(record["object"])}: {record.get("error", "done").splitlines()[0]}')
    records = guest.boot(target, out, files | {'init': init}, extra=extra, append=f'SECONDS={seconds} log_buf_len=4M',
                         timeout=TIMEOUT + len(files) * (EACH + 2 * seconds), on_record=take)
    return [record for record in records if record['record'] == 'program']


def too_low(record):
    """Whether a process has got too little over the first seconds."""
    return 'error' not in record and judge(record).first < FIRST


def better(records, again):
    """Of two records of a program the one in which a process got more: what else the host does takes time, and gives none."""
    seconds = {_name(record['object']): record for record in again}

    def best(record):
        other = seconds.get(_name(record['object']))
        return other if other and judge(other).first > judge(record).first else record
    return [best(record) for record in records]


def _name(text):
    return text.partition('-')[2].removesuffix('.bpf.o')


def unreachable(arch, name):
    """Why a program is not run on an architecture; None where it is."""
    return arch.unreachable.get(name.removesuffix('.bpf.o'))


def _rates(slots):
    """How often the process on each processor gets on, in a nanosecond, over some slots."""
    time = sum(slot[0] for slot in slots)
    return [sum(beats) / time for beats in zip(*(slot[1:] for slot in slots))] if time else []


def share(slots, free):
    """The least share of what a process gets over some slots, of the rates that it has without the program."""
    return min((now / before for now, before in zip(_rates(slots), free)), default=0)


def windows(slots, seconds):
    """The runs of slots that are so long, or a bit longer."""
    for first in range(len(slots)):
        time = 0
        for last in range(first, len(slots)):
            time += slots[last][0]
            if time >= seconds * 1e9:
                yield slots[first:last + 1]
                break


@dataclass
class Shares:
    """What the processes beside a program have got, and what is wrong."""
    first: float = 0        # over the first ten seconds
    any: float = None       # over any sixty; None if they were fewer
    worst: float = 0        # in the worst second
    wrong: list = field(default_factory=list)


def judge(record):
    """Shares, of a guest's record."""
    if 'error' in record:
        return Shares(wrong=[record['error']])
    free, slots = _rates(record['free']), record['beside']
    if not free or not min(free):
        return Shares(wrong=['a process does not get on even without the program'])
    seen = Shares(first=share(next(windows(slots, SECONDS), slots), free),
                  any=min((share(some, free) for some in windows(slots, 60)), default=None),
                  worst=min((share(some, free) for some in windows(slots, 1)), default=0))
    if seen.first < FIRST:
        seen.wrong.append(f'a healthy process gets {seen.first:.0%} over the first {SECONDS} seconds, less than {FIRST:.0%}')
    if seen.any is not None and seen.any < ANY:
        seen.wrong.append(f'a healthy process gets {seen.any:.0%} over sixty seconds, less than {ANY:.0%}')
    if not record['terminations']:
        seen.wrong.append('it was not terminated')
    if not record['quarantined_ms']:
        seen.wrong.append('it was not quarantined')
    return seen


def show(arch, records):
    """(lines, what is wrong) of an architecture."""
    heads = ('runs away', 'hook', f'first {SECONDS} s', 'worst second', 'any 60 s', 'terminated', 'quarantined')
    table, wrong = [heads], []
    for record in records:
        name = _name(record['object'])
        if 'record' not in record:
            table.append((name, f'not run: {unreachable(arch, name)}'))
            continue
        seen = judge(record)
        wrong += [f'{name}: {text}' for text in seen.wrong]
        if 'error' in record:
            table.append((name, record['error'].splitlines()[0]))
            continue
        table.append((name, record['hook'], f'{seen.first:.1%}', f'{seen.worst:.0%}',
                      '-' if seen.any is None else f'{seen.any:.1%}', f'{record["terminations"]} times',
                      f'{record["quarantined_ms"] / 1000:.1f} s, {record["strikes"]} strikes'))
    widths = [max(len(row[column]) for row in table if len(row) == len(heads)) for column in range(len(heads))]
    lines = [f'{arch.name}: what the worst healthy process gets beside a program that always runs away']
    lines += ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
    return lines + [f'WRONG  {text}' for text in wrong], wrong


def run(kdir, arch, seconds=SECONDS):
    """Show it for an architecture; true if all is as it should be."""
    try:
        lines, wrong = show(arch, measure(kdir, Target(arch, 'default'), seconds))
    except (Error, OSError) as error:
        host.say(f'fastterm: {arch.name}: {error}')
        return False
    print('\n'.join(lines), flush=True)
    return not wrong


def cases(kdir, arch):
    """The same as cases of a ktap suite: one a program."""
    try:
        records = measure(kdir, Target(arch, 'default'), SECONDS)
    except (Error, OSError) as error:
        return [('usable', 'failed', str(error))]
    found = []
    for record in records:
        name = _name(record['object'])
        why = unreachable(arch, name)
        wrong = [] if why else judge(record).wrong
        found.append((f'usable beside {name}', 'skipped' if why else 'failed' if wrong else 'passed', why or '\n'.join(wrong)))
    return found
