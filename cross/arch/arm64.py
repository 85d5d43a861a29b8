# SPDX-License-Identifier: GPL-2.0-only
"""arm64."""

from arch import NO_FPROBE, Arch, Variant, Vectors

ARCH = Arch(
    linux='arm64', srcarch='arm64', image='Image.gz', gcc='aarch64-linux-gnu-', tick=16, lines=270,
    tools=(('qemu-system-aarch64', 'qemu-system-arm'), ('aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu')),
    guests=(('/usr/aarch64-linux-gnu/include/stdio.h', 'libc6-dev-arm64-cross'),),
    includes=('-idirafter', '/usr/aarch64-linux-gnu/include'),
    vectors=Vectors(options=('ARM64_PTR_AUTH_KERNEL',), headers=('brk-imm.h', 'insn.h', 'insn-def.h'),
                    sources=('lib/insn.c',)),
    variants={'default': Variant(tested=True, machines=('nopac', 'icount')),
              'debug': Variant(),
              'hardened': Variant(tested=True, clang=True)},
    unreachable={'kprobe_map_walks': 'a kprobe is a debug exception, which masks pseudo-NMIs too',
                 'kretprobe_multi_pairs': NO_FPROBE})
