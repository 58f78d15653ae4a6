# Everything a fresh Debian 12 with Python 3.11 needs is installed by the targets themselves:
# Python packages into .venv, checked by hash; for the tests also Debian's servers (as root).

PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3)
UV ?= uv
LOCK_FLAGS ?=
JOBS ?= 2

BIN := .venv/bin
DEMO := .venv/installed-demo
TEST := .venv/installed-test
BENCH := .venv/installed-bench
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url $(LOCK_FLAGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test check bench conformance faults servers docs site lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(DEMO) ## See it work: events go in, ticket fields are filled, and each is explained
	@$(BIN)/fieldfare demo

test: check servers ## Check, run every test against real servers, and measure the coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
	@$(BIN)/coverage combine --quiet
	@.ci/coverage $(BIN)/coverage directory=95 mapping=95 worker=85

check: $(TEST) ## Lint, format, types, and which package may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

servers: ## Install the servers that the tests need (Debian packages; starts none of them)
	@.ci/servers

conformance: $(TEST) servers ## Play what a real OTOBO 11 was seen to do, and compare (CASES=folder for others)
	@$(BIN)/python -m tests.conformance $(if $(CASES),'$(CASES)')

faults: $(TEST) servers ## Kill, freeze and starve everything at length (hours; FAULT=1 for one of the seven)
	@$(BIN)/pytest $(or $(wildcard $(if $(FAULT),tests/faults/test_fault_$(FAULT)_*.py)),tests/faults \
		tests/acceptance/test_resync.py) \
		--faults long --fault-results tests/faults/results

bench: $(TEST) $(BENCH) servers ## Measure beside an empty Celery task and bare queries (ten minutes; SHARE=0.05 for a short run, ONLY=admin for a part)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(SHARE),--share $(SHARE) --results build/bench)

docs: $(TEST) ## Write docs/reference anew from the code
	@$(BIN)/python docs/generate.py

site: $(TEST) ## Build the documentation as a site into build/site, and fail on any warning
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file .ci/mkdocs.yml

lock: ## Resolve requirements/*.txt anew (LOCK_FLAGS=--upgrade for the newest versions)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv; elsewhere: make lock UV=path" >&2; exit 1; }
	$(LOCK) pyproject.toml --extra embedded --extra otel --extra report --group test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --extra embedded --group demo --constraint requirements/test.txt --output-file requirements/demo.txt
	$(LOCK) pyproject.toml --constraint requirements/test.txt --output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra embedded --group demo --group bench --constraint requirements/test.txt --output-file requirements/bench.txt
	$(LOCK) --group build --constraint requirements/test.txt --output-file requirements/build.txt

clean: ## Remove the virtual environment and everything that tools left behind
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed-%: requirements/%.txt pyproject.toml .ci/venv
	@.ci/venv '$(PYTHON)' $<
	@touch $@
