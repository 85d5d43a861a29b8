# SPDX-License-Identifier: GPL-2.0-only
"""What kernel people run before they post: checkpatch, kernel-doc, W=1 and sparse, on our files; no warning passes."""

import re

import graft
import host
import kernel
from targets import ARCHES, Target


def check(tree):
    """[(case, status, text)] for a ktap suite."""
    ours = graft.overlay()
    code = [path for path in ours.values() if path.suffix in ('.c', '.h', '.S')]
    cases = [_checkpatch(tree, [*code, host.CHECKOUT / 'Kconfig.fastterm']), _kernel_doc(tree, code)]
    return cases + [_compile(tree, Target(arch, 'default')) for arch in ARCHES.values()]


def _case(name, bad, text):
    return name, 'failed' if bad else 'passed', text if bad else ''


def _checkpatch(tree, files):
    # Names of ours that checkpatch takes for misspelt ones, and files that MAINTAINERS cannot know, are no finding.
    status, output = host.run(['perl', tree.path / 'scripts' / 'checkpatch.pl', '--strict', '--no-tree', '--terse',
                               '--no-summary', '--show-types', '--ignore', 'FILE_PATH_CHANGES', '-f', *files],
                              cwd=tree.path, check=False)
    return _case('checkpatch --strict', status or output.strip(), output)


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
    host.run(kernel.make(tree, folder, target, kernel.jobs(), 'prepare'), what=f'preparing {target.name}')
    for old in [*(folder / 'kernel/bpf/fastterm').rglob('*.o'), *(folder / net).glob('fastterm*.o')]:
        old.unlink()
    status, output = host.run(kernel.make(tree, folder, target, kernel.jobs(), 'W=1', 'C=2', *places),
                              log=folder / 'style.log', check=False)
    bad = [line for line in output.splitlines() if re.search(r'\b(warning|error):', line)]
    return _case(f'W=1 and sparse, {target.arch.name}', status or bad, '\n'.join(bad) or output)
