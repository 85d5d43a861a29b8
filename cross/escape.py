# SPDX-License-Identifier: GPL-2.0-only
"""Programs that hold a CPU in spite of everything, or that use a termination to get past a guard, if something is wrong.

Each program of cross/escape/ is one that the verifier accepts. Its object is loaded and attached, things happen on all
CPUs for a while, and the watchdog is on. What is right is decided here: which programs are terminated, that each process
comes back, that each program is gone when it has been detached, and that the kernel does not complain.
"""

import shutil
from dataclasses import dataclass, field

import corpus
import guest
import host
import ktap
import machine
import sound
from host import Error
from targets import HERE

SOURCES = HERE / 'escape'
# Kernels that they run on.
VARIANTS = sound.VARIANTS
# How long things happen with each input, in seconds: long enough for the budget of programs that may sleep.
SECONDS = 2
# Longest that a guest may take, in seconds: for itself, and for each input.
TIMEOUT, EACH = 60, 20


@dataclass(frozen=True)
class Input:
    """What is right: all of @ended are terminated, and others may be; @out: {index in out[]: the values it may have}."""
    ended: tuple
    out: dict = field(default_factory=dict)


INPUTS = {
    # A program on a tracepoint of ours runs away where the other one leaves, and is terminated there.
    'd_tp_exit': Input(('victim', 'immune_exit'), {1: {1}, 2: {1}}),
    # None has a loop, and each calls what the next one is attached to.
    'e_short': Input(('short0',)),
    # The same where none has an image.
    'short_chain': Input(('link0',)),
    # More return addresses than one kick moves.
    'deep_nested': Input(('first',)),
    'deep_redirect': Input(('flood',)),
    'f_deep': Input(('deep0',)),
    # The inner one is terminated by its own budget, and the outer one goes on.
    'under_sleepable': Input(('inner',), {0: {1}, 2: {0}}),
    # A walk through empty buckets, and many large copies.
    'empty_hash': Input(('empty_walks',)),
    'heavy_short': Input(('huge_reads', 'type_printer')),
    # The caller is terminated; the guard decides as ever, and nobody is let past.
    'g_guard': Input(('attacker',), {0: {0}}),
    'g_atomic': Input(('attacker',), {0: {0}}),
    # Programs on what a kick calls, and on what tells of it.
    'core_functions': Input(('victim',)),
    'kick_functions': Input(('victim',)),
    'timer_in_kick': Input(('victim',)),
    'tp_ours': Input(('victim', 'overrun', 'request', 'redirect', 'left')),
}


@dataclass
class Seen:
    """What a target's guests have said: of each input its records, and what was wrong with the machine."""
    watchdog: bool = False
    records: dict = field(default_factory=dict)
    complaints: list = field(default_factory=list)


def unreachable(arch, name):
    """Why an input is not run on an architecture; None where it is."""
    return arch.unreachable.get(name)


def measure(kdir, target):
    """Seen, of a target. An input that does not end takes its machine with it: the others run on a new one."""
    out = host.OUT / f'escape-{target.name}'
    tree, types = corpus.kernel_and_types(kdir, target, out)
    objects = corpus.ours(tree, target.arch, types, 'escape', sorted(SOURCES.glob('*.bpf.c')))
    init = guest.build(tree, target.arch, 'run')
    seen = Seen()
    left = [name for name in sorted(objects) if not unreachable(target.arch, _input(name))]
    while left:
        host.say(f'  running {len(left)} objects on {target.name}')
        files = {f'objects/{number:02}-{name}': objects[name] for number, name in enumerate(left)}
        _boot(target, out, files | {'init': init}, [_input(name) for name in left], seen)
        left = [name for name in left if _input(name) not in seen.records]
    return seen


def _input(name):
    return name.partition('.')[0]


def _boot(target, out, files, left, seen):
    """One machine. Of at least one input of those @left there is a record afterwards."""
    def take(record):
        if record['record'] == 'machine' and not record['watchdog']:
            raise Error(f'{target.name}: this kernel has no watchdog that terminates programs: it needs '
                        'CONFIG_BPF_FASTTERM_WATCHDOG=y')
        if 'object' in record:
            name = _input(record['object'].partition('-')[2])
            if name not in seen.records:
                host.say(f'  {name}')
            seen.records.setdefault(name, []).append(record)
    try:
        # What takes its time here is not measured: all processors run at once, on those of this machine.
        guest.boot(target, out, files, extra=(), append=f'SECONDS={SECONDS} log_buf_len=4M',
                   timeout=TIMEOUT + EACH * len(left), on_record=take)
    except machine.Failed as failed:
        after = [name for name in left if name not in seen.records]
        # It is the one after the last of which there is a record; or, if that was the last one, what it has left behind.
        culprit = after[0] if after else left[-1]
        shutil.copy(out / 'console.log', out / f'console-{culprit}.log')
        seen.records.setdefault(culprit, []).append({'record': 'failed', 'error': str(failed)})


def judge(name, records):
    """What is wrong with the records of an input: texts."""
    right = INPUTS[name]
    wrong = [record['error'] for record in records if record['record'] == 'failed']
    wrong += ['a process does not come back' for record in records if record['record'] == 'stuck']
    programs = {record['name']: record for record in records if record['record'] == 'program'}
    if wrong or not programs:
        return wrong or ['the guest has run no program']
    for program, record in sorted(programs.items()):
        wrong += [f'{program}: {record["error"]}'] if record['error'] else []
        wrong += [f'{program} is not gone after it was detached'] if record['leaked'] else []
    for program in right.ended:
        times = programs[program]['terminations'] if program in programs else None
        wrong += [f'{program} was not terminated'] if not times else []
    out = next((record['out'] for record in records if record['record'] == 'out'), [])
    for index, values in sorted(right.out.items()):
        value = sound.signed(out[index]) if out else None
        if value not in values:
            wrong.append(f'out[{index}] is {value}, right is {" or ".join(map(str, sorted(values)))}')
    return wrong


def cases(kdir, target):
    """All inputs as cases of a ktap suite."""
    try:
        seen = measure(kdir, target)
    except (Error, OSError) as error:
        return [('runs', 'failed', str(error))]
    found = []
    for name in sorted(INPUTS):
        why = unreachable(target.arch, name)
        wrong = [] if why else judge(name, seen.records.get(name, []))
        found.append((name, 'skipped' if why else 'failed' if wrong else 'passed', why or '\n'.join(wrong)))
    return found


def run(kdir, chosen):
    """All targets, as KTAP. True if everything is right."""
    report = ktap.Report(len(chosen))
    for target in chosen:
        report.suite(f'escape-{target.name}', cases(kdir, target))
    return report.close()
