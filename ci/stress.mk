# Many boots under a storm: ci/stress.py. BOOTS LOOPS CPUS LOGS OPTIONS STORM SEED JOBS; AGAIN=N runs boot N again; SCHEDULER=ADDRESS a Dask cluster.
BOOTS ?= 10
STORM ?= all

.PHONY: stress
stress: images ## BOOTS=10 boots, JOBS at a time, pal_demo LOOPS times in each under STORM=none|nmi|register|log|hotplug|quiesce|all; a table of how they ended
	@BUILD=$(BUILD) $(PYTHON) -m ci.stress --boots '$(BOOTS)' --loops '$(LOOPS)' --cpus '$(CPUS)' --memory '$(MEM)' \
		--options '$(OPTIONS)' --storm '$(STORM)' $(if $(SEED),--seed '$(SEED)') $(if $(JOBS),--jobs '$(JOBS)') \
		$(if $(LOGS),--logs '$(LOGS)') $(if $(CORE),--core '$(CORE)') $(if $(AGAIN),--again '$(AGAIN)') \
		$(if $(SCHEDULER),--scheduler '$(SCHEDULER)')
