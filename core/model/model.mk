# The stop protocol under spin. model-quick: 2 CPUs, and every variant that must be condemned. model: that, and 3 CPUs.
# `make check` has the quick one, `make test` the other.
CHECKS += model-quick
.PHONY: model-quick model model-long
model-quick: ## the stop protocol's model: 2 CPUs, and the variants that it must condemn
	@$(PYTHON) core/model/run.py quick $(BUILD)/model

model: ## the stop protocol's model: that, and 3 CPUs; two and a half minutes on two cores
	@$(PYTHON) core/model/run.py all $(BUILD)/model

model-long: ## the model's searches that may not end in 20 minutes
	@$(PYTHON) core/model/run.py long $(BUILD)/model
