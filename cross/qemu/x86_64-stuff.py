# SPDX-License-Identifier: GPL-2.0-only
# A processor whose calls and returns are counted, and whose return stack is stuffed.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable spectre_v2=retpoline retbleed=stuff',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'Skylake-Server', '-smp', '4'])
