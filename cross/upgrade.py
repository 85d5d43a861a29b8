# SPDX-License-Identifier: GPL-2.0-only
"""What changes in a tree that has taken an earlier version of the series.

What its files were before that is found in its history: our commits are taken out again, the newest first, whatever else has
changed beside them. What the hooks make of that is what the files are to be.
"""

import graft
import hooks
import host
import merge
import source
from host import Error

SUBJECT = 'bpf: Update fastterm'
TEXT = 'What has changed since the version that this tree has.'


def changes(tree, parts, subjects):
    """{file: (content, new content)} of what differs; None for a file that is not there. @subjects: of a series' patches."""
    commits = {commit: _files(tree, commit) for commit in _ours(tree, {*subjects, SUBJECT})}
    touched = sorted({name for names in commits.values() for name in names} - {'MAINTAINERS'})
    before = {name: _before(tree, name, commits) for name in touched}
    changed = hooks.apply_all(lambda name: before[name] if name in before else _now(tree, name), source.version(tree),
                              hooks.load(parts))
    whole = {name: before[name] for name in touched} | changed
    whole |= {name: path.read_bytes() for name, path in graft.overlay(parts).items()}
    different = {name: (_now(tree, name), data) for name, data in whole.items() if _now(tree, name) != data}
    if not different:
        raise Error(f'{tree} has taken the series, and of this version: there is nothing to bring up to date')
    return different


def _now(tree, name):
    return (tree / name).read_bytes() if (tree / name).exists() else None


def _git(tree, *args):
    status, output = host.run(['git', '-C', tree, *args], env=host.git_env(), check=False)
    if status:
        raise Error(f'{tree} has taken a series of another version, and git does not say which files that has changed: take it '
                    f'out again (patch -R, or quilt pop), and make the series for what is left\n{output.strip()}')
    return output


def _ours(tree, subjects):
    """Our commits in the history of a tree, the newest first. Distributions put a word of theirs before a subject."""
    # Each version has these files, and nobody else has reason to touch them; nothing is ours before they were added.
    every = _git(tree, 'log', '--format=%H', '--', './include/linux/fastterm.h', './kernel/bpf/fastterm/Kconfig').split()
    if not every:
        raise Error(f'{tree} has taken a series of another version, but its history does not have it as commits: take it out '
                    'again, and make the series for what is left')
    log = _git(tree, 'log', '--format=%H %s', f'{every[-1]}..HEAD').splitlines()
    log.append(_git(tree, 'log', '-1', '--format=%H %s', every[-1]).strip())
    found = [commit for commit, _, subject in (line.partition(' ') for line in log) if subject.endswith(tuple(subjects))]
    strange = [commit[:12] for commit in every if commit not in found]
    if strange:
        raise Error(f'{tree} has taken a series of another version, and not as its patches are: {", ".join(strange)} changes what is '
                    'ours under another subject. Take the series out again, and make it for what is left')
    return found


def _files(tree, commit):
    return _git(tree, 'show', '--format=', '--name-only', '--relative', commit).split()


def _before(tree, name, commits):
    """What a file was before our commits, {commit: its files}, with all that has changed beside them; None if they have added
    it."""
    data = _now(tree, name)
    for commit in (commit for commit, names in commits.items() if name in names):
        base, before = (_content(tree, of, name) for of in (commit, f'{commit}^'))
        without = None if before is None else merge.without(data or b'', base or b'', before)
        # A file of ours is replaced as a whole.
        if data != base and without is None:
            where = merge.said(name, merge.in_the_way(data or b'', base or b'', before or b''))
            raise Error(f'{tree}: changed where the series has changed it: {where}\n'
                        'take that change out, make the patch, and put the change in again')
        data = without
    return data


def _content(tree, commit, name):
    """A file as of a commit, byte for byte; None where it is not there."""
    there = _git(tree, 'ls-tree', '--name-only', commit, f'./{name}') if _is_commit(tree, commit) else ''
    if not there.strip():
        return None
    data = host.output_of(['git', '-C', tree, 'show', f'{commit}:./{name}'], env=host.git_env())
    if data is None:
        raise Error(f'{tree}: git does not show {name} as of {commit}')
    return data


def _is_commit(tree, commit):
    """Whether there is such a commit: the first one has no parent."""
    status, _ = host.run(['git', '-C', tree, 'rev-parse', '--quiet', '--verify', f'{commit}^{{commit}}'], env=host.git_env(),
                         check=False)
    return not status
