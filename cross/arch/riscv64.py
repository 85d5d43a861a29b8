# SPDX-License-Identifier: GPL-2.0-only
"""riscv64."""

from arch import NO_FPROBE, Arch, Machine, Variant, Vectors
from same import MASK, read, signed

FIRMWARE = '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin'

CONFIG = '''
CONFIG_ARCH_VIRT=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_SERIAL_OF_PLATFORM=y
CONFIG_FRAME_POINTER=y
# CONFIG_EFI is not set
# CONFIG_ACPI is not set
# CONFIG_COMPAT is not set
# ftrace on riscv wants a kernel that is not preemptible
CONFIG_PREEMPT_VOLUNTARY=y
# without EFI and its stub
CONFIG_NONPORTABLE=y
# as arm64 has them by default; see x86_64.config
CONFIG_JUMP_LABEL=y
'''
HARDENED = '''
# Without kCFI: with it, a tail call on 6.12 enters its target four bytes too late. The JIT counts the hash before the
# entry, which bpf_func already leaves behind; it misses the adjustment of the stack pointer.
CONFIG_SHADOW_CALL_STACK=y
CONFIG_RANDOMIZE_BASE=y
'''


def machine(more='', **kwargs):
    """A machine below OpenSBI. @more: what else the kernel is told."""
    return Machine(options=('-machine', 'virt', '-cpu', 'rv64', '-bios', FIRMWARE), parameters=f'console=ttyS0{more}',
                   **kwargs)


def operands(a, b, at, bt, byte):
    """auipc and the jalr or addi behind it; jal; the instructions that build a constant."""
    for begin in range(byte - 7, byte + 1):
        in_a, in_b = read(a, '<Q', begin), read(b, '<Q', begin)
        if None not in (in_a, in_b):
            one, other = _pair(in_a), _pair(in_b)
            if one and other and one[0] == other[0]:
                yield begin, begin + 8, at + begin + one[1], bt + begin + other[1]
    for begin in range(byte - 3, byte + 1):
        in_a, in_b = read(a, '<I', begin), read(b, '<I', begin)
        if None not in (in_a, in_b) and in_a & 0xfff == in_b & 0xfff and in_a & 0x7f == 0x6f:
            yield begin, begin + 4, at + begin + _jal(in_a), bt + begin + _jal(in_b)
    for begin in range(byte & ~1, byte - 32, -2):
        one, other = _constant(a, begin), _constant(b, begin)
        if one and other and one[:2] == other[:2] and one[1] > byte:
            yield begin, one[1], one[2], other[2]


def _pair(pair):
    """(everything but the distance, distance) of auipc and jalr or addi."""
    first, second = pair & 0xffffffff, pair >> 32
    reg = first >> 7 & 31
    if first & 0x7f != 0x17 or second >> 15 & 31 != reg or second & 0x707f not in (0x67, 0x13):
        return None
    return (reg, second & 0xfffff), signed(first & 0xfffff000, 32) + signed(second >> 20, 12)


def _jal(word):
    return signed((word >> 31) << 20 | (word >> 12 & 0xff) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1,
                  21)


def _constant(code, begin):
    """(register, end, value) of the constant that is built from @begin on: li or lui, then addi, addiw and slli."""
    reg, value, end = None, 0, begin
    while True:
        step = _step(code, end)
        if not step or reg not in (None, step[1]) or (reg is None) != (step[0] in ('li', 'lui')):
            return (reg, end, value & MASK) if reg else None
        kind, reg, operand, size = step
        value = value << operand if kind == 'slli' else value + operand
        value = signed(value & 0xffffffff, 32) if kind == 'addiw' else value
        end += size


def _step(code, offset):
    """(kind, register, operand, size) of an instruction that works on one register and an immediate."""
    half, word = read(code, '<H', offset), read(code, '<I', offset)
    if half is None:
        return None
    reg = half >> 7 & 31
    if half & 3 != 3:
        six = (half >> 12 & 1) << 5 | half >> 2 & 31
        kind = {(1, 0): 'addi', (1, 1): 'addiw', (1, 2): 'li', (1, 3): 'lui',
                (2, 0): 'slli'}.get((half & 3, half >> 13))
        operand = six if kind == 'slli' else signed(six, 6) << (12 if kind == 'lui' else 0)
        return kind and (kind, reg, operand, 2)
    if word is None:
        return None
    if word & 0x7f == 0x37:
        return 'lui', reg, signed(word & 0xfffff000, 32), 4
    source = word >> 15 & 31
    kind = {0x13: 'addi', 0x1b: 'addiw', 0x1013: 'slli'}.get(word & 0x707f)
    if kind == 'addi' and not source:
        kind, source = 'li', reg
    if not kind or source != reg:
        return None
    return kind, reg, word >> 20 & 63 if kind == 'slli' else signed(word >> 20, 12), 4


# No tick: where processors take turns, one that waits for another has to give up its turn, and there are none here that
# do. Where three wait for the fourth, as when code is patched, it starves.
ARCH = Arch(
    linux='riscv', srcarch='riscv', image='Image', gcc='riscv64-linux-gnu-', qemu='riscv64', config=CONFIG, lines=320,
    tools=(('qemu-system-riscv64', 'qemu-system-misc'), ('riscv64-linux-gnu-gcc', 'gcc-riscv64-linux-gnu'),
           (FIRMWARE, 'qemu-system-data')),
    guests=(('/usr/riscv64-linux-gnu/include/stdio.h', 'libc6-dev-riscv64-cross'),),
    includes=('-idirafter', '/usr/riscv64-linux-gnu/include', '-D__riscv_xlen=64', '-D__BITS_PER_LONG=64'),
    vectors=Vectors(headers=('insn.h',), folders=('net',),
                    defines=(('bug.h', r'GET_INSN_LENGTH|__INSN_LENGTH_\w+'), ('hwcap.h', 'RISCV_ISA_EXT_ZB[AB]'))),
    operands=operands,
    linear=((0xffffffd600000000, 0xffffffff00000000), (0xffffaf8000000000, 0xffffef8000000000),
            (0xff60000000000000, 0xffdf000000000000)),
    variants={
        'default': Variant(tested=True, machines={
            '': machine(' fastterm_patching=1'),
            'icount': machine(' fastterm_icount=1', counted=True, steps=True)}),
        'debug': Variant(machines={'': machine()}),
        'hardened': Variant(clang=True, config=HARDENED, machines={'': machine()})},
    unreachable={'kprobe_map_walks': 'a kprobe is an exception with interrupts off, and there is no NMI',
                 'core_functions': NO_FPROBE,
                 'kick_functions': 'timers are armed with interrupts off, and there is no NMI',
                 'lock_waits': 'the lock is held with interrupts off, and there is no NMI',
                 'every_switch': 'the scheduler has interrupts off, and there is no NMI',
                 'hot_function': 'a kprobe is an exception with interrupts off, and there is no NMI',
                 'short_switch': 'the scheduler has interrupts off, and there is no NMI',
                 'storage_exit': 'the scheduler has interrupts off, and there is no NMI',
                 'kretprobe_multi_pairs': NO_FPROBE,
                 'perf_event_stacks': 'perf events call programs with interrupts off, and there is no NMI',
                 'tc_locked': 'a lock turns interrupts off, and there is no NMI',
                 'timer_in_kick': 'timers are armed with interrupts off, and there is no NMI'})
