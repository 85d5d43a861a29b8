# SPDX-License-Identifier: GPL-2.0-only
"""Which parts of fastterm a kernel tree gets: backends for architectures that it has, and the KUnit suites or not."""

from dataclasses import dataclass
from pathlib import Path

import host
from host import Error
from targets import ARCHES


@dataclass(frozen=True)
class Parts:
    """What is put into a tree.

    @srcarches: the folders of arch/ that get a backend.
    @kunit: whether the KUnit suites are put in.
    """

    srcarches: frozenset
    kunit: bool = True

    def has(self, name):
        """Whether the file @name of the kernel tree is one that these parts are about."""
        below = Path(name).parts
        if below[0] == 'arch':
            return below[1] in self.srcarches
        return self.kunit or below[:4] != ('kernel', 'bpf', 'fastterm', 'kunit')


ALL = Parts(frozenset(arch.srcarch for arch in ARCHES.values()))


def absent(tree):
    """The names of our architectures that a tree has not."""
    return [arch.name for arch in ARCHES.values() if not (Path(tree) / 'arch' / arch.srcarch).is_dir()]


def of(tree, arch='', kunit=''):
    """The parts for a tree, with what ARCH= and KUNIT= say. Architectures that the tree has not are left out, and named."""
    if kunit not in ('', '0', '1'):
        raise Error(f'KUNIT={kunit}: unknown; valid are 0 and 1')
    lacking = absent(tree)
    if arch and arch != 'all':
        if arch in lacking:
            raise Error(f'{tree} has no arch/{ARCHES[arch].srcarch}/, so nothing can be put in for ARCH={arch}')
        chosen = [arch]
    else:
        chosen = [name for name in ARCHES if name not in lacking]
        if lacking:
            host.say(f'{tree}: left out, since the tree does not have them: {", ".join(lacking)}')
    return Parts(frozenset(ARCHES[name].srcarch for name in chosen), kunit != '0')
