# SPDX-License-Identifier: GPL-2.0-only
"""What is said of a kernel whose hooks do not fit, or that has something that no hook knows."""

import re
import unittest
from unittest import mock

import callbacks
import compiles
import graft
import hooks
import host
import main
import series
import source
import support
from targets import ARCHES, Target
from test_graft import COCCI, SOURCE, Fixture

LOOP = '''
static long {name}(struct bpf_map *map, bpf_callback_t callback_fn,
		   void *callback_ctx, u64 flags)
{{
	int i;

	for (i = 0; i < 3; i++) {{
		if (callback_fn(i, 0, 0, 0, 0))
			break;
		{asks}
	}}
	return i;
}}
'''
OPS = '''
const struct bpf_map_ops ops = {
	.map_for_each_callback = for_each_new,
};
'''
HELPER = '''
BPF_CALL_4(bpf_twice, u32, nr, void *, callback_fn, void *, ctx, u64, flags)
{
	bpf_callback_t cb = (bpf_callback_t)callback_fn;

	return cb(0, 0, 0, 0, 0) ?: cb(1, 0, 0, 0, 0);
}
'''


class Misses(Fixture):
    def test_all_are_named(self):
        (self.tree / 'kernel/bpf/more.c').write_text(SOURCE)
        for name in ('core.c', 'more.c'):
            path = self.tree / 'kernel/bpf' / name
            path.write_text(path.read_text().replace('return b;', 'return c;'))
        self.hook('a.cocci', COCCI.format(places=1).replace('\n@@', '\n// Changes: kernel/bpf/more.c 1\n@@', 1))
        (first, status, text), (other, fits, _) = main.hook_cases(self.tree, '6.12.3')
        self.assertEqual((first, status, other, fits), ('a.cocci', 'failed', 'b.lines', 'passed'))
        for name in ('core.c', 'more.c'):
            self.assertIn(f'matches 0 places in kernel/bpf/{name}', text)

    def test_a_series_that_does_not_apply(self):
        (self.tree / 'MAINTAINERS').write_text('A\nL:\tx@example.org\n')
        other = self.tree.parent / 'other'
        other.mkdir()
        host.run(['cp', '-a', f'{self.tree}/.', other])
        fits = series.fits(self.tree, other, main.parts.of(other))
        self.assertEqual([(status, text) for _, status, text in fits], [('passed', '')])
        path = other / 'kernel/bpf/core.c'
        path.write_text(path.read_text().replace('\n\treturn b;\n}', '\n\tb++;\n\treturn b;\n}').replace('a + a;\n\n', 'a + a;\n'))
        (_, status, text), = series.fits(self.tree, other, main.parts.of(other))
        self.assertEqual(status, 'failed')
        self.assertIn('kernel/bpf/core.c', text)


class Chosen(Fixture):
    def selected(self, arch='', alone=False):
        return [target.arch.name for target in
                main.selected(mock.Mock(arch=arch, variant='', kdir=self.tree), alone=alone)]

    def test_architectures_that_the_tree_has_not_are_not_built(self):
        self.assertEqual(self.selected(), list(ARCHES))
        (self.tree / 'arch/x86/Kconfig').unlink()
        (self.tree / 'arch/x86').rmdir()
        self.assertEqual(self.selected(), [name for name in ARCHES if name != 'x86_64'])
        self.assertEqual(self.selected('all'), [name for name in ARCHES if name != 'x86_64'])
        self.assertEqual(self.selected('arm64'), ['arm64'])
        self.assertNotIn('x86_64', self.selected(alone=True))
        with self.assertRaisesRegex(host.Error, 'ARCH=x86_64: .* has no arch/x86/'):
            self.selected('x86_64')


class Compiles(unittest.TestCase):
    def test_every_file_that_is_changed_or_added_is_compiled_somewhere(self):
        objects = {name for arch in ARCHES.values() for name in compiles.objects(Target(arch, 'default'))}
        for name in [*hooks.files(), *graft.overlay()]:
            if name.endswith(('.c', '.S')):
                self.assertTrue(f'{name.rpartition(".")[0]}.o' in objects or name.startswith('kernel/bpf/'), name)

    def test_what_the_compiler_says_is_told(self):
        said = 'make: x\n  CC a.o\nkernel/bpf/core.c:3:1: error: expected declaration\nmake: *** [a] Error 1\n'
        target = Target(ARCHES['arm64'], 'default')
        with mock.patch.object(compiles.kernel, 'configure'), mock.patch.object(compiles.kernel, 'make', return_value=['make']), \
                mock.patch.object(host, 'run') as run:
            run.return_value = 2, said
            name, status, text = compiles._case(mock.Mock(builds=host.OUT), target)
            self.assertEqual((name, status), ('compiles for arm64', 'failed'))
            self.assertTrue(text.startswith('kernel/bpf/core.c:3:1: error: expected declaration\nall of it is in '))
            run.return_value = 0, 'make: x\n'
            self.assertEqual(compiles._case(mock.Mock(builds=host.OUT), target)[1:], ('passed', ''))


class Callbacks(Fixture):
    def unknown(self, text):
        (self.tree / 'kernel/bpf/core.c').write_text(text)
        return callbacks.unknown(self.tree, lambda name: (self.tree / name).read_bytes())

    def test_a_loop_that_does_not_ask_is_named(self):
        wrong, = self.unknown(LOOP.format(name='for_each_new', asks='') + OPS)
        self.assertRegex(wrong, r'^kernel/bpf/core\.c: for_each_new\(\) calls callbacks of programs, but')

    def test_a_loop_that_asks_is_known(self):
        self.assertEqual(self.unknown(LOOP.format(name='for_each_new', asks='fastterm_ask(ret);') + OPS), [])

    def test_a_helper_is_named(self):
        wrong, = self.unknown(HELPER)
        self.assertRegex(wrong, r'^kernel/bpf/core\.c: bpf_twice\(\) calls callbacks of programs')

    def test_what_is_exempt_is_known(self):
        self.assertEqual(self.unknown(LOOP.format(name='bpf_wq_work', asks='')), [])

    def test_an_iterator_that_is_not_recognised_is_named(self):
        wrong, = self.unknown(OPS)
        self.assertRegex(wrong, r'^kernel/bpf/core\.c: for_each_new\(\) iterates over the elements of a map, and how it calls')

    def test_the_case_says_so(self):
        (self.tree / 'kernel/bpf/core.c').write_text(SOURCE + HELPER)
        with mock.patch.object(host, 'say'):
            (_, status, text), = main.callback_cases(self.tree, '6.12.3')
        self.assertEqual(status, 'failed')
        self.assertIn('bpf_twice()', text)


class Exports(unittest.TestCase):
    def test_what_headers_of_the_kernel_use_of_ours_is_exported(self):
        """Drivers that are modules include them, and none of our kernels has modules."""
        ours = (host.CHECKOUT / 'core/fastterm.h').read_text(encoding='utf-8')
        inlines = dict(re.findall(r'^static __always_inline \w+ (\w+)\([^)]*\)\n\{(.*?)^\}', ours, re.M | re.S))
        exported = set(re.findall(r'EXPORT_SYMBOL_GPL\((\w+)\)', ''.join(
            path.read_text(encoding='utf-8') for path in (host.CHECKOUT / 'core').glob('*.c'))))
        tree, used = support.kernel_tree().path, set()
        state = graft.State(tree)
        headers = [file for file in hooks.files() if file.startswith('include/')]
        chosen = [hook.only(headers.__contains__) for hook in hooks.load()]
        changed = hooks.apply_all(state.original, source.version(tree), [hook for hook in chosen if hook.places])
        for file in headers:
            added = set(changed[file].decode().splitlines()) - set(state.original(file).decode().splitlines())
            used |= {name for line in added for name in re.findall(r'(fastterm_\w+)\(', line)}
        self.assertIn('fastterm_sleeps', used)
        for name in used:
            needed = set(re.findall(r'fastterm_\w+', inlines[name])) - set(inlines)
            self.assertLessEqual(needed, exported, name)
