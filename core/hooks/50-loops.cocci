// SPDX-License-Identifier: GPL-2.0-only
// Kernel functions that call a callback in a loop test after each call whether the program is being terminated.
// Changes: kernel/bpf/bpf_iter.c 2
// Changes: kernel/bpf/arraymap.c 2
// Changes: kernel/bpf/hashtab.c 3
// Changes: kernel/bpf/ringbuf.c 3
// Changes: kernel/bpf/task_iter.c 2

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
identifier fn = {bpf_loop, bpf_user_ringbuf_drain, bpf_for_each_array_elem, bpf_for_each_hash_elem};
identifier cb = {callback, callback_fn};
expression ret;
@@
 fn(...)
 {
 <+...
 ret = cb(...);
+fastterm_ask(ret);
 ...+>
 }

// These may go on for a long time without calling the callback: through empty buckets and discarded samples.
@@
expression htab, i;
symbol b;
@@
 bpf_for_each_hash_elem(...)
 {
 <...
+if (fastterm_should_stop())
+	break;
 b = &htab->buckets[i];
 ...>
 }

@@
symbol err, rb, sample, size;
@@
 bpf_user_ringbuf_drain(...)
 {
 <...
+if (fastterm_should_stop())
+	break;
 err = __bpf_user_ringbuf_peek(rb, &sample, &size);
 ...>
 }

@@
expression vma, start;
@@
 bpf_find_vma(...)
 {
 ...
-if (vma && vma->vm_start <= start && vma->vm_end > start)
+if (vma && vma->vm_start <= start && vma->vm_end > start && !fastterm_should_stop())
 { ... }
 ...
 }
