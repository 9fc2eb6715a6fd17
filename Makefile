# Every target sets up what it needs first; work whose inputs are unchanged is skipped.
PYTHON ?= python3
PORT ?= 8000
DIR ?= var/imp
CYCLES ?= 1000
ONLY ?=
IMP := .venv/bin/imp
VENV_PYTHON := .venv/bin/python
SETUP = @command -v $(PYTHON) >/dev/null || { echo "error: python3 is missing: install it with your system's package manager"; exit 1; }; \
	$(PYTHON) tools/setup.py

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint fmt bench load crash lock clean

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## virtual environment, RocksDB, native module: what running and testing need
	$(SETUP) dev

demo: ## issue 1,000,000 demo codes, print links to try, serve them (PORT=8000)
	$(SETUP)
	@$(IMP) demo --port $(PORT)

serve: ## serve the data directory DIR=var/imp, made if it is missing (PORT=8000)
	$(SETUP)
	@test -e $(DIR)/imp.json || $(IMP) init --dir $(DIR)
	@$(IMP) serve --dir $(DIR) --port $(PORT)

test: ## every test, Rust and Python, with a summary
	$(SETUP) dev
	@$(VENV_PYTHON) tools/system_packages.py postgresql || test -z "$$CI"
	@$(VENV_PYTHON) tools/run_tests.py

lint: ## formatting, lints, types, the stub of the native module
	$(SETUP) dev
	@$(VENV_PYTHON) tools/run_lint.py

fmt: ## format Python and Rust
	$(SETUP) dev
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format .
	@cargo fmt --all

bench: ## every figure of the README beside its peers; writes bench/results (ONLY="codes http")
	$(SETUP) dev bench
	@$(VENV_PYTHON) tools/system_packages.py wrk nginx-lua redis
	@$(VENV_PYTHON) -m bench $(ONLY)

load: ## one minute of locust against a server it starts; service levels set the exit code
	$(SETUP) load
	@$(VENV_PYTHON) -m loadtest

crash: ## kill a writing process CYCLES=1000 times and check what it acknowledged; as many random histories
	$(SETUP) dev
	@$(VENV_PYTHON) -m pytest tests/crash tests/integration/test_engine_state_machine.py --crash-cycles $(CYCLES)

lock: ## resolve the Python packages anew (needs uv)
	@$(PYTHON) tools/lock.py --upgrade

clean: ## remove what building and testing made; data in var/ and the per-user RocksDB stay
	rm -rf .venv .cargo build target core_rs/fuzz/target imp/*.so .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
