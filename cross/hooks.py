# SPDX-License-Identifier: GPL-2.0-only
"""What changes in existing kernel files: semantic patches and lines, and the check that each meets what it expects.

A hook is a file in core/hooks/:

  *.cocci   a semantic patch. Its head says, in comments, why it exists and which files it changes in how many
            places:  `// Changes: kernel/bpf/core.c 1`
  *.lines   for what Coccinelle does not read: Kconfig, Makefiles, pages, macros among the members of a structure. A section
            a place: the heading is the file, `after` a regular expression that one line must match (or `at = end`), `line`
            what is inserted below it. Where a line matches `instead`, that line is replaced by `by`; where none does, but
            one matches `unless`, nothing fits. With `within`, a regular expression, only the lines count from the one that
            matches it up to the next that begins with `}`.

A place is a run of changed lines. More or fewer than expected is an error: the kernel has moved on, and a hook
that half matches is worse than one that does not.
"""

import configparser
import copy
import hashlib
import re
import tempfile
from pathlib import Path

import host
from host import Error
from parts import ALL

FOLDER = host.CHECKOUT / 'core' / 'hooks'
MACROS = FOLDER / 'macros.h'

# The hook by which the kernel's build finds the KUnit suites.
KUNIT = 'kunit.lines'

# With spaces as in the hook: what is added is kernel code, and looks like it.
SPATCH = ('spatch', '--very-quiet', '--no-includes', '--smpl-spacing')


class Hook:
    """One hook file: its name, and the places it changes, {file: number}."""

    def __init__(self, path):
        self.path, self.name = path, path.name
        text = path.read_text(encoding='utf-8')
        if path.suffix == '.lines':
            self.sections = configparser.ConfigParser(interpolation=None, comment_prefixes=('#',), strict=True)
            self.sections.read_string(text)
            self.places = {name: 1 for name in self.sections.sections()}
        else:
            self.places = {file: int(count) for file, count in re.findall(r'^// Changes: (\S+) (\d+)$', text, re.M)}
        if not self.places:
            raise Error(f'{path}: names no file that it changes')

    @property
    def why(self):
        """What its head says, without what is for tools."""
        head = re.match(r'(?:// .*\n)*', self.path.read_text(encoding='utf-8')).group().splitlines()
        return ' '.join(line[3:] for line in head if not re.match(r'// (SPDX-|Changes:)', line))

    def only(self, has):
        """The hook for the files alone for which @has says so."""
        hook = copy.copy(self)
        hook.places = {file: count for file, count in self.places.items() if has(file)}
        return hook

    def apply(self, file, data, version):
        """The content @data of @file, changed; an error where it does not have the expected places."""
        changed, places = (self._insert if self.path.suffix == '.lines' else self._patch)(file, data)
        expected = self.places[file]
        if places != expected:
            raise Error(f'hook {self.name} matches {places} places in {file} of kernel {version}, expected {expected}: '
                        'this kernel is not supported yet; compare the hook with the file')
        return changed

    def _insert(self, file, data):
        section = self.sections[file]
        lines = data.decode().splitlines(keepends=True)
        new = section['line'] + '\n'
        if section.get('at') == 'end':
            if lines and not lines[-1].endswith('\n'):
                new = '\n' + new
            return ''.join(lines + [new]).encode(), 1
        begin, end = 0, len(lines)
        if 'within' in section:
            begins = _matching(section['within'], lines)
            if len(begins) != 1:
                return data, len(begins)
            begin = begins[0]
            end = next((i for i in range(begin, len(lines)) if lines[i].startswith('}')), begin)
        replaced = _matching(section['instead'], lines, begin, end) if 'instead' in section else []
        if not replaced and 'unless' in section and _matching(section['unless'], lines, begin, end):
            return data, 0
        at = replaced or _matching(section['after'], lines, begin, end)
        if len(at) != 1:
            return data, len(at)
        indent = re.match(r'\s*', lines[at[0]]).group()
        if replaced:
            lines[at[0]] = f'{indent}{section["by"]}\n'
        else:
            lines.insert(at[0] + 1, ''.join(indent + line for line in new.splitlines(keepends=True)))
        return ''.join(lines).encode(), 1

    def replaces(self, file, data):
        """Whether the hook replaces a line in this content of a file, where in other kernels it adds one."""
        section = self.sections[file] if self.path.suffix == '.lines' else {}
        return 'instead' in section and bool(_matching(section['instead'], data.decode().splitlines()))

    def put_back(self, file, data):
        """The content of a file with what was there before `by`; None if there is no such line, or the hook has none."""
        section = self.sections[file] if self.path.suffix == '.lines' else {}
        if 'by' not in section or section['by'] not in data.decode():
            return None
        # The expression is the text of one line, with what has a meaning in expressions escaped.
        return data.decode().replace(section['by'], re.sub(r'\\(.)', r'\1', section['instead'])).encode()

    def _patch(self, file, data):
        made_of = (self.path.read_bytes(), MACROS.read_bytes(), file.encode(), data, ' '.join(SPATCH).encode())
        kept = host.cache() / 'hooks' / hashlib.sha256(b'\0'.join(made_of)).hexdigest()
        with tempfile.TemporaryDirectory() as tmp:
            before, after = Path(tmp) / 'before.c', Path(tmp) / 'after.c'
            before.write_bytes(data)
            after.write_bytes(kept.read_bytes() if kept.exists() else data)
            if not kept.exists():
                host.run([*SPATCH, '--macro-file', MACROS, '--sp-file', self.path, '--in-place', after],
                         what=f'hook {self.name} on {file}')
                kept.parent.mkdir(parents=True, exist_ok=True)
                host.write_whole(kept, after.read_bytes())
            # Without context lines, each hunk of diff is a run of changed lines: a place.
            _, diff = host.run(['diff', '-U0', before, after], check=False)
            return after.read_bytes(), len(re.findall(r'^@@ ', diff, re.M))


def _matching(expression, lines, begin=0, end=None):
    """The numbers of the lines in a range that match."""
    return [i for i in range(begin, len(lines) if end is None else end) if re.fullmatch(expression, lines[i].strip())]


def load(parts=ALL):
    """The hooks of these parts, in the order of their names, which is the order in which they are applied."""
    found = [Hook(p) for p in sorted(FOLDER.iterdir()) if p.suffix in ('.cocci', '.lines')]
    chosen = [hook.only(parts.has) for hook in found if parts.kunit or hook.name != KUNIT]
    return [hook for hook in chosen if hook.places]


def files(parts=ALL):
    """Every file that a hook changes."""
    return sorted({file for hook in load(parts) for file in hook.places})


def apply_all(read, version, hooks=None):
    """{file: new content} of every file that a hook changes. @read: gives a file's original content or None."""
    changed = {}
    for hook in hooks if hooks is not None else load():
        for file in hook.places:
            data = changed.get(file, read(file))
            if data is None:
                raise Error(f'hook {hook.name}: kernel {version} has no file {file}')
            changed[file] = hook.apply(file, data, version)
    return changed
