# The lab and its workshop. `make help` lists the targets; everything but `setup` is a short call of a tool in .venv.

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
DEV_STAMP := $(VENV)/.complete-dev
CHAIN := provider_network mariadb rabbitmq memcached keystone glance guest_image placement nova_controller novncproxy \
	neutron_server nova_compute neutron_agent horizon firewall
# Named, because molecule finds it by itself in a checkout of git only.
MOLECULE := $(BIN)/molecule --base-config .config/molecule/config.yml
UV_SYNC = VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --python $(BIN)/python
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Ansible refuses to run without a UTF-8 locale; C.UTF-8 is in every Debian.
export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up verify status halt destroy check test sanity docs bench molecule images config e2e clean ruff mypy imports yamllint ansible-lint unit

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(STAMP) ## The Python environment in .venv, from uv.lock

setup-dev: $(DEV_STAMP) ## The same with linters, types and test tools

up: setup ## The lab in this directory, from nothing to a verified Nova
	@$(BIN)/labctl up
	@echo "To have labctl and ansible-playbook at hand: . $(BIN)/activate"

verify: setup ## Check the running lab
	@$(BIN)/labctl verify

status: setup ## The nodes and the services of the lab
	@$(BIN)/labctl status

halt: setup ## Stop the nodes; `make up` starts them again
	@$(BIN)/labctl halt

destroy: setup ## Remove the lab, keep the images
	@$(BIN)/labctl destroy

check: setup-dev ## Linters, types and unit tests: no root, no lab, under a minute
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target ansible-lint mypy imports ruff yamllint unit

test: setup-dev ## Everything: check, sanity, molecule, config, e2e; ends with a table of what took how long
	+@$(BIN)/python -m tools.stages

# `node` and `collection` want bare nodes. The others share theirs, and in the order of site.yaml each role finds there what
# it needs; `horizon` is late, because it installs packages that a lab's nodes have when asked for only, and `firewall` last,
# since other scenarios ask services from outside. RELEASE is read by default/create.yml, from the environment.
molecule: setup-dev ## Every role tested in containers; alone: ROLE=mariadb; on Debian 12: RELEASE=zed
ifdef ROLE
	$(MOLECULE) test --scenario-name $(ROLE)
else
	$(MOLECULE) test --scenario-name node --scenario-name collection
	SHARED_NODES=true $(MOLECULE) destroy
	SHARED_NODES=true $(MOLECULE) test $(CHAIN:%=--scenario-name %) -- --skip-tags before
endif

images: setup-dev ## The node images of the default lab, which molecule, config and e2e start from
	@folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && \
		for kind in controller compute; do $(BIN)/labctl -C $$folder image ensure --kind $$kind; done

config: setup-dev ## The options that the roles write, compared with what both releases' packages know
	$(BIN)/pytest --durations=5 tests/config

e2e: setup-dev ## A real lab from `labctl up` to `labctl destroy`
	$(BIN)/pytest --durations=25 tests/e2e

sanity: setup-dev ## ansible-test's sanity tests on the collection as it is built
	$(BIN)/python -m tools.sanity

docs: setup-dev ## What is written from the roles: their README.md, the table of ports
	$(BIN)/python -m tools.role_docs
	$(BIN)/python -m tools.port_table

# BENCH takes its options: make bench BENCH="--runs 3 --case warm"; docs/bench.md lists them.
bench: setup ## How long everything takes on this machine, measured in a lab of its own; options: BENCH="--runs 3"
	$(BIN)/python -m bench run $(BENCH)

ruff: setup-dev
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

mypy: setup-dev
	$(BIN)/mypy

imports: setup-dev
	$(BIN)/lint-imports --no-cache --no-logo

yamllint: setup-dev
	$(BIN)/yamllint --strict .

ansible-lint: setup-dev
	$(BIN)/ansible-lint --offline -q

unit: setup-dev
	$(BIN)/pytest -q -n 2 tests/unit

clean: ## Remove the environment and the caches; the lab stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .ansible dist build

# The stamp goes first and comes back last: an environment without it was interrupted half-way and is made anew.
# apt is asked only when Python or its venv module is missing, which on Debian is a package of its own.
# uv leaves byte-compilation to the first import, and Ansible imports in a process for each task. Its loader of collections
# reads no byte code. A package may have files for other versions of Python, which then do not compile.
$(STAMP): pyproject.toml uv.lock hatch_build.py
	@set -e; \
	if [ ! -e $(STAMP) ]; then rm -rf $(VENV); fi; \
	rm -f $(STAMP); \
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		command -v apt-get >/dev/null || { \
			echo "make: $(PYTHON) with its venv module is missing: install Python 3.11 or newer, then repeat" >&2; exit 2; }; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
		echo "Installing python3-venv"; \
		$$sudo apt-get -q update; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3 python3-venv; \
	fi; \
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit( \
		f"make: $(PYTHON) is Python {v[0]}.{v[1]}, 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")'; \
	echo "Making the Python environment in $(VENV)"; \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	$(UV_SYNC) --no-group dev; \
	packages=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	$(BIN)/python -m compileall -q -j 0 -x '/(ansible_collections|pip)/' $$packages labctl || true; \
	mkdir -p $$packages/ansible_collections/novalab; \
	ln -sfn $(CURDIR) $$packages/ansible_collections/novalab/openstack; \
	touch $(STAMP)

$(DEV_STAMP): $(STAMP)
	@echo "Adding the tools of development to $(VENV)"
	@$(UV_SYNC)
	@touch $@
