# SPDX-License-Identifier: GPL-2.0-only
"""Real BPF programs: those of the kernel tree's own selftests and samples, compiled for an architecture."""

import shutil
from pathlib import Path

import guest
import host
import kernel
import made
from host import Error
from targets import HERE

RULES = HERE / 'guest' / 'corpus.mk'


def bpftool(tree):
    """The kernel tree's bpftool, for this machine; without what only a running kernel needs."""
    tools = tree.path / 'tools'

    def build(folder):
        host.say('building bpftool')
        host.run(['make', '-C', tools / 'bpf' / 'bpftool', kernel.jobs(), f'OUTPUT={folder}/', 'bootstrap'],
                 what='building bpftool')
    return made.folder('bpftool', [tools / 'bpf' / 'bpftool', tools / 'lib' / 'bpf', Path(__file__)],
                       build) / 'bootstrap' / 'bpftool'


def vmlinux_h(tree, vmlinux):
    """Declarations of all types of a built kernel, from its BTF."""
    _, text = host.run([bpftool(tree), 'btf', 'dump', 'file', vmlinux, 'format', 'c'],
                       what=f'reading the type information of {vmlinux}')
    return text


def kernel_and_types(kdir, target, out):
    """Build a kernel and fetch it into @out. (its tree, the text of its vmlinux.h)"""
    lock, grafted = kernel.prepared(kdir)
    with lock:
        tree = grafted()
        folder = kernel.build(tree, target)
        out.mkdir(parents=True, exist_ok=True)
        kernel.fetch(folder, target, out)
        return tree, vmlinux_h(tree, folder / 'vmlinux')


def build(tree, arch, types):
    """Folder with the objects for an architecture. @types: the text of vmlinux.h."""
    bpf = guest.libbpf(tree, arch)
    _, compiler = host.run(['clang-19', '--version'])
    flags = ' '.join(arch.includes)
    sources = [tree.path / 'tools' / 'testing' / 'selftests' / 'bpf' / 'progs', tree.path / 'samples' / 'bpf',
               *sorted((tree.path / 'tools' / 'testing' / 'selftests' / 'bpf').glob('*.h'))]

    def compile_all(folder):
        for name in ('selftests', 'samples'):
            (folder / name).mkdir()
        _make(tree, arch, types, folder, 'all', '-k', f'FLAGS={flags}', check=False)
        if not objects(folder):
            raise Error(f'not one BPF program compiled for {arch.name}: ' + (folder / 'build.log').read_text()[-2000:])
    return made.folder(f'corpus-{arch.name}', [bpf, *sources, compiler, flags, types, RULES, Path(__file__)],
                       compile_all)


def ours(tree, arch, types, name, sources):
    """{name: file} of the objects of programs of ours, in the files @sources. @types: the text of vmlinux.h."""
    bpf = guest.libbpf(tree, arch)
    _, compiler = host.run(['clang-19', '--version'])
    headers = sorted(header for folder in {source.parent for source in sources} for header in folder.glob('*.h'))
    folder = made.folder(f'{name}-{arch.name}', [bpf, *sources, *headers, compiler, types, RULES, Path(__file__)],
                         lambda folder: _make(tree, arch, types, folder, 'ours', f'OURS={" ".join(map(str, sources))}'))
    return {path.name: path for path in sorted(folder.glob('*.bpf.o'))}


def _make(tree, arch, types, folder, *args, check=True):
    include = folder / 'include'
    shutil.copytree(guest.libbpf(tree, arch) / 'include', include)
    (include / 'vmlinux.h').write_text(types)
    progress = host.Progress(f'compiling BPF programs for {arch.name}')
    host.run(['make', kernel.jobs(), '-f', RULES, f'TREE={tree.path}', f'ARCH={arch.srcarch}',
              f'INCLUDE={include}', *args], cwd=folder, log=folder / 'build.log',
             on_line=progress.step, check=check, what='compiling BPF programs')
    progress.done()
    shutil.rmtree(include)


def objects(folder):
    """{name: file} of the objects in a folder that build() returned."""
    return {str(path.relative_to(folder)): path for path in sorted(folder.glob('*/*.bpf.o'))}
