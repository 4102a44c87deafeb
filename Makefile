# Everything a contributor runs. Needs git, make and python3 (3.11 or later, with venv);
# uv is brought into .tools/ where it is not on PATH.

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
# How often a test that fails is run again, for machines that others use too: CI sets 1.
RERUNS := 0
PYTEST := $(UV) run --locked pytest -n auto --maxprocesses 4 --dist loadgroup --reruns $(RERUNS)

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(UV) ## Render the default service into build/demo, train it, serve it, ask it for predictions
	@$(UV) run --locked --no-dev python scripts/demo.py

.PHONY: test
test: $(UV) ## Run what needs no container engine and takes no whole service's time
	$(PYTEST) -m "not deploy and not long"

.PHONY: test-quick
test-quick: $(UV) ## Run the tests of questions and renderings alone
	$(PYTEST) -m "not deploy and not long and not service"

.PHONY: test-long
test-long: $(UV) ## Run the fault tests of whole services, and services made from artifacts
	$(PYTEST) -m "long and not deploy"

.PHONY: test-deploy
test-deploy: $(UV) ## Run the tests that need containers, cluster tools or real clients
	$(UV) run --locked --group deploy pytest -n 2 --dist loadgroup --reruns $(RERUNS) -m deploy

.PHONY: bench
bench: $(UV) ## Measure a rendered service beside the limit and beside other designs (needs wrk)
	$(UV) run --locked --group bench python -m benchmarks.run

.PHONY: record
record: $(UV) ## Record the file lists of every rendering anew (then read the diff)
	$(PYTEST) tests/test_render.py -k recorded --record

.PHONY: lint
lint: $(UV) ## Check the lock, the formatting, the rules and the types
	$(UV) lock --check
	$(UV) run --locked ruff format --check
	$(UV) run --locked ruff check
	$(UV) run --locked mypy

.tools/bin/uv:
	@command -v git >/dev/null || { echo "git is missing: install it first" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "python3 is missing: install Python 3.11 or later first" >&2; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 is older than 3.11: put a later one first on PATH" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "python3 has no venv module: install it first (python3-venv on Debian and Ubuntu)" >&2; exit 1; }
	@echo "bringing uv $(UV_VERSION) into .tools/" >&2
	@python3 -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { rm -rf .tools; exit 1; }
