# SPDX-License-Identifier: GPL-2.0-only
"""What the harness has to know of an architecture: one file each in this folder, arm64.py for ARCH=arm64.

Such a file sets ARCH to an Arch. Who adds one adds an architecture: nothing outside of this folder knows any by name.
"""

import dataclasses
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

# Why a program of cross/demo/ is not run: of more than one architecture.
NO_FPROBE = 'Linux 6.12 has no kprobe.multi and kretprobe.multi here (CONFIG_FPROBE)'


@dataclass(frozen=True)
class Machine:
    """A machine that is emulated, with four processors; with one where its time is counted."""
    options: tuple          # what the emulator is told, but for processors and time
    parameters: str         # what the kernel is told
    counted: bool = False   # whether its clock counts instructions and nothing else
    steps: bool = False     # whether it is then interrupted between any two of them, and not only between blocks
    turns: bool = False     # whether its processors take turns: it runs suites that patch what another processor runs


@dataclass(frozen=True)
class Variant:
    """A kernel of an architecture: one of targets.VARIANTS."""
    machines: dict          # {name: Machine} that it is booted on; the first, on which guests run too, has the name ''
    config: str = ''        # options that this one has beside those of Arch.config
    tested: bool = False    # whether `make test` has it; VARIANT=all is every architecture in every variant
    clang: bool = False     # whether a vendor builds it with clang: kCFI and shadow call stacks exist only there


@dataclass(frozen=True)
class Vectors:
    """What of the kernel's source the program of `make vectors` is made of, below arch/<srcarch>/."""
    options: tuple = ()     # configuration options that are set
    headers: tuple = ()     # headers that can be used as they are
    defines: tuple = ()     # (header, pattern of names): of others, these definitions alone
    sources: tuple = ()     # files that are compiled
    folders: tuple = ()     # and where to look for headers
    made: tuple = ()        # (file to include, command): of the kernel's own tools, whose output it is


@dataclass(frozen=True, eq=False)
class Arch:
    """An architecture, whose name is that of its file."""
    linux: str              # as the kernel's ARCH= says it
    srcarch: str            # its folder below arch/
    image: str              # make target and file of the bootable image, below arch/<srcarch>/boot
    qemu: str               # the emulator's name for it, qemu-system-<qemu>
    config: str             # its kernels' options, as in a .config, beside those in cross/configs/ that all have
    tools: tuple            # what building and booting its kernels needs beside packages.TOOLS, and in the same form
    includes: tuple         # by which clang finds the libc headers of its guests; what its compiler would have defined
    vectors: Vectors
    operands: callable      # which operands machine code has, as same.py asks for them
    # (begin, end) of the linear map, where data of the kernel are and no code is; for each depth of page tables.
    linear: tuple
    variants: dict          # {one of targets.VARIANTS: Variant}
    gcc: str = ''           # prefix of the distribution's cross compiler
    guests: tuple = ()      # what user space for its guests is built with, beside packages.GUESTS
    first: bool = False     # whether it is named first, and taken where one is needed and none is given
    # Lines of code, neither blank nor comment, that its backend may have: what is more should be generic.
    lines: int = 300
    # Instructions from one tick of the guest's clock to the next, where four processors take turns and time is what all
    # of them have run. None: the emulator cannot do that.
    tick: int = None
    # What the emulator is told besides where instructions are counted.
    steady: tuple = ()
    # {program of cross/demo/ or cross/escape/: why it is not run}: the kernel lacks the hook, or no interrupt reaches a program there,
    # which would not end.
    unreachable: dict = field(default_factory=dict)
    name: str = ''

    @property
    def ours(self):
        """Our folder."""
        return f'arch-{self.srcarch}'

    @property
    def counted(self):
        """Whether the time of four processors can be the number of instructions."""
        return bool(self.tick)


def load(folder=Path(__file__).parent):
    """{name: Arch} of the files in @folder, in the order in which they are named to users."""
    found = []
    for path in sorted(folder.glob('[!_]*.py')):
        spec = importlib.util.spec_from_file_location(f'{__name__}.{path.stem}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(dataclasses.replace(module.ARCH, name=path.stem))
    return {arch.name: arch for arch in sorted(found, key=lambda arch: not arch.first)}
