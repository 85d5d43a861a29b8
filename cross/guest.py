# SPDX-License-Identifier: GPL-2.0-only
"""Programs that run in a guest: C files of cross/guest/, linked statically with the kernel tree's own libbpf."""

import shutil
from pathlib import Path

import host
import initramfs
import kernel
import machine
import made
import sysroot
from targets import HERE

SOURCES = HERE / 'guest'
# What each program is made of, beside its own file and guest.c.
PARTS = {'bench': ('callbacks', 'loader'),
         'demo': ('attach', 'events', 'loader', 'watchdog', 'world'),
         'run': ('attach', 'events', 'loader', 'watchdog', 'world'),
         'sound': ('attach', 'loader', 'watchdog', 'world'),
         'usable': ('attach', 'loader', 'watchdog', 'world')}
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
    sources = [SOURCES / f'{part}.c' for part in (name, 'guest', *PARTS[name])]
    headers = [*sorted(SOURCES.glob('*.h')), *sorted((HERE / 'demo').glob('*.h'))]
    uapi = tree.path / 'tools' / 'include' / 'uapi'

    def link(folder):
        host.run([f'{arch.gcc}gcc', '-O2', '-g', '-static', *WARNINGS, *flags, f'-I{bpf / "include"}',
                  f'-I{uapi}', '-o', folder / name, *sources,
                  bpf / 'lib' / 'libbpf.a', libraries / 'lib' / 'libelf.a', libraries / 'lib' / 'libz.a'],
                 what=f'building {name} for {arch.name}')
    inputs = [libraries, bpf, uapi, *sources, *headers, ' '.join(flags), Path(__file__)]
    return made.folder(f'guest-{name}-{arch.name}', inputs, link) / name


def boot(target, out, files, *, extra=None, append='', timeout, on_record=None):
    """The records of a guest that runs the kernel in @out. @files: {name in the guest: file}, its init among them.

    What the kernel complains about, and a guest that does not come to its end, are errors. @extra: what the emulator is
    told besides; if it is not given, that the guest has one processor, whose time is instructions.
    """
    extra = (*machine.COUNTED, *target.arch.steady) if extra is None else extra
    archive = out / 'initramfs.cpio'
    initramfs.write(archive, files | {'config': out / 'config'})
    _, first = next(target.machines)
    said = machine.run(target.arch, first, out / kernel.image(target), archive, out, extra=extra, append=append,
                       timeout=timeout, on_record=on_record)
    archive.unlink()
    records, splats, log = said.records, said.console.splats, out / 'console.log'
    if splats:
        line, text = splats[0]
        raise machine.Failed(f'{target.name}: the kernel said: {text} (line {line} of {log})', said.console)
    if not records or records[-1]['record'] != 'end':
        raise machine.Failed(f'{target.name}: the guest ended before it was done: see {log}', said.console)
    return records
