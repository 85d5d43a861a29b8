# SPDX-License-Identifier: GPL-2.0-only
# Four processors without pointer authentication and BTI, and whose interrupts can all be masked.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='arm64', kconfig='', qemu_arch='aarch64',
    kernel_path='arch/arm64/boot/Image.gz',
    kernel_command_line='console=ttyAMA0',
    extra_qemu_params=['-machine', 'virt,gic-version=3', '-cpu', 'cortex-a72', '-smp', '4'])
