# SPDX-License-Identifier: GPL-2.0-only
"""x86_64."""

from arch import Arch, Variant, Vectors

ARCH = Arch(
    linux='x86_64', srcarch='x86', image='bzImage', first=True, tick=1,
    tools=(('qemu-system-x86_64', 'qemu-system-x86'),),
    includes=('-idirafter', '/usr/include/x86_64-linux-gnu', '-idirafter', '/usr/include'),
    vectors=Vectors(options=('X86_64',), headers=('inat.h', 'inat_types.h', 'insn.h', 'emulate_prefix.h'),
                    defines=(('text-patching.h', r'\w+_INSN_(?:SIZE|OPCODE)'), ('nops.h', 'BYTES_NOP1')),
                    sources=('lib/insn.c', 'lib/inat.c'),
                    made=(('inat-tables.c', ('awk', '-f', 'tools/gen-insn-attr-x86.awk', 'lib/x86-opcode-map.txt')),)),
    variants={'default': Variant(tested=True, machines=('icount',)),
              'debug': Variant(tested=True),
              'hardened': Variant(machines=('srso', 'stuff'))})
