# SPDX-License-Identifier: GPL-2.0-only
"""An emulated machine with a kernel and a first root file system of ours, and the records that its guest prints.

A record is a line of JSON behind an ASCII record separator (RFC 7464), on the console: not every machine has a second
channel without options that our kernels do without. The guest keeps the kernel's own messages apart from it, and all
records that do not arrive whole are an error.
"""

import json

import host
from console import Console
from host import Error

SEPARATOR = '\x1e'

# Guest time counts guest instructions, one a nanosecond, from the same beginning and with the same random numbers in
# every run; a guest that waits does not make us wait.
COUNTED = ('-smp', '1', '-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
           '-rtc', 'clock=vm,base=2000-01-01')

# QEMU before 8.1 may go on executing what another processor has patched: it translates code without a lock. Where an
# architecture patches running code, tests that do so in a loop need processors that take turns.
TURNS = ('-smp', '4', '-accel', 'tcg,thread=single')


def counted_smp(arch):
    """The same with four processors, where it can be: they take turns, and time is what all of them have run."""
    return ('-smp', '4', *COUNTED[2:], *arch.steady) if arch.counted else ()


def options(arch, machine):
    """What the emulator is told about a machine."""
    if machine.turns:
        return [*machine.options, *TURNS]
    if not machine.counted:
        return [*machine.options, '-smp', '4']
    return [*machine.options, *arch.steady, *(_in_steps(arch) if machine.steps else COUNTED)]


def _in_steps(arch):
    """COUNTED, for a machine that is interrupted between any two instructions."""
    # What single steps are called changed in QEMU 8.1, and the old name is gone since 9.0.
    _, text = host.run([f'qemu-system-{arch.qemu}', '-help'], check=False)
    if '-singlestep' in text:
        return [*COUNTED, '-singlestep']
    return [f'{option},one-insn-per-tb=on' if option.startswith('tcg,') else option for option in COUNTED]


def for_kunit(arch, machine, image):
    """The text of a file by which kunit.py knows a machine: like those in its folder qemu_configs/."""
    parameters = {'linux_arch': arch.linux, 'kconfig': '', 'qemu_arch': arch.qemu, 'kernel_path': image,
                  'kernel_command_line': machine.parameters, 'extra_qemu_params': options(arch, machine)}
    return f'from ..qemu_config import QemuArchParams\nQEMU_ARCH = QemuArchParams(**{parameters!r})\n'


class Failed(Error):
    """A guest that has not ended as it should; @console: of its kernel, until then."""

    def __init__(self, text, console):
        super().__init__(text)
        self.console = console


class Reader:
    """Sorts what a guest prints into records and the console of its kernel."""

    def __init__(self):
        self.records, self.console = [], Console()

    def line(self, line):
        rest, separator, record = line.partition(SEPARATOR)
        if rest.strip():
            self.console.add(rest.rstrip())
        if separator:
            try:
                self.records.append(json.loads(record))
            except ValueError as error:
                raise Error(f'the guest sent a record that is not whole: {record.strip()[:200]}') from error


def command(arch, machine, image, append, memory=2048):
    """The words of the emulator, without what is connected to its serial line."""
    return [f'qemu-system-{arch.qemu}', '-nodefaults', '-m', memory, '-kernel', image, '-append', f'{machine.parameters} {append}',
            '-no-reboot', '-nographic', *options(arch, machine)]


def run(arch, machine, image, initramfs, out, *, extra=(), append='', memory=2048, timeout, on_record=None):
    """Boot @image with @initramfs; returns the Reader of its console when the guest has ended.

    Leaves console.log and records.jsonl in @out.
    """
    reader = Reader()

    def on_line(line):
        before = len(reader.records)
        reader.line(line)
        if on_record and len(reader.records) > before:
            on_record(reader.records[-1])
    try:
        host.run([*command(arch, machine, image, f'kunit.enable=0 {append}', memory), '-initrd', initramfs, '-serial', 'stdio',
                  *extra], on_line=on_line, timeout=timeout, what=out.name)
    except Error as error:
        # The rest would be lines of the console.
        raise Failed(f'{str(error).splitlines()[0]}; what the guest said is in {out / "console.log"}',
                     reader.console) from error
    finally:
        (out / 'console.log').write_text(''.join(f'{line}\n' for line in reader.console.lines))
        (out / 'records.jsonl').write_text(''.join(f'{json.dumps(record)}\n' for record in reader.records))
    return reader
