# SPDX-License-Identifier: GPL-2.0-only
"""What fastterm costs: over real BPF programs, who gets a stub image and why, text, load time, and the programs' own code.

The programs are loaded on an emulated machine whose time is the number of instructions that it has run: a figure is the
same whatever else this machine does.
"""

import collections
import re
import statistics
import time
from dataclasses import dataclass, field

import boot
import corpus
import guest
import host
import same
from host import Error
from targets import Target, Without

# What must be reached, and the number of programs below which a share says little. LOAD is for all programs, WORST for each.
PROGRAMS, TEXT, LOAD, WORST = 150, 1.25, 1.10, 2.5
# A load that takes less than this, in instructions of the guest, says nothing about the verifier.
SHORTEST = 200_000
# A program is listed that may take so many native instructions after a redirect.
LONG = 10_000
# Longest that a guest may take, in seconds.
TIMEOUT = 3600


def measure(kdir, arch):
    """(version of the kernel, Figures) of an architecture."""
    kernels = [Target(arch, 'default'), Without(arch, 'default')]
    outs = [host.OUT / f'bench-{target.name}' for target in kernels]
    for target, out in zip(kernels, outs):
        # The types of the kernel without us: they, and so the objects, stay as they are when our own types change.
        tree, types = corpus.kernel_and_types(kdir, target, out)
    files = {f'objects/{name}': path for name, path in corpus.objects(corpus.build(tree, arch, types)).items()}
    files |= corpus.ours(tree, arch, types, 'callbacks', [guest.SOURCES / 'callbacks.bpf.c'])
    files['init'] = guest.build(tree, arch, 'bench', '-Wl,--wrap=syscall')
    records = [_load(target, out, files) for target, out in zip(kernels, outs)]
    result = figures(arch, *records)
    result.watcher = _watcher(tree, kernels[0], outs[0])
    return tree.version, result


def _watcher(tree, target, out):
    """What suites print of the watchdog's cost: whom it wakes, and instructions where they are counted."""
    texts = []
    for name, machine, suite in target.runs(None):
        suite = 'fastterm_icount_watchdog' if machine.counted else 'fastterm_watchdog_idle'
        result = boot.run(tree, target, (out.name, machine), out, suite=suite)
        if not result.ok:
            raise Error(f'{name}, {suite}: {"; ".join(result.problems)}')
        texts += [found[1] for found in (re.search(r'# (?:idle|watchdog)_\w+: (.*(?:watchdog|instructions).*)', line)
                                         for line in (out / 'console.log').read_text().splitlines()) if found]
    return texts


def _load(target, out, files):
    """The records of a guest that loads all programs of all objects."""
    number_of_objects = sum(name.startswith('objects/') for name in files)
    host.say(f'  loading {number_of_objects} objects on {target.name}')
    due, number = time.monotonic() + 30, 0

    def progress(record):
        nonlocal due, number
        number += record['record'] == 'program'
        if time.monotonic() > due:
            due = time.monotonic() + 30
            host.say(f'  {target.name}: {number} programs, now {record.get("object", "")}')

    records = guest.boot(target, out, files, append='log_buf_len=4M', timeout=TIMEOUT, on_record=progress)
    if records[-1]['objects'] != number_of_objects:
        raise Error(f'{target.name}: the guest has loaded {records[-1]["objects"]} of {number_of_objects} objects')
    return records


@dataclass
class Figures:
    """What is printed for an architecture. Programs are the guest's records of those that were loaded."""
    objects: int
    failed: int         # programs that do not load
    programs: list
    regressed: list     # names of programs that load without fastterm only
    text: float         # program and image bytes by program bytes
    load: float         # load time by that of the kernel without fastterm
    load_off: float     # the same with the sysctl off
    load_median: float  # of the programs' own ratios
    load_worst: tuple   # (the largest of them, whose it is)
    verified: list      # names of programs in which the verifier has looked at another number of instructions
    operands: int       # in the programs' own code, that name the same in other bytes
    different: list     # what else differs in the programs' own code
    callbacks: dict     # {by whom: (instructions of one call back without fastterm, with it)}
    watcher: list = field(default_factory=list)     # what the watchdog costs: texts

    @property
    def images(self):
        return [p for p in self.programs if p.get('image')]

    @property
    def refused(self):
        return [p for p in self.programs if p.get('refused')]

    def missed(self):
        """What of the targets was not reached."""
        missed = []
        if len(self.programs) < PROGRAMS:
            missed.append(f'{len(self.programs)} programs load, fewer than {PROGRAMS}')
        if self.text > TEXT:
            missed.append(f'text is {self.text:.4f}x, more than {TEXT}x')
        if self.load > LOAD:
            missed.append(f'load time is {self.load:.4f}x, more than {LOAD}x')
        if self.load_worst[0] > WORST:
            missed.append(f'load time of {self.load_worst[1]} is {self.load_worst[0]:.4f}x, more than {WORST}x')
        if self.refused:
            missed.append(f'{len(self.refused)} stub images refused: ' +
                          '; '.join(f'{name(p)}: insn {p["refused"]}' for p in self.refused[:5]))
        for what in ('log', 'xlated'):
            other = [name(p) for p in self.programs if not p.get(f'same_{what}', 1)]
            if other:
                missed.append(f'{what} of {len(other)} programs differs: ' + ', '.join(other[:5]))
        if self.verified:
            missed.append('verified at another length: ' + ', '.join(self.verified[:5]))
        if self.different:
            missed.append('machine code of programs differs: ' + '; '.join(self.different[:5]))
        if self.regressed:
            missed.append('load without fastterm only: ' + ', '.join(self.regressed[:5]))
        if not self.callbacks:
            missed.append('callbacks were not measured')
        return missed


def name(program):
    return f'{program["object"]}:{program["program"]}'


def figures(arch, records, without):
    """Figures of the records of two guests: with fastterm, and without."""
    loaded = {name(r): r for r in records if 'needed' in r}
    before = {name(r): r for r in without if 'without' in r}
    both = [(loaded[key], before[key]) for key in loaded if key in before]
    if not both:
        raise Error(f'{arch.name}: not one program loads')
    program_bytes = sum(p['bytes'] for p in loaded.values())
    time_before = sum(old['without'] for _, old in both)
    ratios = [(new['needed'] / old['without'], name(new)) for new, old in both if old['without'] >= SHORTEST]
    operands, different = 0, []
    for program in loaded.values():
        number, bad = _same(arch, program)
        operands += number
        different += bad
    return Figures(
        objects=len({r['object'] for r in records if 'object' in r}),
        failed=sum('error' in r and r['record'] == 'program' for r in records),
        programs=list(loaded.values()), regressed=sorted(before.keys() - loaded.keys()),
        text=1 + sum(p.get('image', 0) for p in loaded.values()) / program_bytes,
        load=sum(new['needed'] for new, _ in both) / time_before,
        load_off=sum(new['off'] for new, _ in both) / time_before,
        load_median=statistics.median(new['needed'] / old['without'] for new, old in both),
        load_worst=max(ratios, default=(1, 'none')),
        verified=[name(new) for new, old in both if new['insns'] != old['insns']],
        operands=operands, different=different, callbacks=_callbacks(records, without))


def _callbacks(records, without):
    both = [{r['by']: r['ns'] / r['calls'] for r in some if r['record'] == 'callbacks' and r['calls']}
            for some in (without, records)]
    return {by: (cost, both[1][by]) for by, cost in both[0].items() if by in both[1]}


def _same(arch, program):
    """(operands that name the same, differences as text) of a program's own code, loaded with the sysctl off and not."""
    if sum(length for _, length in program['functions_needed']) != program['bytes']:
        return 0, [f'{name(program)}: its code was not shown']
    if 'differences' not in program:
        return 0, [f'{name(program)}: other length']
    comparison = same.Comparison(arch, program['functions_off'], program['functions_needed'])
    for number, offset, one, other in program['differences']:
        comparison.piece(number, offset, bytes.fromhex(one), bytes.fromhex(other))
    return comparison.moved, [f'{name(program)}: function {number}, byte {offset:#x}'
                              for number, offset in comparison.different]


def show(arch, version, result):
    """The lines that are printed for an architecture: each image with its reason, then the summary."""
    for program in result.images:
        yield f'{arch} image {name(program)}: {program["bytes"]} bytes, image {program["image"]} bytes, {program["long"]}'
    programs, images = result.programs, result.images
    program_bytes = sum(p['bytes'] for p in programs)
    yield f'{arch}, Linux {version}, kernel.bpf_fastterm = needed'
    yield f'  programs   {len(programs)} load, of {len(programs) + result.failed} in {result.objects} objects'
    yield f'  images     {len(images)} programs, {len(images) / len(programs):.1%}, because it'
    for why, group in _groups(images, 'long'):
        yield f'{len(group):17} {why}: {sum(p["bytes"] for p in group)} bytes, images {sum(p["image"] for p in group)}'
    yield f'  no image   {len(programs) - len(images)} programs, because'
    for why, group in _groups([p for p in programs if not p.get('image')], 'no_image'):
        yield f'{len(group):17} {why}'
    yield (f'  text       {program_bytes} bytes, images {sum(p["image"] for p in images)} bytes: {result.text:.4f}x '
           f'(target {TEXT}x)')
    yield (f'  load time  {result.load:.4f}x of a kernel without fastterm (target {LOAD}x), {result.load_off:.4f}x with the '
           f'sysctl off; the median program {result.load_median:.4f}x')
    yield f'             the worst program {result.load_worst[0]:.4f}x: {result.load_worst[1]} (target {WORST}x)'
    yield from _check(programs)
    yield f'  verified   {len(result.verified)} programs at another length than without fastterm (target 0)'
    compared = [p for p in programs if 'same_log' in p]
    yield (f'  log        {sum(not p["same_log"] for p in compared)} of {len(compared)} differ from that with the sysctl off, '
           f'and the instructions of {sum(not p["same_xlated"] for p in compared)} (target 0)')
    yield (f'  code of P  {len(result.different)} bytes differ (target 0); {result.operands} operands name the same from '
           'another address')
    yield '  callbacks  instructions of one, without fastterm and with it'
    for by, (before, after) in result.callbacks.items():
        yield f'{by:>17} {before:.2f}, {after:.2f}: {after - before:+.2f}'
    for text in result.watcher:
        yield f'  watchdog   {text}'
    for text in result.missed():
        yield f'  MISSED     {text}'


def _check(programs):
    """What the check of the stub images says: its cost, its verdicts, and the bounds."""
    checked = [p for p in programs if p.get('stub_insns')]
    refused = [p for p in programs if p.get('refused')]
    insns, stub = sum(p['insns'] for p in checked), sum(p['stub_insns'] for p in checked)
    yield (f'  check      {len(checked)} programs: the verifier looked at {insns} instructions of them, and at {stub} of their '
           f'stub images; {sum(p["again"] for p in checked)} twice, {sum(p["alone"] for p in checked)} once more alone')
    yield f'  refused    {len(refused)} stub images (target 0)'
    for program in refused:
        yield f'             {name(program)}: insn {program["refused"]}'
    bounded = sorted((p for p in programs if p.get('image') and p.get('bound')), key=lambda p: p['bound'])
    if not bounded:
        return
    marks = ', '.join(f'{share:.0%} {bounded[min(int(len(bounded) * share), len(bounded) - 1)]["bound"]}'
                      for share in (.5, .9, .99))
    long = [p for p in bounded if p['bound'] >= LONG]
    yield (f'  bound      of what is left after a redirect, in native instructions: {marks}, the most {bounded[-1]["bound"]}; '
           f'{len(long)} above {LONG}')
    for program in reversed(long or bounded[-1:]):
        calls = f', {program["calls"]} kept calls: {program["kept"]}' if program['calls'] else ''
        loop = f', {program["loop"]}' if program['loop'] else ''
        yield f'{program["bound"]:17} {name(program)}{loop}{calls}'


def _groups(programs, key):
    """[(value of @key, programs)], the largest first."""
    groups = collections.defaultdict(list)
    for program in programs:
        groups[program.get(key) or 'nothing is known of it'].append(program)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def run(kdir, arches):
    """Measure and print; true if every target is reached."""
    good = True
    for arch in arches:
        try:
            version, result = measure(kdir, arch)
        except (Error, OSError) as error:
            host.say(f'fastterm: {arch.name}: {error}')
            good = False
            continue
        lines = list(show(arch.name, version, result))
        print('\n'.join(lines), flush=True)
        summary = host.OUT / f'bench-{arch.name}-default' / 'summary.txt'
        host.write_whole(summary, ''.join(f'{line}\n' for line in lines).encode())
        good = good and not result.missed()
    return good
