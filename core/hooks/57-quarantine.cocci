// SPDX-License-Identifier: GPL-2.0-only
// While a program is quarantined, its entry belongs to the quarantine: what trampolines write there is written when the
// quarantine ends. Tail calls find an empty element in place of a quarantined program, and users of the map the program.
// Changes: kernel/bpf/trampoline.c 5
// Changes: kernel/bpf/arraymap.c 5
// Changes: arch/arm64/net/bpf_jit_comp.c 2

@@
@@
 unregister_fentry(...)
 {
 <...
-bpf_arch_text_poke
+fastterm_text_poke
 (...)
 ...>
 }

@@
@@
 modify_fentry(...)
 {
 <...
-bpf_arch_text_poke
+fastterm_text_poke
 (...)
 ...>
 }

@@
@@
 register_fentry(...)
 {
 <...
-bpf_arch_text_poke
+fastterm_text_poke
 (...)
 ...>
 }

@@
@@
 __bpf_trampoline_link_prog(...)
 {
 <...
-bpf_arch_text_poke
+fastterm_text_poke
 (...)
 ...>
 }

@@
@@
 __bpf_trampoline_unlink_prog(...)
 {
 <...
-bpf_arch_text_poke
+fastterm_text_poke
 (...)
 ...>
 }

@@
@@
 #include <linux/btf_ids.h>
+#include <linux/fastterm.h>

@@
expression map, index, old, new;
identifier fn = {bpf_fd_array_map_update_elem, __fd_array_map_delete_elem};
@@
 fn(...)
 {
 <...
 map->ops->map_poke_run(map, index, old, new);
+fastterm_array_replaced(map, index, &old, new);
 ...>
 }

// Of maps of programs, users see what is in the element but for a quarantine.
@@
symbol elem, map, key;
identifier fn = {bpf_fd_array_map_lookup_elem, prog_array_map_seq_show_elem};
@@
 fn(...)
 {
 <...
-elem = array_map_lookup_elem(map, key);
+elem = fastterm_array_elem(array_map_lookup_elem(map, key));
 ...>
 }

@@
@@
 #include <linux/bitfield.h>
+#include <linux/fastterm.h>

// A jump, unlike a call, must not find the dummy trampoline in the PLT: it returns to where a call would have come from.
// CPUs may still execute a jump that has just been patched away, and then go where it led before.
@ plt @
symbol ip, old_addr, poke_type;
statement S;
@@
 bpf_arch_text_poke(...)
 {
 <...
 if (
-	is_long_jump(ip, old_addr)
+	is_long_jump(ip, old_addr) && !fastterm_keeps_plt(poke_type == BPF_MOD_JUMP)
 ) S
 ...>
 }
