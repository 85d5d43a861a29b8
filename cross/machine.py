# SPDX-License-Identifier: GPL-2.0-only
"""An emulated machine with a kernel and a first root file system of ours, and the records that its guest prints.

A record is a line of JSON behind an ASCII record separator (RFC 7464), on the console: not every machine has a second
channel without options that our kernels do without. The guest keeps the kernel's own messages apart from it, and all
records that do not arrive whole are an error.
"""

import importlib.util
import json
import sys
import types

import host
from host import Error

SEPARATOR = '\x1e'

# Guest time counts guest instructions, one a nanosecond, from the same beginning and with the same random numbers in
# every run; a guest that waits does not make us wait.
COUNTED = ('-smp', '1', '-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
           '-rtc', 'clock=vm,base=2000-01-01')


def counted_smp(arch):
    """The same with four processors, where it can be: they take turns, and time is what all of them have run."""
    return ('-smp', '4', *COUNTED[2:]) if arch.counted else ()


def parameters(tree, qemu):
    """What a file of cross/qemu/ says, read as kunit.py reads it: as a neighbour of the tree's own such files."""
    # Not by the package's own name: as a module, kunit.py has that.
    package = types.ModuleType('kunit_package')
    package.__path__ = [str(tree.path / 'tools' / 'testing' / 'kunit')]
    sys.modules[package.__name__] = package
    spec = importlib.util.spec_from_file_location(f'{package.__name__}.qemu_configs.{qemu.stem}', qemu)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.QEMU_ARCH


class Reader:
    """Sorts the lines of a console into records and the rest."""

    def __init__(self):
        self.records, self.rest = [], []

    def line(self, line):
        rest, separator, record = line.partition(SEPARATOR)
        if rest.strip():
            self.rest.append(rest.rstrip())
        if separator:
            try:
                self.records.append(json.loads(record))
            except ValueError as error:
                raise Error(f'the guest sent a record that is not whole: {record.strip()[:200]}') from error


def run(tree, qemu, image, initramfs, out, *, extra=(), append='', memory=2048, timeout, on_record=None):
    """Boot @image with @initramfs; returns the Reader of its console when the guest has ended.

    Leaves console.log and records.jsonl in @out.
    """
    params, reader = parameters(tree, qemu), Reader()

    def on_line(line):
        before = len(reader.records)
        reader.line(line)
        if on_record and len(reader.records) > before:
            on_record(reader.records[-1])
    try:
        host.run([f'qemu-system-{params.qemu_arch}', '-nodefaults', '-m', memory, '-kernel', image, '-initrd', initramfs,
                  '-append', f'{params.kernel_command_line} kunit.enable=0 {append}', '-no-reboot', '-nographic',
                  '-serial', params.serial, *params.extra_qemu_params, *extra],
                 on_line=on_line, timeout=timeout, what=out.name)
    except Error as error:
        # The rest would be lines of the console.
        raise Error(f'{str(error).splitlines()[0]}; what the guest said is in {out / "console.log"}') from error
    finally:
        (out / 'console.log').write_text(''.join(f'{line}\n' for line in reader.rest))
        (out / 'records.jsonl').write_text(''.join(f'{json.dumps(record)}\n' for record in reader.records))
    return reader
