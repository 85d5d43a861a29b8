# SPDX-License-Identifier: GPL-2.0-only
"""x86_64."""

from arch import Arch, Machine, Variant, Vectors
from same import read

CONFIG = '''
CONFIG_64BIT=y
CONFIG_PREEMPT=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_UNWINDER_ORC=y
# kprobe.multi, which the other architectures do not have in 6.12
CONFIG_FPROBE=y
# The firmware's MP table names the processors.
CONFIG_X86_MPPARSE=y
# Where the HPET is found, a timer of which is the source of NMIs here: emulation has no counter of cycles.
CONFIG_ACPI=y
CONFIG_HPET_TIMER=y
# CONFIG_ACPI_AC is not set
# CONFIG_ACPI_BATTERY is not set
# CONFIG_ACPI_FAN is not set
# CONFIG_ACPI_THERMAL is not set
# CONFIG_ACPI_TABLE_UPGRADE is not set
# CONFIG_ACPI_SPCR_TABLE is not set
# CONFIG_X86_PM_TIMER is not set
# CONFIG_PCI is not set
# CONFIG_EFI is not set
# CONFIG_X86_MCE is not set
# CONFIG_IA32_EMULATION is not set
# CONFIG_SURFACE_PLATFORMS is not set
# CONFIG_X86_PLATFORM_DEVICES is not set
# CONFIG_MTRR is not set
CONFIG_PROCESSOR_SELECT=y
# CONFIG_CPU_SUP_HYGON is not set
# CONFIG_CPU_SUP_CENTAUR is not set
# CONFIG_CPU_SUP_ZHAOXIN is not set
# CONFIG_PERF_EVENTS_AMD_UNCORE is not set
# CONFIG_X86_EXTENDED_PLATFORM is not set
# A kernel with KASAN has died in its boot: of the breakpoint by which another emulated processor patches a label.
# CONFIG_JUMP_LABEL is not set
'''
DEBUG = '''
# with the preemption that riscv64 is built without
CONFIG_DEBUG_PREEMPT=y
'''
HARDENED = '''
CONFIG_X86_KERNEL_IBT=y
CONFIG_MITIGATION_RETPOLINE=y
CONFIG_MITIGATION_RETHUNK=y
CONFIG_MITIGATION_UNRET_ENTRY=y
CONFIG_MITIGATION_SRSO=y
CONFIG_MITIGATION_SLS=y
CONFIG_RANDOMIZE_BASE=y
'''


def machine(cpu, more='', **kwargs):
    """A machine with a processor of that name. @more: what else the kernel is told."""
    return Machine(options=('-bios', 'qboot.rom', '-global', 'hpet.msi=on', '-cpu', cpu), parameters=f'console=ttyS0 tsc=reliable{more}',
                   **kwargs)


# Everything that emulation has.
MAX = machine('max')


def operands(a, b, at, bt, byte):
    """call, jmp and jcc rel32; mov reg, imm32 and imm64."""
    for begin in range(byte - 3, byte + 1):
        in_a, in_b = read(a, '<i', begin), read(b, '<i', begin)
        if in_a is None or in_b is None:
            continue
        end = begin + 4
        opcode = a[:begin]
        if opcode[-1:] in (b'\xe8', b'\xe9') or opcode[-2:-1] == b'\x0f' and opcode[-1] & 0xf0 == 0x80:
            yield begin, end, at + end + in_a, bt + end + in_b
        if opcode[-3:-2] in (b'\x48', b'\x49') and opcode[-2:-1] == b'\xc7' and opcode[-1] & 0xf8 == 0xc0:
            yield begin, end, in_a, in_b
    for begin in range(byte - 7, byte + 1):
        in_a, in_b = read(a, '<Q', begin), read(b, '<Q', begin)
        if None not in (in_a, in_b) and a[:begin][-2:-1] in (b'\x48', b'\x49') and a[begin - 1] & 0xf8 == 0xb8:
            yield begin, begin + 8, in_a, in_b


ARCH = Arch(
    # Where the clock counts instructions, a guest whose clock events are those of the HPET does not always get on.
    steady=('-machine', 'hpet=off'),
    linux='x86_64', srcarch='x86', image='bzImage', qemu='x86_64', config=CONFIG, first=True, tick=1,
    tools=(('qemu-system-x86_64', 'qemu-system-x86'),),
    includes=('-idirafter', '/usr/include/x86_64-linux-gnu', '-idirafter', '/usr/include'),
    vectors=Vectors(options=('X86_64',), headers=('inat.h', 'inat_types.h', 'insn.h', 'emulate_prefix.h'),
                    defines=(('text-patching.h', r'\w+_INSN_(?:SIZE|OPCODE)'), ('nops.h', 'BYTES_NOP1')),
                    sources=('lib/insn.c', 'lib/inat.c'),
                    made=(('inat-tables.c', ('awk', '-f', 'tools/gen-insn-attr-x86.awk', 'lib/x86-opcode-map.txt')),)),
    operands=operands,
    # Of 31 runs 28 ended, with 87 to 97 %; in the others all processors were in the program at the end, and no NMI came.
    unreachable={'every_switch': 'in one of ten runs no NMI comes any more when all processors are in the program'},
    linear=((0xffff888000000000, 0xffffc88000000000), (0xff11000000000000, 0xff91000000000000)),
    variants={
        'default': Variant(tested=True, machines={
            '': MAX,
            'turns': machine('max', ' fastterm_patching=1', turns=True),
            'icount': machine('max', ' preempt=none fastterm_icount=1', counted=True, steps=True)}),
        'debug': Variant(tested=True, config=DEBUG, machines={
            # Without page tables of five levels: while identify_cpu() has forgotten that there are such, KASAN takes
            # whatever an interrupt accesses for a wild access.
            '': machine('max,la57=off')}),
        'hardened': Variant(config=HARDENED, machines={
            # A processor whose mitigations put return thunks and retpolines into what the JIT emits.
            '': machine('EPYC', ' spectre_v2=retpoline retbleed=unret'),
            # One whose return thunks are those against speculative return stack overflow.
            'srso': machine('EPYC-Milan', ' spectre_v2=retpoline spec_rstack_overflow=safe-ret'),
            # One whose calls and returns are counted, and whose return stack is stuffed.
            'stuff': machine('Skylake-Server', ' spectre_v2=retpoline retbleed=stuff')})})
