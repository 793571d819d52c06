# Everything lives in .venv; the stamps make set-up happen once and again when the locks change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test clients lint check bench lock clean

demo: $(VENV)/.runtime
	@$(RUN)/tocsin demo

test: $(VENV)/.dev
	$(RUN)/pytest -n 2 $(PYTEST_ARGS)

clients: $(VENV)/clients/.done  # borgmatic and healthchecks-io, whose tests are skipped without them

lint: $(VENV)/.dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

check: lint test

bench: $(VENV)/.dev
	$(RUN)/python -m benchmarks

lock: $(VENV)/.dev
	cd $(CURDIR) && for extra in "" "--extra dev"; do \
	  out=requirements$${extra:+-dev}.txt; \
	  CUSTOM_COMPILE_COMMAND="make lock" $(RUN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --build-deps-for editable \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $$extra -o $$out pyproject.toml; done; \
	CUSTOM_COMPILE_COMMAND="make lock" $(RUN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o requirements-clients.txt requirements-clients.in

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tocsin needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Setting up (once)…"
	@$(RUN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(RUN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@$(RUN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/clients/.done: requirements-clients.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/clients
	@$(VENV)/clients/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-clients.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
