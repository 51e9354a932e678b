# Two commands for people: `make app` and `make test`. Everything else is a building block of these.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 7860
OUT ?= build/space
JOBS ?= 2
BIN := .venv/bin

.PHONY: app test lab docs space lint format bench reports clean

app: .venv/app.stamp  ## the demo on http://127.0.0.1:7860 (HOST= and PORT= change it)
	$(BIN)/python app.py --host $(HOST) --port $(PORT)

test: lint  ## the gate: lint, format, types, every test (JOBS= processes, one core each)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	  --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

lab: .venv/lab.stamp  ## the studies as notebooks: JupyterLab, with this environment as its kernel
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab --ip $(HOST) --notebook-dir notebooks

docs: .venv/dev.stamp  ## guides, results, notebooks and the reference as a site in site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html, or with its search: $(BIN)/python -m http.server --directory site"

space:  ## the folder of a Hugging Face Space (OUT= changes where)
	mkdir -p $(OUT)
	tar -c --exclude=__pycache__ app.py LICENSE workbench | tar -x -C $(OUT)
	cp spaces/README.md spaces/requirements.txt $(OUT)/

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/app.stamp  ## speed and memory against published networks, in one run
	$(BIN)/workbench bench stylizers

# NOTEBOOK=TABLE: the project's own reports that are drawn from the tables of their studies
DRAWN := building_blocks=building_blocks.csv data_and_moods=data_and_moods.csv dkse=dkse.csv mafr=mafr.csv \
	transfer=transfer.csv benchmark=benchmark_chinese_mood.csv,reports/results/benchmark_children_emotion.csv \
	what_layers_see=what_layers_see.csv do_explanations_hold=explanations_hold.csv spectra=spectra.csv \
	stylizers=stylizers.csv mood_shift=mood_shift.csv video=video.csv \
	stylizer_training=stylizer_training.csv,reports/results/portrait_training.csv

reports: .venv/app.stamp  ## the project's own reports, into reports/: from the tables, and on painted pictures
	$(BIN)/workbench report full --data atelier:100 --out reports/full_atelier.html
	set -e; for pair in $(DRAWN); do \
	  $(BIN)/workbench report $${pair%%=*} --results reports/results/$${pair#*=} \
	    --out reports/$${pair%%=*}.html; done
	test ! -f reports/results/full_report.csv || $(BIN)/workbench report full --no-pictures \
	  --results reports/results/full_report.csv --out reports/full_chinese_mood.html

define SET_UP
@echo "Setting up .venv. The first time this downloads PyTorch, about 5 GB on Linux: some minutes."
test -x $(BIN)/python || $(PYTHON) -m venv .venv
endef

.venv/app.stamp: pyproject.toml constraints.txt
	$(SET_UP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[app,report]'
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt
	$(SET_UP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ .venv/app.stamp

.venv/lab.stamp: pyproject.toml constraints.txt
	$(SET_UP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[app,report,lab]'
	touch $@ .venv/app.stamp

clean:
	rm -rf .venv build site *.egg-info .pytest_cache .ruff_cache .mypy_cache
