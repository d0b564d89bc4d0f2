# Everything runs from a virtual environment that this file makes: a machine needs Python 3.11+, git and make.
SHELL := /bin/sh
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv
STAMP  := $(VENV)/.installed
# Tests wait for servers for a quarter of their time: three at a time fill two cores.
PYTEST_WORKERS ?= 3

.PHONY: help install demo test lint check bench fmt lock clean

help: ## list what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

$(STAMP): pyproject.toml uv.lock | $(BIN)/uv
	$(UV) sync --frozen --quiet --all-extras --inexact --compile-bytecode
	@touch $(STAMP)

install: $(STAMP) ## make .venv with everything from the lock file

demo: $(STAMP) ## play the whole story on this machine, with no account anywhere
	$(BIN)/gitops-bot demo $(ARGS)

test: $(STAMP) ## run all tests
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup $(ARGS)

lint: $(STAMP) ## format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

check: lint test ## what must be green before a commit leaves this machine

bench: $(STAMP) ## counts and ratios: API calls per promotion, bytes, milliseconds against a baseline
	$(BIN)/python -m tests.bench $(ARGS)

fmt: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: | $(BIN)/uv ## update the lock file
	$(UV) lock --upgrade

clean: ## remove everything that this file made
	rm -rf $(VENV) .demo artifacts .pytest_cache .mypy_cache .ruff_cache
