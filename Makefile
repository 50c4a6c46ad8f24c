# Two commands do everything on a fresh machine with Python 3.11+ and no root: `make demo` and `make test`.
PYTHON ?= python3
PACKAGES := config gateway shadow cdc migrations legacy_adapter services runbook
VENV := .venv
BIN := $(VENV)/bin
REQUESTS ?= 1000000
SECONDS ?= 600

SEED ?= 1
RUNS ?= 380

.PHONY: setup demo demo-pages sabotage kill kill-smoke mutation recording test check fix bench bounds lock clean crash-points faults hard-cases conformance fuzz soak false-pass

setup: $(VENV)/ready ## make .venv with strangler in it, from the locked and hashed dependencies

$(VENV)/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q $(VENV)/lib $(PACKAGES) # a start takes a third of the time where nothing is compiled
	touch $@

demo: setup ## the whole story: one capability moves to the new service and back, under load
	$(BIN)/strangler demo

demo-pages: setup ## the pages that `make demo` left, in Chromium at the width of a phone and of a desk
	@test -e demo-report.html -a -e demo-comparison.html || { echo "no pages of a demo here: make demo"; exit 1; }
	DEMO_PAGES="demo-report.html demo-comparison.html" $(BIN)/python -m pytest -rs --basetemp .strangler/pages \
	  tests/scenarios/test_comparison_page_opens_in_a_browser.py

sabotage: setup ## damage from outside: each run must end with 1 and name the transfer that is wrong
	@for act in lose-a-change double-a-change flip-before-drain; do \
	  echo "== $$act"; \
	  $(BIN)/strangler demo --sabotage $$act --report /dev/null --comparison /dev/null; \
	  test $$? -eq 1 || { echo "the damage of $$act was not found"; exit 1; }; \
	done

kill: setup ## kill anything at any step, RUNS times with SEED; the checker knows nothing of the program
	$(BIN)/python -m tests.kill $(SEED) $(RUNS)

kill-smoke: setup ## the same, 40 runs
	$(BIN)/python -m tests.kill $(SEED) 40

mutation: setup ## seeded bugs, each in a world of its own: how many the checker finds; the table goes into docs/
	$(BIN)/python -m tests.kill.mutation --seed $(SEED) --write docs/mutation.md

recording: setup ## one cutover and one way back as a terminal shows them, into docs/
	$(BIN)/python docs/record_cutover.py

test: setup ## unit tests and scenarios on real PostgreSQL, sockets and processes
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

hard-cases: setup ## the streams' hard cases on PostgreSQL 18 and, where Debian's package is installed, 15: the matrix
	$(BIN)/python -m tests.hard_cases

crash-points: setup ## kill the streams at every named moment, once, twice and at all pairs; prints the list
	CRASH_POINTS=all $(BIN)/python -m pytest -vv tests/scenarios/test_stream_crash_points.py \
	  tests/scenarios/test_stream_crash_points_of_setup.py

faults: setup ## cut connections to databases after many counts of bytes, when an answer is on its way, or silence them
	CRASH_POINTS=all $(BIN)/python -m pytest -vv --timeout 900 tests/scenarios/test_stream_faults.py \
	  tests/scenarios/test_cutover_with_a_database_cut_off.py

conformance: setup ## what the gateway promises as an HTTP proxy: each case cut at every byte; one line for each id
	$(BIN)/python -m pytest --conformance --timeout 900 tests/scenarios/conformance

fuzz: setup ## Hypothesis over the wire, both directions: nothing dirty, nothing hung, no answer to somebody else
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

soak: setup ## a million requests with nonces against a hostile upstream: 0 answers to the wrong request
	$(BIN)/python -m tests.soak --requests $(REQUESTS)

false-pass: setup ## how often the gate passes a candidate that is worse than its limit, looked at after every key
	$(BIN)/python -m tests.false_pass

check: setup ## reads only: formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/strangler check

fix: setup ## writes: formatting and what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/write_map.py

bench: setup ## the benchmarks, beside the peers that are installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/proxy_bench.py --scenario plain
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/proxy_bench.py --scenario mirror
	@shared=../shared/bench/proxy_bench.py; test ! -e $$shared || for scenario in plain mirror; do \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python $$shared --scenario $$scenario || exit 1; done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/cdc_bench.py
	$(BIN)/python benchmarks/compare_bench.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/delay_bench.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/copy_bench.py
	$(BIN)/python benchmarks/pause_bench.py

COMPILE := uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
  --no-header --no-annotate pyproject.toml requirements.build --extra mysql --extra otel

bounds: setup ## what the gateway must not spend: memory by keys and by the size of a body, processor time by workers
	@for what in bodies workers keys; do \
	  echo "== $$what"; \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/gateway_bounds.py $$what || exit 1; \
	done

lock: ## pin the dependencies anew (needs uv): what runs, and with it what tests and checks
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .strangler
