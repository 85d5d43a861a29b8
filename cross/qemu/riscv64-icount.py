# SPDX-License-Identifier: GPL-2.0-only
# One processor whose clock counts instructions, and that is interrupted between any two of them.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='riscv', kconfig='', qemu_arch='riscv64',
    kernel_path='arch/riscv/boot/Image',
    kernel_command_line='console=ttyS0 fastterm_icount=1',
    extra_qemu_params=['-machine', 'virt', '-cpu', 'rv64', '-smp', '1',
                       '-bios', '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin',
                       '-icount', 'shift=0', '-accel', 'tcg,thread=single', '-singlestep'])
