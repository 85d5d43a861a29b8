# SPDX-License-Identifier: GPL-2.0-only
# One processor whose clock counts instructions, and that is interrupted between any two of them.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='x86_64', kconfig='', qemu_arch='x86_64',
    kernel_path='arch/x86/boot/bzImage',
    kernel_command_line='console=ttyS0 tsc=reliable preempt=none fastterm_icount=1',
    extra_qemu_params=['-bios', 'qboot.rom', '-cpu', 'max', '-smp', '1',
                       '-icount', 'shift=0', '-accel', 'tcg,thread=single', '-singlestep'])
