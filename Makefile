PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: venv demo test lint format constraints clean

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[cloud,dev]'
	touch $@

demo: venv
	$(BIN)/edgestill run jobs/configs/demo.yaml

test: lint
	$(BIN)/python -m pytest

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins what a fresh resolution of pyproject.toml gives today; run it after changing a dependency.
constraints:
	$(PYTHON) -m venv .venv-resolve
	.venv-resolve/bin/python -m pip install --quiet --editable '.[cloud,dev]'
	.venv-resolve/bin/python -m pip freeze --exclude-editable --all \
		| sed -e '/^pip==/d' -e 's/+cpu$$//' > constraints.txt
	rm -rf .venv-resolve

clean:
	rm -rf .venv .venv-resolve .mypy_cache .ruff_cache .pytest_cache runs
