# SPDX-License-Identifier: GPL-2.0-only
"""Patches with as little context as there can be, so that they apply to kernels which differ around their places."""

import re
import tempfile
from pathlib import Path

import host


# How many lines of context at each end patch(1) does without unless it is told otherwise.
FUZZ = 2


def widened(patch, originals, fuzz=0):
    """The patch with as many lines of context as it takes for each place to be the only one that it can mean.

    Kernels of one line differ in what stands around our places, and a patch of one of them is to apply to the others: fewer
    lines of context, fewer that may differ. @patch: as git writes it, without context; @originals: {file: content}; @fuzz: so
    many lines more, since who applies the patch may leave out so many.
    """
    def section_widened(section):
        name = re.match(rb'diff --git a/(\S+) ', section)
        before = originals.get(name[1].decode()) if name else None
        if before is None:
            return section
        head, *hunks = re.split(rb'(?m)^(?=@@ )', section)
        return head + b''.join(_merged([_Hunk(hunk) for hunk in hunks], before.splitlines(keepends=True), fuzz))
    return b''.join(map(section_widened, re.split(rb'(?m)^(?=diff --git )', patch)))


class _Hunk:
    """A run of changed lines, as diff writes it without context: lines @begin to @end of the file become @new."""

    def __init__(self, text):
        head, *lines = text.splitlines(keepends=True)
        begin, count, self.function = re.match(rb'@@ -(\d+)(?:,(\d+))? \+\S+ @@(.*)', head).groups()
        count = 1 if count is None else int(count)
        # Where nothing is taken away, the line is named behind which something is added.
        self.begin = int(begin) - (1 if count else 0)
        self.end = self.begin + count
        self.lines = lines
        self.grown = sum(line.startswith(b'+') for line in lines) - count

    def context(self, before):
        """How many lines on each side it takes, at least one."""
        most = max(self.begin, len(before) - self.end)
        for width in range(1, most + 1):
            place = before[max(self.begin - width, 0):self.end + width]
            if _times(place, before) == 1:
                return width
        return most


def _times(place, lines):
    """How often the lines @place stand in @lines one after the other."""
    return sum(lines[i:i + len(place)] == place for i, line in enumerate(lines) if line == place[0])


class _Group:
    """Hunks whose contexts meet, which are one. At both ends it has the context that the neediest of them wants: patch takes
    one that is shorter at one end for one that has to be at that end of the file."""

    def __init__(self, hunk, width):
        self.hunks, self.width = [hunk], width

    def reach(self, before):
        return max(self.hunks[0].begin - self.width, 0), min(self.hunks[-1].end + self.width, len(before))

    def join(self, other):
        self.hunks += other.hunks
        self.width = max(self.width, other.width)


def _groups(hunks, before, fuzz):
    groups = [_Group(hunk, hunk.context(before) + fuzz) for hunk in hunks]
    met = True
    while met:
        met = False
        for one, other in zip(groups, groups[1:]):
            if other.reach(before)[0] <= one.reach(before)[1]:
                one.join(other)
                groups.remove(other)
                met = True
                break
    return groups


def _context(lines):
    """Lines of context, as they are in a patch."""
    return b''.join(b' ' + line + (b'' if line.endswith(b'\n') else b'\n\\ No newline at end of file\n') for line in lines)


def _merged(hunks, before, fuzz=0):
    """The text of each hunk with its context; those whose contexts meet are one."""
    grown = 0
    for group in _groups(hunks, before, fuzz):
        (begin, end), members = group.reach(before), group.hunks
        text, at, added = b'', begin, sum(hunk.grown for hunk in members)
        for hunk in members:
            text += _context(before[at:hunk.begin]) + b''.join(hunk.lines)
            at = hunk.end
        text += _context(before[at:end])
        yield b'@@ -%d,%d +%d,%d @@%s\n' % (begin + 1, end - begin, begin + grown + 1, end - begin + added,
                                           members[0].function) + text
        grown += added


def taken_out(now, before, after):
    """@now without the change that makes @after of @before, of which it may differ elsewhere; None if that is not there."""
    with tempfile.TemporaryDirectory() as tmp:
        names = {name: Path(tmp) / name for name in ('now', 'before', 'after', 'patch', 'out')}
        for name, data in (('now', now), ('before', before), ('after', after)):
            names[name].write_bytes(data)
        diff = host.output_of(['diff', '--text', '--unified=0', names['before'], names['after']], good=(0, 1))
        hunks = [_Hunk(hunk) for hunk in re.split(rb'(?m)^(?=@@ )', diff)[1:]]
        # Taken out, what is looked for is what @after has.
        head = b'--- now\n+++ now\n'
        names['patch'].write_bytes(head + b''.join(_merged(hunks, before.splitlines(keepends=True))))
        status, _ = host.run(['patch', '--reverse', '--fuzz=0', '--force', '--silent', '--input', names['patch'], '--output',
                              names['out'], names['now']], check=False)
        return None if status else names['out'].read_bytes()
