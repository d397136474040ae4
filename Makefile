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
.PHONY: e2e-environments demo-code lab-versions help setup check unit unit-hub5 test labextension labextension-check labextension-watch e2e e2e-faults bench cluster-up cluster-down cluster-status demo demo-check pictures clean e2e-attacks e2e-jobs e2e-restarts e2e-tenants e2e-gates e2e-ledger e2e-loop e2e-engines e2e-dra e2e-focus e2e-git e2e-install e2e-model-signing docs generated e2e-models

##@ Start

help:  ## list the commands
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## run the whole hub on this machine with a simulated cluster: no root, no Docker, no Node
	@$(VENV)/bin/aifactory-hub demo $(DEMO)

demo-check: $(VENV)/.demo  ## run a working day in the demo without a person
	@$(VENV)/bin/aifactory-hub demo --check

demo-code: $(VENV)/.demo  ## install VS Code for the demo: needs a C++ compiler and libkrb5-dev
	@$(PY) -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[demo,editors]'
	@$(PY) -m aifactory_hub.demo.editors $(or $(FOLDER),$(HOME)/.local/state/aifactory-hub-demo)

$(VENV)/.demo: pyproject.toml requirements/constraints.txt
	$(need-python)
	@echo "Installing into $(VENV), 0.9 GB. The first time, this takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[demo]'
	@touch $@

setup: $(VENV)/.ready $(VENV)/proxy/installed.json  ## install the Python environment and the proxy

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

##@ Change the code

check: setup  ## run ruff, mypy and the import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests benchmarks dashboards
	$(VENV)/bin/lint-imports

unit: setup  ## run the tests that need no cluster (about ten minutes)
	$(PY) -m pytest $(PARALLEL) -m "not cluster and not e2e and not browser"

# Of the service and its client only what asks the hub who somebody is: the rest never meets JupyterHub.
HUB5 := tests/auth tests/spawner tests/hub_config tests/demo $(addprefix tests/service/test_,access.py sessions.py matrix.py pages.py departed_owners.py)

unit-hub5: $(VENV)-hub5/.ready  ## run the tests of what touches JupyterHub, on JupyterHub 5.5
	$(VENV)-hub5/bin/python -m pytest $(PARALLEL) -p no:cacheprovider -m "not cluster and not e2e and not browser" \
		--ignore tests/auth/test_hostile.py $(HUB5)

$(VENV)-hub5/.ready: pyproject.toml requirements/constraints.txt requirements/constraints-hub5.txt
	$(need-python)
	$(PYTHON) -m venv $(VENV)-hub5
	grep -v '^jupyterhub==' requirements/constraints.txt >$(VENV)-hub5/others.txt
	$(VENV)-hub5/bin/python -m pip install --quiet -c $(VENV)-hub5/others.txt -c requirements/constraints-hub5.txt -e '.[dev]'
	touch $@

labextension: setup  ## build the JupyterLab panel and the Jobs page if their sources have changed
	$(PY) labextension/build.py

labextension-check: labextension  ## check the types and style of the panel and run its tests
	$(PY) labextension/build.py npm run check
	$(PY) labextension/build.py npm test

labextension-watch: labextension  ## rebuild the panel at each change; reload a running demo to see it
	$(PY) labextension/build.py npm run watch

docs: setup  ## build the documentation as pages, in site/
	$(VENV)/bin/mkdocs build --quiet

GENERATED := tests/docs tests/chart/test_files.py tests/dashboards tests/policies/test_rendered.py tests/cluster_checks/test_pure.py tests/engines/test_golden.py tests/lab/test_openapi.py
generated: setup labextension  ## write all generated files anew: golden files, references, the panel's types
	$(PY) -m pytest -q --update-golden $(GENERATED)
	AIFACTORY_TEST_REWRITE=1 $(PY) -m pytest -q tests/spawner/test_settings.py
	$(PY) labextension/build.py npm run types

clean:  ## remove what tests and checks left in this folder
	rm -rf .pytest_cache .mypy_cache .ruff_cache build dist

##@ Test all of it, on a real cluster (root)

test: check labextension-check unit unit-hub5 e2e  ## run everything: checks, unit tests, JupyterHub 5.5, the real cluster, the browser (Debian or Ubuntu, root)

e2e: setup labextension cluster-up  ## run the tests that need the cluster, the working day among them
	$(PY) -m tests.browser.lab_versions
	$(PY) -m tests.e2e.keycloak
	$(IN_CLUSTER) -m tests.e2e.day
	$(IN_CLUSTER) -m tests.e2e.jobs_under_faults --quick --seed 7
	$(IN_CLUSTER) -m tests.e2e.faults --quick
	$(IN_CLUSTER) -m pytest -n 2 --dist loadfile -m browser
	$(IN_CLUSTER) -m pytest -m "(cluster or e2e) and not browser"

cluster-up:  ## build and start the test cluster (root); leaves a running one as it is
	$(CLUSTER) up

cluster-down:  ## stop the test cluster and remove all it made
	$(CLUSTER) down

cluster-status:  ## show what runs, since when, and where its logs are
	$(CLUSTER) status

##@ Test one part at length, on a real cluster

e2e-attacks: setup cluster-up  ## try attacks of one team on others and the host, and print who reaches whom
	$(IN_CLUSTER) -m tests.e2e.attacks

e2e-faults: setup cluster-up  ## stop, hang and kill each part around a running server: twenty minutes
	$(IN_CLUSTER) -m tests.e2e.faults $(ARGS)

e2e-jobs: setup cluster-up  ## run 20 random jobs while parts fail: seven minutes; ARGS="--seed 7" repeats a run
	python3 -m tests.cluster.engines jobset
	$(IN_CLUSTER) -m tests.e2e.jobs_under_faults --engines kubernetes-job jobset $(ARGS)

e2e-gates: setup cluster-up  ## see what rules refuse and hold, and who lets it go: three minutes
	$(IN_CLUSTER) -m tests.e2e.gates

e2e-install: setup cluster-up  ## install the chart, back up, upgrade, roll back, make a team, uninstall: two minutes
	$(IN_CLUSTER) -m tests.e2e.install

e2e-ledger: setup cluster-up  ## compare the ledger with etcd's history while parts are killed: twenty minutes
	$(IN_CLUSTER) -m tests.e2e.ledger $(ARGS)

e2e-loop: setup cluster-up  ## let a team reach its budget and an idle server be stopped: fifteen minutes
	$(IN_CLUSTER) -m tests.e2e.loop

e2e-models: setup cluster-up  ## train, approve, deploy, ask and take back models while parts are killed: ten minutes
	$(PY) -m tests.support.s3
	$(IN_CLUSTER) -m tests.e2e.models

e2e-tenants: setup cluster-up  ## let a provisioner make teams, heal them, put them to sleep, and kill it at each step: eight minutes
	$(IN_CLUSTER) -m tests.e2e.provisioning

e2e-restarts: setup cluster-up  ## restart each part while people work: ten minutes
	$(IN_CLUSTER) -m tests.e2e.restarts $(ARGS)

ENGINES ?= jobset
e2e-engines: setup labextension cluster-up  ## run jobs on engines with real controllers; ENGINES="jobset trainjob argo-workflow"
	python3 -m tests.cluster.engines $(ENGINES)
	$(IN_CLUSTER) -m pytest tests/e2e/engines.py tests/e2e/jobs_on_engines.py tests/e2e/workflow_in_the_panel.py -k "$(subst argo-workflow,workflow,$(subst $(eval) , or ,$(ENGINES)))"

e2e-dra: export AIFACTORY_TEST_CLUSTER_GATES = DRAExtendedResource=true
e2e-dra: setup cluster-up  ## serve the same pod by DRA; restarts the cluster with a feature gate and a simulated driver
	python3 -m tests.cluster.dra
	$(IN_CLUSTER) -m pytest tests/e2e/dra.py

##@ Other tests and measurements

e2e-environments: setup labextension  ## VS Code, marimo and a restart in Chromium, without a cluster: five minutes; needs code-server
	$(PY) -m tests.e2e.environments

e2e-git: setup  ## from pushes to a real Gitea to runs, without a cluster: two minutes; building Gitea takes four once
	$(PY) -m tests.e2e.git_pipelines

# The official validator of FOCUS needs a Python 3.12, and numpy before 2; pyarrow of today wants a newer one.
FOCUS_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python) python3.12)
e2e-focus: setup $(VENV)-focus/.ready  ## check bills in FOCUS 1.2 with the official validator (needs a Python 3.12)
	$(PY) -m tests.e2e.focus_validator $(VENV)-focus

$(VENV)-focus/.ready:
	@$(FOCUS_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || { \
		echo "This needs a Python 3.12: make e2e-focus FOCUS_PYTHON=/path/to/python3.12"; exit 1; }
	$(FOCUS_PYTHON) -m venv $(VENV)-focus
	$(VENV)-focus/bin/python -m pip install --quiet focus-validator==2.2.1 'pyarrow<22'
	touch $@

e2e-model-signing: setup $(VENV)-model-signing/.ready  ## check signatures of models with OpenSSF's own program, both ways
	$(PY) -m tests.e2e.model_signing_peer $(VENV)-model-signing/bin/python

$(VENV)-model-signing/.ready:
	$(PY) -m venv $(VENV)-model-signing
	$(VENV)-model-signing/bin/python -m pip install --quiet model-signing==1.1.1 pyOpenSSL
	touch $@

lab-versions: setup labextension  ## test the panel in JupyterLab 4.4, 4.5, 4.6 and Notebook 7
	AIFACTORY_TEST_LABS=all $(PY) -m pytest -m browser tests/browser/test_lab_versions.py

bench: setup  ## run a benchmark of benchmarks/, for example NAME=watch
	$(PY) -m benchmarks.$(NAME) $(ARGS)

pictures: setup  ## make the screenshots of the documentation
	AIFACTORY_TEST_PICTURES=docs/images $(PY) -m pytest -m browser tests/browser/test_the_menu.py tests/browser/test_the_home_page.py tests/browser/test_lab.py tests/browser/test_lab_metrics.py tests/browser/test_jobs_page.py tests/browser/test_team_page.py tests/browser/test_platform_page.py tests/browser/test_models_page.py tests/browser/test_deployments_page.py tests/browser/test_notifications_page.py
