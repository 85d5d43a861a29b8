# SPDX-License-Identifier: GPL-2.0-only
"""What can be built and booted: architectures, of which each has its file in cross/arch/, in variants, on machines."""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

import host
from arch import Arch, load
from host import Error

HERE = Path(__file__).resolve().parent


ARCHES = load()
# What is taken where one is needed and none is given.
FIRST = next(iter(ARCHES))


@dataclass(frozen=True)
class Other:
    """An architecture without a backend, for which the core is compiled all the same."""
    linux: str          # as the kernel's ARCH= says it
    gcc: str            # prefix of the distribution's cross compiler
    package: str        # what that is in


# One whose functions are found by descriptors or call through a stub, and one whose byte order is the other.
OTHERS = (Other('powerpc', 'powerpc64le-linux-gnu-', 'gcc-powerpc64le-linux-gnu'),
          Other('s390', 's390x-linux-gnu-', 'gcc-s390x-linux-gnu'))

VARIANTS = ('default', 'debug', 'hardened')

# What `make test` runs.
TESTED = tuple((a, v) for v in VARIANTS for a in ARCHES if ARCHES[a].variants[v].tested)

# What is run where instructions are counted: on machines that are made for it, and too slow for the rest. Their time is
# their own: what else this machine does makes no difference there.
COUNTED = 'fastterm_icount_*'
# What is run where processors take turns.
PATCHING = 'fastterm_quarantine*'


def _general(name):
    """The fragment that every architecture has; one that does not exist has nothing to add."""
    path = HERE / 'configs' / f'{name}.config'
    return {name: path.read_text(encoding='utf-8')} if path.exists() else {}


@dataclass(frozen=True)
class Target:
    """One kernel: an architecture in a variant."""
    arch: Arch
    variant: str

    @property
    def name(self):
        return f'{self.arch.name}-{self.variant}'

    @property
    def fragments(self):
        """{name: text} of what a configuration is made of; the general ones come first."""
        return self.foreign_fragments | _general('fastterm')

    @property
    def foreign_fragments(self):
        """The fragments without the one for our own options, which an ungrafted kernel does not have."""
        return (_general('base') | {self.arch.name: self.arch.config} | _general(self.variant) |
                {self.name: self.arch.variants[self.variant].config})

    @property
    def clang(self):
        return self.arch.variants[self.variant].clang

    @property
    def toolchain(self):
        """What make is told about the compiler; ccache stands before it."""
        cached = host.compiler()
        if self.clang:
            return ['LLVM=-19', f'CC={cached} clang-19', f'HOSTCC={cached} clang-19']
        return [f'CROSS_COMPILE={self.arch.gcc}', f'CC={cached} {self.arch.gcc}gcc', f'HOSTCC={cached} gcc']

    @property
    def machines(self):
        """(name of the run, Machine) of each machine this kernel is booted on."""
        for name, machine in self.arch.variants[self.variant].machines.items():
            yield f'{self.name}-{name}' if name else self.name, machine

    def runs(self, suite):
        """(name of the run, Machine, suite) of each machine that runs any of what SUITE= names."""
        for name, machine in self.machines:
            only = COUNTED if machine.counted else PATCHING if machine.turns else None
            if not only or not suite:
                yield name, machine, only or suite
            elif fnmatch.fnmatch(suite, only):
                yield name, machine, suite
            elif fnmatch.fnmatch(only.replace('*', ''), suite):
                yield name, machine, only


class Without(Target):
    """The same kernel without fastterm: what costs are measured against."""

    @property
    def name(self):
        return f'{super().name}-without'

    @property
    def fragments(self):
        return self.foreign_fragments | _general('without')


def _pick(kind, value, valid):
    if value == 'all':
        return list(valid)
    if value not in valid:
        raise Error(f'{kind}={value}: unknown; valid are {", ".join(valid)}, all')
    return [value]


def select(arch, variant, otherwise):
    """The targets that ARCH= and VARIANT= name, or @otherwise where neither was given."""
    if not arch and not variant:
        return [Target(ARCHES[a], v) for a, v in otherwise]
    arches = _pick('ARCH', arch or 'all', ARCHES)
    variants = _pick('VARIANT', variant or 'default', VARIANTS)
    return [Target(ARCHES[a], v) for v in variants for a in arches]
