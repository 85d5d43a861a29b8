# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of a kernel call callbacks of programs, and whether each of them is one that we know.

A function that calls a callback in a loop has to ask whether to stop, or a program that is terminated goes on in it. A kernel
that has a new one would be grafted without a word, so each has to be in a hook, or here with its reason.
"""

import re
from pathlib import Path

# Where programs' callbacks are called.
FOLDERS = ('kernel', 'net', 'drivers', 'security', 'block', 'fs', 'mm')

# Functions that call a callback and need not ask.
EXEMPT = {
    'bpf_timer_cb': 'calls it once',
    'bpf_wq_work': 'calls it once',
    '__bpf_rbtree_add': 'calls it once for each level of a tree, which is as deep as the logarithm of its size',
}

# A callback has this type; it is a parameter, or a variable.
TYPED = re.compile(r'\bbpf_callback_t\b,?\s*\(?\s*(\w+)')
# A function of a file in the kernel's style: its head, and its body.
FUNCTION = re.compile(r'^(?!\s|#|/|\}|\{)((?:[^;{}\n]|\n(?!\n))*?\))\s*\n\{\n(.*?)^\}', re.M | re.S)


def unknown(tree, read):
    """[what is wrong] of a kernel tree. @read: gives the content of a file after the hooks."""
    wrong, iterators, callers = [], {}, {}
    for path in _sources(Path(tree)):
        name = str(path.relative_to(tree))
        text = (read(name) or b'').decode(errors='replace')
        for function in re.findall(r'\.map_for_each_callback\s*=\s*(\w+)', text):
            iterators[function] = name
        for function, head, body in _functions(text):
            for variable in TYPED.findall(head) + TYPED.findall(body):
                if re.search(rf'(?<![\w>.]){variable}\(|->{variable}\(', body):
                    callers[function] = (name, body)
    for function, name in sorted(iterators.items()):
        if function not in callers:
            wrong.append(f'{name}: {function}() iterates over the elements of a map, and how it calls the callback is not '
                         'recognised')
    for function, (name, body) in sorted(callers.items()):
        if function not in EXEMPT and 'fastterm_' not in body:
            wrong.append(f'{name}: {function}() calls callbacks of programs, but neither does a hook change it, nor is it '
                         f'known to need none ({Path(__file__).name})')
    return wrong


def _sources(tree):
    """The files that have anything to do with callbacks of programs."""
    for folder in FOLDERS:
        for path in sorted((tree / folder).rglob('*.c')):
            ours = 'fastterm' in path.relative_to(tree).parts
            if not ours and re.search(rb'bpf_callback_t|map_for_each_callback', path.read_bytes()):
                yield path


def _functions(text):
    """(name, head, body) of each function of a file of C in the kernel's style."""
    for found in FUNCTION.finditer(text):
        head, body = found.groups()
        helper = re.match(r'BPF_CALL_\d\((\w+)', head)
        name = helper or re.search(r'(\w+)\(', head)
        yield name[1], head, body
