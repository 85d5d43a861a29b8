# SPDX-License-Identifier: GPL-2.0-only
"""What can be built and booted: architectures, variants, and the machines a kernel is booted on."""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

import host
from host import Error

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Arch:
    name: str           # as the user says it
    linux: str          # as the kernel's ARCH= says it
    srcarch: str        # its folder below arch/
    ours: str           # our folder
    gcc: str            # prefix of the distribution's cross compiler
    image: str          # make target and file of the bootable image, below arch/<srcarch>/boot
    tools: tuple        # (command, package) that only this architecture needs


ARCHES = {a.name: a for a in (
    Arch('x86_64', 'x86_64', 'x86', 'arch-x86', '', 'bzImage',
         (('qemu-system-x86_64', 'qemu-system-x86'),)),
    Arch('arm64', 'arm64', 'arm64', 'arch-arm64', 'aarch64-linux-gnu-', 'Image.gz',
         (('qemu-system-aarch64', 'qemu-system-arm'), ('aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu'))),
    Arch('riscv64', 'riscv', 'riscv', 'arch-riscv', 'riscv64-linux-gnu-', 'Image',
         (('qemu-system-riscv64', 'qemu-system-misc'), ('riscv64-linux-gnu-gcc', 'gcc-riscv64-linux-gnu'))),
)}


@dataclass(frozen=True)
class Other:
    """An architecture without a backend, for which the core is compiled all the same."""
    linux: str          # as the kernel's ARCH= says it
    gcc: str            # prefix of the distribution's cross compiler
    package: str        # what that is in


# One whose functions are found by descriptors or call through a stub, and one whose byte order is the other.
OTHERS = (Other('powerpc', 'powerpc64le-linux-gnu-', 'gcc-powerpc64le-linux-gnu'),
          Other('s390', 's390x-linux-gnu-', 'gcc-s390x-linux-gnu'))

# Lines of code, neither blank nor comment, that a backend may have: what is more should be generic.
BACKEND_LINES = {'arch-arm64': 270, 'arch-riscv': 320}
OTHER_BACKEND_LINES = 300

VARIANTS = ('default', 'debug', 'hardened')

# Variants that a vendor builds with clang: kCFI and shadow call stacks exist only there.
CLANG = {('arm64', 'hardened'), ('riscv64', 'hardened')}

# What `make test` runs; VARIANT=all is every architecture in every variant.
TESTED = (('x86_64', 'default'), ('arm64', 'default'), ('riscv64', 'default'),
          ('x86_64', 'debug'), ('arm64', 'hardened'))

# A kernel is booted on the machine `qemu/<arch>-<variant>.py`, or `qemu/<arch>.py` where that does not exist,
# and on these machines too: `qemu/<arch>-<machine>.py`.
MACHINES = {('x86_64', 'default'): ('icount',), ('arm64', 'default'): ('nopac', 'icount'),
            ('riscv64', 'default'): ('icount',), ('x86_64', 'hardened'): ('srso', 'stuff')}

# What is run on a machine that is made for it, and too slow for the rest. Its time is its own: what else this machine
# does makes no difference there.
ONLY = {'icount': 'fastterm_icount_*'}


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
        """Configuration fragments, the general ones first; those that do not exist have nothing to add."""
        return [*self.foreign_fragments, HERE / 'configs' / 'fastterm.config']

    @property
    def foreign_fragments(self):
        """The fragments without the one for our own options, which an ungrafted kernel does not have."""
        names = ('base', self.arch.name, self.variant, f'{self.arch.name}-{self.variant}')
        return [f for f in (HERE / 'configs' / f'{n}.config' for n in names) if f.exists()]

    @property
    def clang(self):
        return (self.arch.name, self.variant) in CLANG

    @property
    def toolchain(self):
        """What make is told about the compiler; ccache stands before it."""
        cached = host.compiler()
        if self.clang:
            return ['LLVM=-19', f'CC={cached} clang-19', f'HOSTCC={cached} clang-19']
        return [f'CROSS_COMPILE={self.arch.gcc}', f'CC={cached} {self.arch.gcc}gcc', f'HOSTCC={cached} gcc']

    @property
    def machines(self):
        """(name of the run, qemu configuration) of each machine this kernel is booted on."""
        special = HERE / 'qemu' / f'{self.name}.py'
        yield self.name, special if special.exists() else HERE / 'qemu' / f'{self.arch.name}.py'
        for machine in MACHINES.get((self.arch.name, self.variant), ()):
            yield f'{self.name}-{machine}', HERE / 'qemu' / f'{self.arch.name}-{machine}.py'

    def runs(self, suite):
        """(name of the run, qemu configuration, suite) of each machine that runs any of what SUITE= names."""
        for name, qemu in self.machines:
            only = ONLY.get(name.removeprefix(f'{self.name}-'))
            if not only or not suite:
                yield name, qemu, only or suite
            elif fnmatch.fnmatch(suite, only):
                yield name, qemu, suite
            elif fnmatch.fnmatch(only.replace('*', ''), suite):
                yield name, qemu, only

    def counts(self, run):
        """Whether the run of that name is on a machine whose time is its own."""
        return run.removeprefix(f'{self.name}-') in ONLY


class Without(Target):
    """The same kernel without fastterm: what costs are measured against."""

    @property
    def name(self):
        return f'{super().name}-without'

    @property
    def fragments(self):
        return [*self.foreign_fragments, HERE / 'configs' / 'without.config']


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
