# Everything a newcomer needs; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
comma := ,

export MLOPS_HOME ?= $(CURDIR)/.mlops
export DAGSTER_HOME ?= $(abspath $(MLOPS_HOME))/dagster
export PYTHONWARNINGS ?= ignore:Function
# One arena: a tenth less memory for many short-lived frames.
export MALLOC_ARENA_MAX ?= 1
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.core: locks/core.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages (a few minutes the first time) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r locks/core.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core locks/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r locks/dev.txt
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $@

setup: $(VENV)/.core $(DAGSTER_HOME)/dagster.yaml  ## install what the product needs into .venv

demo: setup  ## run a model's whole life on 336,776 real flights
	@$(BIN)/python -m mlops_assets demo

ui: setup  ## open the Dagster UI, the gateway and the MLflow UI on what the demo left
	@$(BIN)/python -m mlops_assets ui

check: setup  ## check every project's documents
	@$(BIN)/python -m mlops_assets check

test: $(VENV)/.dev  ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.dev  ## run the long proofs
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

KILLS ?= 100
SEED ?= $(shell date +%s)
kill-test: $(VENV)/.dev  ## kill the pipeline at 100 random moments: KILLS=, SEED=
	@$(BIN)/python -m mlops_assets_tests.lake.kill_test $(KILLS) $(SEED)

PROJECTS ?= churn,flights
SPARKS ?= session,cluster
platforms: $(VENV)/.dev  ## compare the main jobs on the embedded platform, on Spark, on a Spark cluster: PROJECTS=, SPARKS=
	@PROJECTS=$(PROJECTS) SPARKS=$(SPARKS) $(BIN)/python -m pytest -n 0 -s mlops_assets_tests/test_platforms.py

lint: $(VENV)/.dev  ## check style, types and layers
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(VENV)/.dev  ## mend style
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

bench: $(VENV)/.dev  ## measure against peers and hand-written loops
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

schema: setup  ## write the JSON Schemas of the documents
	@$(BIN)/python -m mlops_assets.config schema configs/schema

pictures: $(VENV)/.dev  ## take the documentation's pictures of the UI again, in Chromium
	@PICTURES=$(CURDIR)/docs/images $(BIN)/python -m pytest -n 0 mlops_assets_tests/ui

docs: $(VENV)/.dev  ## build the documentation into .site, strictly
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q --strict

lock: $(VENV)/.dev  ## resolve the pinned versions again
	@for extra in core dev spark databricks docs all; do \
	  $(BIN)/uv pip compile -q pyproject.toml $$([ $$extra = core ] || echo --extra $$extra) --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-annotate $$([ $$extra = dev ] || echo -c locks/dev.txt) -o locks/$$extra.txt || exit 1; \
	done

PROJECT ?= flights
replay-quarantine: setup  ## let quarantined rows that now pass into silver: PROJECT=, TABLE=, RELEASE=rule,rule
	@$(BIN)/dagster job execute -m mlops_assets.definitions -j $(PROJECT)_replay_quarantine --config <(echo \
	  '{"ops": {"replay_quarantine": {"config": {$(if $(TABLE),"table": "$(TABLE)"$(if $(RELEASE),$(comma) "release": ["$(subst $(comma),"$(comma) ",$(RELEASE))"]))}}}}')

clean:  ## remove what runs left (MLOPS_HOME)
	@rm -rf $(MLOPS_HOME)

.PHONY: help setup demo ui check replay-quarantine test test-slow kill-test platforms lint format bench schema pictures docs lock clean
