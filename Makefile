# For users: make demo, make test. For developers: make help.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet --quiet
LOCK := $(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--resolver=backtracking --build-deps-for=editable --newline=lf --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --no-emit-options --annotation-style=line
# What the demo and the tests run besides the bare package: everything weights are there for.
EXTRAS := --extra=models --extra=text --extra=ocr
# What the tests need besides.
TEST_EXTRAS := --extra=asr --extra=export --extra=postgres --extra=ray --extra=s3 --extra=serve --extra=dev

# Stamps: an environment is made anew only when its lock or the project's metadata changes.
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
PARITY := .venv-parity
BENCH := .venv-bench
MINUTES ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test setup check fmt lint types layers generated schemas docs bench fuzz golden mutants cover lock parity clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

# --- for users --------------------------------------------------------------------------------

demo: $(BASE) ## install, fetch a clip and weights, make a validated run of it, print the report
	@$(BIN)/filmcan models pull --set demo >/dev/null || \
		echo 'Going on: what could not be fetched ends as dependency_missing below.'
	$(BIN)/filmcan demo

test: $(DEV) ## run all tests
	$(BIN)/python -m pytest $(ARGS)

# --- for developers ---------------------------------------------------------------------------

setup: $(DEV) ## make .venv with the package (editable) and the pinned tools

check: lint types layers generated ## all that must hold before the tests

fmt: $(DEV) ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(DEV) ## formatting and all rules of ruff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(DEV) ## mypy, strict
	$(BIN)/python -m mypy

layers: $(DEV) ## who may import whom (docs/style.md section 2)
	$(BIN)/lint-imports --no-cache

generated: $(DEV) ## generated files are in step with their sources
	$(BIN)/filmcan schema docs --check
	$(BIN)/filmcan schema check

schemas: $(DEV) ## write every component's SCHEMA.md from the machine schemas
	$(BIN)/filmcan schema docs

docs: schemas ## write generated pages, then check links, paths and pages
	$(BIN)/python -m pytest -q tests/architecture

bench: $(BENCH)/.made ## measure the ratios of docs/design.md section 8, beside other formats
	OPENBLAS_NUM_THREADS=1 $(BENCH)/bin/python bench/measure.py $(ARGS)

fuzz: $(DEV) ## fuzz each parser of hostile bytes for MINUTES=1; unless SHORT=1, property tests at length
	@$(PIP) install --require-hashes --requirement tests/fuzz/requirements.txt || true
	$(BIN)/python tests/fuzz/run_fuzz.py --minutes $(MINUTES) $(ARGS)
	$(if $(SHORT),,$(BIN)/python -m pytest -q -m hypothesis --hypothesis-profile=fuzz)

golden: $(DEV) ## make the candidates of tests/released anew, after a change of a schema not yet released
	$(BIN)/python tests/released/make_golden.py candidates

mutants: $(DEV) ## remove each flush, lock, check and limit in turn: a test must turn red
	$(BIN)/python tools/mutation_check.py $(ARGS)

parity: $(PARITY)/.made ## hold networks and preprocessing against transformers (brings torch, apart from .venv)
	$(PARITY)/bin/python -m pytest -q -s -p no:cacheprovider -W ignore tests/parity $(ARGS)

cover: $(DEV) ## branch coverage; complete for errors, contract, npz and store
	$(BIN)/python -m pytest -q --cov --cov-report=
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=100 \
		--include='src/filmcan/errors.py,src/filmcan/contract/*,src/filmcan/npz/*,src/filmcan/store/*'

lock: $(DEV) ## write requirements/*.lock anew; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) $(EXTRAS) --output-file=requirements/base.lock pyproject.toml
	$(LOCK) $(UPGRADE) $(EXTRAS) $(TEST_EXTRAS) --constraint=requirements/base.lock \
		--output-file=requirements/dev.lock pyproject.toml

clean: ## remove .venv, caches and the demo's store
	rm -rf $(VENV) $(PARITY) $(BENCH) .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage \
		dist demo_store
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- environments -------------------------------------------------------------------------------

$(BASE): requirements/base.lock pyproject.toml tools/make_venv
	@tools/make_venv $(VENV)
	@echo 'Installing into $(VENV); the first time this takes about a minute.'
	$(PIP) install --require-hashes --no-deps --requirement requirements/base.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.lock $(BASE)
	$(PIP) install --require-hashes --no-deps --requirement requirements/dev.lock
	@touch $@

# References for `make parity`, on top of .venv: only they are installed, and .venv stays free of
# them. Where the index offers torch with CUDA first, PIP_EXTRA_INDEX_URL can name one with the
# much smaller CPU build.
$(PARITY)/.made: $(DEV)
	@tools/make_venv $(PARITY)
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
		>"$$($(PARITY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/dev.pth"
	@echo 'Installing torch and transformers into $(PARITY).'
	$(PARITY)/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet \
		install --no-build-isolation --editable '.[parity]'
	@touch $@

# What `make bench` compares with; each package may be missing.
$(BENCH)/.made: bench/requirements.txt requirements/base.lock pyproject.toml tools/make_venv
	@tools/make_venv $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet \
		install --require-hashes --no-deps --requirement requirements/base.lock
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet \
		install --no-deps --no-build-isolation --editable .
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet \
		install --requirement bench/requirements.txt || echo 'Without the other formats.'
	@touch $@
