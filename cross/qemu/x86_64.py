# SPDX-License-Identifier: GPL-2.0-only
# Four processors with everything that emulation has.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'max', '-smp', '4'])
