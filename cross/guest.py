# SPDX-License-Identifier: GPL-2.0-only
"""Programs that run in a guest: C files of cross/guest/, linked statically with the kernel tree's own libbpf."""

import shutil
from pathlib import Path

import host
import kernel
import made
import sysroot
from targets import HERE

SOURCES = HERE / 'guest'
WARNINGS = ('-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-missing-field-initializers', '-Werror')


def libbpf(tree, arch):
    """Folder with include/bpf/ and lib/libbpf.a of the kernel tree for an architecture."""
    libraries = sysroot.build(arch)
    tools = tree.path / 'tools'
    return made.folder(f'libbpf-{arch.name}', [libraries, tools / 'lib' / 'bpf', tools / 'include', Path(__file__)],
                       lambda folder: _libbpf(tools, arch, libraries, folder))


def _libbpf(tools, arch, libraries, folder):
    host.say(f'building libbpf for {arch.name}')
    work = folder / 'work'
    work.mkdir()
    host.run(['make', '-C', tools / 'lib' / 'bpf', kernel.jobs(), f'OUTPUT={work}/', f'DESTDIR={folder}', 'prefix=',
              f'ARCH={arch.linux}', f'CROSS_COMPILE={arch.gcc}', f'EXTRA_CFLAGS=-O2 -I{libraries / "include"}',
              f'{work}/libbpf.a', 'install_headers'], what=f'building libbpf for {arch.name}')
    (folder / 'lib').mkdir()
    shutil.copy(work / 'libbpf.a', folder / 'lib')
    shutil.rmtree(work)


def build(tree, arch, name, *flags):
    """The file that is the guest program cross/guest/@name.c, for an architecture."""
    libraries, bpf = sysroot.build(arch), libbpf(tree, arch)
    sources = [SOURCES / f'{name}.c', SOURCES / 'guest.c']
    uapi = tree.path / 'tools' / 'include' / 'uapi'

    def link(folder):
        host.run([f'{arch.gcc}gcc', '-O2', '-g', '-static', *WARNINGS, *flags, f'-I{bpf / "include"}',
                  f'-I{uapi}', '-o', folder / name, *sources,
                  bpf / 'lib' / 'libbpf.a', libraries / 'lib' / 'libelf.a', libraries / 'lib' / 'libz.a'],
                 what=f'building {name} for {arch.name}')
    inputs = [libraries, bpf, uapi, *sources, SOURCES / 'guest.h', ' '.join(flags), Path(__file__)]
    return made.folder(f'guest-{name}-{arch.name}', inputs, link) / name
