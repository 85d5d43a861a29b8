# SPDX-License-Identifier: GPL-2.0-only
"""Put fastterm into a kernel tree, and take it out again.

Everything is computed before anything is written. The tree's own record, .fastterm/state.json, with what every changed file
was and what the graft makes of it beside it, is complete before the first file changes, so an interrupted graft can be undone,
and what somebody changes afterwards can be told from what the graft has.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import context
import hooks
import host
import merge
import parts as all_parts
import source
from host import Error
from parts import ALL, Parts
from targets import ARCHES

PUBLIC = ('fastterm.h', 'fastterm_arch.h', 'fastterm_types.h')


def overlay(parts=ALL):
    """{file in the kernel tree: file of ours}"""
    ours = {'kernel/bpf/fastterm/Kconfig': host.CHECKOUT / 'Kconfig.fastterm'}
    folders = [('core', 'kernel/bpf/fastterm'), ('kunit', 'kernel/bpf/fastterm/kunit')]
    folders += [(arch.ours, f'arch/{arch.srcarch}/net') for arch in ARCHES.values()]
    for folder, target in folders:
        for path in sorted((host.CHECKOUT / folder).iterdir()):
            if path.suffix in ('.c', '.h', '.S') or path.name in ('Makefile', 'Kconfig', '.kunitconfig'):
                ours[f'include/linux/{path.name}' if path.name in PUBLIC else f'{target}/{path.name}'] = path
    for path in sorted((host.CHECKOUT / 'core' / 'docs').glob('*.rst')):
        ours[f'Documentation/bpf/{path.name}'] = path
    return {name: path for name, path in ours.items() if parts.has(name)}


def _digest(data):
    return hashlib.sha256(data).hexdigest()


class State:
    """The record of a graft in a kernel tree: .fastterm/."""

    def __init__(self, tree):
        self.tree = Path(tree)
        self.folder = self.tree / '.fastterm'
        self.file = self.folder / 'state.json'
        try:
            self.data = json.loads(self.file.read_text(encoding='utf-8'))
        except FileNotFoundError:
            self.data = {'complete': True, 'changed': {}, 'added': {}}
        except ValueError as error:
            raise Error(f'{self.file}: the record of the graft is damaged: {error}\n'
                        'put every file in original/ beside it back into the tree by hand, and remove '
                        f'{" ".join([*_left(self.tree), ".fastterm"])}') from error

    def exists(self):
        """Whether the tree is grafted, or half so."""
        return self.file.exists()

    def files(self):
        return [*self.data['changed'], *self.data['added']]

    def original_path(self, name):
        return self.folder / 'original' / name

    def grafted_path(self, name):
        return self.folder / 'grafted' / name

    def original(self, name):
        """Content of a file before any graft; None where there is no such file."""
        path = self.original_path(name) if name in self.data['changed'] else self.tree / name
        return path.read_bytes() if path.exists() else None

    def renew_originals(self, tree):
        """Take the originals of changed files from @tree, of which this tree is a copy."""
        for name in self.data['changed']:
            new = Path(tree) / name
            if not new.exists():
                self.original_path(name).unlink(missing_ok=True)
            elif new.read_bytes() != self.original(name):
                host.write_whole(self.original_path(name), new.read_bytes())

    def begin(self, changed, added):
        """Record what the graft is about to write, with every original, before it writes."""
        try:
            host.make_folder(self.folder)
            # Version control of the tree shall not see the record.
            host.write_whole(self.folder / '.gitignore', b'*\n')
            for name, data in changed.items():
                if name not in self.data['changed']:
                    self._keep(name)
                host.make_folder(self.grafted_path(name).parent)
                host.write_whole(self.grafted_path(name), data)
            # Until it is complete, what an earlier graft has left counts too.
            self.data['earlier'] = self.data['changed'] | self.data['added']
            for kind, files in (('changed', changed), ('added', added)):
                self.data[kind] = self.data[kind] | {name: _digest(data) for name, data in files.items()}
            self.data['complete'] = False
            self._save()
        except OSError:
            if not self.exists():
                shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def record(self, before, changed, added):
        """Record a graft that is there already: what its files were, and what they are."""
        host.make_folder(self.folder)
        host.write_whole(self.folder / '.gitignore', b'*\n')
        for name, data in changed.items():
            for path, content in ((self.original_path(name), before[name]), (self.grafted_path(name), data)):
                host.make_folder(path.parent)
                host.write_whole(path, content)
                shutil.copymode(self.tree / name, path)
        self.data = {'complete': True, 'changed': {name: _digest(data) for name, data in changed.items()},
                     'added': {name: _digest(data) for name, data in added.items()}}
        self._save()

    def _keep(self, name):
        kept, now = self.original_path(name), self.tree / name
        host.make_folder(kept.parent)
        host.write_whole(kept, now.read_bytes())
        shutil.copymode(now, kept)
        host.own_like(kept, now)

    def complete(self, changed, added):
        """What was begun is done: of the earlier graft nothing is left."""
        for name in set(self.data['changed']) - set(changed):
            self.original_path(name).unlink()
            self.grafted_path(name).unlink(missing_ok=True)
        self.data = {'complete': True, 'changed': {n: self.data['changed'][n] for n in changed},
                     'added': {n: self.data['added'][n] for n in added}}
        self._save()

    def write(self, name, data):
        """Write a file of the tree. What is half written when a run is killed lies beside the record, and goes with it."""
        host.write_whole(self.tree / name, data, self.folder)

    def _save(self):
        host.write_whole(self.file, json.dumps(self.data, indent=1).encode())

    def foreign(self):
        """Files of the graft that are neither what it has made of them nor what they were before: they would be lost."""
        return [name for kind in ('changed', 'added') for name in self.data[kind] if not self._is_known(kind, name)]

    def take_in(self, name):
        """Make the original of a changed file what it would be with somebody's edits. Returns what stands in the way, or ''."""
        now, base = self.tree / name, self.grafted_path(name)
        if not now.exists():
            return f'{name}, which is gone'
        if not base.exists() or _digest(base.read_bytes()) != self.data['changed'][name]:
            return name
        original = merge.without(now.read_bytes(), base.read_bytes(), self.original(name))
        if original is None:
            return merge.said(name, merge.in_the_way(now.read_bytes(), base.read_bytes(), self.original(name)))
        # What is there is the graft of the new original. Both become valid together, by the record.
        host.write_whole(self._new(self.original_path(name)), original)
        host.write_whole(self._new(base), now.read_bytes())
        self.data['changed'][name] = _digest(now.read_bytes())
        self.data['taken_in'] = name
        self._save()
        self.finish_taking_in()
        return ''

    @staticmethod
    def _new(path):
        return path.with_name(f'{path.name}.new')

    def finish_taking_in(self):
        """Do the rest of take_in(), if one was interrupted."""
        name = self.data.get('taken_in')
        if not name:
            return
        for path in (self.original_path(name), self.grafted_path(name)):
            if self._new(path).exists():
                os.replace(self._new(path), path)
        del self.data['taken_in']
        self._save()

    def _is_known(self, kind, name):
        try:
            now = (self.tree / name).read_bytes()
        except FileNotFoundError:
            return kind == 'added'
        if kind == 'changed' and (not self.original_path(name).exists() or now == self.original(name)):
            # An interrupted ungraft has given it back, or somebody else has.
            return True
        return _digest(now) in (self.data[kind][name], self.data.get('earlier', {}).get(name))

    def undo(self):
        """Give back the tree as it was.

        Files get the present time, or a build would go on with objects of the grafted ones. What was added goes first,
        which makes room for the record, and originals are moved, so that a full disk is no obstacle; should this be
        interrupted, it can be done again.
        """
        for name in self.data['added']:
            (self.tree / name).unlink(missing_ok=True)
            _prune((self.tree / name).parent)
        if self.data['complete'] and self.exists():
            self.data['complete'] = False
            self._save()
        for name in self.data['changed']:
            if self.original_path(name).exists():
                os.utime(self.original_path(name))
                os.replace(self.original_path(name), self.tree / name)
        shutil.rmtree(self.folder)
        self.data = {'complete': True, 'changed': {}, 'added': {}}


def _prune(folder):
    """Remove a folder that a removal has left empty, and its empty parents."""
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _left(tree):
    """What a graft has added to @tree and is there, our own folder as one."""
    folder = 'kernel/bpf/fastterm'
    return sorted({folder if name.startswith(f'{folder}/') else name for name in overlay() if (tree / name).exists()})


def _open(tree):
    """The tree's record, an interrupted graft undone. Somebody's own changes become part of what was there before the graft;
    on lines of the graft, or in files of ours, they are refused."""
    state = State(tree)
    state.finish_taking_in()
    changed = state.foreign()
    if state.data['complete']:
        changed = [state.take_in(name) if name in state.data['changed'] else name for name in changed]
        changed = [text for text in changed if text]
    if changed:
        raise Error(f'{tree}: changed since the graft, in what it has put there: {"; ".join(changed)}\n'
                    'keep your changes elsewhere, copy what each of these files was from .fastterm/original/ into its place, '
                    'or remove it where that has none, and try again')
    if not state.data['complete']:
        host.say(f'{tree}: a graft was interrupted; undoing it first')
        state.undo()
    return state


def wanted(tree, parts=None):
    """(the tree's record, {file: content} of those that the graft changes, of those that it adds). Nothing is written, but
    an interrupted graft is undone. @parts: by default all that the tree has an architecture for."""
    tree = Path(tree)
    version = source.version(tree)
    parts = parts or all_parts.of(tree)
    state = _open(tree)
    grafted = taken(tree)
    if grafted:
        raise Error(f'{tree} is grafted already, and the record of it, .fastterm/, is gone: {", ".join(grafted)}\n'
                    'if it has taken the series, its history is to have what changes: make series makes a patch of that; '
                    'else give these files back what they were (git checkout, for example) and remove what it has added '
                    f'({" ".join(_left(tree)) or "nothing is left of that"}), or graft a fresh tree')
    changed = hooks.apply_all(state.original, version, hooks.load(parts))
    added = {name: path.read_bytes() for name, path in overlay(parts).items()}
    strange = [n for n in added if n not in state.data['added'] and (tree / n).exists()]
    if strange:
        raise Error(f'{tree} already has {", ".join(strange)}, and no record of a graft that put that there: '
                    'remove it if one has left it, or move it elsewhere if it is yours')
    return state, changed, added


def apply(tree, parts=None):
    """Bring @tree to the state of this checkout, as far as @parts go. Idempotent; files that stay the same are not touched."""
    tree = Path(tree)
    state, changed, added = wanted(tree, parts)
    whole = changed | added
    if state.exists() and set(state.files()) == set(whole) and \
            all((tree / n).exists() and (tree / n).read_bytes() == d for n, d in whole.items()):
        return False
    restored = set(state.data['changed']) - set(changed)
    gone = set(state.data['added']) - set(added)
    state.begin(changed, added)
    for name in restored:
        state.write(name, state.original(name))
    for name in gone:
        (tree / name).unlink(missing_ok=True)
        _prune((tree / name).parent)
    for name, data in whole.items():
        path = tree / name
        host.make_folder(path.parent)
        if not path.exists() or path.read_bytes() != data:
            state.write(name, data)
    state.complete(changed, added)
    return True


def taken(tree):
    """The files of hooks that are changed in a tree of which there is no record: it has taken the series."""
    state = State(tree)
    return [] if state.exists() else [name for name in hooks.files() if b'fastterm' in (state.original(name) or b'')]


def adopt(tree):
    """Make the record of a tree that has taken this version of the series, so that it counts as grafted.

    What its files were is found by what the hooks make of the distribution's kernel, and is right if the hooks then make of it
    what is there. In a tree that is grafted, or that has nothing of ours, there is nothing to do.
    """
    tree = Path(tree)
    if not taken(tree):
        return
    parts = taken_parts(tree)
    chosen, reference = hooks.load(parts), State(source.distribution())
    before = {name: (tree / name).read_bytes() for hook in chosen for name in hook.places if (tree / name).exists()}
    made = dict.fromkeys(before)
    # The last hook is taken out first.
    for hook in reversed(chosen):
        for name in hook.places:
            if before.get(name) is not None:
                before[name] = hook.put_back(name, before[name]) or _without(reference, hook, chosen, name, before[name])
    added = {name: path.read_bytes() for name, path in overlay(parts).items()}
    different = [name for name, data in added.items() if not (tree / name).exists() or (tree / name).read_bytes() != data]
    different += [name for name in made if before.get(name) is None]
    try:
        changed = {} if different else hooks.apply_all(before.get, source.version(tree), chosen)
    except Error:
        changed = {}
    different += [name for name in made if changed.get(name) != (tree / name).read_bytes()] if not different else []
    if different:
        some = ', '.join(different[:5]) + (f' and {len(different) - 5} more' if len(different) > 5 else '')
        raise Error(f'{tree} has taken a series of another version of fastterm than this: {some}\n'
                    'make series with the same KDIR= makes the patch that brings it up to date')
    State(tree).record(before, changed, added)


def taken_parts(tree):
    """The parts that a tree has taken."""
    there = [arch for arch in ARCHES.values() if (Path(tree) / 'arch' / arch.srcarch / 'net' / 'fastterm.c').exists()]
    return Parts(frozenset(arch.srcarch for arch in there), (Path(tree) / 'kernel/bpf/fastterm/kunit').exists())


def _without(reference, hook, chosen, name, data):
    """@data without what a hook does to the file @name, by what it does to that of the tree @reference; None if it is not
    there."""
    version = source.version(reference.tree)
    earlier = [other.only(name.__eq__) for other in chosen[:chosen.index(hook)] if name in other.places]
    base = hooks.apply_all(reference.original, version, earlier).get(name, reference.original(name))
    return context.taken_out(data, base, hook.apply(name, base, version))


def remove(tree):
    """Take fastterm out of @tree: every file is again what it was, byte for byte."""
    source.version(tree)
    if not State(tree).folder.exists():
        raise Error(f'{tree}: not grafted')
    state = _open(tree)
    if state.folder.exists():
        state.undo()
