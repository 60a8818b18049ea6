# A stop's cost on Bochs (ci/quiesce_cost.py), by a guest of its own.
$(BUILD)/vmlinuz-cost: core/test/cost/guest.asm
	@mkdir -p $(@D)
	nasm -Werror -f bin -o $@ $<

.PHONY: quiesce-cost
quiesce-cost: images $(BUILD)/vmlinuz-cost ## what stopping the machine costs with 1 to 8 CPUs; build/bench-quiesce.json
	@BUILD=$(BUILD) $(PYTHON) -m ci.quiesce_cost
