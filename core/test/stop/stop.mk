# The shipped stop protocol under the explorer of interleavings (log/explorer), and mutants of it that must be caught.
CHECKS += core-explore
core-stop-dir := $(BUILD)/core/stop
.PHONY: core-explore core-explore-long
core-explore: $(core-stop-dir)/explore ## the stop protocol's C: interleavings of 2 and 3 CPUs, and mutants that it must catch
	@CC=$(CC) log/test/run.sh $< "core/test/stop/mutants.sh $(<D) $(core-stop-dir)-mutants"

core-explore-long: $(core-stop-dir)/explore ## the same with one preemption more, and a million random schedules each; 20 minutes
	@$< --deep

$(core-stop-dir)/explore: $(wildcard core/*.[ch] core/guest/*.[ch] core/svm/*.[ch] core/vmx/*.[ch] core/x86/*.[ch] core/test/stop/* log/explorer/*.[ch])
	@rm -rf $(@D)
	CC=$(CC) core/test/stop/build.sh $(@D)
