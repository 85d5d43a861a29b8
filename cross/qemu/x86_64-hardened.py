# SPDX-License-Identifier: GPL-2.0-only
# A processor whose mitigations put return thunks and retpolines into what the JIT emits.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable spectre_v2=retpoline retbleed=unret',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'EPYC', '-smp', '4'])
