# The commands of this repository. `make run` and `make test` set everything up by themselves:
# all they need is Python 3.11 or newer and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run latency serve test lint format bench clean

help:
	@echo "make run     start the local environment, play a seeded trading day on it, check every invariant, stop"
	@echo "make latency 50 orders/s for two minutes, from request to every client's receipt, with a report"
	@echo "make serve   start the local environment and keep it running until Ctrl-C"
	@echo "make test    all tests"
	@echo "make lint    ruff and pyright (strict)"
	@echo "make format  let ruff rewrite the code"
	@echo "make bench   the benchmarks behind docs/performance.md"
	@echo "make clean   stop the local environment and delete everything that make created"

$(VENV)/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "make: Python 3.11 or newer is needed, %s is %d.%d: set PYTHON=/path/to/python3.11" % (sys.executable, v[0], v[1]))'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned requirements into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.txt
	@echo "Installing the pinned test requirements into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/.runtime
	@$(BIN)/market run

latency: $(VENV)/.runtime
	@$(BIN)/market up
	@$(BIN)/market latency --rate 50 --minutes 2 --players 24 --report .local/latency.html; measured=$$?; $(BIN)/market down && exit $$measured

serve: $(VENV)/.runtime
	@$(BIN)/market serve

test: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks

clean:
	@if test -x $(BIN)/market; then $(BIN)/market down || true; fi
	rm -rf $(VENV) .local .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
