# make demo, make test: each works from a fresh clone, with nothing but Python 3.11+ and a package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test faults notebooks lint types wheel site lowest clean

demo: $(VENV)/ready
	$(BIN)/align demo --out demo

# In two processes of one thread each, which take half the time of one.
test: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# Faults that take longer than CI may: many kills, many mutations, two network namespaces; docs/reliability.md.
faults: $(VENV)/ready
	$(BIN)/python -m pytest -m "faults or not faults" tests/faults

# The tutorials as notebooks, each run from its first cell to its last.
notebooks: $(VENV)/ready
	$(BIN)/python -m pytest -m slow tests/test_notebooks.py

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

wheel: $(VENV)/ready
	bash .ci/check_wheel.sh $(BIN)/python

lowest:
	bash .ci/check_lowest.sh $(PYTHON)

# Pages to read without a network: build/site/index.html.
site: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict --config-file scripts/document/site/mkdocs.yml

# torch first and pinned: without the pin, pip takes the newest build with gigabytes of CUDA packages.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Align needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist demo *.egg-info
