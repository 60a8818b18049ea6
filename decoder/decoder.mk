# The decoder's tests and lint. Both print `N passed, N failed` last.
CHECKS += decoder-test
LINTS += decoder-lint
.PHONY: decoder-test decoder-lint decoder-fuzz

decoder-test:
	@mkdir -p $(BUILD)
	@PYTHONDONTWRITEBYTECODE=1 nice $(PYTHON) -m pytest -q -p no:cacheprovider decoder/tests

BYTES ?= 100000000
decoder-fuzz: ## BYTES=100000000 of damage and noise through the decoder: nothing raised, constant memory; many minutes
	@PYTHONDONTWRITEBYTECODE=1 nice $(PYTHON) -m decoder.tests.fuzz $(BYTES)

# mypy and flake8 are Debian programs that bring their own Python along
decoder-lint:
	@passed=0; failed=0; \
	for check in 'mypy --strict --ignore-missing-imports --cache-dir=$(BUILD)/mypy -p decoder' 'flake8 decoder'; do \
		if $$check; then passed=$$((passed + 1)); else failed=$$((failed + 1)); fi; \
	done; \
	echo "$$passed passed, $$failed failed"; [ $$failed -eq 0 ]
