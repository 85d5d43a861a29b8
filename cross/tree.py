# SPDX-License-Identifier: GPL-2.0-only
"""The working copy of a kernel tree: what we graft and build, so that nobody's own tree is written to."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import graft
import host
import source

# What a build leaves in a source tree, and version control: not part of the source.
NOT_SOURCE = ('/.git', '/.config*', '/.tmp_*', '/.version', '/vmlinux*', '/System.map', '/include/config/',
              '/include/generated/', '/arch/*/include/generated/', '*.o', '*.a', '*.ko', '.*.cmd', '.*.d')


class Tree:
    """A kernel tree that is built from, with the folder where its builds go.

    @path: the tree that is grafted and built.
    @original: the tree it is a copy of.
    """

    def __init__(self, path, original):
        self.path, self.original = path, original
        self.name = path.name
        self.version = source.version(path)

    @property
    def builds(self):
        return host.cache() / 'build' / self.name


def working_copy(kdir):
    """The copy that is grafted and built, made or renewed from @kdir or the distribution's source.

    The caller holds the copy's lock. The original is only read. A copy of the distribution's source shares
    its files through hard links, which is why every writer of ours replaces files and never changes them.
    """
    original = kdir or source.distribution()
    path = host.cache() / 'tree' / copy_name(original)
    if kdir:
        source.version(original)
        host.need_space(path, 3, f'a working copy of {original}')
        path.mkdir(parents=True, exist_ok=True)
        _renew(original, path)
    elif not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='copy-', dir=path.parent) as tmp:
            host.run(['cp', '-al', original, Path(tmp) / 'tree'], what='copying the kernel source')
            os.rename(Path(tmp) / 'tree', path)
    return Tree(path, original)


def copy_name(original):
    """Name of the working copy of a tree: the same for the same folder."""
    if original.parent == host.cache() / 'src':
        return original.name
    digest = hashlib.sha256(str(original).encode()).hexdigest()[:10]
    return f'kdir-{original.name}-{digest}'


def _renew(original, path):
    """Bring the copy to the state of the user's tree, and leave alone what only the copy's own graft changed."""
    state = graft.State(path)
    keep = []
    if graft.taken(original):
        # What it was is found anew.
        shutil.rmtree(state.folder, ignore_errors=True)
    elif not graft.State(original).exists():
        keep = ['--exclude=/.fastterm/', *(f'--exclude=/{name}' for name in state.files())]
    # By content and with the present time: a file that is older than what it replaces would not be compiled.
    host.run(['rsync', '-rlpgoD', '--checksum', '--delete', *keep, *(f'--exclude={p}' for p in NOT_SOURCE),
              f'{original}/', f'{path}/'], what=f'copying {original}')
    if keep:
        state.renew_originals(original)
