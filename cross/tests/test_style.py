# SPDX-License-Identifier: GPL-2.0-only
"""What is judged when our files are compiled, by what compilers say and by the machine code that they make."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import host
import style
import unchanged

OURS = ('/tree/kernel/bpf/fastterm/redirect.c:12:5: warning: unused variable',
        "/tree/kernel/bpf/fastterm/program.h:9:1: error: unknown type name 'x'",
        'kernel/bpf/fastterm/redirect.o: warning: objtool: f+0x10: unreachable instruction',
        '/tree/arch/riscv/net/fastterm.c:1:1: warning: symbol was not declared. Should it be static?',
        '/tree/include/linux/fastterm.h:3:2: warning: bad')
OTHERS = ('/tree/kernel/bpf/fastterm/kunit/../../../../lib/test_bpf.c:7157:25: warning: cast truncates bits',
          '/tree/kernel/bpf/core.c:12:5: warning: unused variable', '  CC      kernel/bpf/fastterm/redirect.o',
          "/tree/kernel/bpf/core.c: In function 'fastterm_x':")


class Complaints(unittest.TestCase):
    def test_of_our_files_and_of_no_others(self):
        self.assertEqual(style.complaints('\n'.join(OURS + OTHERS)), list(OURS))


class Lines(unittest.TestCase):
    def test_comments_and_blank_lines_do_not_count(self):
        self.assertEqual(style.lines_of_code('/* one\n * two\n */\n\nint f;\t/* three */\n\tmov x0, x1\t// four\n// five\n'), 2)


class Unchanged(unittest.TestCase):
    def code(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'a.c'
            path.write_text(text)
            subprocess.run(['gcc', '-O2', '-c', path, '-o', path.with_suffix('.o')], check=True)
            return unchanged._disassemble('objdump', path.with_suffix('.o'))

    def test_other_code_is_a_difference_and_other_lines_are_none(self):
        text = 'int f(int a)\n{\n\treturn a + 1;\n}\n'
        self.assertEqual(self.code(text), self.code(f'\n\n{text}'))
        self.assertNotEqual(self.code(text), self.code(text.replace('+', '-')))

    def test_an_object_without_code_is_an_error(self):
        with self.assertRaisesRegex(host.Error, 'found no code'):
            self.code('int f;\n')
