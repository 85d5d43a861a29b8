// SPDX-License-Identifier: GPL-2.0-only
/* Programs on the tracepoints that tell of an overrun, of a request and of kicks: each runs away now and then. */
#include "h.h"
SEC("raw_tp/sys_enter") int victim(void *ctx) { if (one_in(53)) run_away(); return 0; }
SEC("raw_tp/bpf_fastterm_overrun") int overrun(void *ctx) { if (one_in(3)) run_away(); return 0; }
SEC("raw_tp/bpf_fastterm_request") int request(void *ctx) { if (one_in(3)) run_away(); return 0; }
SEC("raw_tp/bpf_fastterm_redirect") int redirect(void *ctx) { if (one_in(3)) run_away(); return 0; }
SEC("tp_btf/bpf_fastterm_exit") int left(void *ctx) { if (one_in(3)) run_away(); return 0; }
