# SPDX-License-Identifier: GPL-2.0-only
"""What is built once and kept in the cache folder: there whole or not at all, and made again when what it is made of changes."""

import hashlib
import shutil
from pathlib import Path

import host

# How many that were made of something older stay, for a checkout that still wants them.
KEPT = 3


def digest(*inputs):
    """One name for all of @inputs: texts, files by content, and folders by the names and content of their files."""
    total = hashlib.sha256()
    for item in inputs:
        if not isinstance(item, Path):
            total.update(f'text {item}\0'.encode())
            continue
        for path in sorted(p for p in item.rglob('*') if p.is_file()) if item.is_dir() else [item]:
            total.update(f'file {path.relative_to(item)}\0'.encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def folder(name, inputs, make):
    """The folder @name of what is made of @inputs; if it is missing, make(folder) fills it."""
    place = host.cache() / 'made'
    final = place / f'{name}-{digest(*inputs)}'
    with host.lock(f'made-{name}'):
        if not final.exists():
            unfinished = place / f'{name}.unfinished'
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            make(unfinished)
            unfinished.rename(final)
        final.touch()
        others = sorted((p for p in place.glob(f'{name}-*') if p != final and len(p.name) == len(final.name)),
                        key=lambda p: p.stat().st_mtime)
        for old in others[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return final
