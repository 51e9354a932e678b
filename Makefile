# Two commands for people: `make app` and `make test`. Everything else is a building block of these.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 7860
BIN := .venv/bin

.PHONY: app test lab lint format bench clean

app: .venv/app.stamp  ## the demo on http://127.0.0.1:7860 (HOST= and PORT= change it)
	$(BIN)/python app.py --host $(HOST) --port $(PORT)

test: lint  ## the gate: lint, format, every test
	$(BIN)/python -m pytest

lab: .venv/lab.stamp  ## the studies as notebooks: JupyterLab, with this environment as its kernel
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab --ip $(HOST) --notebook-dir notebooks

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/app.stamp  ## speed and memory against published networks, in one run
	$(BIN)/workbench bench stylizers

.venv/app.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ .venv/app.stamp

.venv/lab.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[lab]'
	touch $@ .venv/app.stamp

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
