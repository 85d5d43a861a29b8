# SPDX-License-Identifier: GPL-2.0-only
# One processor whose clock counts instructions and nothing else, and that is interrupted between any two of them.
import subprocess

from ..qemu_config import QemuArchParams

# What single steps are called changed in QEMU 8.1, and the old name is gone since 9.0.
HELP = subprocess.run(['qemu-system-riscv64', '-help'], stdout=subprocess.PIPE, text=True, check=False).stdout
STEPS = ['-accel', 'tcg,thread=single', '-singlestep'] if '-singlestep' in HELP else \
    ['-accel', 'tcg,thread=single,one-insn-per-tb=on']

QEMU_ARCH = QemuArchParams(
    linux_arch='riscv', kconfig='', qemu_arch='riscv64',
    kernel_path='arch/riscv/boot/Image',
    kernel_command_line='console=ttyS0 fastterm_icount=1',
    extra_qemu_params=['-machine', 'virt', '-cpu', 'rv64', '-smp', '1',
                       '-bios', '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin',
                       '-icount', 'shift=0,sleep=off', '-seed', '1', '-rtc', 'clock=vm,base=2000-01-01', *STEPS])
