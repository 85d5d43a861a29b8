# SPDX-License-Identifier: GPL-2.0-only
"""arm64."""

from arch import NO_FPROBE, Arch, Machine, Variant, Vectors
from same import MASK, read, signed

CONFIG = '''
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y
CONFIG_ARM64_PSEUDO_NMI=y
CONFIG_ARM64_PTR_AUTH=y
CONFIG_ARM64_PTR_AUTH_KERNEL=y
# CONFIG_EFI is not set
# CONFIG_ACPI is not set
# CONFIG_COMPAT is not set
CONFIG_PREEMPT=y
# preempt=none, where a test wants it
CONFIG_PREEMPT_DYNAMIC=y
'''
DEBUG = '''
# with the preemption that riscv64 is built without
CONFIG_DEBUG_PREEMPT=y
'''
HARDENED = '''
CONFIG_CFI_CLANG=y
CONFIG_ARM64_BTI_KERNEL=y
CONFIG_SHADOW_CALL_STACK=y
CONFIG_RANDOMIZE_BASE=y
'''


def machine(cpu, more='', **kwargs):
    """A machine with a processor of that name. @more: what else the kernel is told."""
    return Machine(options=('-machine', 'virt,gic-version=3', '-cpu', cpu), parameters=f'console=ttyAMA0{more}',
                   **kwargs)


# Everything that emulation has: PAC, BTI, and an interrupt controller with pseudo-NMI.
MAX = machine('max,pauth-impdef=on', ' irqchip.gicv3_pseudo_nmi=1')


def operands(a, b, at, bt, byte):
    """b and bl; movn or movz, and the movk that follow."""
    begin = byte & ~3
    in_a, in_b = read(a, '<I', begin), read(b, '<I', begin)
    if None in (in_a, in_b):
        return
    if in_a >> 26 == in_b >> 26 and in_a >> 26 & 0x1f == 5:
        yield (begin, begin + 4, at + begin + 4 * signed(in_a & 0x3ffffff, 26),
               bt + begin + 4 * signed(in_b & 0x3ffffff, 26))
    for first in range(begin, begin - 16, -4):
        one, other = _constant(a, first), _constant(b, first)
        if one and other and one[0] == other[0] and one[1] == other[1] > begin:
            yield first, one[1], one[2], other[2]


def _constant(code, begin):
    """(register, end, value) of the constant that is built from @begin on."""
    word = read(code, '<I', begin)
    if word is None or word >> 23 not in (0x125, 0x1a5):    # movn, movz
        return None
    reg, shift, part = word & 31, (word >> 21 & 3) * 16, word >> 5 & 0xffff
    value = part << shift if word >> 23 == 0x1a5 else ~(part << shift) & MASK
    end = begin + 4
    while True:
        word = read(code, '<I', end)
        if word is None or word >> 23 != 0x1e5 or word & 31 != reg:    # movk
            return reg, end, value
        shift = (word >> 21 & 3) * 16
        value = value & ~(0xffff << shift) | (word >> 5 & 0xffff) << shift
        end += 4


ARCH = Arch(
    linux='arm64', srcarch='arm64', image='Image.gz', gcc='aarch64-linux-gnu-', qemu='aarch64', config=CONFIG, tick=16,
    lines=270,
    tools=(('qemu-system-aarch64', 'qemu-system-arm'), ('aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu')),
    guests=(('/usr/aarch64-linux-gnu/include/stdio.h', 'libc6-dev-arm64-cross'),),
    includes=('-idirafter', '/usr/aarch64-linux-gnu/include'),
    vectors=Vectors(options=('ARM64_PTR_AUTH_KERNEL',), headers=('brk-imm.h', 'insn.h', 'insn-def.h'),
                    sources=('lib/insn.c',)),
    operands=operands,
    linear=((0xffff000000000000, 0xffff800000000000), (0xfff0000000000000, 0xfff8000000000000)),
    variants={
        'default': Variant(tested=True, machines={
            '': MAX,
            # Without pointer authentication and BTI, and with interrupts that can all be masked.
            'nopac': machine('cortex-a72'),
            'turns': machine('max,pauth-impdef=on', ' irqchip.gicv3_pseudo_nmi=1 fastterm_patching=1', turns=True),
            # Whose interrupts can be masked, and whose clock ticks every sixteen instructions.
            'icount': machine('max,pauth-impdef=on', ' preempt=none fastterm_icount=1', counted=True)}),
        'debug': Variant(config=DEBUG, machines={'': MAX}),
        'hardened': Variant(tested=True, clang=True, config=HARDENED, machines={'': MAX})},
    unreachable={'core_functions': NO_FPROBE,
                 'kretprobe_multi_pairs': NO_FPROBE})
