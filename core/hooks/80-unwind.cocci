// SPDX-License-Identifier: GPL-2.0-only
// Unwinders see the original return address of a tagged program, as they do for functions that are traced.
// Changes: arch/x86/include/asm/unwind.h 2
// Changes: arch/x86/kernel/dumpstack.c 2
// Changes: arch/arm64/kernel/stacktrace.c 2
// Changes: arch/riscv/kernel/stacktrace.c 2

@@
@@
 #include <linux/ftrace.h>
+#include <linux/fastterm.h>

@@
expression state, ret, addr_p;
@@
-return unwind_recover_rethook(state, ret, addr_p);
+ret = unwind_recover_rethook(state, ret, addr_p);
+return fastterm_real_return(state->task, ret, (unsigned long)(addr_p + 1));

@@
identifier addr, stack;
@@
 unsigned long addr = READ_ONCE_NOCHECK(*stack);
 ...
+addr = fastterm_real_return(task, addr, (unsigned long)(stack + 1));
 if (!__kernel_text_address(addr))
 	continue;

@@
identifier state;
@@
 kunwind_recover_return_address(struct kunwind_state *state)
 {
+	if (fastterm_is_exit(state->common.pc))
+		state->common.pc = fastterm_untag(state->task, state->common.stack.low);
 ...
 }

// Not where the address is read, which kernels do in several ways.
@@
statement S;
@@
 walk_stackframe(...)
 {
 <...
+pc = fastterm_real_return(task, pc, sp);
 if (unlikely(!__kernel_text_address(pc) || (level++ >= 0 && !fn(arg, pc)))) S
 ...>
 }
