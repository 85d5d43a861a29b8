# SPDX-License-Identifier: GPL-2.0-only
# One processor whose clock counts instructions and nothing else, sixteen to a tick, and whose interrupts can be masked.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(
    linux_arch='arm64', kconfig='', qemu_arch='aarch64',
    kernel_path='arch/arm64/boot/Image.gz',
    kernel_command_line='console=ttyAMA0 preempt=none fastterm_icount=1',
    extra_qemu_params=['-machine', 'virt,gic-version=3', '-cpu', 'max,pauth-impdef=on', '-smp', '1',
                       '-icount', 'shift=0,sleep=off', '-seed', '1', '-rtc', 'clock=vm,base=2000-01-01',
                       '-accel', 'tcg,thread=single'])
