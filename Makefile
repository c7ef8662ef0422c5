# Everything runs inside .venv, which is built from the hash-locked requirements.lock.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
BIN := .venv/bin
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help .venv demo test bench bench-quick chaos lint format lock docs pictures slack-types clean

help:  ## show what make can do
	@grep -hE '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

.venv: .venv/.installed  ## build the virtual environment at .venv from requirements.lock

.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found: install Python 3.11 or newer, or call make PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Chargehand needs Python 3.11 or newer."; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/.installed  ## show the product at work: sandbox and service on SQLite, no account needed
	$(BIN)/chargehand demo

test: .venv/.installed  ## run every test
	$(BIN)/pytest $(PYTEST_ARGS)

bench: .venv/.installed  ## measure against peers and floors, in under ten minutes; writes bench/RESULTS.md
	$(BIN)/python -m bench

bench-quick: .venv/.installed  ## the same with a small fleet, in under two minutes
	$(BIN)/python -m bench --quick

chaos: .venv/.installed  ## kill, freeze and cut services for as long as asked: CHAOS="--seconds 600 --database postgresql --replicas 3"
	$(BIN)/python -m tests.chaos $(CHAOS)

lint: .venv/.installed  ## check style, types, import directions and generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m bot.cli.docs --check

format: .venv/.installed  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.installed  ## write the generated references in docs/ anew
	$(BIN)/python -m bot.cli.docs

lock:  ## resolve requirements.lock and requirements-run.lock anew (needs uv)
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra dev \
	  --no-annotate --no-header --upgrade pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --constraint requirements.lock \
	  --no-annotate --no-header pyproject.toml --output-file requirements-run.lock

pictures: .venv/.installed  ## take the pictures in docs/pictures anew, in Chromium from the demo
	$(BIN)/python -m tests.pictures

slack-types:  ## have the test of views ask Slack's own types, too (needs npm)
	npm install --prefix .node --no-save --no-package-lock --no-audit --no-fund typescript@5.9.3 @slack/types@3.2.0

clean:  ## remove what make made
	rm -rf .venv .node build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
