# MedVista's commands; each sets up the environment it needs (.venv), and a second run of the set-up takes no time.
# Research use only, not a medical device.
.DEFAULT_GOAL := help
.PHONY: help setup train test check quick clean

ARGS ?=

help:     ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

setup:    ## make .venv from the pinned versions, for a CPU or a GPU, whichever this machine has
	@python="$$(bash setup/find_python)" && exec "$$python" -m setup.install

train: setup  ## set-up, then the whole training run (ARGS="--config FILE key=value --dry-run --resume")
	@env -u PYTHONDONTWRITEBYTECODE PATH="$(CURDIR)/.venv/bin:$$PATH" TORCH_EXTENSIONS_DIR="$(CURDIR)/.venv/torch_extensions" .venv/bin/python -m rl.train $(ARGS)

test: setup  ## set-up, then every check and every test
	@.venv/bin/python -m setup.check $(ARGS)

check:    ## format, lint, types, import layers, tests (ARGS go to pytest: make check ARGS="-k ledger")
	@.venv/bin/python -m setup.check $(ARGS)

quick:    ## the inner loop, under a minute: the same checks and the fast tests, of what changed since main
	@.venv/bin/python -m setup.quick

clean:    ## remove .venv and all caches (runs/ stays)
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
