# Every job sets up what it needs in ./.venv, from pinned requirements, and writes nothing outside
# this folder but pip's download cache.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
HEADERS := $(CURDIR)/$(VENV)/headers

# Temporary files and caches stay inside; nothing of the caller's Python leaks in.
export TMPDIR := $(CURDIR)/$(VENV)/tmp
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

SOURCES := $(shell find cpp -type f) CMakeLists.txt pyproject.toml
INSTALL := $(BIN)/python -m pip install --quiet --constraint requirements/constraints.txt

.NOTPARALLEL:
.PHONY: help build demo test lint format bench clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

build: $(STAMPS)/package  ## compile and install the package into .venv

demo: $(STAMPS)/package  ## homogenize 2,000 random microstructures
	@$(BIN)/pearlite demo $(ARGS)

test: $(STAMPS)/package $(STAMPS)/test  ## run the tests (ARGS="-m slow" for the slow ones)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(STAMPS)/test $(STAMPS)/lint  ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(STAMPS)/lint  ## let ruff rewrite the Python files
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/bench  ## time it against other packages
	@$(BIN)/python -m pytest benchmarks --benchmark-enable -m "" $(ARGS)

clean:  ## remove the environment and everything built
	rm -rf $(VENV) build pearlite-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pearlite needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) $(TMPDIR)
	@touch $@

$(STAMPS)/run: $(addprefix requirements/,build.txt run.txt constraints.txt) $(STAMPS)/venv
	@echo "installing requirements"
	@$(INSTALL) -r requirements/build.txt -r requirements/run.txt
	@touch $@

$(STAMPS)/test: requirements/test.txt $(STAMPS)/run
	@echo "installing test requirements"
	@$(INSTALL) -r requirements/test.txt
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/run
	@echo "installing the packages to compare with"
	@$(INSTALL) -r requirements/bench.txt
	@touch $@

$(STAMPS)/lint: requirements/lint.txt $(STAMPS)/run
	@echo "installing lint requirements"
	@$(INSTALL) -r requirements/lint.txt
	@touch $@

$(STAMPS)/headers: requirements/headers.sh $(STAMPS)/venv
	@requirements/headers.sh $(BIN)/python "$(HEADERS)"
	@touch $@

# Editable: Python files are used where they lie, the extension is rebuilt here and never on import.
$(STAMPS)/package: $(SOURCES) $(STAMPS)/run $(STAMPS)/headers
	@echo "building pearlite"
	@if [ -d "$(HEADERS)" ]; then \
	  export CPATH="$(HEADERS)/usr/include"; \
	  export SKBUILD_CMAKE_DEFINE="Python_INCLUDE_DIR=$$(echo "$(HEADERS)"/usr/include/python3*)"; \
	fi; \
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --no-deps \
	  --no-build-isolation --force-reinstall --editable .
	@touch $@
