# Everything a fresh machine needs: `make demo` runs the loop on the sample images, `make test` proves the house.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-project

.PHONY: help install install-dev demo app test coverage lint types check clean

help:
	@echo "make demo   install, run the whole loop on sample_data, print the next annotation set"
	@echo "make app    open the labelling app on the demo's project"
	@echo "make test   install, lint, check types, run every test, browser included"
	@echo "make coverage   run every test, and say which lines and branches none of them reaches"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp file per kind of installation: done again only when pyproject.toml changed.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	$(BIN)/annotate-select demo --output $(DEMO)

app: install
	@test -f $(DEMO)/project.toml || $(BIN)/annotate-select demo --output $(DEMO)
	$(BIN)/annotate-select --project $(DEMO) app

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell annotate_select app tests benchmarks README.md CHANGELOG.md

types: install-dev
	$(BIN)/mypy

check: lint types

# What checks the app's JavaScript; its own stamp, for npm is asked again only when the lock file changed. Where the npm
# registry cannot be reached, the tests say which checks they leave out.
FRONTEND := tests/app/frontend
$(FRONTEND)/node_modules/.installed: $(FRONTEND)/package-lock.json $(VENV)/.installed-dev
	PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix $(FRONTEND) --no-audit --no-fund --loglevel=error \
	&& touch $@ || echo "the npm registry cannot be reached: types, lint and accessibility of the app stay unchecked"

.PHONY: frontend
frontend: $(FRONTEND)/node_modules/.installed

# Without bytecode kept on disk, every worker would rewrite the tests' assertions anew, and every command compile itself.
unexport PYTHONDONTWRITEBYTECODE

BESIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Browsers have the machine to themselves: what a person sees in time is part of these tests.
test: check chromium frontend
	$(BIN)/python -m pytest -q -m "not browser" $(BESIDE)
	$(BIN)/python -m pytest -q -m browser tests/app

# Apart from `make test`: to trace every line and branch takes more than a third of the tests' own time again.
coverage: install-dev chromium frontend
	$(BIN)/python -m pytest -q -m "not browser" $(BESIDE) --cov --cov-report=
	$(BIN)/python -m pytest -q -m browser tests/app --cov --cov-append --cov-report=term

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	|| { command -v apt-get >/dev/null && echo "installing chromium for the browser tests" \
	     && { [ "$$(id -u)" = 0 ] && SUDO= || SUDO=sudo; } && $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq chromium; } \
	|| { echo "the browser tests need chromium: install it, then run make test again"; exit 1; }

clean:
	rm -rf $(VENV) $(DEMO) tests/app/frontend/node_modules dist build .mypy_cache .pytest_cache .ruff_cache
