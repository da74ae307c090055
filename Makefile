# Two commands do everything on a fresh machine: `make suite` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/kvratio

.PHONY: suite paper test test-all bench figures lint format clean

suite: $(VENV)/.run  ## create the environment and run the default suite
	$(RUN) run default

paper: $(VENV)/.run  ## the published figures beside ours: runs/papers/PAPERS.md
	$(RUN) paper

test: $(VENV)/.test  ## create the environment and pass the tests (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest -n auto -m "not slow"

test-all: $(VENV)/.test  ## the same with the long tests and 25 times as many random examples
	KVRATIO_TESTS=all $(BIN)/python -m pytest -n auto

bench: $(VENV)/.test  ## speed, as a table; writes docs/performance.md
	$(BIN)/python tests/benchmarks/report.py

figures: $(VENV)/.run  ## the figures of docs/congestion.md and docs/capacity.md
	$(RUN) stability --pictures docs/figures --formats svg
	$(RUN) capacity --prompt 805 --output 805 --memory 65500 --slot-seconds 0.0372 --rate 3 --picture docs/figures/capacity.svg

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "kvratio needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# One stamp per set of packages, made again when what it depends on changes.
$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,dev]"
	touch $@ $(VENV)/.run $(VENV)/.test

clean:
	rm -rf $(VENV) build dist *.egg-info runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
