# Two commands are all a user needs: `make demo` and `make test`.
# Both install into .venv; they need Python 3.11 or later, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check check-static lint types rooms docs format clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py $(if $(LFW),--lfw $(LFW)) $(if $(PEOPLE),--people $(PEOPLE))

test: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest $(ARGS)

check: check-static test

check-static: lint types rooms docs

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

rooms: $(VENV)/dev
	$(BIN)/lint-imports

# Every warning is an error: a broken link, a public name without a docstring.
docs: $(VENV)/dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env -d build/doctrees docs build/docs

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
