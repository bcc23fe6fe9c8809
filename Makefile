PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := --constraint constraints.txt
# Data sets kept beside the checkout, if there are any; tests that need them say so and skip where there are none.
BESIDE := $(abspath $(wildcard ../shared/datasets))
ifneq ($(BESIDE),)
export VAEKIT_DATA_DIR ?= $(BESIDE)
endif

.PHONY: help demo test lint bench clean
.DEFAULT_GOAL := help

help:  ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.package  ## install, train on Fashion-MNIST (or on digits without it), evaluate, draw
	@$(BIN)/python examples/demo.py

test: $(VENV)/.develop  ## install, run every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.develop  ## ruff and basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

bench: $(VENV)/.bench  ## measure speed and quality beside the peers (about an hour; see benchmarks/README.md)
	$(BIN)/python -m benchmarks

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache

$(VENV)/.package: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(CONSTRAINTS) --upgrade pip
	$(PIP) install --quiet $(CONSTRAINTS) torch
	$(PIP) install --quiet $(CONSTRAINTS) --editable .
	@touch $@

$(VENV)/.develop: $(VENV)/.package
	$(PIP) install --quiet $(CONSTRAINTS) --group test --group lint
	@$(BIN)/python tests/browser/chromium.py
	@touch $@

$(VENV)/.bench: $(VENV)/.package
	$(PIP) install --quiet $(CONSTRAINTS) --group bench
	@touch $@
