# The two main commands are `make demo` and `make test`; `make help` lists the others.
# Needs Python 3.11 or later and a package index; installs into .venv and FUNNEL_HOME (default .local).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

export FUNNEL_HOME ?= $(CURDIR)/.local
export PYTHONPATH := $(CURDIR)/plugins:$(CURDIR)
# No usage reports from Great Expectations and dbt.
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Images of Python often set it, and then every process compiles this project's modules again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PYTHON := $(VENV)/bin/python
# Superset needs older libraries than the rest. DASHBOARDS=off leaves it out.
SUPERSET := dashboards/.venv
FUNNEL := @$(PYTHON) -m funnel.cli

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- running -----------------------------------------------------------------------------------------------------

.PHONY: new-source record demo dashboards files new-manifest inbox-check withdraw up down status service backup restore upgrade dsn ingest build plan publish rollback resume replay forget rotate-person-key encrypt-landing airflow env docs metrics ask mf mcp
demo: $(VENV)/.runtime $(SUPERSET)/.wanted ## install, start, load 90 days, build, audit, publish and print the funnel
	$(FUNNEL) demo

dashboards: $(VENV)/.runtime $(SUPERSET)/.installed ## bring Superset in line with dashboards/ and start it
	$(FUNNEL) dashboards

files: $(VENV)/.runtime $(SUPERSET)/.wanted ## load your own exports instead of vendors: make files INBOX=folder (FUNNEL_HOME= for a separate warehouse)
	$(FUNNEL) files $(or $(INBOX),$(error INBOX= is missing, for example INBOX=$(HOME)/exports))

new-manifest: $(VENV)/.runtime ## propose a manifest for a folder of exports, from headers and cells: make new-manifest DIR=folder
	$(FUNNEL) new-manifest $(or $(DIR),$(error DIR= is missing, for example DIR=$(HOME)/exports))

inbox-check: $(VENV)/.runtime ## show what manifests and files would load, without loading: make inbox-check DIR=folder
	$(FUNNEL) inbox-check $(or $(DIR),$(error DIR= is missing, for example DIR=$(HOME)/exports))

up: $(VENV)/.runtime ## start all stopped processes (ports: POSTGRES_PORT AIRFLOW_PORT SUPERSET_PORT SANDBOX_PORT SANDBOX_TLS_PORT)
	$(FUNNEL) up

down: $(VENV)/.runtime ## stop everything; data stays
	$(FUNNEL) down

status: $(VENV)/.runtime ## show the processes and their addresses
	$(FUNNEL) status

service: $(VENV)/.runtime ## start this installation with the machine: writes a systemd user unit and enables it
	$(FUNNEL) service

backup: $(VENV)/.runtime ## back up databases, landed files and secrets (BACKUP_PASSPHRASE= encrypts these): make backup DEST=/backups
	$(FUNNEL) backup $(or $(DEST),$(error DEST= is missing, for example DEST=/backups))

restore: $(VENV)/.runtime ## restore a backup into an empty home: make restore FROM=/backups/funnel-20261130T020000Z FUNNEL_HOME=…
	$(FUNNEL) restore $(or $(FROM),$(error FROM= is missing, for example FROM=/backups/funnel-20261130T020000Z))

upgrade: $(VENV)/.runtime $(SUPERSET)/.wanted ## upgrade this installation to the checked-out release: make upgrade DEST=/backups (PLAN=1: only show it, YES=1: no confirmation)
	$(FUNNEL) upgrade $(DEST) $(if $(PLAN),--plan) $(if $(YES),--yes)

dsn: $(VENV)/.runtime ## print the warehouse's URL: make -s dsn ROLE=bi_reader (or pipeline, admin)
	$(FUNNEL) dsn $(or $(ROLE),bi_reader)

ingest: $(VENV)/.runtime ## load days of a source: make ingest SOURCE=google_ads FROM=2026-08-01 TO=2026-08-31 (PLAN=1: only show what it would read)
	$(FUNNEL) ingest $(or $(SOURCE),$(error SOURCE= is missing, for example SOURCE=google_ads)) \
		$(or $(FROM),$(error FROM= is missing, for example FROM=2026-08-01)) $(TO) $(if $(PLAN),--plan)

withdraw: $(VENV)/.runtime ## remove the rows of a source whose folder was removed from the inbox: make withdraw SOURCE=acme_crm (YES=1: no confirmation)
	$(FUNNEL) withdraw $(or $(SOURCE),$(error SOURCE= is missing, for example SOURCE=acme_crm)) $(if $(YES),--yes)

build: $(VENV)/.runtime ## build and audit the marts without publishing; FULL=1 from all of raw
	$(FUNNEL) build $(if $(FULL),--full)

plan: $(VENV)/.runtime ## show what publishing the newest audited build, or BUILD=, would change, without writing
	$(FUNNEL) plan $(BUILD)

publish: $(VENV)/.runtime ## publish the newest audited build, or BUILD=
	$(FUNNEL) publish $(BUILD)

# The shell gets the reason from the environment: it may contain quotes.
rollback: export FUNNEL_REASON = $(value REASON)
rollback: $(VENV)/.runtime ## return to the publication before and hold publication: make rollback REASON="the spend is wrong"
	$(FUNNEL) rollback "$$FUNNEL_REASON"

resume: $(VENV)/.runtime ## release publication after a roll-back, and publish the newest audited build if one waits
	$(FUNNEL) resume

airflow: $(VENV)/.runtime ## run an Airflow command: make airflow DO="backfill create --dag-id ingest__google_ads …"
	$(FUNNEL) airflow $(DO)

env: $(VENV)/.runtime ## print the settings of this Airflow for a shell: eval "$(make -s env)"
	$(FUNNEL) env

new-source: $(VENV)/.runtime ## write the files of a new source: make new-source NAME=acme_ads
	$(FUNNEL) new-source $(or $(NAME),$(error NAME= is missing, for example NAME=acme_ads))

record: $(VENV)/.runtime ## record responses of a vendor (or the sandbox) as scrubbed fixtures: make record SOURCE=hubspot FROM= TO=
	$(FUNNEL) record $(or $(SOURCE),$(error SOURCE= is missing, for example SOURCE=hubspot)) $(FROM) $(TO)

replay: $(VENV)/.runtime ## load landed reads that were never loaded, without the vendors (into a new warehouse: all)
	$(FUNNEL) replay

forget: $(VENV)/.runtime ## forget persons in all places, and print a receipt: make forget < people.txt (addresses or vendor ids, one a line)
	$(FUNNEL) forget

rotate-person-key: $(VENV)/.runtime ## replace the person key: all stored hashes follow, and history is kept
	$(FUNNEL) rotate-person-key

encrypt-landing: $(VENV)/.runtime ## encrypt landed files of an earlier release or of a replaced key with LANDING_KEY
	$(FUNNEL) encrypt-landing

docs: $(VENV)/.runtime ## write the data dictionary, the documentation of dbt and the check results as pages
	$(FUNNEL) docs

# The shell gets the question from the environment: it may contain quotes.
ask: export FUNNEL_QUESTION = $(value METRIC)
ask: $(VENV)/.runtime ## answer a question from published data: make ask METRIC="leads by month, channel where region = EMEA" (FORMAT=csv|json)
	$(FUNNEL) ask --format "$(or $(FORMAT),table)" -- "$$FUNNEL_QUESTION"

mcp: $(VENV)/.runtime ## serve metrics, dictionary and freshness to tools on standard input and output, read-only: make -s mcp
	$(FUNNEL) mcp

mf: $(VENV)/.runtime ## run MetricFlow's own command as the reader: make mf DO="query --metrics leads --group-by metric_time__month"
	$(FUNNEL) mf $(DO)

metrics: $(VENV)/.runtime ## validate the metrics of dbt_project/models/semantic, and run them if a warehouse is running
	$(FUNNEL) metrics

# --- proving -----------------------------------------------------------------------------------------------------

# A file's tests stay in one process, since they share what is slow to start.
PYTEST := $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: test test-all lint sbom audit-dependencies bench-load bench-files bench-hostile bench-daily bench-backfill bench-mart bench-dashboards pictures
test: $(VENV)/.development $(SUPERSET)/.wanted ## run every test but the long ones, on a temporary PostgreSQL; a running demo is not affected
	$(PYTEST) -m "not soak" $(TESTS)

test-all: $(VENV)/.development $(SUPERSET)/.wanted ## run every test, also the long ones
	$(PYTEST) $(TESTS)

lint: $(VENV)/.development ## check style, types, layers and SQL
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/sqlfluff lint --disable-progress-bar dbt_project

sbom: $(VENV)/.runtime ## list every package of both environments as CycloneDX, in FUNNEL_HOME/sbom
	@bin/list-packages $(FUNNEL_HOME) cyclonedx1.5 $(FUNNEL_HOME)/sbom

audit-dependencies: $(VENV)/.development ## ask for known vulnerabilities of every package of both environments (OSV_URL= is a mirror)
	@$(PYTHON) -m authoring.audit $(if $(OSV_URL),--service $(OSV_URL)) $$(bin/list-packages $(FUNNEL_HOME) requirements.txt $(FUNNEL_HOME)/audit)

bench-load: $(VENV)/.development ## 500,000 ad records against COPY
	@$(PYTHON) -m bench.load

bench-files: $(VENV)/.development ## a million rows of CSV against COPY
	@$(PYTHON) -m bench.files

bench-hostile: $(VENV)/.development ## files that unpack to much more than their size: time, memory and message of each
	@$(PYTHON) -m bench.hostile

bench-daily: $(VENV)/.development ## a day with 3 years of history against one with 60 days
	@$(PYTHON) -m bench.daily

bench-mart: $(VENV)/.development ## the whole mart at 1/10, 1/3 and full size: make bench-mart SIZE="--scales 0.1"
	@$(PYTHON) -m bench.mart $(SIZE)

bench-dashboards: $(VENV)/.development ## how long each dashboard of the running demo takes to draw, cold and warm
	@$(PYTHON) -m bench.dashboards

pictures: $(VENV)/.development ## pictures of the running demo's dashboards into docs/pictures
	@$(PYTHON) -m bench.dashboards --pictures docs/pictures

bench-backfill: $(VENV)/.development ## a year of all sources by windowed runs, and 30 days by daily backfills
	@$(PYTHON) -m bench.backfill

# --- installing --------------------------------------------------------------------------------------------------

# Compiled on install: every cold import of Airflow, dbt and Great Expectations would take twice as long.
UV_SYNC = sh bin/uv-sync "$(FUNNEL_HOME)" "$(CURDIR)/$(VENV)"

$(VENV)/.runtime: pyproject.toml uv.lock
	@echo "installing the environment: 800 MB, one to three minutes" >&2
	@$(UV_SYNC) --no-dev --inexact
	@touch $@

$(VENV)/.development: pyproject.toml uv.lock
	@echo "installing the environment and the tools for tests: 1.2 GB, one to three minutes" >&2
	@$(UV_SYNC)
	@touch $(VENV)/.runtime $@

$(SUPERSET)/.installed: dashboards/pyproject.toml dashboards/uv.lock
	@echo "installing Superset: 780 MB, about one minute" >&2
	@sh bin/uv-sync "$(FUNNEL_HOME)" "$(CURDIR)/$(SUPERSET)" --project dashboards
	@touch $@

# The demo also runs without dashboards: Superset does not support every version of Python.
.PHONY: $(SUPERSET)/.wanted
$(SUPERSET)/.wanted:
	@[ "$(DASHBOARDS)" = off ] || $(MAKE) -s $(SUPERSET)/.installed \
		|| echo "Superset could not be installed, so there are no dashboards; it needs Python 3.11 or 3.12" >&2
