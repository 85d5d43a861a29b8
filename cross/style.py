# SPDX-License-Identifier: GPL-2.0-only
"""What kernel people run before they post: checkpatch, kernel-doc, W=1 and sparse, on our files; no warning passes."""

import difflib
import functools
import io
import re
import sys
import tempfile

import graft
import host
import kernel
from targets import ARCHES, Target


def check(tree):
    """[(case, status, text)] for a ktap suite. The grafted files are checked: some rules go by a file's place."""
    files = [name for name in graft.overlay() if not name.endswith('Makefile')]
    cases = [_checkpatch(tree, files), _hooks(tree), _kernel_doc(tree, [name for name in files if name.endswith(('.c', '.h'))])]
    return cases + list(host.together([functools.partial(_compile, tree, Target(arch, 'default'))
                                       for arch in ARCHES.values()]))


def _case(name, bad, text):
    return name, 'failed' if bad else 'passed', text if bad else ''


def _checkpatch(tree, files):
    # For each file it asks who maintains it, which takes longer than to check it: several at a time.
    # What backends need of asm/nmi.h is not in the header of that name in include/linux/.
    with tempfile.NamedTemporaryFile('w') as names:
        names.writelines(f'{name}\n' for name in files)
        names.flush()
        status, output = host.run(['xargs', f'--arg-file={names.name}', f'--max-procs={host.processors()}', '--max-args=4',
                                   'perl', tree.path / 'scripts' / 'checkpatch.pl', '--strict', '--terse', '--no-summary',
                                   '--show-types', '--ignore', 'ARCH_INCLUDE_LINUX', '-f'], cwd=tree.path, check=False)
    return _case('checkpatch --strict', status or output.strip(), output)


def _hooks(tree):
    """What the hooks make of the kernel's files, as a patch. Parentheses that are too many are in lines of the kernel's."""
    state = graft.State(tree.path)
    with tempfile.NamedTemporaryFile('w', suffix='.patch') as patch:
        for name in state.data['changed']:
            sides = (state.original(name), (tree.path / name).read_bytes())
            patch.writelines(difflib.unified_diff(*(io.StringIO(side.decode(), newline='\n').readlines() for side in sides),
                                                  f'a/{name}', f'b/{name}'))
        patch.flush()
        status, output = host.run(['perl', tree.path / 'scripts' / 'checkpatch.pl', '--strict', '--terse', '--no-summary',
                                   '--no-signoff', '--show-types', '--showfile', '--ignore',
                                   'COMMIT_MESSAGE,UNNECESSARY_PARENTHESES', patch.name], cwd=tree.path, check=False)
    return _case('checkpatch --strict, hooks', status or output.strip(), output)


def _kernel_doc(tree, files):
    status, output = host.run(['perl', tree.path / 'scripts' / 'kernel-doc', '-none', '-Werror', *files],
                              cwd=tree.path, check=False)
    return _case('kernel-doc -none -Werror', status or re.search(r'warning|error', output), output)


def _compile(tree, target):
    """Our objects with W=1 and sparse, in a build tree of its own: W=1 changes every command line."""
    folder = tree.builds / f'{target.arch.name}-style'
    kernel.configure(tree, target, folder)
    places = ['kernel/bpf/fastterm/']
    net = f'arch/{target.arch.srcarch}/net'
    places += [f'{net}/{path.stem}.o' for name, path in graft.overlay().items()
               if name.startswith(f'{net}/') and path.suffix in ('.c', '.S')]
    for old in [*(folder / 'kernel/bpf/fastterm').rglob('*.o'), *(folder / net).glob('fastterm*.o')]:
        old.unlink()
    status, output = host.run(kernel.make(tree, folder, target, kernel.jobs(), 'W=1', 'C=2', 'KCFLAGS=-g0',
                                           f'CHECK={sys.executable} -B {host.CHECKOUT}/cross/sparse.py', *places),
                              log=folder / 'style.log', check=False)
    bad = complaints(output)
    return _case(f'W=1 and sparse, {target.arch.name}', status or bad, '\n'.join(bad) or output)


def complaints(output):
    """What compilers, sparse and objtool say of files of ours. The kernel's own have some too, which are not ours to mend."""
    ours = {name.rpartition('.')[0] for name in graft.overlay()} - {''}
    return [line for line in output.splitlines() if re.search(r': (warning|error):', line)
            and any(f'{name}.' in line for name in ours)]
