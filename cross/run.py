# SPDX-License-Identifier: GPL-2.0-only
"""A user's own BPF objects on a kernel with fastterm: loaded, attached, and run for a while under the watchdog."""

import json
import sys
from pathlib import Path

import corpus
import guest
import host
import machine
from host import Error
from targets import Target

# Longest that a guest may take, in seconds: for everything, and for each second of its own and each object.
TIMEOUT, EACH = 300, 60
SECONDS = 1


def objects(text):
    """{name in the guest: file} of the files that OBJ= names."""
    if not text:
        raise Error('make run needs OBJ=<a BPF object>, for example: make run OBJ=prog.bpf.o SECONDS=2')
    paths = [host.user_path('OBJ', word) for word in text.split()]
    for path in paths:
        if not path.is_file():
            raise Error(f'OBJ={path}: no such file')
    width = len(str(len(paths)))
    # In the order in which they were given.
    return {f'objects/{number:0{width}}-{path.name}': path for number, path in enumerate(paths)}


def parameters(prog, seconds, sites):
    """What the guest is told on the kernel's command line."""
    try:
        length = float(seconds or SECONDS)
    except ValueError:
        length = 0
    if not 0 < length <= 3600:
        raise Error(f'SECONDS={seconds}: not a number of seconds between 0 and 3600')
    if prog and not prog.isidentifier():
        raise Error(f'PROG={prog}: not the name of a program')
    return length, ' '.join([f'SECONDS={length}', *([f'PROG={prog}'] if prog else []), *(['SITES=1'] if sites else [])])


def measure(kdir, target, files, length, append, tell, one):
    """Hand the guest's records of what becomes of the objects @files to @tell, as they come. @one: processor only."""
    out = host.OUT / f'run-{target.name}'
    tree, _ = corpus.kernel_and_types(kdir, target, out)
    inside = files | {'init': guest.build(tree, target.arch, 'run')}
    host.say(f'  running {len(files)} objects on {target.name}')

    stuck = []

    def take(record):
        stuck.extend([record['object'].partition('-')[2]] if record['record'] == 'stuck' else [])
        tell(record)
    try:
        records = guest.boot(target, out, inside, extra=None if one else machine.counted_smp(target.arch),
                             append=f'log_buf_len=4M {append}', timeout=TIMEOUT + EACH * len(files) * max(length, 1),
                             on_record=take)
    except Error as error:
        raise Error(f'{stuck[0]}: a program of it does not end; what the kernel said is in {out / "console.log"}'
                    if stuck else str(error)) from error
    if records[-1]['objects'] != len(files):
        raise Error(f'{target.name}: the guest has found {records[-1]["objects"]} of {len(files)} objects')


def _reason(record):
    """Why a program has a stub image, or has none."""
    refused = f': insn {record["refused"]}' if record['refused'] else ''
    return f'{record["no_image"]}{refused}' if record['no_image'] else record['long']


def _bound(record):
    """How long it can go on after a redirect, and with what."""
    return {'instructions': record['bound'], 'kept_calls': record['bound_calls'],
            'kept': record['kept'].split(', ') if record['kept'] else [], 'loop': record['loop'] or None}


def end(record):
    """What became of a program, in words."""
    if record['error']:
        return 'was not attached'
    said = []
    if record['terminations']:
        said.append(f'terminated {record["terminations"]} times')
    if record['quarantined_ms']:
        said.append(f'quarantined for {record["quarantined_ms"] / 1000:.1f} s after {record["strikes"]} strikes')
    if record['leaked']:
        said.append('still there when it was detached')
    return ', '.join(said) or ('ended by itself' if record['activations'] else 'was not entered')


def table(records):
    """Lines for people: of each program a row."""
    rows = [('program', 'type', 'attached to', 'can be ended', 'runs', 'what became of it')]
    several = len({record['object'] for record in records}) > 1
    for record in records:
        name = f'{record["object"].partition("-")[2]}: {record["name"]}' if several else record['name']
        rows.append((name, record['type'], record['error'].strip() or record['attach'],
                     'yes' if record['image'] else f'no: {_reason(record)}', str(record['activations']), end(record)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def line(record, several, counted):
    """What is printed of a program: a JSON object. @counted: the machine's time is the instructions of its processor."""
    shown = {'object': record['object'].partition('-')[2]} if several else {}
    shown |= {'name': record['name'], 'type': record['type'], 'attach': record['error'] or record['attach'],
              'terminable': bool(record['image']), 'reason': _reason(record),
              'bound': _bound(record) if record['bound'] else None,
              'activations': record['activations'], 'terminations': record['terminations'], 'kicks': record['kicks'],
              'frames': record['frames'],
              'quarantined': {'strikes': record['strikes'], 'ms': record['quarantined_ms']}
                             if record['quarantined_ms'] else None,
              'instructions_kick_to_exit': {'median': record['median'], 'most': record['longest']}
                                           if record['terminations'] and counted else None,
              'end': end(record), 'leaked': bool(record['leaked'])}
    if record['terminations'] and not counted:
        shown['not_counted'] = 'instructions of one processor are counted only if there is no other one: CPUS=1'
    if 'sites' in record:
        shown['sites'] = record['sites'].splitlines()
    return json.dumps(shown)


def run(kdir, arch, obj, prog, seconds, sites, cpus, lines):
    """Run them and print; true if all were loaded and attached and nothing was left behind.

    @lines: JSON also on a terminal, where a table is printed otherwise, unless all decisions are wanted.
    """
    files = objects(obj)
    length, append = parameters(prog, seconds, sites)
    good, seen = True, []
    lines = lines or sites or not sys.stdout.isatty()

    def tell(record):
        nonlocal good
        if record['record'] == 'machine' and not record['watchdog']:
            host.say('fastterm: this kernel has no watchdog: a program that does not end by itself is not ended')
        elif record['record'] == 'failed':
            host.say(f'fastterm: {record["object"].partition("-")[2]}: {record["error"].rstrip()}')
            good = False
        elif record['record'] == 'program':
            seen.append(record)
            if lines:
                print(line(record, len(files) > 1, cpus == '1'), flush=True)
            good = good and not record['error'] and not record['leaked']

    try:
        measure(kdir, Target(arch, 'default'), files, length, append, tell, cpus == '1')
    finally:
        if seen and not lines:
            print('\n'.join(table(seen)), flush=True)
    return good
