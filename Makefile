# Every job sets up what it needs in ./.venv, from pinned requirements, and writes nothing outside
# this folder but pip's download cache.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
HEADERS := $(CURDIR)/$(VENV)/headers

# Where torch comes from: auto (what pip is set up with), no, or the address of an index.
TORCH ?= auto

# Temporary files and caches stay inside; nothing of the caller's Python leaks in.
export TMPDIR := $(CURDIR)/$(VENV)/tmp
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

SOURCES := $(shell find cpp cuda -type f) CMakeLists.txt pyproject.toml
INSTALL := $(BIN)/python -m pip install --quiet --constraint requirements/constraints.txt
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees

.NOTPARALLEL:
.PHONY: help build demo test lint format docs links bench gpu-check sanitize fuzz coverage clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

build: $(STAMPS)/package  ## compile and install the package into .venv

demo: $(STAMPS)/package  ## homogenize 2,000 random microstructures
	@$(BIN)/pearlite demo $(ARGS)

test: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/cuda $(STAMPS)/torch-$(notdir $(TORCH))  ## run the tests (ARGS="-m slow" for the slow ones)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(STAMPS)/test $(STAMPS)/lint  ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(STAMPS)/lint  ## let ruff rewrite the Python files
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(STAMPS)/package $(STAMPS)/docs $(STAMPS)/torch-$(notdir $(TORCH))  ## make the site, build/docs/index.html
	@$(BIN)/python -c "import torch" 2> $(TMPDIR)/torch.log || \
	  { echo "the tutorials need torch: make docs TORCH=ADDRESS, of an index of CPU builds"; exit 1; }
	@rm -rf docs/generated build/docs
	@$(SPHINX) -b html docs build/docs $(ARGS)
	@echo "the site is build/docs/index.html"

links: $(STAMPS)/package $(STAMPS)/docs  ## check the site's links to other sites
	@$(SPHINX) -b linkcheck -D plot_gallery=0 docs build/links $(ARGS)

bench: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/torch-$(notdir $(TORCH)) $(STAMPS)/bench  ## time it against other packages
	@$(BIN)/python -m pytest benchmarks --benchmark-enable -m "" $(ARGS)

# cupy for the machine's CUDA is the caller's choice: CUPY=cupy-cuda12x for an older driver.
CUPY ?= cupy-cuda13x
gpu-check: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/torch-$(notdir $(TORCH))  ## check and time the CUDA kernels on this machine's card
	@$(BIN)/python -c 'import cupy' 2> /dev/null || $(INSTALL) $(CUPY)
	@$(BIN)/python -m benchmarks.gpu_check $(ARGS)

sanitize: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/cuda  ## run the kernels and their tests under sanitizers
	@PATH="$(CURDIR)/$(BIN):$$PATH" HEADERS="$(HEADERS)" tests/cpp/sanitize.sh $(CURDIR)/$(BIN)/python

fuzz: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/fuzz  ## feed damaged files to the readers (ARGS=seconds)
	@$(BIN)/python tests/fuzz/fuzz_readers.py $(ARGS)

coverage: $(STAMPS)/package $(STAMPS)/test $(STAMPS)/coverage  ## tell which lines the tests run
	@PATH="$(CURDIR)/$(BIN):$$PATH" HEADERS="$(HEADERS)" tests/cpp/coverage.sh $(CURDIR)/$(BIN)/python

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

# A CPU build or none: what PyPI has for Linux brings gigabytes of CUDA along.
$(STAMPS)/torch-$(notdir $(TORCH)): requirements/torch.txt $(STAMPS)/run
	@if [ "$(TORCH)" = no ]; then \
	  echo "leaving torch out: tests that need it are skipped"; \
	elif echo "installing torch"; ! $(INSTALL) --only-binary :all: \
	    $(if $(filter auto,$(TORCH)),,--extra-index-url "$(TORCH)") -r requirements/torch.txt \
	    2> $(TMPDIR)/torch.log; then \
	  echo "no CPU build of torch found (see $(TMPDIR)/torch.log): tests that need it are skipped"; \
	  echo "to fetch one: make test TORCH=ADDRESS, of an index of CPU builds"; \
	  [ "$(TORCH)" = auto ]; \
	fi
	@touch $@

# Without it (no wheels for this machine) the tests of CUDA's compilers say that they are skipped.
$(STAMPS)/cuda: requirements/cuda.txt $(STAMPS)/run
	@echo "installing the compilers of CUDA"
	@$(INSTALL) --only-binary :all: -r requirements/cuda.txt || true
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/run
	@echo "installing the packages to compare with"
	@$(INSTALL) -r requirements/bench.txt
	@touch $@

$(STAMPS)/fuzz: requirements/fuzz.txt $(STAMPS)/run
	@echo "installing the fuzzer"
	@$(INSTALL) --only-binary :all: -r requirements/fuzz.txt || true
	@touch $@

$(STAMPS)/coverage: requirements/coverage.txt $(STAMPS)/run
	@echo "installing what measures coverage"
	@$(INSTALL) -r requirements/coverage.txt
	@touch $@

$(STAMPS)/docs: requirements/docs.txt requirements/test.txt $(STAMPS)/test
	@echo "installing what makes the site"
	@$(INSTALL) -r requirements/docs.txt
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
