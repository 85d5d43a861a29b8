# SPDX-License-Identifier: GPL-2.0-only
"""Three versions of a file: what somebody has changed in it, and what we have."""

import re
import tempfile
from pathlib import Path

import host


def without(now, base, before):
    """@now without the change from @before to @base, which @now has and somebody may have edited elsewhere.

    None where the edit is on lines of that change, or right beside them.
    """
    with tempfile.TemporaryDirectory() as tmp:
        return host.output_of(['diff3', '--text', '--merge', *_written(Path(tmp), now=now, base=base, before=before)])


def in_the_way(now, base, before):
    """The numbers of the lines in @now, (first, last), that somebody has edited on lines of the change from @before to @base,
    or right beside them. After a removal, of the line before it."""
    ours = [range(first - 1, last + 2) for _, (first, last) in _hunks(before, base)]
    return [new for old, new in _hunks(base, now) if any(first in place or last in place or place.start in range(first, last)
                                                         for place in ours for first, last in [old])]


def _hunks(old, new):
    """[((first, last) line in @old, in @new)] of each run of lines that differ."""
    with tempfile.TemporaryDirectory() as tmp:
        _, diff = host.run(['diff', '--text', '--unified=0', *_written(Path(tmp), old=old, new=new)], check=False)
    found = re.findall(r'(?m)^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@', diff)
    return [tuple((int(first), int(first) + max(int(count or 1), 1) - 1) for first, count in (place[:2], place[2:]))
            for place in found]


def said(name, lines):
    """The lines of a file, for people."""
    ranges = ', '.join(str(first) if first == last else f'{first}-{last}' for first, last in lines)
    return f'{name}, line {ranges}' if ranges else name


def _written(folder, **contents):
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]
