// SPDX-License-Identifier: GPL-2.0-only
// What we keep with a program goes with it.
// Changes: kernel/bpf/core.c 2

@@
@@
 #include <linux/filter.h>
+#include <linux/fastterm.h>

@@
expression aux;
@@
 kfree(aux->poke_tab);
+fastterm_free(aux);
 kfree(aux);
