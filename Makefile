# SPDX-License-Identifier: GPL-2.0-only
# What a user types; `make help` tells. The work is done by cross/main.py.

COMMANDS := demo run setup kernel kunit gdb sound escape test bench graft ungraft series check-hooks vendors vectors style clean help

.DEFAULT_GOAL := help
.PHONY: $(COMMANDS) python
# Each command uses all processors by itself.
.NOTPARALLEL:

quoted = '$(subst ','\'',$($(1)))'

$(COMMANDS): python
	@exec python3 -B cross/main.py $@ --arch=$(call quoted,ARCH) --variant=$(call quoted,VARIANT) \
		--suite=$(call quoted,SUITE) --kdir=$(call quoted,KDIR) --cache=$(call quoted,CACHE) --obj=$(call quoted,OBJ) \
		--prog=$(call quoted,PROG) --seconds=$(call quoted,SECONDS) --sites=$(call quoted,SITES) \
		--cpus=$(call quoted,CPUS) --json=$(call quoted,JSON) --kunit=$(call quoted,KUNIT) \
		--format=$(call quoted,FORMAT) --gdb=$(call quoted,GDB)

# The one tool that must be there before we can say which others are missing.
python:
	@command -v python3 >/dev/null || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; \
		then apt-get update && apt-get install -y --no-install-recommends python3; \
		else echo 'fastterm: python3 is missing: install it (Debian: sudo apt-get install python3)' >&2; exit 1; fi; }
