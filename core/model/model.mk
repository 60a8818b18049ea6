# The stop protocol under spin. model-quick: 2 CPUs, and every variant that must be condemned. model: 3 CPUs, and more of 2.
CHECKS += model-quick
.PHONY: model-quick model
model-quick: ## the stop protocol's model: 2 CPUs, and the variants that it must condemn
	@$(PYTHON) core/model/run.py quick $(BUILD)/model

model: model-quick ## the stop protocol's model as far as it goes in about 3 minutes
	@$(PYTHON) core/model/run.py full $(BUILD)/model
