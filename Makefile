# Everything a fresh Debian-like machine needs is set up by the first target that needs it: `make demo`.

PYTHON ?= python3
VENV := .venv
KHHW := $(VENV)/bin/khhw
PYTEST := $(VENV)/bin/python -m pytest

.PHONY: help demo test test-all durations lint prove attack mutants equality docs clean system

help:
	@echo "make demo    the talk's eight nodes in RTL: boot, isolation, attacks, memcached, nodes for rent; report in out/demo"
	@echo "make test    lint and the quicker tests"
	@echo "make test-all  what make test leaves out: rare tests, proofs, mutants; hours"
	@echo "make durations  record in tests/durations.json how long each test takes here; nothing else should run"
	@echo "make lint    ruff, mypy --strict, import rules"
	@echo "make prove   proofs of the permission guards"
	@echo "make attack  ten million packets of hostile software against the domains, and mutants to be found"
	@echo "make mutants  faults in the RTL, each of which a test must see; goes on where it was stopped"
	@echo "make equality  a saturated 3x3x3 on cocotb and on the native engine: every link and interrupt, by cycle"
	@echo "make docs    reference pages from the sources, and all pages as HTML in out/docs"
	@echo "make clean   remove everything generated, .venv included"

demo: $(VENV)/ready
	$(KHHW) run examples/talk.toml -o out/demo --link cloud/report.html
	$(KHHW) cloud run examples/lease_scenario.toml -o out/demo/cloud

# Builds first, the longest first; then tests, in the order that tests/schedule makes of recorded durations; `lint` has
# run those of the structure.
test: lint
	$(VENV)/bin/python -m tests.schedule builds
	$(PYTEST) -q -n 2 --dist loadgroup --no-loadscope-reorder -m "not rare" --ignore tests/structure

test-all: $(VENV)/ready
	$(VENV)/bin/python -m tests.schedule rest --keep

durations: $(VENV)/ready
	$(VENV)/bin/python -m tests.schedule record

lint: $(VENV)/ready
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(PYTEST) -q -n 2 tests/structure

prove: $(VENV)/ready
	$(VENV)/bin/python -m formal.prove

attack: $(VENV)/ready
	$(KHHW) attack -o docs/results/attack.json
	$(KHHW) attack --lanes 6 --bug-packets 0 -o docs/results/attack-6-lanes.json

mutants: $(VENV)/ready
	$(VENV)/bin/python -m tests.rtl.killers --suite --write

equality: $(VENV)/ready
	$(VENV)/bin/python -m tests.sim.engine.both

docs: $(VENV)/ready
	$(KHHW) reference
	$(VENV)/bin/python -m docs.packages
	$(VENV)/bin/python -m docs.rights
	$(VENV)/bin/python -m docs.kept
	$(VENV)/bin/python -m sphinx -q -W --keep-going -b html docs out/docs

clean:
	rm -rf $(VENV) out sim_build/* .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Made anew when a version in the lock changes, so that nothing old stays in it.
$(VENV)/ready: requirements.lock pyproject.toml | system
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Names every missing package at once, before anything else is done.
system:
	@missing=; advice=; \
	lacks() { missing="$$missing $$1"; advice="$$advice\n  $$2"; }; \
	if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		lacks python3 "Python 3.11 or newer (another one: make PYTHON=python3.12 ...)"; \
	else \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || lacks python3-venv "the venv module of $(PYTHON)"; \
		$(PYTHON) -c 'import ctypes, sysconfig; ctypes.CDLL(sysconfig.get_config_var("INSTSONAME"))' 2>/dev/null \
			|| $(PYTHON) -c 'import os, sys, sysconfig as s; sys.exit(not os.path.isfile(os.path.join( \
				s.get_config_var("LIBDIR"), s.get_config_var("INSTSONAME"))))' 2>/dev/null \
			|| lacks "$$($(PYTHON) -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')" \
				"the shared library of $(PYTHON), which a simulator loads"; \
	fi; \
	echo 'int main() { return 0; }' | g++ -std=c++20 -fsyntax-only -x c++ - 2>/dev/null \
		|| lacks g++ "g++ 10 or newer, for C++20"; \
	perl -e 1 2>/dev/null || lacks perl "perl, which starts Verilator"; \
	if [ -n "$$missing" ]; then \
		printf "khhw needs:$$advice\nInstall it with:\n  sudo apt-get install$$missing\n" >&2; exit 1; \
	fi
