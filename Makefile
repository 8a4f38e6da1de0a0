# Every target makes the environment it needs: python3 (3.11 or newer), pip and make are enough.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8090
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test quick long check bench benchpages format pins clean

help: ## List what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/.demo ## Run the demo: a glossary with an intake desk (PORT=8090)
	$(BIN)/undercroft demo --dir .demo --http 127.0.0.1:$(PORT)

test: $(VENV)/.test ## Run the whole test-suite
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

quick: $(VENV)/.test ## Run the tests that take seconds
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

long: $(VENV)/.test ## Encrypted files of 1 GiB, and how long look-ups take: prints its figures
	UNDERCROFT_LARGE_MIB=1024 UNDERCROFT_TIMED_ROUNDS=2000 $(BIN)/python -m pytest -s \
		tests/files/test_encrypted_large.py tests/records/test_encrypted_timing.py $(PYTEST_ARGS)

check: $(VENV)/.test ## Format, lint, types and the rules of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house --ignore tests/house/test_docs.py
	$(BIN)/python tools/counts.py

bench: $(VENV)/.bench ## Same work on Undercroft, PocketBase, FastAPI and a bare handler (needs wrk)
	$(BIN)/python benchmarks/compare.py $(BENCH_ARGS)

benchpages: $(VENV)/.bench ## The same pages on Undercroft, Django and FastAPI (needs wrk)
	$(BIN)/python benchmarks/pages.py $(BENCH_ARGS)

format: $(VENV)/.test ## Rewrite the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pins: $(VENV)/.test $(VENV)/.bench ## Write down the versions in use
	$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

clean: ## Remove the environment and what the demo stored
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Some systems ship venv without ensurepip; pip can then fill the environment from outside.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) \
			&& $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Undercroft with what '$*' needs into $(VENV) ..."
	@$(INSTALL) --editable '.[$*]'
	@touch $@
