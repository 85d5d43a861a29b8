# SPDX-License-Identifier: GPL-2.0-only
"""fastterm-at: which BPF program, or which stub image of one, an address is in. gdb sources this file; see make gdb."""

import gdb


def _programs():
    """Every struct fastterm_prog that is published."""
    kind = gdb.lookup_type('struct fastterm_prog')
    offset = next(field.bitpos // 8 for field in kind.fields() if field.name == 'node')
    head = gdb.lookup_global_symbol('fastterm_progs').value()
    node = head['next']
    while int(node) != int(head.address):
        yield gdb.Value(int(node) - offset).cast(kind.pointer())
        node = node['next']


def _functions(fprog):
    """(number, bpf_prog of the function, its stub image or None)."""
    prog = fprog['prog']
    for i in range(int(fprog['nr_funcs'])):
        func = prog['aux']['func'][i] if int(prog['aux']['real_func_cnt']) else prog
        yield i, func, fprog['images'][i] if int(fprog['images']) else None


def find(address):
    """What an address is in, as text; None if in no program."""
    for fprog in _programs():
        who = f'program {fprog["prog"]["aux"]["name"].string()}, id {int(fprog["id"])}'
        for i, func, image in _functions(fprog):
            off = address - int(func['bpf_func'])
            if 0 <= off < int(func['jited_len']):
                return f'{who}: function {i}, at 0x{off:x} behind its entry' + ('' if image else '; it has no stub image')
            if image is None:
                continue
            off = address - int(image['shadow']['bpf_func'])
            if 0 <= off < int(image['func_size']):
                return (f'{who}: the stub image of function {i}, at 0x{off:x} behind its entry; '
                        f'in the original that is 0x{int(func["bpf_func"]) + off:x}')
    return None


class At(gdb.Command):
    """fastterm-at ADDRESS: which BPF program, or which stub image of one, an address is in."""

    def __init__(self):
        super().__init__('fastterm-at', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError('fastterm-at needs an address, such as $pc')
        address = int(gdb.parse_and_eval(argument).cast(gdb.lookup_type('unsigned long')))
        print(find(address) or f'0x{address:x} is in no BPF program')


At()
