# SPDX-License-Identifier: GPL-2.0-only
# A processor whose return thunks are those against speculative return stack overflow.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable spectre_v2=retpoline spec_rstack_overflow=safe-ret',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'EPYC-Milan', '-smp', '4'])
