# Two commands are all a user needs: `make demo` and `make test`.
# Both install into .venv; they need Python 3.11 or later, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The formatter of JavaScript, CSS and HTML: fetched and run by npx, where Node.js is installed.
PRETTIER := npx --yes prettier@3.10.1 --log-level warn
WEB := "src/**/*.{js,css,html}" "docs/**/*.css"

.PHONY: demo test test-all check check-static lint types rooms docs mutants format clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py $(if $(LFW),--lfw $(LFW)) $(if $(PEOPLE),--people $(PEOPLE))

# A worker per core; a second thread in each would only wait for the other workers.
test test-all: export OMP_NUM_THREADS = 1

test: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not lfw" $(ARGS)

# Also the measurements on Labeled Faces in the Wild, where its archive is.
test-all: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n logical --dist worksteal $(ARGS)

check: check-static test-all

check-static: lint types rooms docs

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@if command -v npx > /dev/null; then echo '$(PRETTIER) --check'; $(PRETTIER) --check $(WEB); \
	else echo 'npx is not installed: JavaScript, CSS and HTML are not checked'; fi

types: $(VENV)/dev
	$(BIN)/mypy

rooms: $(VENV)/dev
	$(BIN)/lint-imports

# Every warning is an error: a broken link, a public name without a docstring.
docs: $(VENV)/dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env -d build/doctrees docs build/docs
	@echo 'The documents: build/docs/index.html'

# What the tests notice: changes of the deciding modules, each tested; about half an hour.
mutants: $(VENV)/dev
	$(BIN)/python scripts/mutants.py --json benchmarks/results/mutants.json $(ARGS)

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@if command -v npx > /dev/null; then $(PRETTIER) --write $(WEB); \
	else echo 'npx is not installed: JavaScript, CSS and HTML are not formatted'; fi

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
