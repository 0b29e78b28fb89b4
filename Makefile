# The commands for development; each target creates the environments that it needs.
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The targets that `make help` lists are not files.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv-demo/ready .venv-target-csv/ready ## sandbox -> tap-custobar -> target-csv
	@.venv-demo/bin/python scripts/demo.py

# The Singer targets that `make test` loads into; `make test-targets` loads into more.
TARGETS = csv duckdb jsonl postgres sqlite
MORE_TARGETS = mysql parquet pipelinewise-postgres

# The tests also run Meltano, and load into a PostgreSQL server.
SERVICES = .venv-meltano/ready .venv-postgres-server/ready

# Twice the number of cores of a small machine, because many tests wait for a time-out or a server.
PARALLEL = --numprocesses=4

test: check $(TARGETS:%=.venv-target-%/ready) $(SERVICES) ## the checks and the tests, except those of the test-... targets below
	.venv/bin/pytest $(PARALLEL) $(SLOWEST)

test-slowest: SLOWEST = --durations=30 --durations-min=1
test-slowest: test ## the same, with a list of the slowest tests

search: .venv/ready ## property tests with 1,000 random examples each, instead of 25 fixed ones
	HYPOTHESIS_PROFILE=search .venv/bin/pytest $(PARALLEL) tests/unit

# MariaDB must be installed; on Debian: apt-get install mariadb-server-core mariadb-client-core.
MATRIX = .venv/target-matrix.xml
ALL_TARGETS = $(TARGETS) $(MORE_TARGETS)

test-targets: .venv/ready $(ALL_TARGETS:%=.venv-target-%/ready) .venv-postgres-server/ready ## odd values and second runs into eight real targets; writes docs/targets.md
	@code=0; .venv/bin/pytest -m "" $(PARALLEL) --dist=worksteal -o junit_family=xunit1 \
		--junit-xml=$(MATRIX) tests/targets/test_matrix.py || code=$$?; \
	.venv/bin/python -m scripts.target_matrix $(MATRIX) && exit $$code

# RECORDS=5000 for more records, SEED=... to repeat a run.
fuzz-targets: .venv/ready .venv-target-duckdb/ready .venv-target-postgres/ready .venv-target-sqlite/ready .venv-postgres-server/ready ## random records into three databases
	FUZZ_RECORDS=$(RECORDS) FUZZ_SEED=$(SEED) .venv/bin/pytest -m fuzz tests/targets/test_fuzz.py

test-dagster: .venv/ready .venv-dagster/ready .venv-target-csv/ready ## examples/dagster, with the real Dagster
	.venv/bin/mypy --python-executable .venv-dagster/bin/python \
		examples/dagster/*.py tests/dagster/*.py
	.venv-dagster/bin/pytest tests/dagster

test-airflow: .venv/ready .venv-airflow/ready .venv-target-csv/ready ## examples/airflow, with the real Airflow
	.venv/bin/mypy --python-executable .venv-airflow/bin/python examples/airflow/*.py
	.venv/bin/pytest -m airflow tests/airflow

# What dbt computed becomes the picture in docs/.
FIGURES = .venv/customers-by-month.json

test-dbt: .venv/ready .venv-dbt/ready .venv-target-duckdb/ready ## examples/dbt, with the real dbt on DuckDB; writes docs/customers.svg
	FIGURES=$(FIGURES) .venv/bin/pytest -m dbt tests/dbt
	.venv/bin/python -m scripts.customers_chart $(FIGURES)

test-airbyte: .venv/ready .venv-pyairbyte/ready ## Airbyte's own tests of a source; PyAirbyte reads into DuckDB
	.venv/bin/mypy --python-executable .venv-pyairbyte/bin/python tests/airbyte/*.py
	.venv-pyairbyte/bin/python -m pytest -m "not image_tests" tests/airbyte
	.venv/bin/pytest -m pyairbyte tests/behaviour/test_pyairbyte.py

# ENGINE=podman overrides the first engine that works here, BASE=... the base image. Further options
# of the build are in IMAGE_BUILD_ARGS: e.g. '--volume ...' mounts the settings of pip and
# certificates, which so are in no layer.
ENGINE = $(shell scripts/container_engine.sh)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMMIT_TIME = $(shell git log -1 --format=%ct)
# With the time of the commit, builds are reproducible.
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

# The versions in pyproject.toml. "lowest" and "newest" are the dependencies that it allows.
PYTHONS = 3.11 3.12 3.13 3.14
RUNS = $(PYTHONS:%=python-%) lowest newest

# Tests of what may differ between versions: the modules, and the process, especially its signals.
# The two last environments are without the tools of `make check`.
SOME_TESTS = tests/unit --ignore=tests/unit/test_copy_without_git.py \
	$(patsubst %,tests/behaviour/test_%.py,install interruptions streams)

$(RUNS:%=test-%): test-%: .venv-%/ready
	.venv-$*/bin/pytest -q $(PARALLEL) $(SOME_TESTS)

test-pythons: .venv-uv/ready ## some tests on each available Python, and with the lowest and newest dependencies
	@for run in $(RUNS); do \
		version=$${run#python-}; \
		if [ $$version != $$run ] && ! $(UV) python find --no-project --system $$version >&- 2>&- \
				&& ! $(UV) python install --quiet $$version 2>&-; then \
			skipped="$$skipped $$run"; \
		elif $(MAKE) test-$$run; then passed="$$passed $$run"; \
		else failed="$$failed $$run"; fi; \
	done; \
	echo "passed:$${passed:- none}; failed:$${failed:- none}; not available here:$${skipped:- none}"; \
	[ -z "$$failed" ]

# pyproject.toml names the modules that it changes and the tests that are to notice.
mutants: .venv-mutants/ready ## fail if the unit tests notice less than 95 % of 1,500 small faults; takes 5 minutes
	@rm -rf mutants
	@.venv-mutants/bin/mutmut run >.venv-mutants/log 2>&1 || { tail -n 30 .venv-mutants/log >&2; exit 1; }
	@.venv-mutants/bin/python -m scripts.mutation_score

package: .venv/ready ## build the sdist and the wheel into dist/, and test their contents
	rm -rf dist
	.venv/bin/python -m build --no-isolation --outdir dist
	DIST=dist .venv/bin/pytest -q tests/behaviour/test_install.py

# TAG=v1.2.3 also checks that tag, as the workflow does.
release-check: .venv/ready .venv-release/ready ## everything of a release except the upload: git, version, changelog, package, README
	.venv/bin/python -m scripts.release_check $(TAG)
	$(MAKE) package
	.venv-release/bin/twine check --strict dist/*
	.venv-release/bin/python -m readme_renderer README.md --output .venv-release/README.html

check: .venv/ready check-secrets ## all static checks
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/vulture
	.venv/bin/deptry .
	.venv/bin/typos
	.venv/bin/shellcheck .ci/run $$(find examples scripts tests -name '*.sh')
	.venv/bin/zizmor --offline --quiet .github/workflows
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.meltano meltano.yml
	.venv/bin/check-jsonschema --check-metaschema schemas/*.json
	.venv/bin/prek validate-config --quiet .pre-commit-config.yaml

check-secrets: .venv/ready ## only look for API keys and passwords in the project's files
	@.venv/bin/python scripts/check_secrets.py

hooks: .venv/ready ## run the fast checks before each git commit
	.venv/bin/prek install

# PAGES=1000 measures the memory over ten million records instead of one million.
bench: .venv-bench/ready ## compare with other ways to read the API; QUICK=1 for fewer rounds, ROUNDS=5
	@.venv-bench/bin/python -m tests.benchmarks $(if $(QUICK),--quick) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PAGES),--pages $(PAGES))

profile: .venv-bench/ready ## the tap's processor time, by function
	@.venv-bench/bin/python -m tests.benchmarks.profile

docs: .venv/ready ## regenerate settings, streams and figures in all documents
	.venv/bin/python -m scripts.documents

soak: .venv/ready ## read millions of records in one run; CUSTOMERS=600000 for fewer
	@.venv/bin/python -m scripts.soak $(CUSTOMERS)

sweep: .venv/ready ## stop the tap at many points of a run, and look for lost records
	@.venv/bin/python -m scripts.kill_sweep

# One file at a time, because the targets pin other versions. pip-audit exits with 1 both for a
# vulnerability and for a failure, but only a vulnerability is on its stdout.
audit: .venv-audit/ready ## check the pinned versions for known vulnerabilities; Error 69 if they could not be checked
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

format: .venv/ready ## format the code and fix what ruff can fix
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

lock: .venv-uv/ready ## update the pinned versions in requirements/
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
	$(COMPILE) requirements/airflow.in -o requirements/airflow.txt
	$(COMPILE) requirements/audit.in -o requirements/audit.txt
	$(COMPILE) requirements/hadolint.in -o requirements/hadolint.txt
	$(COMPILE) requirements/dbt.in -o requirements/dbt.txt
	$(COMPILE) requirements/kubernetes.in -o requirements/kubernetes.txt
	$(COMPILE) requirements/meltano.in -o requirements/meltano.txt
	$(COMPILE) --group test pyproject.toml requirements/mutants.in \
		--constraint requirements/dev.txt -o requirements/mutants.txt
	$(COMPILE) requirements/postgres-server.in -o requirements/postgres-server.txt
	$(COMPILE) requirements/pyairbyte.in -o requirements/pyairbyte.txt
	$(COMPILE) requirements/release.in -o requirements/release.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt

cassettes: .venv/ready ## record tests/cassettes again, from the sandbox
	.venv/bin/python -m scripts.record_cassettes

clean: ## remove everything that the other targets created
	rm -rf .venv* .meltano .mypy_cache .pytest_cache .ruff_cache .hypothesis dist mutants output

# uv creates all environments, because it unpacks a package that they share only once.
UV = .venv-uv/bin/uv
# Where it also looks for other versions of Python, and where it installs them.
export PATH := $(PATH)$(shell printf ':%s' ~/.pyenv/versions/*/bin)
export UV_PYTHON_INSTALL_DIR = $(CURDIR)/.venv-uv/pythons
ENVIRONMENT = @echo "Making $(@D) from $<" && $(UV) venv --quiet --clear --python $(PYTHON) $(@D) && \
	$(UV) pip sync --quiet --python $(@D) --require-hashes $<
# With --require-hashes no local project can be installed, so it follows its dependencies.
PROJECT = @$(UV) pip install --quiet --python $(@D) --no-deps --no-build-isolation --editable .
# The inner date is the start of the recipe, because make expands it before it runs a line.
READY = @touch $@ && echo "Made $(@D) in $$(($$(date +%s) - $(shell date +%s))) s"

# Like `python -m venv`, but Ctrl-C ends it without a traceback.
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

# The tap in one environment with something else, both pinned in the same file.
.venv-bench/ready .venv-demo/ready .venv-dagster/ready .venv-lowest/ready .venv-mutants/ready: \
		.venv-%/ready: requirements/%.txt pyproject.toml .venv-uv/ready
	$(ENVIRONMENT)
	$(PROJECT)
	$(READY)

# Not pinned and created each time, because the newest versions are to be tested.
.PHONY: .venv-newest/ready
.venv-newest/ready: .venv-uv/ready
	@$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --upgrade --python $(@D) --group test --editable '.[sandbox]'

# Everything that the tap is used with has an environment of its own, as under Meltano, because their
# dependencies may conflict.
.venv-%/ready: requirements/%.txt .venv-uv/ready
	$(ENVIRONMENT)
	$(READY)
