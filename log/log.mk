# log/: the shipped sources for core/, and the tests on the host.
LOG_SRC := $(addprefix log/,area.c banner.c frame.c log.c owner.c record.c ring.c send.c uart.c)

LOG_OUT    := $(BUILD)/log
LOG_HDR    := $(wildcard log/*.h log/host/*.h log/test/*.h) log/braid_log.ld log/host/host.ld
LOG_BENCH  := log/test/machine.c log/test/decode.c
LOG_CFLAGS := -std=c17 -g -O2 $(WARN) -D_GNU_SOURCE -I. -Ilog/host -I$(LOG_OUT) -pthread -fno-pie
LOG_LINK   := -no-pie -Wl,-T,log/host/host.ld

CHECKS += log-test
.PHONY: log-test log-fresh decoder-wire
log-test: $(LOG_OUT)/unit log-fresh ## host tests of the log
	$(LOG_OUT)/unit

# A signal-safe core must also stand without libc: the shipped sources as core/ compiles them.
$(LOG_OUT)/log-vectors.h: log/vectors.json log/test/vectors_h.py
	@mkdir -p $(@D)
	$(PYTHON) log/test/vectors_h.py $< >$@

$(LOG_OUT)/unit: $(LOG_SRC) $(LOG_BENCH) $(wildcard log/test/test_*.c) log/test/unit.c $(LOG_HDR) $(LOG_OUT)/log-vectors.h
	$(CC) $(LOG_CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all $(filter %.c,$^) -o $@ $(LOG_LINK)

log-fresh: ## generated files are what their sources say
	$(PYTHON) log/gen_wire.py --check decoder/wire.py
	$(PYTHON) log/gen_vectors.py | cmp - log/vectors.json

decoder-wire: ## make decoder/wire.py from log/wire.h
	$(PYTHON) log/gen_wire.py >decoder/wire.py
