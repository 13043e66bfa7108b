# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := ccafl tui tests bench docs

.PHONY: demo test check soak format docs screenshots clean

demo: $(VENV)/.installed
	@$(BIN)/ccafl run --preset demo
	@echo
	@echo "Your own data:    $(BIN)/ccafl run --data DIR"
	@echo "Everything else:  $(BIN)/ccafl --help"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

soak: $(VENV)/.installed-dev
	$(BIN)/python -m bench.soak

format: $(VENV)/.installed-dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/build_config.py > docs/config.md
	$(BIN)/python -m ccafl.store > runs.db.sql
	$(BIN)/python docs/build_keys.py

screenshots: $(VENV)/.installed-dev
	$(BIN)/python docs/build_screenshots.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing ccafl into $(CURDIR)/$(VENV): PyTorch and its libraries are a download of about"
	@echo "3 GB, once; 6 GB of disk. Stop with Ctrl-C; make clean removes it all again."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "ccafl needs Python 3.11 or newer, this is " + sys.version.split()[0] + \
	    ". Name another one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@
