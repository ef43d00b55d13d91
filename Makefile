# Everything runs in .venv. Python 3.11+ and make are all a machine needs.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup platform demo test check unit broker format lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "IPX needs Python 3.11 or newer; set PYTHON=python3.12, say")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

platform: setup  ## fetch and check Kafka, the registry and PostgreSQL once; later runs need no network
	@$(BIN)/ipx platform install

demo: platform  ## the main job on real input
	@$(BIN)/ipx demo

test: platform  ## the whole gate
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory broker

check: setup  ## format, lint, types, architecture, unit: under a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/ipx schemas lint
	@$(BIN)/python -m pytest --numprocesses 2 tests/architecture tests/unit

unit: setup
	@$(BIN)/python -m pytest --numprocesses 2 tests/unit

broker: platform  ## contract, broker, system and crash tests on the real Kafka, registry and PostgreSQL
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder tests/contracts tests/vectors tests/broker tests/system

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock:  ## resolve the lock file again (needs the network, and uv from the package index)
	@$(PYTHON) -m venv .lockenv && .lockenv/bin/pip --quiet install uv
	@.lockenv/bin/uv pip compile pyproject.toml --extra local --extra dev --universal --python-version 3.11 --generate-hashes --quiet --upgrade --custom-compile-command "make lock" -o requirements.lock
	@rm -rf .lockenv

clean:
	@rm -rf $(VENV) .ipx .mypy_cache .ruff_cache .pytest_cache .hypothesis
