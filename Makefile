# Every target makes the environment it needs: python3 (3.11 or newer), pip and make are enough.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8090
# One more than there are cores, as tests spend a third of their time waiting; at most five, for the memory.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 1, 5))')
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test nightly quick check bench benchpages format pins clean

help: ## List what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/.demo ## Run the demo: a glossary with an intake desk (PORT=8090)
	$(BIN)/undercroft demo --dir .demo --http 127.0.0.1:$(PORT)

test: $(VENV)/.test ## Run the whole test-suite
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Each line is a test of `make test` at its full size; -s prints the figures and the seeds.
NIGHTLY := $(BIN)/python -m pytest -q -s -p no:cacheprovider
nightly: $(VENV)/.test ## Run the long tests at their full size, with their figures (hours)
	DRILL_ROWS=200000 DRILL_RATE=200 DRILL_KILLS=0 $(NIGHTLY) tests/faults/test_turning.py
	DRILL_ROWS=200000 DRILL_RATE=200 DRILL_KILLS=50 $(NIGHTLY) tests/faults/test_turning.py
	DRILL_STEPS=5000 $(NIGHTLY) tests/records/test_encrypted_twins.py
	DRILL_STRIDE=1 DRILL_KILLS=20 $(NIGHTLY) tests/faults/test_files.py tests/faults/test_files_s3.py tests/files/test_turning.py
	DRILL_ROUNDS=100 $(NIGHTLY) tests/auth -k twenty_at_once
	DRILL_DISCONNECTS=200 $(NIGHTLY) tests/realtime/test_killed.py
	DRILL_LARGE_MIB=1024 DRILL_TIMED_ROUNDS=2000 $(NIGHTLY) tests/files/test_encrypted_large.py tests/records/test_encrypted_timing.py
	DRILL_UPLOAD_MIB=1024 $(NIGHTLY) tests/files/test_tus_clients.py
	DRILL_ORDERS=300 $(NIGHTLY) tests/auth/test_mfa_orders.py
	DRILL_TIMED_ROUNDS=500 $(NIGHTLY) tests/auth/test_told_apart.py tests/auth/test_flood.py
	$(NIGHTLY) tests/keys/test_rotation.py tests/keys/test_stale.py tests/keys/test_start.py

quick: $(VENV)/.test ## Run the tests that take seconds
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

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
