# `make repro` regenerates the paper, `make test` checks the project, `make quick` checks an edit. All set up what they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# the local copy of the real data sets, if there is one beside this folder; see README "The real suite"
export DART_DATA_DIR ?= $(wildcard $(CURDIR)/../shared/data)
# one thread: at nano size two are no faster, and results must not depend on how many cores are free
export OMP_NUM_THREADS ?= 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: setup repro quick test browser lint mutants stress clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# another run than the committed one (other parameters, say) is no error: the last line says which it is
repro: setup
	dart check
	dart repro
	dart summary
	dart verify --no-fail

lint: setup
	ruff check .
	ruff format --check .
	mypy
	PYTHONPATH=src lint-imports --no-logo

# what belongs to a commit: no pipeline, no training, no server; the rest runs in `make test`
quick: lint
	pytest -n 2 --dist loadfile -m "not slow and not training and not serve and not browser"

test: lint
	pytest -n 2 --dist loadfile -m "serve or not serve"

# pages in a real browser: chromium (or DART_BROWSER), offline; skipped where there is none
browser: setup
	pytest -m browser -rs

# faults of the method, one at a time in a copy of the tree: the tests must notice each of them
mutants: setup
	python -m tests.mutants --jobs 2

# hostile input, endpoints with faults, and kills: nothing may be lost, crash or hang
stress: setup
	python -m tests.stress

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
