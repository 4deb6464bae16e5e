# Every target works on a fresh clone: it makes .venv, installs into it, and goes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-all check format docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.user: pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.user

$(VENV)/.bench: pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	touch $@ $(VENV)/.dev $(VENV)/.user

demo: $(VENV)/.user  ## filter a picture, train a network, read digits (about 2 minutes)
	mkdir -p demo-output
	$(BIN)/cnncli convolve sample_images/scene.png --filter vertical_edge -o demo-output/scene_vertical_edge.png --show
	$(BIN)/cnncli train --epochs 10 --out demo-output/trained.safetensors
	$(BIN)/cnncli predict sample_images/digit-* --weights demo-output/trained.safetensors
	$(BIN)/cnncli predict sample_images/digit-* --weights weights/simplecnn-mnist.safetensors

test: $(VENV)/.dev  ## run the tests (about 2.5 minutes on two cores)
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: $(VENV)/.dev  ## run the tests, the slow ones too
	$(BIN)/python -m pytest -m 'slow or not slow'

check: $(VENV)/.dev  ## ruff, mypy, and the size of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict cnncli
	$(BIN)/python .ci/house.py

bench: $(VENV)/.bench  ## race filters and training against their peers; rewrites docs/benchmarks*.md
	$(BIN)/python benchmarks/filters.py
	$(BIN)/python benchmarks/training.py

format: $(VENV)/.dev  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev  ## rebuild docs/cli.md, and the output and pictures in README and docs
	$(BIN)/python docs/build.py
	$(BIN)/python docs/screenshots.py

clean:  ## remove the virtual environment and what was written
	rm -rf $(VENV) demo-output build dist
