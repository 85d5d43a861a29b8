# SPDX-License-Identifier: GPL-2.0-only
"""What kernel people run before they post: checkpatch, kernel-doc, W=1 and sparse, on our files; no warning passes."""

import difflib
import functools
import io
import re
import shutil
import sys
import tempfile

import graft
import host
import kernel
from targets import ARCHES, OTHERS, Target


# Lines that an architecture may have about NMIs.
NMI_LINES = 150


def check(tree):
    """[(case, status, text)] for a ktap suite. The grafted files are checked: some rules go by a file's place."""
    files = [name for name in graft.overlay() if not name.endswith('Makefile')]
    cases = [_checkpatch(tree, files), _hooks(tree), _kernel_doc(tree, [name for name in files if name.endswith(('.c', '.h'))])]
    cases += [judge(arch) for arch in ARCHES.values() for judge in (_size, _nmi_size)]
    return cases + list(host.together([functools.partial(_compile, tree, Target(arch, 'default'))
                                       for arch in ARCHES.values()] +
                                      [functools.partial(_compile_other, tree, other) for other in OTHERS]))


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
    # Two of our headers are part of the verifier.
    places = ['kernel/bpf/fastterm/', 'kernel/bpf/fastterm/kunit/', 'kernel/bpf/verifier.o']
    net = f'arch/{target.arch.srcarch}/net'
    places += [f'{net}/{path.stem}.o' for name, path in graft.overlay().items()
               if name.startswith(f'{net}/') and path.suffix in ('.c', '.S')]
    for old in [*(folder / 'kernel/bpf/fastterm').rglob('*.o'), *(folder / net).glob('fastterm*.o'),
                folder / 'kernel/bpf/verifier.o']:
        old.unlink(missing_ok=True)
    status, output = host.run(kernel.make(tree, folder, target, kernel.jobs(), 'W=1', 'C=2', 'KCFLAGS=-g0',
                                           f'CHECK={sys.executable} -B {host.CHECKOUT}/cross/sparse.py', *places),
                              log=folder / 'style.log', check=False)
    bad = complaints(output)
    return _case(f'W=1 and sparse, {target.arch.name}', status or bad, '\n'.join(bad) or output)


def lines_of_code(text):
    """Lines that are neither blank nor comment."""
    without = re.sub(r'/\*.*?\*/', lambda comment: '\n' * comment[0].count('\n'), text, flags=re.DOTALL)
    return sum(1 for line in without.splitlines() if line.split('//')[0].strip())


def _nmi_size(arch):
    """Of what is about NMIs, which _size() leaves out."""
    path = host.CHECKOUT / arch.ours / 'fastterm_nmi.c'
    lines = lines_of_code(path.read_text(encoding='utf-8')) if path.exists() else 0
    return _case(f'{arch.ours} has {lines} lines about NMIs beside that, of at most {NMI_LINES}', lines > NMI_LINES,
                 'what is the same on two architectures belongs in core/')


def _size(arch):
    # Sources of NMIs, and how NMIs are told apart, are optional: a backend may have none.
    lines = sum(lines_of_code(path.read_text(encoding='utf-8')) for path in (host.CHECKOUT / arch.ours).iterdir()
                if path.suffix in ('.c', '.h', '.S') and path.stem != 'fastterm_nmi')
    return _case(f'{arch.ours} has {lines} lines of code of at most {arch.lines}', lines > arch.lines,
                 'what is the same on two architectures belongs in core/')


def _compile_other(tree, other):
    """What a kernel has of ours for an architecture without a backend."""
    folder = tree.builds / f'{other.linux}-style'
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / 'kernel/bpf/fastterm', ignore_errors=True)
    make = ['make', '-C', tree.path, f'O={folder}', f'ARCH={other.linux}', f'CROSS_COMPILE={other.gcc}',
            f'CC={host.compiler()} {other.gcc}gcc', f'HOSTCC={host.compiler()} gcc', kernel.jobs()]
    host.run([*make, f'KCONFIG_ALLCONFIG={host.CHECKOUT}/cross/configs/other.config', 'allnoconfig'],
             what=f'configuring {other.linux}')
    if 'CONFIG_BPF_FASTTERM_KUNIT_TEST=y' not in (folder / '.config').read_text(encoding='utf-8'):
        raise host.Error(f'configuring {other.linux}: cross/configs/other.config does not select our options there')
    status, output = host.run([*make, 'W=1', 'KCFLAGS=-g0', 'kernel/bpf/fastterm/', 'kernel/bpf/fastterm/kunit/',
                               'kernel/bpf/verifier.o'],
                              log=folder / 'style.log', check=False)
    bad = complaints(output)
    return _case(f'compiles without a backend, {other.linux}', status or bad, '\n'.join(bad) or output)


def complaints(output):
    """What compilers, sparse and objtool say of files of ours. The kernel's own have some too, which are not ours to mend."""
    ours = {name.rpartition('.')[0] for name in graft.overlay() if name.endswith(('.c', '.h', '.S'))}
    return [line for line in output.splitlines() if re.search(r': (warning|error):', line)
            and any(f'{name}.' in line for name in ours)]
