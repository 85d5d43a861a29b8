# SPDX-License-Identifier: GPL-2.0-only
# Four processors with everything that emulation has but page tables of five levels: while identify_cpu() has forgotten
# that there are such, KASAN takes whatever an interrupt accesses for a wild access.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'max,la57=off', '-smp', '4'])
