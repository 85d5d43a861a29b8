# SPDX-License-Identifier: GPL-2.0-only
"""Golden vectors on the host: what backends decode, encode and know of frames, without a kernel build and without a boot.

A backend's pure functions are compiled as an ordinary program, with the kernel's own decoders and the headers that the
kernel has for its tools. The same tables are compared in KUnit, in kernels.
"""

import functools
import re
import shutil

import host
import source

HERE = host.CHECKOUT / 'cross' / 'vectors'


def cases(kdir, arches):
    """[(case, status, text)] for a ktap suite."""
    tree = kdir or source.distribution()
    return [case for of_arch in host.together([functools.partial(_run, tree, arch) for arch in arches]) for case in of_arch]


def _definitions(header, names):
    """The definitions of a header whose names match; all else in it is left out."""
    found = re.findall(rf'^#define\s+(?:{names})\b(?:.*\\\n)*.*$', header.read_text(encoding='utf-8'), re.MULTILINE)
    if not found:
        raise host.Error(f'{header}: has no definition of {names}, which cross/arch/ looks for')
    return '\n'.join(found) + '\n'


def _run(tree, arch):
    parts = arch.vectors
    folder = host.OUT / 'vectors' / arch.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / 'asm').mkdir(parents=True)
    there = tree / 'arch' / arch.srcarch
    for name in parts.headers:
        shutil.copy2(there / 'include' / 'asm' / name, folder / 'asm' / name)
    for name, names in parts.defines:
        (folder / 'asm' / name).write_text(_definitions(there / 'include' / 'asm' / name, names), encoding='utf-8')
    for name, command in parts.made:
        _, text = host.run(command, cwd=there)
        (folder / name).write_text(text, encoding='utf-8')
    program = folder / 'vectors'
    host.run(['gcc', '-std=gnu11', '-O1', '-g', '-fsanitize=address', '-Wall', '-Wno-unused-function', '-D__KERNEL__',
              *(f'-DCONFIG_{option}=1' for option in parts.options), f'-I{folder}', f'-I{HERE}/include',
              *(f'-I{there}/{name}' for name in parts.folders), f'-I{tree}/tools/include', '-include', HERE / 'host.h',
              '-o', program, HERE / 'vectors.c', host.CHECKOUT / 'core' / 'encode.c',
              host.CHECKOUT / 'kunit' / f'vectors-{arch.srcarch}.c', host.CHECKOUT / arch.ours / 'fastterm_insn.c',
              tree / 'tools' / 'lib' / 'hweight.c', *(there / name for name in parts.sources)], what=f'compiling the vectors of {arch.name}')
    status, output = host.run([program], check=False)
    cases = re.findall(r'^\s*(not ok|ok) \d+ (\S+)$', output, re.MULTILINE)
    said = '\n'.join(line.strip(' #') for line in output.splitlines() if line.strip().startswith('#'))
    if len(cases) != 4:
        return [(f'{arch.name}: the program runs', 'failed', output or f'exit status {status}')]
    return [(f'{arch.name}: {name}', 'passed' if verdict == 'ok' else 'failed', '' if verdict == 'ok' else said)
            for verdict, name in cases]
