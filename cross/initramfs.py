# SPDX-License-Identifier: GPL-2.0-only
"""The first root file system of a guest: a cpio archive in the kernel's `newc` form, see
Documentation/driver-api/early-userspace/buffer-format.rst. It is not compressed: guests under emulation are slow to unpack."""

import stat
from pathlib import PurePosixPath

import host

END = 'TRAILER!!!'


def _entry(inode, name, mode, content):
    path = name.encode() + b'\0'
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b'070701' + b''.join(b'%08x' % field for field in fields) + path
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def write(path, files):
    """Write the archive of @files, {name in the guest: file on this machine}; modes are taken over, owners are root."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {'.', '/'}
    entries = [(name, stat.S_IFDIR | 0o755, b'') for name in sorted(folders)]
    entries += [(name, stat.S_IFREG | stat.S_IMODE(file.stat().st_mode), file.read_bytes())
                for name, file in sorted(files.items())]
    entries.append((END, 0, b''))
    host.write_whole(path, b''.join(_entry(number, *entry) for number, entry in enumerate(entries, 1)))
