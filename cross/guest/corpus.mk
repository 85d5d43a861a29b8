# SPDX-License-Identifier: GPL-2.0-only
# Compiles the BPF programs of a kernel tree's selftests and samples, with make -k: what this compiler, this
# configuration and this architecture do not have all it takes for is left out.
#
# TREE=     the kernel tree
# ARCH=     its name for the architecture, below arch/
# INCLUDE=  folder with vmlinux.h, and with libbpf's headers
# FLAGS=    what else the compiler is told

SELFTESTS := $(TREE)/tools/testing/selftests/bpf
SAMPLES := $(TREE)/samples/bpf

selftests := $(patsubst $(SELFTESTS)/progs/%.c,selftests/%.bpf.o,$(wildcard $(SELFTESTS)/progs/*.c))
samples := $(patsubst $(SAMPLES)/%.bpf.c,samples/%.bpf.o,$(wildcard $(SAMPLES)/*.bpf.c))

.DELETE_ON_ERROR:
.PHONY: all

all: $(selftests) $(samples)

# -w: the compiler is not the one that the tree was written with. The symbols that are stripped are DWARF's, not BTF's.
define compile
@echo '  CC $@'
@clang-19 --target=bpf -mcpu=v3 -mlittle-endian -O2 -g -w -D__TARGET_ARCH_$(ARCH) -DENABLE_ATOMICS_TESTS \
	-I$(INCLUDE) -I$(<D) -I$(SELFTESTS) -I$(TREE)/tools/include/uapi $(FLAGS) -c $< -o $@
@llvm-strip-19 -g $@
endef

$(selftests): selftests/%.bpf.o: $(SELFTESTS)/progs/%.c
	$(compile)

$(samples): samples/%.bpf.o: $(SAMPLES)/%.bpf.c
	$(compile)
