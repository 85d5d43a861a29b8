# SPDX-License-Identifier: GPL-2.0-only
"""Kernel source: what version a tree is, and the distribution's, unpacked once in the cache folder."""

import functools
import re
import shutil
import tempfile
from pathlib import Path

import host
import packages
from host import Error

PACKAGE = 'linux-source-6.12'

def version(tree):
    """A kernel tree's version, '6.12.117'; an error where there is no kernel tree."""
    makefile = Path(tree) / 'Makefile'
    try:
        head = makefile.read_text(encoding='utf-8', errors='replace')[:2000]
    except OSError:
        head = ''
    field = dict(re.findall(r'^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)', head, re.M))
    if not {'VERSION', 'PATCHLEVEL'} <= field.keys() or not (Path(tree) / 'kernel' / 'bpf').is_dir():
        raise Error(f'KDIR={tree}: not a Linux kernel source tree; '
                    'valid is a folder that has the kernel\'s Makefile and kernel/bpf/')
    return '{VERSION}.{PATCHLEVEL}.'.format(**field) + field.get('SUBLEVEL', '0') + field.get('EXTRAVERSION', '')


def distribution():
    """The distribution's kernel source, unpacked in the cache folder: fetched at the first call. Never written to."""
    folder = host.cache() / 'src'
    with host.lock('source'):
        there = sorted(folder.glob('linux-*'))
        if there:
            return there[-1]
        host.need_space(folder, 4, 'unpacking the kernel source')
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='unpack-', dir=folder) as tmp:
            tree = _unpack(Path(tmp))
            final = folder / f'linux-{version(tree)}'
            tree.rename(final)
        return final


def _unpack(tmp):
    tarball = Path('/usr/src') / f'{PACKAGE}.tar.xz'
    if not tarball.exists():
        if not shutil.which('apt-get'):
            raise Error('no kernel source: name a kernel tree of your own with KDIR=<folder>')
        host.say(f'fetching {PACKAGE}')
        # apt's sandbox user cannot write to a folder of ours; it then downloads as who calls it.
        download = functools.partial(host.run, ['apt-get', 'download', PACKAGE], cwd=tmp, check=False)
        status, output = download()
        # Its lists may be old, or not there yet.
        if status and packages.update():
            status, output = download()
        if status:
            raise Error(f'apt-get download {PACKAGE} failed: run apt-get update as root and try again, '
                        f'or name a kernel tree of your own with KDIR=<folder>\n{output}')
        package = next(tmp.glob('*.deb'))
        host.run(['dpkg-deb', '-x', package, tmp / 'deb'])
        tarball = tmp / 'deb' / 'usr' / 'src' / f'{PACKAGE}.tar.xz'
    host.say(f'unpacking {PACKAGE}')
    host.run(['tar', '-C', tmp, '-xf', tarball], what=f'unpacking {tarball}')
    return tmp / PACKAGE
