# SPDX-License-Identifier: GPL-2.0-only
"""The libraries that libbpf stands on, built for the guests from the distribution's own source packages: not every
architecture has them as packages that can be installed here."""

import os
import re
import shutil
from pathlib import Path

import host
import kernel
import made
import packages
from host import Error

# Binary package that names the version -> what is taken from its source.
PACKAGES = ('zlib1g-dev', 'libelf-dev')


def build(arch):
    """Folder with include/ and lib/ (libz.a, libelf.a) for an architecture."""
    versions = [_source(package) for package in PACKAGES]
    _, compiler = host.run([f'{arch.gcc}gcc', '--version'])
    return made.folder(f'sysroot-{arch.name}', [*versions, compiler, Path(__file__)],
                       lambda folder: _build(arch, versions, folder))


def _source(package):
    """'source=version' of an installed package."""
    _, text = host.run(['dpkg-query', '-W', '-f', '${source:Package}=${source:Version}', package],
                       what=f'asking for the source package of {package}')
    return text


def _build(arch, versions, folder):
    host.say(f'building zlib and libelf for {arch.name}')
    work = folder / 'work'
    work.mkdir()
    (folder / 'lib').mkdir()
    (folder / 'include').mkdir()
    _fetch(versions, work)
    zlib, elfutils = (next(p for p in work.iterdir() if p.is_dir() and p.name.startswith(f'{v.partition("=")[0]}-'))
                      for v in versions)
    cross = {'CC': f'{arch.gcc}gcc', 'AR': f'{arch.gcc}ar', 'RANLIB': f'{arch.gcc}ranlib', 'CFLAGS': '-O2'}

    def run(cmd, cwd, **env):
        host.run(cmd, cwd=cwd, env=host.child_env(**env), what=f'building {cwd.name} for {arch.name}')

    run(['./configure', '--static'], zlib, **cross)
    run(['make', kernel.jobs(), 'libz.a'], zlib)
    for name in ('zlib.h', 'zconf.h'):
        shutil.copy(zlib / name, folder / 'include')
    shutil.copy(zlib / 'libz.a', folder / 'lib')

    _, build = host.run(['gcc', '-dumpmachine'])
    run(['./configure', f'--build={build.strip()}', f'--host={arch.gcc.rstrip("-") or build.strip()}',
         '--disable-debuginfod', '--disable-libdebuginfod', '--disable-nls',
         '--without-bzlib', '--without-lzma', '--without-zstd'], elfutils,
        **cross | {'CPPFLAGS': f'-I{folder / "include"}', 'LDFLAGS': f'-L{folder / "lib"}'})
    run(['make', kernel.jobs(), '-C', 'lib'], elfutils)
    run(['make', kernel.jobs(), '-C', 'libelf', 'libelf.a'], elfutils)
    for name in ('libelf.h', 'gelf.h', 'nlist.h'):
        shutil.copy(elfutils / 'libelf' / name, folder / 'include')
    shutil.copy(elfutils / 'libelf' / 'libelf.a', folder / 'lib')
    shutil.rmtree(work)


def _fetch(versions, work):
    """Fetch and unpack source packages, from where this machine has its binary packages from.

    Most machines do not list source packages: we do, in lists of our own, and leave the machine's alone.
    """
    files = _lists()
    if not files and packages.update():
        files = _lists()
    if not files:
        raise Error('apt has no package lists of Debian: run apt-get update as root and try again')
    apt = work / 'apt'
    for name in ('sources', 'lists/partial'):
        (apt / name).mkdir(parents=True)
    for file in files:
        (apt / 'sources' / file.name).write_text(sources_of(file.read_text(encoding='utf-8')), encoding='utf-8')
    # apt's sandbox user cannot write to a folder of ours; it then downloads as who calls it.
    options = ['-o', 'Dir::Etc::SourceList=/dev/null', '-o', f'Dir::Etc::SourceParts={apt / "sources"}',
               '-o', f'Dir::State::Lists={apt / "lists"}',
               '-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache=',
               *(['-o', 'APT::Sandbox::User=root'] if not os.geteuid() else [])]
    host.run(['apt-get', *options, 'update'], what='apt-get update, for lists of source packages')
    host.run(['apt-get', *options, 'source', *versions], cwd=work, what=f'apt-get source {" ".join(versions)}')


def _lists():
    """The files in which apt has found its lists of Debian's packages."""
    _, text = host.run(['apt-get', 'indextargets', '--format', '$(ORIGIN) $(SOURCESENTRY)', 'Created-By: Packages'],
                       what='asking apt for its sources')
    return {Path(line.split(' ', 1)[1].rpartition(':')[0]) for line in text.splitlines() if line.startswith('Debian ')}


def sources_of(text):
    """A file of apt's sources, in either form, with source packages in the place of binary ones."""
    text = re.sub(r'^Types:.*', 'Types: deb-src', text, flags=re.M)
    return re.sub(r'^deb(?=\s)', 'deb-src', text, flags=re.M)
