# SPDX-License-Identifier: GPL-2.0-only
"""Programs that would break something if a stub image did what the verifier has not seen.

Each program of cross/sound/ is one that the verifier accepts. It runs away, is ended by the watchdog, and writes down what
it sees on its way out: the result of a call that was skipped, memory that was to be filled, an iterator that is drained.
What is right is decided here, from the table of inputs.
"""

import shutil
from dataclasses import dataclass, field

import corpus
import guest
import host
import ktap
import machine
from host import Error
from targets import HERE

SOURCES = HERE / 'sound'
# Kernels that they run on.
VARIANTS = ('default', 'debug')
# Longest that a guest may take, in seconds.
TIMEOUT = 900
# Where time is not counted, it depends on what else this machine does: so many times as late is no fault.
UNCOUNTED = 20
# What it takes beside the budget and the watchdog's period, in ms: the system call, and the way out.
WAY = 1
# After so long a program counts as one that does not end, in ms of the guest: where time is counted, and where it is not.
PATIENCE = {True: 1000, False: 20_000}

# What a skipped call returns that can fail; errors are not below MAX_ERRNO.
ECANCELED, MAX_ERRNO = -125, 4095


@dataclass(frozen=True)
class Input:
    """What is right: @program is terminated, once; @out: {index in out[]: all values that it may have}."""
    program: str
    out: dict = field(default_factory=dict)


ZERO, ONE = {0}, {1}
# The name of the guest's processes, as a number.
INIT = int.from_bytes(b'init', 'little')
# What look finds where nothing should be: nothing.
UNHARMED = {1: ZERO, 2: ZERO}
INPUTS = {
    # A function is what it was when it was verified, global or static, whatever was removed in front of it.
    'a_dead_global': Input('dead_global', {0: range(8)} | UNHARMED),
    'a_reverse': Input('reverse', {1: ONE}),
    'a_reverse_exit': Input('reverse_exit', {1: ONE}),
    'a_stale': Input('stale', {0: range(8)} | UNHARMED),
    'a_two_dead': Input('two_dead', {0: range(8)} | UNHARMED),
    # If one next() of an iterator is skipped, all of them are.
    'b_bits': Input('bits', {0: ZERO} | UNHARMED),
    'b_css': Input('css', {0: ZERO, 3: ONE}),
    'b_iter': Input('iter', {0: ZERO} | UNHARMED),
    'b_many': Input('many', {0: ZERO, 3: ONE}),
    'b_nested': Input('nested', {0: ZERO, 1: ZERO, 2: ZERO, 3: ONE}),
    'b_pointer': Input('pointer', {0: ZERO, 3: ONE}),
    'b_task': Input('task', {0: ZERO, 3: ONE}),
    # A loop over an iterator ends, whatever next() looks like.
    'c_immune_iter': Input('immune_iter'),
    'c_kinds': Input('immune_kinds', {1: ONE}),
    'c_many': Input('immune_many', {1: ONE}),
    'c_pointer': Input('immune_pointer', {1: ONE}),
    # Memory that a helper fills is filled: with what it should be, or with zeroes.
    'f_helpers': Input('fill_by_helper', {0: {0, INIT}, 1: ZERO, 2: {0, 0x5151}, 3: {0, 42}, 4: {0, 0x5151},
                                          5: {0, 0x5151}, 6: ONE}),
    'f_global': Input('fill_on_one_path', {0: {0, 5}, 1: ONE}),
    # What a global function returns that is skipped: a number, and never what R0 was before.
    'r_callback': Input('callback_r0', {0: {ECANCELED, 40}, 1: {ECANCELED, 47}, 2: ONE, 3: ONE}),
    'r_fill': Input('fill_by_global', {0: {0, 5}, 1: {0, 7}, 2: {0, 5}, 3: {0, 7}, 4: ONE}),
    'r_global': Input('global_r0', {0: {ECANCELED, 8}, 1: {4}, 2: ONE}),
    'r_nested': Input('nested_r0', {0: {ECANCELED, ECANCELED + 1, 44}, 1: {ECANCELED, ECANCELED + 1, 48}, 2: ONE}),
    'r_offset': Input('offset_of_result', {0: {ECANCELED & 0xff8, 56}, 3: {24}} | UNHARMED),
    # What is released or given away is, and a result is one that the verifier has seen.
    'w_given_away': Input('given_away', {0: ONE, 1: {0, 16}, 2: ONE}),
    'w_results': Input('results', {0: {0, 1}, 3: range(1, 1 << 22), 4: ONE, 5: {ECANCELED, *range(17)}, 6: ONE} | UNHARMED),
}


@dataclass
class Seen:
    """What a target's guests have said: of each input a record, and what was wrong with the machine."""
    limits: dict = field(default_factory=dict)
    records: dict = field(default_factory=dict)
    complaints: list = field(default_factory=list)


def measure(kdir, target):
    """Seen, of a target. A program that does not end takes its machine with it: the others run on a new one."""
    out = host.OUT / f'sound-{target.name}'
    tree, types = corpus.kernel_and_types(kdir, target, out)
    objects = corpus.ours(tree, target.arch, types, 'sound', sorted(SOURCES.glob('*.bpf.c')))
    init = guest.build(tree, target.arch, 'sound')
    seen, left = Seen(), sorted(objects)
    while left:
        host.say(f'  running {len(left)} programs on {target.name}')
        files = {f'objects/{name}': objects[name] for name in left} | {'init': init}
        _boot(target, out, files, seen, left)
        left = [name for name in left if _input(name) not in seen.records]
    return seen


def _input(name):
    return name.partition('.')[0]


def is_counted(target):
    """Whether the time of the machine that it runs on is the number of instructions."""
    return target.variant == 'default' and target.arch.counted


def _boot(target, out, files, seen, left):
    """One machine. Of at least one program of those @left there is a record afterwards."""
    last = {}

    def take(record):
        last.update(record)
        if record['record'] == 'machine':
            seen.limits = record
            if not record['watchdog']:
                raise Error(f'{target.name}: this kernel has no watchdog that terminates programs: it needs '
                            'CONFIG_BPF_FASTTERM_WATCHDOG=y')
        elif 'object' in record:
            seen.records[_input(record['object'])] = record
            said = record.get('error', record['record'])
            host.say(f'  {_input(record["object"])}: {said.splitlines()[0]}')
    counted, text, splats = is_counted(target), '', []
    try:
        guest.boot(target, out, files, extra=machine.counted_smp(target.arch) if counted else (),
                   append=f'PATIENCE={PATIENCE[counted]}', timeout=TIMEOUT, on_record=take)
    except machine.Failed as failed:
        if not seen.limits.get('watchdog'):
            raise
        text, splats = str(failed), failed.console.splats
    # They run in this order.
    after = [name for name in left if _input(name) not in seen.records]
    if last.get('record') == 'stuck':
        shutil.copy(out / 'console.log', out / f'console-{_input(last["object"])}.log')
        if splats:
            seen.complaints.append(text)
    elif after:
        seen.records[_input(after[0])] = {'record': 'failed', 'object': after[0], 'error': text or 'the guest has not run it'}
    elif text:
        seen.complaints.append(text)


def signed(word):
    """A number of 64 bits as the program means it."""
    return word - (1 << 64) if word >> 63 else word


def judge(name, record, limits, counted):
    """What is wrong with the record of an input: texts. @counted: time is instructions."""
    right = INPUTS[name]
    if record['record'] == 'failed':
        return [record['error']]
    wrong = []
    programs = {program: rest for program, *rest in record['programs']}
    if right.program not in programs:
        return [f'it has no program {right.program}']
    image, why, _ = programs[right.program]
    if not image:
        wrong.append(f'{right.program} has no image: {why}')
    for program, (_, _, times) in sorted(programs.items()):
        if times != (program == right.program):
            wrong.append(f'{program} was terminated {times} times')
    if record['record'] == 'stuck':
        wrong.append('it did not end')
    else:
        wrong += _late(record['took'] / 1e6, limits, counted)
    for index, values in sorted(right.out.items()):
        value = signed(record['out'][index])
        if value not in values:
            wrong.append(f'out[{index}] is {_number(value)}, right is {_values(values)}')
    return wrong


def _late(took, limits, counted):
    """What is wrong with the time that an activation took, in ms."""
    most = (limits['budget'] + limits['period'] + WAY) * (1 if counted else UNCOUNTED)
    if took < 0.9 * limits['budget']:
        return [f'it ended by itself after {took:.1f} ms, with a budget of {limits["budget"]} ms']
    return [f'it took {took:.1f} ms, more than {most} ms'] if took > most else []


def _number(value):
    return str(value) if -MAX_ERRNO <= value < 1 << 32 else hex(value & (1 << 64) - 1)


def _values(values):
    if isinstance(values, range):
        return f'{values.start} to {values.stop - 1}'
    return ' or '.join(map(_number, sorted(values)))


def cases(kdir, target):
    """All inputs as cases of a ktap suite, and the machine as another one."""
    try:
        seen = measure(kdir, target)
    except (Error, OSError) as error:
        return [('runs', 'failed', str(error))]
    found = []
    for name in sorted(INPUTS):
        wrong = judge(name, seen.records[name], seen.limits, is_counted(target))
        found.append((name, 'failed' if wrong else 'passed', '\n'.join(wrong)))
    text = '\n'.join(seen.complaints)
    return found + [('the kernel does not complain', 'failed' if text else 'passed', text)]


def run(kdir, chosen):
    """All targets, as KTAP. True if everything is right."""
    report = ktap.Report(len(chosen), xml='sound')
    for target in chosen:
        report.suite(f'sound-{target.name}', cases(kdir, target))
    return report.close()
