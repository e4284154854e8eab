# Every command of the project; `make help` lists them. Needs Python 3.11 or newer, make and a C library.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check format serve bench bench-pricing bench-profiles bench-recommendation bench-reprice bench-risk bench-service dislocation golden notebooks lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "riskengine needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import lightgbm' 2>/dev/null || $(BIN)/python scripts/bundle_openmp.py
	@touch $(READY)

demo: $(READY) ## run everything on real data: train, quote, recommend, reprice, report
	$(BIN)/riskengine demo

test: $(READY) ## run all tests
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(READY) ## format, lint, types, layers, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/riskengine schemas --check

format: $(READY) ## format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(READY) ## serve quotes over HTTP; documentation at /docs
	$(BIN)/riskengine serve

bench: $(READY) ## measure quality on the RAND study, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.rand_hie

BENCH_DATA ?= /tmp/riskengine-bench
FEAST_PYTHON ?=
bench-profiles: $(READY) ## measure profiles of 1,000,000 members; an hour, and 10 GB in BENCH_DATA
	$(BIN)/python -m benchmarks.profiles --data $(BENCH_DATA) $(if $(FEAST_PYTHON),--feast-python $(FEAST_PYTHON))

RISK_DATA ?=
bench-risk: $(READY) ## measure risk models on real data sets in RISK_DATA, against a GLM and others; hours
	$(BIN)/python -m benchmarks.risk_sets $(if $(RISK_DATA),--data $(RISK_DATA))
	$(BIN)/python -m benchmarks.risk_search $(if $(RISK_DATA),--data $(RISK_DATA))
	$(BIN)/python -m benchmarks.risk_overhead

bench-reprice: $(READY) ## measure repricing of 1,000,000 and 10,000,000 policies; an hour, and 2 GB in BENCH_DATA
	$(BIN)/python -m benchmarks.reprice --data $(BENCH_DATA)

bench-pricing: $(READY) ## measure what benefits are priced at, and the kernel, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.pricing

bench-recommendation: $(READY) ## measure what the first recommendation is worth, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.recommendation_value

bench-service: $(READY) ## measure a quote over HTTP against MLflow serving and an empty endpoint
	$(BIN)/python -m benchmarks.service

dislocation: $(READY) ## print how premiums of a fixed portfolio moved since an earlier commit (SINCE=...)
	@$(BIN)/python -m tests.golden.moved

golden: $(READY) ## rewrite the golden quotes and premiums
	$(BIN)/python -m tests.golden.rewrite

notebooks: $(READY) ## run the notebooks
	$(BIN)/pytest tests/test_notebooks.py

lock: ## resolve requirements.lock anew; needs uv
	uv pip compile pyproject.toml --extra demo --extra dev --extra postgres --extra spark --extra telemetry --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean: ## remove what the commands made
	rm -rf $(VENV) demo-output mlruns .mypy_cache .ruff_cache .pytest_cache .hypothesis
