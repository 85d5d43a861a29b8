# SPDX-License-Identifier: GPL-2.0-only
"""Programs that hold a CPU in spite of everything, or that use a termination to get past a guard, if something is wrong.

Each program of cross/escape/ is one that the verifier accepts. Its object is loaded and attached, things happen on all
CPUs for a while, and the watchdog is on. What is right is decided here: which programs are terminated, that each process
comes back, that each program is gone when it has been detached, and that the kernel does not complain.
"""

import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

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


# The shortest times after which the kernel's own detectors report a CPU, and what they do then.
PANICS = ('sysctl.kernel.watchdog_thresh=1 sysctl.kernel.softlockup_panic=1 sysctl.kernel.panic_on_rcu_stall=1 '
          'rcupdate.rcu_cpu_stall_timeout=3')


# Long enough for what happens to be stopped; and the kernel's own detectors, which take that for a lockup, are patient.
PAUSED = 'SECONDS=10 sysctl.kernel.watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=300'


@dataclass(frozen=True)
class Input:
    """What is right: all of @ended are terminated, none of @spared, and others may be; @out: {index: values of out[]}."""
    ended: tuple
    out: dict = field(default_factory=dict)
    spared: tuple = ()
    # What the kernel's command line has besides. Inputs that need the same share a machine.
    settings: str = ''
    # How many times as long as others it may take.
    patience: int = 1
    # The emulator is stopped for so many seconds meanwhile.
    stopped: int = 0
    # The kernel panics, as it is told to: nobody ends the program.
    panics: bool = False
    # Programs are quarantined. Other inputs show that each activation ends.
    quarantine: bool = False


INPUTS = {
    # A program on a tracepoint of ours runs away where the other one leaves, and is terminated there.
    'd_tp_exit': Input(('victim', 'immune_exit'), {1: {1}, 2: {1}}),
    # None has a loop, and each calls what the next one is attached to.
    'e_short': Input(('short0',)),
    # The same where none has an image.
    'short_chain': Input(('link0',)),
    # More return addresses than one kick moves.
    'deep_nested': Input(('fifth',)),
    'deep_redirect': Input(('flood',)),
    'f_deep': Input(('deep7',), spared=('deep0',)),
    # The inner one is terminated by its own budget, and the outer one goes on.
    'under_sleepable': Input(('inner',), {0: {1}, 2: {0}}),
    # A walk through empty buckets, and many large copies.
    'empty_hash': Input(('empty_walks',)),
    'heavy_short': Input(('huge_reads', 'type_printer')),
    # The caller is terminated; the guard decides as ever, and nobody is let past.
    'g_guard': Input(('attacker',), {0: {0}}),
    'g_atomic': Input(('attacker',), {0: {0}}),
    # As the samples of many a project do; our own events do not drown in it.
    'prints': Input(('prints',)),
    # Whose program takes the time of a healthy one is terminated, and not the healthy one.
    'blame': Input(('culprit',), spared=('innocent',)),
    'blame_middle': Input(('middle',), spared=('outer', 'inner')),
    'blame_wait': Input(('arms',), spared=('cancels', 'deletes')),
    'healthy': Input((), spared=('long_runs', 'circles')),
    # All processors have interrupts off, and wait for a lock that is held where a program runs away.
    'lock_waits': Input(('holds',), spared=('waits',)),
    'short_switch': Input(('link0',)),
    'storage_exit': Input(('switches',)),
    # The detectors of lockups and stalls, with the shortest times that there are: they have no reason to panic, unless
    # the watchdog is off.
    'lockup': Input(('holds_on',), settings=PANICS),
    'lockup_off': Input((), settings=f'{PANICS} sysctl.kernel.bpf_fastterm_budget_ms=0', panics=True),
    'paused': Input((), spared=('masked', 'unmasked'), stopped=30, patience=4, settings=PAUSED),
    # What ending each activation does not save the machine from.
    'every_call': Input(('runs_away',), quarantine=True),
    'tail_runaway': Input(('runs_away',), quarantine=True),
    'timer_rearm': Input(('rearmed',), quarantine=True),
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
        settings = _settings(left[0])
        same = [name for name in left if _settings(name) == settings]
        host.say(f'  running {len(same)} objects on {target.name}')
        files = {f'objects/{number:02}-{name}': objects[name] for number, name in enumerate(same)}
        _boot(target, out, files | {'init': init}, [_input(name) for name in same], seen, settings)
        left = [name for name in left if _input(name) not in seen.records]
    return seen


def _input(name):
    return name.partition('.')[0]


def _settings(name):
    """Those of Input; and whether programs are quarantined."""
    given = INPUTS.get(_input(name))
    off = '' if getattr(given, 'quarantine', False) else 'sysctl.kernel.bpf_fastterm_quarantine_max_s=0 '
    return off + getattr(given, 'settings', '')


def _command(pid):
    """The words of a process; none if it has gone."""
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
    except OSError:
        return [b'']


def _stop(out, seconds, pids):
    """Stop the emulator that runs a machine of ours, some seconds after its guest has begun, and let it go on.

    @pids receives what was stopped.
    """
    time.sleep(5)
    kernel_of_ours = f'{out}/'.encode()
    for entry in Path('/proc').glob('[0-9]*'):
        words = _command(entry.name)
        if b'qemu-system' in words[0] and any(word.startswith(kernel_of_ours) for word in words):
            os.kill(int(entry.name), signal.SIGSTOP)
            pids.append(int(entry.name))
    time.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def _patience(name):
    return getattr(INPUTS.get(name), 'patience', 1)


def _boot(target, out, files, left, seen, settings):
    """One machine. Of at least one input of those @left there is a record afterwards."""
    stopped, pids = max(getattr(INPUTS.get(name), 'stopped', 0) for name in left), []

    def take(record):
        if record['record'] == 'machine' and stopped:
            threading.Thread(target=_stop, args=(out, stopped, pids), daemon=True).start()
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
        guest.boot(target, out, files, extra=(), append=f'SECONDS={SECONDS} log_buf_len=4M {settings}',
                   timeout=TIMEOUT + EACH * sum(_patience(name) for name in left), on_record=take)
        if stopped and not pids:
            seen.records[left[0]].append({'record': 'failed', 'error': 'the emulator has not been stopped'})
    except machine.Failed as failed:
        after = [name for name in left if name not in seen.records]
        # It is the one after the last of which there is a record; or, if that was the last one, what it has left behind.
        culprit = after[0] if after else left[-1]
        shutil.copy(out / 'console.log', out / f'console-{culprit}.log')
        seen.records.setdefault(culprit, []).append({
            'record': 'failed', 'error': str(failed),
            'panicked': any('Kernel panic - not syncing' in line for line in failed.console.lines)})


def judge(name, records):
    """What is wrong with the records of an input: texts."""
    right = INPUTS[name]
    if right.panics:
        return [] if any(record.get('panicked') for record in records) else ['the kernel has not panicked']
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
        wrong += [f'{program} was not quarantined'] if right.quarantine and times and not programs[program]['quarantined_ms'] else []
    for program in right.spared:
        if program not in programs:
            wrong.append(f'{program} was not run')
        elif programs[program]['terminations']:
            wrong.append(f'{program} was terminated {programs[program]["terminations"]} times')
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
    report = ktap.Report(len(chosen), xml='escape')
    for target in chosen:
        report.suite(f'escape-{target.name}', cases(kdir, target))
    return report.close()
