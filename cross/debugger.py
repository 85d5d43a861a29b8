# SPDX-License-Identifier: GPL-2.0-only
"""A kernel under gdb: a machine that waits before its first instruction, and a debugger that is connected to it."""

import os
import shlex
import tempfile
import time
from pathlib import Path

import host
import kernel
import machine
from host import Error
from targets import HERE

# What it takes besides what booting does.
TOOLS = (('gdb-multiarch', 'gdb-multiarch'),)
# Commands of ours, in gdb's own Python.
SCRIPT = HERE / 'gdb' / 'fastterm.py'
# How long the emulator may take until it listens, in seconds.
PATIENCE = 30


def prepare(tree, target, build):
    """Make the kernel's own commands for gdb (lx-...), which gdb loads with vmlinux."""
    host.run(kernel.make(tree, build, target, 'scripts_gdb'), what=f'making the commands for gdb of {target.name}')


def command(build, socket, more):
    """The words of gdb. @more: further arguments, in one text."""
    try:
        words = shlex.split(more)
    except ValueError as error:
        raise Error(f'GDB={more}: {error}') from error
    return ['gdb-multiarch', '-q', '-iex', f'add-auto-load-safe-path {build}', '-iex', 'set pagination off', build / 'vmlinux',
            '-ex', f'target remote {socket}', '-ex', f'source {SCRIPT}', *words]


def run(target, where, build, out, suite, more):
    """Boot the kernel in @out under gdb. @where: the Machine; @more: further arguments of gdb. True if gdb says so."""
    console = out / 'console.log'
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / 'gdb'
        words = command(build, socket, more)
        # Where the kernel is must be known before it says so.
        append = ' '.join(['nokaslr kunit_shutdown=poweroff', *([f'kunit.filter_glob={suite}'] if suite else [])])
        emulator = machine.command(target.arch, where, out / kernel.image(target), append)
        with host.beside([*emulator, '-serial', f'file:{console}', '-gdb', f'unix:{socket},server=on,wait=off', '-S'],
                         out / 'emulator.log') as proc:
            begin = time.monotonic()
            while not socket.exists():
                if proc.poll() is not None or time.monotonic() - begin > PATIENCE:
                    raise Error(f'the emulator did not begin: see {out / "emulator.log"}')
                time.sleep(0.05)
            host.say(f'  {out.name} waits before its first instruction; what it says is in {os.path.relpath(console)}\n'
                     '  to begin with: hbreak fastterm_redirect, continue, fastterm-at $pc; quit leaves')
            return not host.foreground(words)
