# SPDX-License-Identifier: GPL-2.0-only
"""Whether what a graft gives compiles: every file of ours, and every file of the kernel's that a hook changes."""

import functools
import re
from pathlib import Path

import graft
import hooks
import host
import kernel


def cases(tree, chosen):
    """[(case, status, text)] for a ktap suite, one a target. @tree: a grafted working copy."""
    return list(host.together([functools.partial(_case, tree, target) for target in chosen]))


def objects(target):
    """What to make: the objects of the architecture, and of none other."""
    there = [*hooks.files(), *graft.overlay()]
    mine = [name for name in there if name.endswith(('.c', '.S')) and Path(name).parts[:2] != ('kernel', 'bpf')
            and (Path(name).parts[0] != 'arch' or Path(name).parts[1] == target.arch.srcarch)]
    return ['kernel/bpf/', *sorted(f'{name.rpartition(".")[0]}.o' for name in mine)]


def _case(tree, target):
    name = f'compiles for {target.arch.name}'
    folder = tree.builds / f'{target.arch.name}-compiles'
    log = folder / 'build.log'
    try:
        kernel.configure(tree, target, folder)
        # Warnings are errors: a hook that gives an argument of another type compiles, too.
        status, output = host.run(kernel.make(tree, folder, target, kernel.jobs(), 'KCFLAGS=-g0 -Werror', '--keep-going',
                                              *objects(target)), log=log, check=False)
    except (host.Error, OSError) as error:
        return name, 'failed', str(error)
    said = [line for line in output.splitlines() if re.search(r'\berror: |No rule to make', line)]
    return name, 'failed' if status else 'passed', '\n'.join(said[:20]) + f'\nall of it is in {log}' if status else ''
