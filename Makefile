# zenbench: `make demo` shows it, `make test` checks it. Both set up .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := zen devices latency_tables bench

# A strict editable install links file by file, so it is renewed when the list of files changes.
FILES := $(sort $(wildcard *.py) $(shell find $(PACKAGES) -name '*.py' -o -name '*.json' -o -name '*.toml' -o -name '*.csv' -o -name '*.jinja'))
DIGEST := $(shell (cat pyproject.toml constraints.txt; echo '$(FILES)') | cksum | cut -d' ' -f1)
STAMP := $(VENV)/installed-$(DIGEST)

.PHONY: help setup browser test lint format demo accuracy clean

help:
	@echo 'make demo    profile this machine, search, export, measure, compare (a few minutes)'
	@echo 'make test    lint, types and tests'
	@echo 'make accuracy  how true predictions are on this machine (about 45 minutes)'
	@echo 'make setup   only the environment in $(VENV)'
	@echo 'make format  format the code'
	@echo 'make clean   remove the environment and what was built'

setup: $(STAMP)

$(STAMP): | $(BIN)/python
	@echo 'installing zenbench and its pinned dependencies into $(VENV) (a few minutes the first time)'
	@rm -rf build
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[dev]' --config-settings editable_mode=strict
	@rm -f $(VENV)/installed-*
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'zenbench needs Python 3.10 or newer; name one with: make PYTHON=python3.11'; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ test "$$(id -u)" = 0 && apt-get install -qq -y python3-venv; } || \
		{ echo 'python3-venv is missing; install it with: sudo apt-get install python3-venv'; exit 2; }
	@$(PYTHON) -m venv $(VENV)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy -p zenbench

# The report is tested in a real browser.
browser:
	@command -v chromium >/dev/null || \
		{ test "$$(id -u)" = 0 && { apt-get install -qq -y chromium || \
			{ apt-get update -qq && apt-get install -qq -y chromium; }; }; } || \
		{ echo 'chromium is missing; install it with: sudo apt-get install chromium'; exit 2; }

test: lint browser
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2

format: setup
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

demo: setup
	@$(BIN)/zenbench demo

accuracy: setup
	@$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf $(VENV) build tests/adbd/build tests/artefacts *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
