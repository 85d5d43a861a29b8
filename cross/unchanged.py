# SPDX-License-Identifier: GPL-2.0-only
"""With CONFIG_BPF_FASTTERM=n the graft changes nothing: the machine code of every file that a hook touches is compared."""

import functools
import re
import shutil
from pathlib import Path

import graft
import hooks
import host
import kernel
import parts
import tree as trees
from targets import ARCHES, Target

# Objects to compare when a header changes: those that use what the hooks add to it, all of kernel/bpf with the JIT.
HEADER_USERS = ('kernel/bpf/core.o', 'kernel/bpf/verifier.o', 'kernel/bpf/syscall.o')
# What the configuration of the grafted tree has beside; the original one does not know it.
OFF = {'off': '# CONFIG_BPF_FASTTERM is not set\n'}


def check(tree):
    """[(case, status, text)] for a ktap suite: one case an architecture."""
    original = _original(tree)
    return list(host.together([functools.partial(_case, tree, original, Target(arch, 'default'))
                               for name, arch in ARCHES.items() if name not in parts.absent(tree.path)]))


def _case(tree, original, target):
    try:
        different = _compare(tree, original, target)
        text = f'different: {", ".join(different)}' if different else ''
    except host.Error as error:
        text = str(error)
    return f'CONFIG_BPF_FASTTERM=n leaves {target.arch.name} as it was', 'failed' if text else 'passed', text


def _objects(target):
    objects = set(HEADER_USERS)
    for file in hooks.files():
        parts = Path(file).parts
        foreign = parts[0] == 'arch' and parts[1] != target.arch.srcarch
        if file.endswith('.c') and not foreign:
            objects.add(file[:-2] + '.o')
    return sorted(objects)


def _compare(tree, original, target):
    """Objects that differ between the original and the grafted tree, both configured without us."""
    code = {}
    for side, path in (('original', original), ('grafted', tree.path)):
        folder = tree.builds / f'{target.arch.name}-off-{side}'
        where = trees.Tree(path, tree.original)
        fragments = target.foreign_fragments | (OFF if side == 'grafted' else {})
        kernel.configure(where, target, folder, fragments)
        objects = _objects(target)
        host.run(kernel.make(where, folder, target, kernel.jobs(), 'KCFLAGS=-g0', *objects),
                 what=f'compiling {side} files for {target.arch.name}')
        objdump = f'{target.arch.gcc}objdump'
        code[side] = {o: _disassemble(objdump, folder / o) for o in objects}
    return [o for o in objects if code['original'][o] != code['grafted'][o]]


def _disassemble(objdump, path):
    """Code with relocations. Line numbers that WARN() and its like store are data and move with every added line."""
    _, text = host.run([objdump, '-dr', '--no-show-raw-insn', path])
    if not re.search(r'^\s+[0-9a-f]+:', text, re.M):
        raise host.Error(f'{objdump} found no code in {path}')
    # Names with a number that counts declarations or lines (local labels, BTF ids) and what objdump adds behind '#',
    # its guess at what an offset may mean, move with every added line; the addresses themselves stand beside them.
    return re.sub(r'\.L[A-Z]*\d+|__BTF_ID__\w+|[ \t]+# .*', '', text.replace(str(path), ''))


def _original(tree):
    """The tree without the graft: the distribution's source, or a copy of the user's tree that is ungrafted again."""
    if tree.original.parent == host.cache() / 'src':
        return tree.original
    path = host.cache() / 'tree' / f'{tree.name}-ungrafted'
    shutil.rmtree(path, ignore_errors=True)
    host.run(['cp', '-al', tree.path, path], what='copying the kernel source')
    graft.remove(path)
    return path
