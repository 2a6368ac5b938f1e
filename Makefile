# Two commands are all a user needs: `make demo` and `make test`.
# Both install into .venv; they need Python 3.11 or later, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The formatter of JavaScript, CSS and HTML: fetched and run by npx, where Node.js is installed.
PRETTIER := npx --yes prettier@3.10.1 --log-level warn
# The least versions that pyproject.toml allows have wheels for this Python.
LEAST_PYTHON ?= python3.11
# The rooms that use the most of what others wrote; the tools are the newest.
LEAST_TESTS ?= tests/engine tests/faces tests/gallery tests/graph tests/models tests/photo \
  tests/recognizer tests/server tests/training
LEAST_TOOLS := httpx httpx2 hypothesis psutil pytest pytest-randomly pytest-xdist scikit-learn
WEB := "src/**/*.{js,css,html}" "docs/**/*.css"

.PHONY: demo test test-all test-least audit mutants check check-static lint types rooms docs format clean fuzz

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py $(if $(LFW),--lfw $(LFW)) $(if $(PEOPLE),--people $(PEOPLE))

# A worker per core; a second thread in each would only wait for the other workers.
test test-all test-least: export OMP_NUM_THREADS = 1

test: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n logical --dist worksteal -m "not lfw and not fuzz" $(ARGS)

# Also the fuzz targets, and the measurements on Labeled Faces in the Wild, where its archive is.
test-all: $(VENV)/dev
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n logical --dist worksteal $(ARGS)

# The least versions of the libraries that pyproject.toml allows, in an environment of their own.
# What they use in turn is the newest, so that there are warnings that are not about Mien.
test-least: build/least/installed
	build/least/bin/python -m pytest -n logical --dist worksteal -m "not lfw" -W default \
	  $(LEAST_TESTS) $(ARGS)

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

# Known vulnerabilities of the installed packages and of the page's runtime. Needs the network, so
# `make check` does without; a package that the advisories do not cover fails it.
audit: $(VENV)/dev build/audit/installed
	PIPAPI_PYTHON_LOCATION=$(BIN)/python build/audit/bin/pip-audit --strict --skip-editable
	@if command -v npm > /dev/null; then scripts/audit_npm.sh $(BIN)/python; \
	else echo 'npm is not installed: the page'"'"'s runtime is not audited'; fi

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

build/least/installed: pyproject.toml scripts/least_versions.py
	rm -rf build/least
	$(LEAST_PYTHON) -m venv build/least
	$(LEAST_PYTHON) scripts/least_versions.py > build/least/constraints.txt
	build/least/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint build/least/constraints.txt --editable '.[all]' $(LEAST_TOOLS)
	touch $@

build/audit/installed:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit

$(VENV)/fuzz: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	touch $@

clean:
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
