# SPDX-License-Identifier: GPL-2.0-only
"""riscv64."""

from arch import NO_FPROBE, Arch, Variant, Vectors

FIRMWARE = '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin'

# No tick: where processors take turns, one that waits for another has to give up its turn, and there are none here that
# do. Where three wait for the fourth, as when code is patched, it starves.
ARCH = Arch(
    linux='riscv', srcarch='riscv', image='Image', gcc='riscv64-linux-gnu-', lines=320,
    tools=(('qemu-system-riscv64', 'qemu-system-misc'), ('riscv64-linux-gnu-gcc', 'gcc-riscv64-linux-gnu'),
           (FIRMWARE, 'qemu-system-data')),
    guests=(('/usr/riscv64-linux-gnu/include/stdio.h', 'libc6-dev-riscv64-cross'),),
    includes=('-idirafter', '/usr/riscv64-linux-gnu/include', '-D__riscv_xlen=64', '-D__BITS_PER_LONG=64'),
    vectors=Vectors(headers=('insn.h',), folders=('net',),
                    defines=(('bug.h', r'GET_INSN_LENGTH|__INSN_LENGTH_\w+'), ('hwcap.h', 'RISCV_ISA_EXT_ZB[AB]'))),
    variants={'default': Variant(tested=True, machines=('icount',)),
              'debug': Variant(),
              'hardened': Variant(clang=True)},
    unreachable={'kprobe_map_walks': 'a kprobe is an exception with interrupts off, and there is no NMI',
                 'kretprobe_multi_pairs': NO_FPROBE,
                 'perf_event_stacks': 'perf events call programs with interrupts off, and there is no NMI',
                 'tc_locked': 'a lock turns interrupts off, and there is no NMI'})
