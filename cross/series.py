# SPDX-License-Identifier: GPL-2.0-only
"""The graft as a series of patches that `git am` takes: for a tree whose history shall have it, and for review.

The series also has an entry for MAINTAINERS, which the graft has not. Each patch is built by itself: what it adds is either
not built yet, or all that it needs is there. The patches are made in a repository of their own, of nothing but the files
that change, so that the tree need not be one, and is only read.
"""

import fnmatch
import hashlib
import json
import os
import re
import shlex
import tempfile
import textwrap
from pathlib import Path

import context
import cover
import formats
import graft
import hooks
import host
import parts as all_parts
import source
import upgrade
from host import Error
from targets import ARCHES

# Who the patches are from where git knows nobody: whoever only builds with them needs no name.
NOBODY = ('fastterm', 'fastterm@example.invalid')

BACKEND = ('Implement what <linux/fastterm_arch.h> asks for: how the code of this JIT is read and changed, how the stacks '
           'that a program is on are walked, and where its return addresses are.')

# Where structures of BPF are that Android promises modules not to change.
BPF = 'include/linux/bpf.h'

# Beside the patches: what they were when they were made.
RECORD = '.made'

# Changed by the series alone: a graft is for local use, and get_maintainer.pl asks nobody there.
MAINTAINERS = 'MAINTAINERS'
# Without M: lines, which come first: whoever sends the series adds them.
TITLE = 'BPF FAST-PATH TERMINATION'
ENTRY = f'''{TITLE}
L:\tbpf@vger.kernel.org
S:\tMaintained
F:\tDocumentation/bpf/fastterm*
F:\tarch/*/net/fastterm*
F:\tinclude/linux/fastterm*
F:\tkernel/bpf/fastterm/
'''

# (subject, what it says, the files it takes of those that no earlier one has taken); in the order in which they are made.
PATCHES = (
    ('bpf: Add fastterm, fast-path termination of programs',
     'The verifier proves that a program ends, not that it ends soon: one in nested loops can hold its CPU for years, and '
     'detaching it stops nothing. fastterm kicks the CPU: an interrupt moves the addresses at which the program goes '
     'on into its stub image, a copy of its own machine code in which everything skippable is skipped. It leaves by its own '
     'exit, with everything it holds released.\n'
     'This is the generic part. What an architecture provides is in <linux/fastterm_arch.h>. Nothing of it is built yet.',
     ('include/linux/fastterm*.h', 'kernel/bpf/fastterm/*', 'Documentation/*'), ('kernel/bpf/fastterm/kunit/*',)),
    ('bpf: Let fastterm see what is verified, loaded and run',
     'Hooks in the verifier, in the loader, and where programs are run. Without CONFIG_BPF_FASTTERM, which nobody can '
     'choose yet, all of them are empty.',
     ('include/*', 'kernel/*'), ('kernel/bpf/fastterm/*', 'kernel/bpf/Kconfig', 'kernel/bpf/Makefile')),
    ('bpf: Add KUnit suites for fastterm',
     'They load real programs through the verifier and the JIT, let them run away wherever programs run, and look at what '
     'becomes of them and of what they held. Nothing of it is built yet.',
     ('kernel/bpf/fastterm/kunit/*',), ()),
    ('bpf: Build fastterm',
     'With CONFIG_BPF_FASTTERM it is decided, for every program that is loaded, what would be skipped, and debugfs shows '
     'that. No architecture has a backend yet, so nothing is terminated.',
     ('kernel/bpf/*',), ()),
    *((f'bpf, {arch.srcarch}: Add a fastterm backend', BACKEND, (f'arch/{arch.srcarch}/*',), ())
      for arch in ARCHES.values()),
    ('MAINTAINERS: Add fast-path termination of BPF programs',
     'Patches to these files go to the list of BPF.\n'
     'The entry has no M: line yet. Whoever sends this series adds one, and removes this paragraph.', (MAINTAINERS,), ()),
)


def make(tree, out, parts=None, form=formats.git):
    """Write the series for @tree to the folder @out, in place of an earlier one. Returns the files, patches in their order.

    For a tree that has taken an earlier series, that is one patch, which brings it up to date. @form: one of formats.FORMATS.
    """
    parts = parts or (graft.taken_parts(tree) if graft.taken(tree) else all_parts.of(tree))
    if form is formats.android and b'ANDROID_KABI_' not in ((tree / BPF).read_bytes() if (tree / BPF).exists() else b''):
        raise Error(f'FORMAT=android is made of an Android tree, which {tree} is not: its structures have words that are reserved '
                    'for what is added; name it with KDIR=')
    author = _author(tree) or NOBODY
    if not graft.State(tree).data['complete']:
        raise Error(f'{tree}: a graft was interrupted; undo it with make ungraft KDIR={tree}')
    _refuse_to_lose(out)
    if graft.taken(tree):
        whole = upgrade.changes(tree, parts, [subject for subject, *_ in PATCHES])
        patches = [(upgrade.SUBJECT, upgrade.TEXT, sorted(whole))]
    else:
        state, changed, added = graft.wanted(tree, parts)
        whole = {name: (state.original(name) if name in changed else None, data)
                 for name, data in (changed | added).items()}
        whole[MAINTAINERS] = _maintained(tree)
        patches = split(whole)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='series-', dir=out.parent) as tmp:
        repository, made = Path(tmp) / 'repository', Path(tmp) / 'series'
        git = _git(Path(tmp), repository, author)
        repository.mkdir()
        git('init', '--quiet')
        _commit(git, repository, {name: before for name, (before, _) in whole.items() if before is not None},
                f'Linux {source.version(tree)}', '--allow-empty')
        for subject, text, files in patches:
            _commit(git, repository, {name: whole[name][1] for name in files}, _message(subject, text, files))
        # Whole names of what is changed: short ones would be ambiguous in a kernel's repository.
        git('format-patch', '--quiet', '--zero-commit', '--full-index', '--no-signature', '--unified=0', f'-{len(patches)}',
            '-o', made)
        for path in made.iterdir():
            path.write_bytes(context.widened(path.read_bytes(), {name: before for name, (before, _) in whole.items()},
                                             context.FUZZ if form in formats.FUZZY else 0))
        all_made = sorted(made.iterdir())
        if form is formats.git and whole.get(MAINTAINERS):
            letter = cover.text([path.read_text(encoding='utf-8') for path in all_made], source.version(tree), author,
                                cover.figures())
            (made / cover.NAME).write_text(letter, encoding='utf-8')
        form(all_made, made)
        (made / RECORD).write_text(json.dumps({name: _digest(made / name) for name in _files(made)}), encoding='utf-8')
        _replace(out, made, Path(tmp) / 'old')
    return [out / name for name in _files(out)]


def _files(folder):
    """The names of the files below a folder, but for our record."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file() and path.name != RECORD)


def fits(reference, tree, parts):
    """[(case, status, text)] for a ktap suite: the series that is made of the tree @reference applies to @tree, without fuzz,
    and gives what the hooks give there."""
    name = f'the series for Linux {source.version(reference)} applies to {source.version(tree)}'
    state = graft.State(tree)
    own = reserved(state, parts)
    if own:
        return [(name, 'skipped', f'{own} has a place that is reserved there: the series has to be made of this tree')]
    try:
        wanted = hooks.apply_all(state.original, source.version(tree), hooks.load(parts))
        with tempfile.TemporaryDirectory() as tmp:
            copy = Path(tmp) / 'tree'
            for file in [*wanted, MAINTAINERS]:
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                (copy / file).write_bytes(state.original(file) or b'')
            wrong = []
            for patch in (path for path in make(reference, Path(tmp) / 'series', parts) if path.suffix == '.patch'):
                status, output = host.run(['patch', '--directory', copy, '-p1', '--fuzz=0', '--force', '--no-backup-if-mismatch',
                                           '--input', patch], check=False)
                if status:
                    wrong.append(f'{patch.name}:\n{output.strip()}')
            wrong += [f'{file}: not what the hooks make of it' for file, data in wanted.items()
                      if not wrong and (copy / file).read_bytes() != data]
    except Error as error:
        wrong = [str(error)]
    return [(name, 'failed' if wrong else 'passed', '\n'.join(wrong))]


def reserved(state, parts):
    """The file of a tree, by its State, in which a hook replaces a line that other kernels do not have; or ''."""
    return next((file for hook in hooks.load(parts) for file in hook.places
                 if hook.replaces(file, state.original(file) or b'')), '')


def _maintained(tree):
    """MAINTAINERS as the tree has it, and with our entry in the order of scripts/parse-maintainers.pl."""
    path = tree / MAINTAINERS
    if not path.exists():
        raise Error(f'{tree}: kernel {source.version(tree)} has no file {MAINTAINERS}')
    before = path.read_bytes()
    # The title of an entry is the line above its first field. Titles are compared in capital letters; THE REST is last.
    titles = list(re.finditer(rb'(?m)^(?![A-Z]:\t)(\S.*)\n(?=[A-Z]:\t)', before))
    if TITLE.encode() in [title[1] for title in titles]:
        raise Error(f'{path} has an entry {TITLE}, though the tree has not taken the series: remove it')
    if not titles:
        raise Error(f'{path}: has no entries')
    # Some of the kernel's entries are out of order: so that as few as possible are on the wrong side of ours.
    smaller = [title[1] != b'THE REST' and title[1].upper() < TITLE.encode() for title in titles]
    place = max(range(len(titles)), key=lambda n: sum(smaller[:n]) + smaller[n:].count(False))
    at = titles[place].start()
    return before, before[:at] + ENTRY.encode() + b'\n' + before[at:]


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _refuse_to_lose(out):
    """What somebody has added to an earlier series, or changed in it, would go with it."""
    if not os.path.lexists(out):
        return
    try:
        made = json.loads((out / RECORD).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        made = {}
    folders = {str(folder) for name in made for folder in Path(name).parents}
    others = [str(path.relative_to(out)) for path in out.rglob('*') if path.name != RECORD and
              not (path.is_file() and made.get(str(path.relative_to(out))) == _digest(path)) and
              not (path.is_dir() and str(path.relative_to(out)) in folders)] if out.is_dir() else [out.name]
    if others:
        raise Error(f'{out}: {", ".join(sorted(others))}: not as a series was made here; move {out} elsewhere')


def _replace(out, new, old):
    """Put @new in the place of @out, which becomes @old; if that fails or is interrupted, all is as before."""
    try:
        if os.path.lexists(out):
            os.rename(out, old)
        os.rename(new, out)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(out):
            os.rename(old, out)
        raise


def split(names):
    """[(subject, text, files)] of the patches that have files; an error where a file belongs to none, since nobody would miss
    it."""
    left, patches = sorted(names), []
    for subject, text, wanted, others in PATCHES:
        files = [name for name in left if _any(name, wanted) and not _any(name, others)]
        left = [name for name in left if name not in files]
        if files:
            patches.append((subject, text, files))
    if left:
        raise Error(f'{", ".join(left)}: in no patch of {Path(__file__).name}')
    return patches


def _any(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _message(subject, text, files):
    """What a patch says: its text, and why each hook is there that changes a file of it."""
    paragraphs = text.split('\n')
    for hook in hooks.load():
        places = sorted(set(hook.places) & set(files))
        if hook.path.suffix == '.cocci' and places:
            paragraphs.append(f'{", ".join(places)}: {hook.why}')
    return '\n\n'.join([subject, *(textwrap.fill(paragraph, 72, break_long_words=False, break_on_hyphens=False)
                                   for paragraph in paragraphs)])


def _commit(git, repository, files, message, *options):
    for name, data in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
    git('add', '--all')
    git('commit', '--quiet', *options, '-m', message)


def _author(tree):
    """Who the patches are from: as git knows the user in that tree, but for what it makes up of the machine's name; or None."""
    env = host.git_env(kept=('GIT_AUTHOR_', 'GIT_CONFIG'))
    # Where the tree is somebody else's git may not read what its repository has configured.
    for folder in (tree, '/'):
        status, said = host.run(['git', '-C', folder, '-c', 'user.useConfigOnly=true', 'var', 'GIT_AUTHOR_IDENT'], env=env,
                                check=False)
        ident = re.search(r'^(.+) <(.+)> \d+ [+-]\d{4}$', said.strip().rpartition('\n')[2])
        if not status and ident:
            return ident.groups()
    return None


def _git(home, repository, author):
    """git in the repository, as nobody has configured it: the series shall be the same for everybody."""
    name, email = author
    (home / '.gitconfig').write_text('[safe]\n\tdirectory = *\n', encoding='utf-8')
    env = host.git_env() | dict(HOME=str(home), XDG_CONFIG_HOME=str(home), GIT_CONFIG_NOSYSTEM='1', GIT_ATTR_NOSYSTEM='1',
                        GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=email, GIT_COMMITTER_NAME=name, GIT_COMMITTER_EMAIL=email)
    return lambda *args: host.run(['git', '-C', repository, *args], env=env, what=f'git {args[0]}')


def how_to_take(tree, out, form=formats.git):
    """What to do with the series in @out, for people: it depends on what @tree is."""
    if form is not formats.git:
        return f'for Linux {source.version(tree)}; cross/vendors/README.md says where the files in {out} go'
    def git(*args):
        return host.run(['git', '-C', tree, *args], env=host.git_env(kept=('GIT_CONFIG',)), check=False)
    status, prefix = git('rev-parse', '--show-prefix')
    below = f' --directory={shlex.quote(prefix.strip())}' if not status and prefix.strip() else ''
    says = [f'for Linux {source.version(tree)}; in its repository: git am -s{below} {shlex.quote(str(out))}/*.patch']
    if graft.taken(tree):
        return says[0]
    says.append(f'the entry in {MAINTAINERS}, in the last patch, has no M: line: before you send the series, add who maintains '
                'it')
    if not _author(tree):
        says.append('git knows nobody here, so the patches are from {} <{}>: to send them, set user.name and user.email with '
                    'git config, and make the series again'.format(*NOBODY))
    if graft.State(tree).exists():
        says.append(f'before that: make ungraft KDIR={shlex.quote(str(tree))}')
    elif not status:
        _, changed = git('status', '--porcelain', '--', *hooks.files(), MAINTAINERS)
        if changed.strip():
            says.append(f'git am refuses what is not committed, of which the patches were made:\n{changed.rstrip()}')
    return '\n'.join(says)
