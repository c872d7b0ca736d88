# Everything a developer or a newcomer runs. `make run` and `make test` need Python 3.11 or later, make and the
# package registry, nothing else; they build .venv themselves, again whenever pyproject.toml changes.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first interpreter that starts and is new enough; `make PYTHON=/path/to/python ...` chooses another.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

# Passed on: make run ARGS="--seed 7", make test ARGS="-k gbcs -x"
ARGS ?=

.PHONY: help run test test-interop interop-tools soak bench docs lint format types imports wheel wheel-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run.stamp ## bring up a laboratory, run the f4-smoke suite, write the evidence pack
	$(BIN)/smetslab run $(ARGS)

test: $(VENV)/dev.stamp ## the tests that need nothing but Python, on all cores
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

test-interop: $(VENV)/interop.stamp interop-tools ## the tests against real tools, which it installs (as root, with apt)
	PATH="$(CURDIR)/tests/interop/node/node_modules/.bin:$$PATH" $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "interop and not soak" tests/interop $(ARGS)

interop-tools:
	tests/interop/tools/system.sh
	tests/interop/tools/node.sh
	PYTHON="$(PYTHON)" tests/interop/tools/zigpy.sh
	PYTHON="$(PYTHON)" tests/interop/tools/scapy.sh

soak: $(VENV)/dev.stamp ## the tests that run for minutes, with the real tools that are there; SOAK_SECONDS (600) is how long decoders are fuzzed
	$(PIP) install --editable '.[dev,soak]' || echo 'no atheris for this Python: fuzzing will be skipped' >&2
	$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(VENV)/dev.stamp ## every benchmark, one after the other
	shopt -s nullglob; for file in benchmarks/bench_*.py; do $(BIN)/python "$$file" $(ARGS); done

docs: $(VENV)/dev.stamp ## what the documentation makes from the code: reference pages, tables, JSON schemas
	$(BIN)/python tests/docs/reference.py
	$(BIN)/python tests/docs/schemas.py
	$(BIN)/python tests/docs/tables.py

lint: $(VENV)/dev.stamp ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/dev.stamp ## put the code into the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.stamp ## mypy --strict
	$(BIN)/mypy

imports: $(VENV)/dev.stamp ## who may import whom
	$(BIN)/lint-imports

wheel: $(VENV)/run.stamp ## build dist/smetslab-*.whl
	rm -f dist/smetslab-*.whl
	$(PIP) wheel --no-deps --wheel-dir dist .
	@ls dist/smetslab-*.whl

# An environment and a folder that know nothing of the checkout.
wheel-check: wheel ## install the wheel into an empty environment and do the main job there
	folder="$$(mktemp -d)"; trap 'rm -rf "$$folder"' EXIT; wheel="$$(realpath dist/smetslab-*.whl)"; \
	"$(PYTHON)" -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip --disable-pip-version-check --no-input --quiet install "$$wheel"; \
	mkdir "$$folder/work"; cd "$$folder/work"; env -u PYTHONPATH "$$folder/venv/bin/smetslab" run $(ARGS)

clean: ## remove what make built
	rm -rf $(VENV) dist build tests/interop/node/node_modules tests/interop/zigpy/.venv tests/interop/scapy/.venv .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "smetslab needs Python 3.11 or later; none was found (make PYTHON=...)" >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(VENV)/run.stamp

$(VENV)/interop.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev,mqtt,postgres]'
	touch $@ $(VENV)/dev.stamp $(VENV)/run.stamp
