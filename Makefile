# Every way to work on the project; each target makes the environment it needs by itself.
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Every target that `make help` lists is a way to work, not a file.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv-demo/ready .venv-target-csv/ready ## sandbox -> tap-custobar -> target-csv
	@.venv-demo/bin/python scripts/demo.py

# The tests load into each of these targets, the real ones; `make test-targets` into more.
TARGETS = csv duckdb jsonl postgres sqlite
MORE_TARGETS = mysql parquet pipelinewise-postgres

# What else they run: Meltano, and the PostgreSQL server that they load into.
SERVICES = .venv-meltano/ready .venv-postgres-server/ready

# Twice as many at once as a small machine has cores, for many wait: for a time-out, for a server.
PARALLEL = --numprocesses=4

test: check $(TARGETS:%=.venv-target-%/ready) $(SERVICES) ## all checks and all tests
	.venv/bin/pytest $(PARALLEL) $(SLOWEST)

test-slowest: SLOWEST = --durations=30 --durations-min=1
test-slowest: test ## the same, and a list of the tests that took longest

search: .venv/ready ## property tests with 1,000 random examples each, instead of 25 fixed ones
	HYPOTHESIS_PROFILE=search .venv/bin/pytest $(PARALLEL) tests/unit

# MariaDB is the system's own; on Debian: apt-get install mariadb-server-core mariadb-client-core.
MATRIX = .venv/target-matrix.xml
ALL_TARGETS = $(TARGETS) $(MORE_TARGETS)

test-targets: .venv/ready $(ALL_TARGETS:%=.venv-target-%/ready) .venv-postgres-server/ready ## odd values and second runs into eight real targets; docs/targets.md
	@code=0; .venv/bin/pytest -m "" $(PARALLEL) --dist=worksteal -o junit_family=xunit1 \
		--junit-xml=$(MATRIX) tests/targets/test_matrix.py || code=$$?; \
	.venv/bin/python -m scripts.target_matrix $(MATRIX) && exit $$code

# RECORDS=5000 for more of them, SEED=... for the same again.
fuzz-targets: .venv/ready .venv-target-duckdb/ready .venv-target-postgres/ready .venv-target-sqlite/ready .venv-postgres-server/ready ## random records into three databases
	FUZZ_RECORDS=$(RECORDS) FUZZ_SEED=$(SEED) .venv/bin/pytest -m fuzz tests/targets/test_fuzz.py

test-dagster: .venv/ready .venv-dagster/ready .venv-target-csv/ready ## examples/dagster, with the real Dagster
	.venv/bin/mypy --python-executable .venv-dagster/bin/python \
		examples/dagster/*.py tests/dagster/*.py
	.venv-dagster/bin/pytest tests/dagster

# What dbt computed becomes the picture in docs/.
FIGURES = .venv/customers-by-month.json

test-dbt: .venv/ready .venv-dbt/ready .venv-target-duckdb/ready ## examples/dbt, with the real dbt on DuckDB; docs/customers.svg
	FIGURES=$(FIGURES) .venv/bin/pytest -m dbt tests/dbt
	.venv/bin/python -m scripts.customers_chart $(FIGURES)

test-airbyte: .venv/ready .venv-pyairbyte/ready ## Airbyte's own tests of a source; PyAirbyte reads into DuckDB
	.venv/bin/mypy --python-executable .venv-pyairbyte/bin/python tests/airbyte/*.py
	.venv-pyairbyte/bin/python -m pytest -m "not image_tests" tests/airbyte
	.venv/bin/pytest -m pyairbyte tests/behaviour/test_pyairbyte.py

# ENGINE=podman for another than the first that works here, BASE=... for another base. What the
# engine needs on this machine comes by IMAGE_BUILD_ARGS: '--volume ...' mounts the settings of pip
# and certificates into the build, and they are in no layer.
ENGINE = $(shell scripts/container_engine.sh)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMMIT_TIME = $(shell git log -1 --format=%ct)
# With the time of the commit, two builds of it are alike.
BUILD_WITH_docker = SOURCE_DATE_EPOCH=$(COMMIT_TIME) docker build
BUILD_WITH_podman = podman build --timestamp $(COMMIT_TIME)
BUILD_WITH_buildah = $(ENGINE) build --layers --isolation chroot --timestamp $(COMMIT_TIME)

image: .venv-hadolint/ready ## the container images of tap-custobar and source-custobar, for Airbyte
	.venv-hadolint/bin/hadolint Dockerfile
	@scripts/container_engine.sh >/dev/null
	$(foreach name,tap-custobar source-custobar,$(BUILD_WITH_$(firstword $(ENGINE))) \
		--target $(name) --tag $(name):$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude='*') \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(IMAGE_BUILD_ARGS) . &&) true

test-image: .venv/ready ## build both images and run them against the sandbox
	base=$$(tests/image/base.sh) && $(MAKE) image BASE=$$base && \
		IMAGE_BASE=$$base .venv/bin/pytest -m image tests/image

# Those that pyproject.toml names. "lowest" and "newest" are of what it lets be installed.
PYTHONS = 3.11 3.12 3.13 3.14
RUNS = $(PYTHONS:%=python-%) lowest newest

# What may differ by version: each module alone, and the tap as a process, its signals above all.
SOME_TESTS = tests/unit $(patsubst %,tests/behaviour/test_%.py,install interruptions streams)

$(RUNS:%=test-%): test-%: .venv-%/ready
	.venv-$*/bin/pytest -q $(PARALLEL) $(SOME_TESTS)

test-pythons: .venv-uv/ready ## some tests on each Python that can be had, and on lowest and newest versions
	@for run in $(RUNS); do \
		version=$${run#python-}; \
		if [ $$version != $$run ] && ! $(UV) python find --no-project --system $$version >&- 2>&- \
				&& ! $(UV) python install --quiet $$version 2>&-; then \
			skipped="$$skipped $$run"; \
		elif $(MAKE) test-$$run; then passed="$$passed $$run"; \
		else failed="$$failed $$run"; fi; \
	done; \
	echo "passed:$${passed:- none}; failed:$${failed:- none}; not to be had here:$${skipped:- none}"; \
	[ -z "$$failed" ]

package: .venv/ready ## build the sdist and the wheel into dist/, and test what is in them
	rm -rf dist
	.venv/bin/python -m build --no-isolation --outdir dist
	DIST=dist .venv/bin/pytest -q tests/behaviour/test_install.py

# TAG=v1.2.3 checks that tag too, as the workflow does.
release-check: .venv/ready .venv-release/ready ## all of a release but the upload: git, version, changelog, package, README
	.venv/bin/python -m scripts.release_check $(TAG)
	$(MAKE) package
	.venv-release/bin/twine check --strict dist/*
	.venv-release/bin/python -m readme_renderer README.md --output .venv-release/README.html

check: .venv/ready check-secrets ## all that can be told without running a test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/vulture
	.venv/bin/deptry .
	.venv/bin/typos
	.venv/bin/zizmor --offline --quiet .github/workflows
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.meltano meltano.yml
	.venv/bin/check-jsonschema --check-metaschema schemas/*.json
	.venv/bin/prek validate-config --quiet .pre-commit-config.yaml

check-secrets: .venv/ready ## only look for API keys and passwords in the project's files
	@.venv/bin/python scripts/check_secrets.py

hooks: .venv/ready ## let git run the fast ones of these checks before each commit
	.venv/bin/prek install

# PAGES=1000 looks at the memory over ten million records instead of one.
bench: .venv-bench/ready ## ours against other ways to read the API; QUICK=1 for a taste, ROUNDS=5
	@.venv-bench/bin/python -m tests.benchmarks $(if $(QUICK),--quick) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PAGES),--pages $(PAGES))

profile: .venv-bench/ready ## where the tap's own time goes, by function
	@.venv-bench/bin/python -m tests.benchmarks.profiling

docs: .venv/ready ## renew what is told twice: settings, streams and figures, in all files that tell them
	.venv/bin/python -m scripts.documents

soak: .venv/ready ## millions of records in one run; CUSTOMERS=200000 for fewer
	@.venv/bin/python -m scripts.soak $(CUSTOMERS)

sweep: .venv/ready ## end the tap at points all over a run, and look for what got lost
	@.venv/bin/python -m scripts.kill_sweep

# One file at a time, for the targets pin other versions. Both finding something and failing
# makes pip-audit end with 1, but only a find is on its stdout.
audit: .venv-audit/ready ## known vulnerabilities of the pinned versions; Error 69: not checked
	@trap 'rm -f .venv-audit/log' EXIT; worst=0; \
	for file in requirements/*.txt; do \
		code=0; \
		found=$$(.venv-audit/bin/pip-audit --vulnerability-service osv --disable-pip \
			--progress-spinner off --requirement $$file 2>.venv-audit/log) || code=$$?; \
		if [ $$code -ne 0 ] && [ -z "$$found" ]; then \
			echo "$$file not checked: $$(tail -n 1 .venv-audit/log)" >&2; exit 69; \
		fi; \
		printf '%s: ' $$file; cat .venv-audit/log; [ -z "$$found" ] || echo "$$found"; \
		[ $$code -eq 0 ] || worst=$$code; \
	done; exit $$worst

format: .venv/ready ## let ruff mend what it can
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

lock: .venv-uv/ready ## renew the pinned versions in requirements/
	$(COMPILE) --extra sandbox --group dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) --extra sandbox --group test --resolution lowest-direct pyproject.toml \
		-o requirements/lowest.txt
	$(COMPILE) --extra sandbox --group build pyproject.toml \
		--constraint requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) pyproject.toml requirements/runtime.in \
		--constraint requirements/dev.txt -o requirements/runtime.txt
	$(COMPILE) --group pyproject.toml:build \
		--constraint requirements/dev.txt -o requirements/build.txt
	$(foreach target,$(ALL_TARGETS),$(COMPILE) requirements/target-$(target).in \
		--override requirements/target-overrides.in -o requirements/target-$(target).txt &&) true
	$(COMPILE) --group build pyproject.toml requirements/bench.in \
		--constraint requirements/dev.txt -o requirements/bench.txt
	$(COMPILE) --extra sandbox --group build pyproject.toml requirements/dagster.in \
		-o requirements/dagster.txt
	$(COMPILE) requirements/audit.in -o requirements/audit.txt
	$(COMPILE) requirements/hadolint.in -o requirements/hadolint.txt
	$(COMPILE) requirements/dbt.in -o requirements/dbt.txt
	$(COMPILE) requirements/meltano.in -o requirements/meltano.txt
	$(COMPILE) requirements/postgres-server.in -o requirements/postgres-server.txt
	$(COMPILE) requirements/pyairbyte.in -o requirements/pyairbyte.txt
	$(COMPILE) requirements/release.in -o requirements/release.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt

cassettes: .venv/ready ## record tests/cassettes anew, from the sandbox
	.venv/bin/python -m scripts.record_cassettes

clean: ## remove everything that the other targets made
	rm -rf .venv* .meltano .mypy_cache .pytest_cache .ruff_cache .hypothesis dist output

# uv makes every environment: what two of them share is unpacked once.
UV = .venv-uv/bin/uv
# Where it looks for another Python, beside where it always does, and where it puts one it gets.
export PATH := $(PATH)$(shell printf ':%s' ~/.pyenv/versions/*/bin)
export UV_PYTHON_INSTALL_DIR = $(CURDIR)/.venv-uv/pythons
ENVIRONMENT = @echo "Making $(@D) from $<" && $(UV) venv --quiet --clear --python $(PYTHON) $(@D) && \
	$(UV) pip sync --quiet --python $(@D) --require-hashes $<
# In hash mode no local project is taken, so that one is installed after what it needs.
PROJECT = @$(UV) pip install --quiet --python $(@D) --no-deps --no-build-isolation --editable .
# The first date is that of the recipe's begin, for make replaces it before it runs a line.
READY = @touch $@ && echo "Made $(@D) in $$(($$(date +%s) - $(shell date +%s))) s"

# As `python -m venv` does it, but Ctrl-C ends it without a traceback.
define VENV
import signal, sys, venv
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")
venv.main(["--clear", sys.argv[1]])
endef

.venv-uv/ready: export CODE = $(VENV)
.venv-uv/ready: requirements/uv.txt
	@echo "Making $(@D) from $<" && $(PYTHON) -c "$$CODE" $(@D)
	@$(@D)/bin/pip install --quiet --require-hashes -r $<
	$(READY)

.venv/ready: requirements/dev.txt pyproject.toml .venv-uv/ready
	$(ENVIRONMENT)
	$(PROJECT)
	$(READY)

.venv-python-%/ready: PYTHON = $*
.venv-python-%/ready: requirements/dev.txt pyproject.toml .venv-uv/ready
	$(ENVIRONMENT)
	$(PROJECT)
	$(READY)

# The tap with the tests of something, as its own file pins both.
.venv-bench/ready .venv-demo/ready .venv-dagster/ready .venv-lowest/ready: .venv-%/ready: \
		requirements/%.txt pyproject.toml .venv-uv/ready
	$(ENVIRONMENT)
	$(PROJECT)
	$(READY)

# Not pinned, and made anew each time: what is newest now is the question.
.PHONY: .venv-newest/ready
.venv-newest/ready: .venv-uv/ready
	@$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --upgrade --python $(@D) --group test --editable '.[sandbox]'

# What the tap is used with has an environment of its own, as under Meltano: one may pin what
# another cannot take.
.venv-%/ready: requirements/%.txt .venv-uv/ready
	$(ENVIRONMENT)
	$(READY)
