# SPDX-License-Identifier: GPL-2.0-only
# Compiles BPF programs. `all` are those of a kernel tree's selftests and samples, with make -k: what this compiler,
# this configuration and this architecture do not have all it takes for is left out. `ours` must compile, without a warning.
#
# TREE=     the kernel tree
# ARCH=     its name for the architecture, below arch/
# INCLUDE=  folder with vmlinux.h, and with libbpf's headers
# FLAGS=    what else the compiler is told
# OURS=     source files of ours

SELFTESTS := $(TREE)/tools/testing/selftests/bpf
SAMPLES := $(TREE)/samples/bpf

selftests := $(patsubst $(SELFTESTS)/progs/%.c,selftests/%.bpf.o,$(wildcard $(SELFTESTS)/progs/*.c))
samples := $(patsubst $(SAMPLES)/%.bpf.c,samples/%.bpf.o,$(wildcard $(SAMPLES)/*.bpf.c))

ours := $(notdir $(OURS:.c=.o))

.DELETE_ON_ERROR:
.PHONY: all ours

all: $(selftests) $(samples)

ours: $(ours)

# -w: the compiler is not the one that the tree was written with. The symbols that are stripped are DWARF's, not BTF's.
WARNINGS := -w
ours: WARNINGS := -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Werror -mcpu=v4
define compile
@echo '  CC $@'
@clang-19 --target=bpf -mcpu=v3 -mlittle-endian -O2 -g $(WARNINGS) -D__TARGET_ARCH_$(ARCH) -DENABLE_ATOMICS_TESTS \
	-I$(INCLUDE) -I$(<D) -I$(SELFTESTS) -I$(TREE)/tools/include/uapi $(FLAGS) -c $< -o $@
@llvm-strip-19 -g $@
endef

$(selftests): selftests/%.bpf.o: $(SELFTESTS)/progs/%.c
	$(compile)

$(samples): samples/%.bpf.o: $(SAMPLES)/%.bpf.c
	$(compile)

vpath %.bpf.c $(sort $(dir $(OURS)))
$(ours): %.bpf.o: %.bpf.c
	$(compile)
