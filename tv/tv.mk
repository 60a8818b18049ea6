# TrustVisor: TV_SRC goes into the hypervisor (core.mk); tv-test runs the same sources on the host against a fake core.
TV_SRC := $(wildcard tv/*.c)

TV_TEST_SRC   := $(TV_SRC) $(wildcard tv/test/*.c)
TV_TEST_FLAGS := -std=c17 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE -Itv/test -I.

$(BUILD)/tv-test: $(TV_TEST_SRC) $(wildcard tv/*.h tv/test/*.h tv/test/log/*.h) core/hypapp.h core/limit.h
	@mkdir -p $(@D)
	$(CC) $(TV_TEST_FLAGS) -o $@ $(TV_TEST_SRC)

CHECKS += tv-test
.PHONY: tv-test
tv-test: $(BUILD)/tv-test
	@$(BUILD)/tv-test
