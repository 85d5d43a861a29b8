# SPDX-License-Identifier: GPL-2.0-only
"""Patches with little context: they mean one place, and are taken by git and by patch."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import context


class Context(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def patch(self, before, after, fuzz=0):
        """The patch from @before to @after, which is then in a file of that name."""
        for name, data in (('a', before), ('b', after)):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / 'file').write_bytes(data)
        diff = subprocess.run(['git', 'diff', '--no-index', '--unified=0', '--no-prefix', 'a/file', 'b/file'], cwd=self.folder,
                              check=False, stdout=subprocess.PIPE).stdout
        made = context.widened(diff, {'file': before}, fuzz)
        (self.folder / 'patch').write_bytes(made)
        return made

    def applied(self, to, *tool):
        """What a tool makes of the file @to by the patch; None if it refuses it."""
        (self.folder / 'file').write_bytes(to)
        done = subprocess.run([*tool, str(self.folder / 'patch')], cwd=self.folder, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return None if done.returncode else (self.folder / 'file').read_bytes()

    GIT = ('git', 'apply', '--unsafe-paths', '-p1')
    EXACT = ('patch', '-p1', '-F0', '-f', '--no-backup-if-mismatch', '-i')
    USUAL = ('patch', '-p1', '-f', '--no-backup-if-mismatch', '-i')

    def lines(self, *texts):
        return b''.join(f'{text}\n'.encode() for text in texts)

    def test_by_each_tool(self):
        before = self.lines(*range(20))
        for after in (self.lines('new', *range(20)), self.lines(*range(20), 'new'), self.lines(*range(9), 'new', *range(9, 20)),
                      self.lines(*range(9), *range(11, 20)), self.lines('x', *range(1, 19), 'y')):
            for fuzz in (0, context.FUZZ):
                self.patch(before, after, fuzz)
                for tool in (self.GIT, self.EXACT, self.USUAL):
                    self.assertEqual(self.applied(before, *tool), after)

    def test_places_that_meet_have_what_the_neediest_wants(self):
        before = self.lines(1, 2, 3, 4, 1, 2, 3, 5, 6, 7, 8, 9, 'a', 'b', 'c')
        after = self.lines(1, 2, 3, 4, 1, 2, 'x', 3, 5, 'y', 6, 7, 8, 9, 'a', 'b', 'c')
        self.patch(before, after)
        for tool in (self.GIT, self.EXACT):
            self.assertEqual(self.applied(before, *tool), after)

    def test_a_last_line_that_does_not_end(self):
        before, after = b'a\nb\nc\nd', b'a\nb\nc\nnew\nd'
        self.patch(before, after)
        for tool in (self.GIT, self.EXACT):
            self.assertEqual(self.applied(before, *tool), after)

    def test_what_may_leave_out_context_finds_no_other_place(self):
        before = self.lines('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
        after = self.lines('a', 'b', 'c', 'd', 'new', 'e', 'f', 'g', 'h')
        other = self.lines(*range(5), 'a', 'b', 'c', 'd', 'other', 'f', 'g', 'h')
        self.patch(before, after)
        self.assertIsNotNone(self.applied(other, *self.USUAL))
        self.patch(before, after, context.FUZZ)
        self.assertIsNone(self.applied(other, *self.USUAL))
        # What differs farther away makes no difference.
        other = self.lines(*range(5), 'a', 'other', 'other', 'd', 'e', 'other', 'g', 'h')
        self.assertEqual(self.applied(other, *self.USUAL), other.replace(b'd\n', b'd\nnew\n'))

    def test_taken_out_again(self):
        before, after = self.lines(*'abcdefgh'), self.lines(*'abcdXefgh')
        now = self.lines(*'01abYdXefZgh')
        self.assertEqual(context.taken_out(now, before, after), self.lines(*'01abYdefZgh'))
        self.assertIsNone(context.taken_out(self.lines(*'abcdefgh'), before, after))
