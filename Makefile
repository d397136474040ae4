# One command each, named by purpose. `make help` lists them.
VENV ?= .venv
PY := $(VENV)/bin/python
# The first Python here that is new enough; `make demo PYTHON=/path/to/python3.12` names another one.
PYTHON ?= $(firstword $(shell for python in python3 python3.13 python3.12 python3.11; do $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python; done) no-python)
CLUSTER := python3 -m tests.cluster
IN_CLUSTER := $(CLUSTER) exec -- $(PY)
# Tests without a cluster, a file at a time in each process: many of them wait for a hub to start.
PARALLEL := -n 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: lab-versions help setup check unit unit-hub5 test labextension labextension-check labextension-watch e2e e2e-faults bench cluster-up cluster-down cluster-status demo demo-check pictures clean e2e-attacks e2e-jobs e2e-restarts e2e-engines e2e-dra docs

help:  ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  -/'

setup: $(VENV)/.ready $(VENV)/proxy/installed.json  ## the Python environment and the proxy, for all that follows

define need-python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This needs Python 3.11 or newer, and python3 here is `python3 --version 2>&1`."; \
		echo "Install one (python.org, brew, apt), or name it: make demo PYTHON=/path/to/python3.12"; exit 1; }
endef

$(VENV)/.ready: pyproject.toml requirements/constraints.txt
	$(need-python)
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c requirements/constraints.txt -e '.[dev]'
	touch $@

$(VENV)/proxy/installed.json: aifactory_hub/demo/proxy/package-lock.json | $(VENV)/.ready
	$(PY) -c "from pathlib import Path; from aifactory_hub.demo.proxy import install; install(Path('$(VENV)/proxy'))"

check: setup  ## ruff, mypy, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests benchmarks
	$(VENV)/bin/lint-imports

unit: setup  ## the tests that need no cluster: seconds
	$(PY) -m pytest $(PARALLEL) -m "not cluster and not e2e and not browser"

unit-hub5: $(VENV)-hub5/.ready  ## the parts that touch JupyterHub, on JupyterHub 5.5
	$(VENV)-hub5/bin/python -m pytest $(PARALLEL) -p no:cacheprovider -m "not cluster and not e2e and not browser" \
		--ignore tests/auth/test_hostile.py --ignore tests/service/test_fuzz.py tests/auth tests/spawner tests/hub_config tests/service tests/client tests/demo

$(VENV)-hub5/.ready: pyproject.toml requirements/constraints.txt requirements/constraints-hub5.txt
	$(need-python)
	$(PYTHON) -m venv $(VENV)-hub5
	grep -v '^jupyterhub==' requirements/constraints.txt >$(VENV)-hub5/others.txt
	$(VENV)-hub5/bin/python -m pip install --quiet -c $(VENV)-hub5/others.txt -c requirements/constraints-hub5.txt -e '.[dev]'
	touch $@

test: check labextension-check unit unit-hub5 e2e  ## everything: checks, the JupyterLab panel's own, unit tests, JupyterHub 5.5, the real cluster, the day, the browser

labextension: setup  ## build the JupyterLab panel, if its sources have changed
	$(PY) labextension/build.py

labextension-check: labextension  ## the panel's types, lint, form and Jest
	$(PY) labextension/build.py npm run check
	$(PY) labextension/build.py npm test

labextension-watch: labextension  ## build the panel anew at each change; `make demo` beside it shows it after a reload
	$(PY) labextension/build.py npm run watch

lab-versions: setup labextension  ## the panel in JupyterLab 4.4, 4.5, 4.6 and Notebook 7, in environments of their own
	AIFACTORY_TEST_LABS=all $(PY) -m pytest -m browser tests/browser/test_lab_versions.py

e2e: setup labextension cluster-up  ## the day and all tests that need the real cluster
	$(PY) -m tests.browser.lab_versions
	$(PY) -m tests.e2e.keycloak
	$(IN_CLUSTER) -m tests.e2e.day
	$(IN_CLUSTER) -m tests.e2e.jobs_under_faults --quick --seed 7
	$(IN_CLUSTER) -m tests.e2e.faults --quick
	$(IN_CLUSTER) -m pytest -m "cluster or e2e or browser"

e2e-faults: setup cluster-up  ## everything that can go wrong around a running server, on the real cluster: twenty minutes
	$(IN_CLUSTER) -m tests.e2e.faults $(ARGS)

ENGINES ?= jobset
e2e-engines: setup labextension cluster-up  ## engines of jobs with their controllers in a vCluster, built first; ENGINES="jobset trainjob argo-workflow"
	python3 -m tests.cluster.engines $(ENGINES)
	$(IN_CLUSTER) -m pytest tests/e2e/engines.py tests/e2e/jobs_on_engines.py tests/e2e/workflow_in_the_panel.py -k "$(subst argo-workflow,workflow,$(subst $(eval) , or ,$(ENGINES)))"

e2e-dra: export AIFACTORY_TEST_CLUSTER_GATES = DRAExtendedResource=true
e2e-dra: setup cluster-up  ## the same pod spec served by DRA: starts the test cluster anew with a feature gate, and builds a simulated driver
	python3 -m tests.cluster.dra
	$(IN_CLUSTER) -m pytest tests/e2e/dra.py

bench: setup  ## a benchmark of benchmarks/, for example NAME=watch (those that need it use the test cluster)
	$(PY) -m benchmarks.$(NAME) $(ARGS)

e2e-attacks: setup cluster-up  ## what a tenant tries against others and the host, and who reaches whom, as tables
	$(IN_CLUSTER) -m tests.e2e.attacks

e2e-jobs: setup cluster-up  ## 20 random jobs while parts fail, and two preemptions: seven minutes; ARGS="--seed 7" makes them again
	python3 -m tests.cluster.engines jobset
	$(IN_CLUSTER) -m tests.e2e.jobs_under_faults --engines kubernetes-job jobset $(ARGS)

e2e-restarts: setup cluster-up  ## a restart of every part, one after the other, while people work: ten minutes
	$(IN_CLUSTER) -m tests.e2e.restarts $(ARGS)

cluster-up:  ## build and start the test cluster (root); on a running one it changes nothing
	$(CLUSTER) up

cluster-down:  ## stop it and leave nothing behind
	$(CLUSTER) down

cluster-status:  ## what runs, since when, and where its logs are
	$(CLUSTER) status

demo: $(VENV)/.demo  ## the whole hub on this machine, with a simulated cluster: no root, no Docker, no Node
	@$(VENV)/bin/aifactory-hub demo $(DEMO)

demo-check: $(VENV)/.demo  ## a whole day in the demo, without a person
	@$(VENV)/bin/aifactory-hub demo --check

$(VENV)/.demo: pyproject.toml requirements/constraints.txt
	$(need-python)
	@echo "Installing into $(VENV), 0.9 GB. The first time, this takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[demo]'
	@touch $@

docs: setup  ## the documentation as pages, in site/
	$(VENV)/bin/mkdocs build --quiet

pictures: setup  ## the documentation's screenshots, made by the browser tests
	AIFACTORY_TEST_PICTURES=docs/images $(PY) -m pytest -m browser tests/browser/test_the_menu.py tests/browser/test_lab.py

clean:  ## what the tests made in this folder
	rm -rf .pytest_cache .mypy_cache .ruff_cache build dist
