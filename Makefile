# Everything happens in .venv. `make run` and `make test` install what is missing first and start at once when nothing is.
.DEFAULT_GOAL := help
.PHONY: help setup run docs test lab lint bench clean

PYTHON := .venv/bin/python
OUTPUT ?= outputs
# For example: make test PYTEST_ARGS="-m 'not notebook and not browser'"
PYTEST_ARGS ?=
LAB_ROOT ?= .
LAB_ARGS ?=
# The page config keeps JupyterLab from suggesting a rebuild for an extension that comes with a dependency.
LAB = $(PYTHON) -m jupyterlab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=$(LAB_ROOT) \
    --LabApp.default_url=/lab/tree/notebooks $(if $(filter 0,$(shell id -u)),--allow-root) \
    --ServerApp.tornado_settings="{'page_config_data': {'buildCheck': False, 'buildAvailable': False}}" $(LAB_ARGS)

help:
	@echo "make run    install what is missing, execute the five notebooks, lead to $(OUTPUT)/index.html"
	@echo "make docs   what make run produced as a static site, build/site/index.html"
	@echo "make test   the whole test suite, notebooks and browser included"
	@echo "make lab    JupyterLab on the notebooks, on this machine only"
	@echo "make setup | lint | bench | clean"

setup:
	@tools/setup.sh

run: setup
	@$(PYTHON) -m amp_helpers.pipeline --output $(OUTPUT)

docs: setup
	@$(PYTHON) -m amp_helpers.site --output $(OUTPUT) --site build/site

test: setup
	@tools/setup.sh browser
	@$(PYTHON) -m pytest $(PYTEST_ARGS)

lab: setup
	@$(LAB)

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

bench: setup
	@for script in convert widgets false_alarms fuzz; do echo "== $$script"; $(PYTHON) benchmarks/$$script.py || exit 1; done

# The environment stays: it takes minutes and gigabytes to get again.
clean:
	rm -rf $(OUTPUT) runs build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -print0 | xargs -0 rm -rf
