# log/: the shipped sources, for core/ to compile with its own log_env.h; and the tests on the host.
LOG_SRC := $(addprefix log/,area.c banner.c frame.c log.c owner.c record.c ring.c send.c uart.c)

LOG_OUT    := $(BUILD)/log
LOG_HDR    := $(wildcard log/*.h log/host/*.h log/test/*.h) log/braid_log.ld log/host/host.ld $(LOG_OUT)/log-vectors.h
LOG_BENCH  := log/test/machine.c log/test/decode.c
LOG_UNIT   := $(LOG_SRC) $(LOG_BENCH) $(wildcard log/test/test_*.c) log/test/unit.c
LOG_STORM  := $(LOG_SRC) $(LOG_BENCH) log/test/storm.c
LOG_CC     := $(CC) -std=c17 -g -O2 $(WARN) -D_GNU_SOURCE -I. -Ilog/host -I$(LOG_OUT) -pthread -fno-pie
LOG_LINK   := -no-pie -Wl,-T,log/host/host.ld
LOG_PROGS  := $(addprefix $(LOG_OUT)/,unit storm storm-tsan)

CHECKS += log-test log-explore
LINTS  += log-lint
.PHONY: log-test log-explore log-bench log-lint log-generate
log-test: $(LOG_PROGS) ## the log: unit tests, storms of CPUs and NMIs, vectors
	@log/test/run.sh $(LOG_OUT)/unit "$(LOG_OUT)/storm 1500" "$(LOG_OUT)/storm-tsan 300" \
	    "log/test/freestanding.sh $(CC) $(LOG_OUT)/freestanding $(LOG_SRC)" \
	    "log/test/fresh.sh $(PYTHON)"

log-explore: $(LOG_OUT)/explore/explore ## the log: interleavings of 2 to 4 contexts, and mutants that it must catch
	@CC=$(CC) log/test/run.sh $< "log/explorer/mutants.sh $(LOG_OUT)/mutants"

$(LOG_OUT)/explore/explore: $(wildcard log/*.[ch] log/explorer/*.[ch]) log/test/decode.c log/explorer/build.sh
	@rm -rf $(@D)
	CC=$(CC) log/explorer/build.sh $(@D)

log-bench: $(LOG_OUT)/bench/record $(LOG_OUT)/bench/replay ## the log's costs beside its peers'; build/bench-log.json
	@$(PYTHON) log/bench/bench.py --build $(BUILD) --cc $(CC)

# The first with an environment as cheap as the hypervisor's; the second brings its own UART along.
# Thread-local as in one program, so that it costs what a variable does.
LOG_BENCH_CC := $(CC) -std=c17 -g -O2 $(WARN) -D_GNU_SOURCE -I. -pthread -fno-pie -ftls-model=local-exec
$(LOG_OUT)/bench/record: log/bench/record.c log/bench/env/log_env.h $(LOG_SRC) $(LOG_HDR)
	@mkdir -p $(@D)
	$(LOG_BENCH_CC) -Ilog/bench/env log/bench/record.c $(LOG_SRC) -o $@ $(LOG_LINK)
$(LOG_OUT)/bench/replay: log/bench/replay.c $(LOG_SRC) $(LOG_HDR)
	@mkdir -p $(@D)
	$(LOG_BENCH_CC) -Ilog/host log/bench/replay.c $(LOG_SRC) -o $@ $(LOG_LINK)

# clang-format for C; flake8, mypy and shellcheck run over the whole tree.
log-lint:
	clang-format --dry-run -Werror log/*.[ch] log/host/*.h log/test/*.[ch] log/explorer/*.[ch] log/bench/*.[ch]

log-generate: ## make decoder/wire.py from log/wire.h, and log/vectors.json
	$(PYTHON) log/gen_wire.py >decoder/wire.py
	$(PYTHON) log/gen_vectors.py >log/vectors.json

$(LOG_OUT)/log-vectors.h: log/vectors.json log/test/vectors_h.py
	@mkdir -p $(@D)
	$(PYTHON) log/test/vectors_h.py $< >$@

$(LOG_OUT)/unit: $(LOG_UNIT) $(LOG_HDR)
	$(LOG_CC) -fsanitize=address,undefined -fno-sanitize-recover=all $(LOG_UNIT) -o $@ $(LOG_LINK)

$(LOG_OUT)/storm: $(LOG_STORM) $(LOG_HDR)
	$(LOG_CC) $(LOG_STORM) -o $@ $(LOG_LINK)

# -Wno-tsan: the sanitizer does not model fences; the one place that needs them is log_ring_read().
$(LOG_OUT)/storm-tsan: $(LOG_STORM) $(LOG_HDR)
	$(LOG_CC) -fsanitize=thread -Wno-tsan $(LOG_STORM) -o $@ $(LOG_LINK)
