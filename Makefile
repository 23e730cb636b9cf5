# Everything here needs Python 3.11 to 3.14, make and the network; the rest is installed into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
OURS := domain workflows activities ledger console runtime worker.py
STAMP := $(VENV)/.installed
T ?= tests
ARGS ?=
WORKERS ?= 2
QUICK ?=
JSON ?=

.PHONY: help
help: ## Show the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: compiled ## Create .venv with the locked versions

# The same tool with the same lock installs in both cases, so everybody runs the same versions. With byte code: where the
# environment forbids Python to write it (PYTHONDONTWRITEBYTECODE), every process compiled all it imports each time, which
# was more than half of what a worker needs to come back.
$(STAMP): pyproject.toml uv.lock Makefile
	@export UV_PROJECT_ENVIRONMENT=$(VENV); \
	if command -v uv >/dev/null 2>&1; then \
		uv sync --frozen --inexact --quiet --compile-bytecode; \
	else \
		for name in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14; do \
			if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then found=$$name; break; fi; \
		done; \
		test -n "$${found:-}" || { echo "需要 Python 3.11 至 3.14 / Python 3.11 to 3.14 is needed" >&2; exit 1; }; \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$found" -m venv $(VENV); \
		test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; \
		$(BIN)/uv sync --frozen --inexact --quiet --compile-bytecode --python $(BIN)/python; \
	fi
	@touch $@

.PHONY: compiled
compiled: $(STAMP)
	@$(BIN)/python -m compileall -q $(OURS)

.PHONY: demo
demo: compiled ## Play a working day of an invented street (ARGS="--once --json")
	@$(BIN)/bihuan demo $(ARGS)

.PHONY: up
up: compiled ## Run everything on this machine until Ctrl-C
	@$(BIN)/bihuan up $(ARGS)

.PHONY: browser
browser: $(STAMP) ## Install the browsers of the tests: Chromium by apt, Chromium 86 from npm
	@$(BIN)/python tests/browser/browsers.py

.PHONY: test
# A whole run leaves pictures of every page in build/screenshots; a part of it only when asked (PICTURES=1).
test: export PICTURES := $(or $(PICTURES),$(if $(filter tests,$(T)),1))
test: compiled browser ## Run the tests (T=tests/domain for a part of them, WORKERS=4 on a larger machine)
ifeq ($(T),tests)
	@mkdir -p build
	@# Chaos has the machine to itself but for the rules, which need no server, wait for nobody and take what is left over.
	@# In processes of their own: what the examples of the rules are drawn from must not depend on what else is imported.
	@echo "tests/chaos/test_chaos.py: build/chaos.log"; \
	$(BIN)/python -m pytest tests/chaos/test_chaos.py -s $(ARGS) >build/chaos.log 2>&1 & chaos=$$!; \
	trap 'kill $$chaos 2>/dev/null || true; wait $$chaos || true' INT TERM; \
	nice -n 15 $(BIN)/python -m pytest tests/domain -n $(WORKERS) --dist worksteal $(ARGS) && rules=0 || rules=$$?; \
	wait $$chaos && played=0 || played=$$?; \
	cat build/chaos.log; \
	test $$rules -eq 0 -a $$played -eq 0
	@# A file stays with one worker, so that what its tests share is made once (tests/turns.py).
	$(BIN)/python -m pytest tests --ignore tests/domain --ignore tests/chaos/test_chaos.py -n $(WORKERS) --dist loadfile $(ARGS)
else
	$(BIN)/python -m pytest $(T) $(ARGS)
endif

.PHONY: chaos
chaos: compiled ## Kill, pause and cut everything under load, then judge (MINUTES=30, SEED=17 as in an earlier run)
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED)) $(ARGS)
# The tool that made the lock; where there is none on the machine, `setup` has put one into .venv.
UV = $(shell command -v uv || echo $(BIN)/uv)

.PHONY: sbom
sbom: $(STAMP) ## Write the bill of materials (CycloneDX) of what is locked to build/sbom.json
	@mkdir -p build
	@$(UV) export --offline --frozen --all-extras --no-dev --format cyclonedx1.5 --preview-features sbom-export \
		--quiet --output-file build/sbom.json
	@echo "build/sbom.json"

.PHONY: audit
audit: $(STAMP) ## Look up known vulnerabilities of what is locked (needs the network; STRICT=1 fails without it)
	@mkdir -p build
	@$(UV) export --offline --frozen --all-extras --all-groups --no-emit-project --format requirements.txt \
		--quiet --output-file build/locked.txt
	@$(UV) tool run --from 'pip-audit>=2.9,<3' pip-audit --version >build/audit.log 2>&1 || { \
		echo "没有网络，未核对已知漏洞 / NOT CHECKED: pip-audit cannot be fetched (build/audit.log)" >&2; \
		exit $(if $(STRICT),3,0); }; \
	$(UV) tool run --from 'pip-audit>=2.9,<3' pip-audit --requirement build/locked.txt --disable-pip --require-hashes --strict \
		--progress-spinner off 2>build/audit.log && code=0 || code=$$?; \
	if [ $$code -ne 0 ] && grep -qiE 'could not be audited|connection|timed out|timeout|resolve|unreachable|HTTPError|ServiceError' build/audit.log; then \
		echo "没有网络，未核对已知漏洞 / NOT CHECKED: no answer from the list of vulnerabilities (build/audit.log)" >&2; \
		exit $(if $(STRICT),3,0); \
	fi; cat build/audit.log >&2; exit $$code

.PHONY: image
image: ## Build the container image (ARCH=arm64 for another processor, IMAGE=name:tag, INDEX=a mirror of PyPI)
	docker build --file deploy/image/Dockerfile --tag $(or $(IMAGE),bihuan:0.1.0) $(if $(ARCH),--platform linux/$(ARCH)) \
		$(if $(INDEX),--build-arg INDEX=$(INDEX)) .

.PHONY: bundle
bundle: $(STAMP) sbom ## Collect what an installation without a network needs (ARCH=aarch64 for another processor)
	@UV=$(UV) BIN=$(BIN) deploy/bundle/build.sh $(ARCH)

.PHONY: bundle-check
bundle-check: bundle ## Install the bundle into build/installed without index and network, and start it
	@rm -rf build/installed
	@build/bundle/install.sh $(CURDIR)/build/installed
	@build/installed/bin/bihuan calendar due --start 2025-09-30T17:00 --limit 4wh

.PHONY: lint
lint: $(STAMP) ## Check style, types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(STAMP) ## Put the code into the agreed format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# DBOS, a peer of the bench, is in a group of its own that nothing else installs.
$(VENV)/.bench: $(STAMP)
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --frozen --inexact --group bench --quiet --compile-bytecode --python $(BIN)/python \
		&& touch $@ || echo "没有装上 DBOS，不参加比较 / DBOS could not be installed and is left out" >&2

.PHONY: bench
bench: compiled $(VENV)/.bench ## Measure against four peers, then the doors (QUICK=1 for a short run, JSON=1 for one object)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(JSON),--json) $(ARGS)

.PHONY: bench-report
bench-report: $(STAMP) ## Make build/bench.html of what the commands of the bench have kept
	@$(BIN)/python -m bench --report build/bench.html

.PHONY: bench-open
bench-open: compiled ## Measure what 10,000 open cases cost (OPEN="10000 50000" for more, JSON=1 for one object)
	@$(BIN)/python -m bench.open_cases --open $(or $(OPEN),10000) $(if $(JSON),--json) $(ARGS)

.PHONY: bench-doors
bench-doors: compiled ## Measure pages, lists, search and the board with 100,000 cases in the ledger
	@$(BIN)/python -m bench.doors $(if $(JSON),--json) $(ARGS)

.PHONY: bench-topology
bench-topology: compiled ## Restart and upgrade the processes of Compose under load: what is refused, how long answers take
	@$(BIN)/python -m bench.topology $(if $(QUICK),--quick) $(if $(JSON),--json) $(ARGS)

.PHONY: bench-rehydrate
bench-rehydrate: compiled ## Measure how fast 1,000 open cases come back after the engine's store is lost
	@$(BIN)/python -m bench.rehydrate $(if $(JSON),--json) $(ARGS)

.PHONY: bench-time
bench-time: compiled ## Measure the counting of time: due dates, plans, a rehearsal of 100,000 cases
	@$(BIN)/python -m bench.calendar $(if $(JSON),--json)
	@$(BIN)/python -m bench.plan $(if $(JSON),--json)
	@$(BIN)/python -m bench.rehearse $(if $(JSON),--json)

.PHONY: bench-metering
bench-metering: compiled ## Measure what it costs an act to be counted, and what a scrape costs
	@$(BIN)/python -m bench.metering $(if $(JSON),--json) $(ARGS)

.PHONY: bench-audit
bench-audit: compiled ## Measure the audit of a ledger with a million events
	@$(BIN)/python -m bench.audit $(if $(JSON),--json) $(ARGS)

.PHONY: bench-city
bench-city: compiled ## Measure a ledger of a whole city: filling, sizes, rebuild (ARGS="--cases 1000000 --folder DIR")
	@$(BIN)/python -m bench.city $(if $(JSON),--json) $(ARGS)
