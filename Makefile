# Two commands are all a user needs: `make demo` and `make test`.
# Both install into .venv; they need Python 3.11 or later, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The formatter of JavaScript, CSS and HTML: fetched and run by npx, where Node.js is installed.
PRETTIER := npx --yes prettier@3.10.1 --log-level warn
WEB := "src/**/*.{js,css,html}" "docs/**/*.css"

.PHONY: demo test test-all check check-static lint types rooms docs format fuzz clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py $(if $(LFW),--lfw $(LFW)) $(if $(PEOPLE),--people $(PEOPLE))

# A worker per core; a second thread in each would only wait for the other workers.
test test-all: export OMP_NUM_THREADS = 1

test: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not lfw and not fuzz" $(ARGS)

# Also the fuzz targets, and the measurements on Labeled Faces in the Wild, where its archive is.
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

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@if command -v npx > /dev/null; then $(PRETTIER) --write $(WEB); \
	else echo 'npx is not installed: JavaScript, CSS and HTML are not formatted'; fi

# Search for inputs that break a reader of bytes from outside: SECONDS of each target, all at once.
fuzz: SECONDS ?= 60
fuzz: $(VENV)/fuzz
	$(BIN)/python -m fuzz run --seconds $(SECONDS) --json benchmarks/results/fuzz.json $(ARGS)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/fuzz: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	touch $@

clean:
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
