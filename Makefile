# `make run` and `make test` do all of their own set-up; nothing else is needed but Python 3.11+, make and git.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null \
	  && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
DEBIAN := tshark rsyslog rsyslog-openssl systemd

.PHONY: run test setup setup-dev system-packages format lint types layers tests lock messages parsing kill-test clean

ifdef PATHS
run: setup  # scan these and end
	@$(BIN)/vonggac --data ./var scan --format table $(PATHS) || test $$? = 3
else
run: setup  # the service, until Ctrl-C
	@exec $(BIN)/vonggac --data ./var run --alerts table
endif

test: setup-dev system-packages lint types layers tests

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "vonggac needs Python 3.11, 3.12 or 3.13 on the PATH: apt-get install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then .ci/apt python3-venv; \
	  else echo "vonggac needs the Debian package python3-venv: apt-get install python3-venv" >&2; exit 2; fi; }
	@echo "making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing locked dependencies" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.run

system-packages:
	@.ci/apt $(DEBIAN)

format:
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint:
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types:
	@$(BIN)/mypy

layers:
	@$(BIN)/lint-imports

tests:
	@$(BIN)/pytest -n 2

lock:
	@for set in run dev; do extra="--extra build"; [ $$set = dev ] && extra="$$extra --extra dev"; \
	  uv pip compile pyproject.toml $$extra --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header -q -o requirements/$$set.txt; done

messages: setup-dev  # the Vietnamese catalogue: our messages and click's; write what stands empty, then run it again
	@set -e; click=$$($(BIN)/python -c 'import click, pathlib; print(pathlib.Path(click.__file__).parent)'); pot=$$(mktemp); trap 'rm -f "$$pot"' EXIT; \
	  $(BIN)/pybabel -q extract --no-location --sort-output --no-wrap -k later -o "$$pot" vonggac collectors detectors connectors "$$click"; \
	  $(BIN)/pybabel -q update -N --ignore-obsolete --ignore-pot-creation-date --no-wrap -D vonggac -i "$$pot" -d vonggac/locale
	@$(BIN)/pybabel -q compile --statistics -D vonggac -d vonggac/locale

parsing: setup-dev  # docs/parsing.md from the real test data
	@$(BIN)/python -P tests/bench/parsing.py $${VONGGAC_TEST_DATA:-../shared/data}

kill-test: setup-dev  # 320 kills of the event log's owners, between all steps of a commit, and 300 of the service's roles
	@$(BIN)/python -P tests/bench/kill_log.py 160
	@$(BIN)/python -P tests/bench/kill_service.py 300

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
