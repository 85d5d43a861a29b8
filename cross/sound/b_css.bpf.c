// SPDX-License-Identifier: GPL-2.0-only
/* Two bpf_iter_css_next() of one iterator, over what the program holds a reference to. */
#include "more.h"

struct bpf_iter_css;
int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start,
		     unsigned int flags) __ksym;
struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __ksym;
void bpf_iter_css_destroy(struct bpf_iter_css *it) __ksym;
struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
void bpf_cgroup_release(struct cgroup *cgroup) __ksym;

SEC("tp_btf/sys_enter")
int css(void *ctx)
{
	struct bpf_iter_css it;
	struct cgroup *root;

	if (!once())
		return 0;
	root = bpf_cgroup_from_id(1);
	if (!root)
		return 0;
	linger();
	bpf_iter_css_new(&it, &root->self, BPF_CGROUP_ITER_DESCENDANTS_PRE);
	if (!bpf_iter_css_next(&it))
		out[0] = odd_next(bpf_iter_css_next, &it);	/* the verifier: 0 */
	bpf_iter_css_destroy(&it);
	bpf_cgroup_release(root);
	out[3] = 1;
	return 0;
}
