# Every target sets up what it needs, from Python 3.11+ and make alone.
# uv does it where there is one; else `python3 -m venv` and pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# $(call environment,FOLDER,GROUP): a virtual environment with this project and one dependency group.
define environment
@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("cassette-stream needs Python 3.11 or newer, this is " + sys.version)'
@if command -v uv >/dev/null 2>&1; then \
	uv venv --quiet --allow-existing --python $(PYTHON) $(1) && \
	uv pip install --quiet --python $(1)/bin/python --group $(2) --editable .; \
else \
	$(PYTHON) -m venv $(1) && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --group $(2) --editable .; \
fi
@touch $(1)/$(2).stamp
endef

.DEFAULT_GOAL := help
.PHONY: help demo test coverage rest soak check sdk-test bench clients decoders clean

help:
	@echo 'make demo      record, replay and break three streams, without network or key'
	@echo 'make test      the test suite'
	@echo 'make coverage  the same, measured, with the gate at 95 % of branches'
	@echo 'make check     lint, format, types, import contracts'
	@echo 'make rest      the cells of the large tables that make test left out'
	@echo 'make soak      the suite with larger counts, and the whole corpus'
	@echo 'make sdk-test  the official SDKs on replay, the plugin beside others, and older versions of both'
	@echo 'make clients   sweep the clients of today, and write docs/clients.md'
	@echo 'make decoders  point the laws at the decoders of today, and write docs/decoders.md'
	@echo 'make bench     the benchmarks, beside their peers'

$(VENV)/test.stamp: pyproject.toml
	$(call environment,$(VENV),test)

$(VENV)/check.stamp: pyproject.toml $(VENV)/test.stamp
	$(call environment,$(VENV),check)

.venv-sdks/sdks.stamp: pyproject.toml
	$(call environment,.venv-sdks,sdks)

.venv-older/older.stamp: pyproject.toml
	$(call environment,.venv-older,older)

.venv-clients/clients.stamp: pyproject.toml
	$(call environment,.venv-clients,clients)

.venv-bench/peers.stamp: pyproject.toml
	$(call environment,.venv-bench,peers)

demo: $(VENV)/test.stamp
	@$(BIN)/cassette-stream demo

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: $(VENV)/test.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: $(VENV)/check.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py
	$(BIN)/lint-imports

soak: $(VENV)/test.stamp
	CASSETTE_STREAM_SOAK=1 $(BIN)/python -m pytest -n auto --dist worksteal

# SHARE=2 takes one in two of the cells.
SHARE := 1
rest: $(VENV)/test.stamp
	CASSETTE_STREAM_REST=$(SHARE) $(BIN)/python -m pytest -n auto --dist worksteal
	CASSETTE_STREAM_SOAK=1 $(BIN)/python -m pytest -n auto --dist worksteal \
		tests/test_fuzz.py::test_what_nobody_meant_is_read_or_refused

# Plugins that cannot live beside each other; the tests load those that they are about.
APART := -p no:asyncio -p no:cassetter -p no:randomly -p no:recording

sdk-test: .venv-sdks/sdks.stamp .venv-older/older.stamp
	.venv-sdks/bin/python -m pytest -n auto --dist worksteal $(APART) -m 'sdk or plugins' tests
	.venv-older/bin/python -m pytest -n auto --dist worksteal tests/test_sdks.py -k openai
	.venv-older/bin/python -m pytest -n auto --dist worksteal $(wildcard tests/test_plugin*.py)

bench: .venv-bench/peers.stamp
	@for name in sse dialects cassettes live_tee recording journal replay chaos completion imports plugin; do \
		echo; .venv-bench/bin/python benchmarks/$$name.py || exit 1; \
	done

decoders: $(VENV)/test.stamp
	$(BIN)/python docs/decoders.py

clients: .venv-clients/clients.stamp
	.venv-clients/bin/python docs/clients.py

clean:
	rm -rf .venv .venv-sdks .venv-older .venv-bench .venv-clients build dist .coverage*
