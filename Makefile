# Everything happens in .venv. `make run` and `make test` install what is missing first and start at once when nothing is.
.DEFAULT_GOAL := help
.PHONY: help setup lock run docs test quick coverage lab lint bench clean

PYTHON := .venv/bin/python
OUTPUT ?= outputs
SITE ?= build/site
# The policies that build/drive.html lets a visitor drive.
DRIVEN := g1_locomotion g1_walk g1_walk_speeds g1_dance
# LOCKED=1 installs exactly the versions in requirements.lock.
export LOCKED ?=
# For example: make test PYTEST_ARGS="-m 'not notebook and not browser'"
PYTEST_ARGS ?=
# Processes that tests run in, with up to 4 GiB each; the tests of a module stay in one of them. A debugger needs 0.
WORKERS ?= 2
PYTEST = $(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
LAB_ROOT ?= .
LAB_ARGS ?=
# The page config keeps JupyterLab from suggesting a rebuild for an extension that comes with a dependency, and the
# kernelspec from changing each notebook that is opened.
LAB = $(PYTHON) -m jupyterlab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=$(LAB_ROOT) \
    --LabApp.default_url=/lab/tree/notebooks $(if $(filter 0,$(shell id -u)),--allow-root) \
    --KernelSpecManager.kernel_spec_class=amp_helpers.notebook.kernel.PlainKernelSpec \
    --ServerApp.tornado_settings="{'page_config_data': {'buildCheck': False, 'buildAvailable': False}}" $(LAB_ARGS)

help:
	@echo "make run    install what is missing, execute the notebooks, write $(OUTPUT)/index.html"
	@echo "make docs   documentation, what make run produced and a robot to drive: a static site, $(SITE)/index.html"
	@echo "make test   the whole test suite, notebooks and browser included"
	@echo "make quick  the tests of under a second each, without simulator, notebook and browser: two to three minutes"
	@echo "make lab    JupyterLab on the notebooks, on this machine only"
	@echo "make lint   ruff, pyright and codespell"
	@echo "make setup [LOCKED=1] | lock | coverage | bench | clean"

setup:
	@tools/setup.sh

# What is installed now, and the extra optuna, becomes what LOCKED=1 keeps to; run it in a fresh .venv, which holds
# nothing else.
lock: setup
	@$(PYTHON) -m pip install --quiet --no-input --disable-pip-version-check -e '.[optuna]'
	@{ sed '/^[^#]/,$$d' requirements.lock; \
	   $(PYTHON) -m pip freeze --disable-pip-version-check --exclude-editable --exclude amp_helpers; } >requirements.new
	@mv requirements.new requirements.lock

run: setup
	@$(PYTHON) -m amp_helpers.pipeline --output $(OUTPUT)

docs: setup
	@{ $(PYTHON) -m amp_helpers.web.packages && $(MAKE) --no-print-directory build/drive.html; } || \
	    echo "note: the site is built without drive.html, for the reason above" >&2
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict --site-dir $(SITE)
	@$(PYTHON) -m amp_helpers.notebook.site --output $(OUTPUT) --site $(SITE)/notebooks --documentation ../index.html

build/drive.html: $(DRIVEN:%=policies/%/policy.pt) $(wildcard policies/*/bundle/* amp_helpers/web/*.py amp_helpers/web/static/*)
	@$(PYTHON) -m amp_helpers.web --policy $(DRIVEN) --documentation index.html --output $@

test: setup
	@tools/setup.sh browser
	@$(PYTEST) $(PYTEST_ARGS)

quick: setup
	@$(PYTEST) -q -m "not slow and not sim and not notebook and not browser" $(PYTEST_ARGS)

coverage: setup
	@tools/setup.sh browser
	@$(PYTEST) --cov --cov-report= $(PYTEST_ARGS)
	@$(PYTHON) -m coverage report --skip-covered
	@$(PYTHON) -m coverage html --quiet --directory build/coverage

lab: setup
	@$(LAB)

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m codespell_lib
	@$(PYTHON) -m pyright --pythonpath $(PYTHON)

bench: setup
	@for script in convert widgets false_alarms fuzz; do echo "== $$script"; $(PYTHON) benchmarks/$$script.py || exit 1; done

# The environment stays: it takes minutes and gigabytes to get again.
clean:
	rm -rf $(OUTPUT) runs build *.egg-info .coverage* .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -print0 | xargs -0 rm -rf
