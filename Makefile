# The commands of this project. `make run` starts everything, `make test` runs every check and test, `make help`
# lists the rest.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
IN := $(VENV)/bin/python
STATE_DIR ?= var
WEB_PORT ?= 8000
SANDBOX_PORT ?= 8001
WHERE = --state-dir '$(STATE_DIR)' --web-port '$(WEB_PORT)' --sandbox-port '$(SANDBOX_PORT)'
# Some systems package ensurepip apart from Python. There, the installed pip puts a pip into the environment.
MAKE_VENV = $(PYTHON) -m venv --clear $(VENV) >$(VENV).log 2>&1 || \
	{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --quiet --python $(IN) install pip; } || \
	{ cat $(VENV).log; echo 'Python cannot make an environment: its venv and pip modules are needed.' >&2; exit 1; }
# ON='2027-02-28 22:30' (UTC) makes every process of the run start at that moment; see docs/testing.md.
ON_DAY = $(if $(ON),env $$($(IN) -m tests.support.other_day '$(ON)'))
# Every process of a run would compile the product again.
unexport PYTHONDONTWRITEBYTECODE
PIP = $(IN) -m pip install --quiet --disable-pip-version-check --no-input

# The paths in an environment are absolute, so a moved or copied checkout makes its environment again.
ifneq ($(CURDIR),$(shell cat $(VENV)/.stamp 2>/dev/null))
.PHONY: $(VENV)/.stamp
endif

.PHONY: help run test check fresh talk verify lock schema simulate chaos bench mutants
.DEFAULT_GOAL := help

help: ## list the targets
	@echo 'make TARGET, where TARGET is:'
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 12
	@echo 'Settings: PYTHON=python3.12 STATE_DIR=var WEB_PORT=8000 SANDBOX_PORT=8001 (two copies: give the second others).'

run: $(VENV)/.stamp ## start the whole gateway with a demo and a sandbox; Ctrl-C stops it
	@exec $(IN) -m proving run $(WHERE)

fresh: $(VENV)/.stamp ## delete everything that `make run` keeps in STATE_DIR
	@exec $(IN) -m proving fresh $(WHERE)

talk: $(VENV)/.stamp ## open a phone in this terminal while `make run` runs
	@exec $(IN) -m sandbox.talk --sandbox 'http://127.0.0.1:$(SANDBOX_PORT)' $(ARGS)

verify: $(VENV)/.stamp ## recompute every balance and right of the running gateway, and compare with the sandbox's true movements
	@exec $(VENV)/bin/mutuelle verify --state-dir '$(STATE_DIR)' --against 'http://127.0.0.1:$(SANDBOX_PORT)/truth' $(ARGS)

simulate: $(VENV)/.stamp ## simulate thirty days of three mutuelles, then compare books and true movements: SEED=1 DAYS=30 HOUSEHOLDS=100 [UNTIL=20] [SHRINK=1]
	@exec $(IN) -m proving.simulate --seed $(or $(SEED),1) --days $(or $(DAYS),30) --households $(or $(HOUSEHOLDS),100) \
		$(if $(UNTIL),--until $(UNTIL)) $(if $(SHRINK),--shrink)

chaos: $(VENV)/.stamp ## break real processes while people join and pay, then compare books and true movements: SEED=1 MINUTES=5
	@exec $(IN) -m proving.chaos --seed $(or $(SEED),1) --minutes $(or $(MINUTES),5)

bench: $(VENV)/.stamp ## measure beside a bare baseline under the same server, into STATE_DIR/bench.json (QUICK=1 for a trial)
	@exec $(IN) -m proving.bench --state-dir '$(STATE_DIR)' $(if $(QUICK),--quick)

mutants: $(VENV)/.stamp ## plant small faults drawn by a seed and see which the tests find: SEED=1 COUNT=300 [ROOM=billing,cover] [ONLY=ID]
	@exec $(IN) -m proving.mutants --state-dir '$(STATE_DIR)' --seed $(or $(SEED),1) --count $(or $(COUNT),300) \
		$(if $(ROOM),--room '$(ROOM)') $(if $(ONLY),--only '$(ONLY)') $(ARGS)

test: check ## run every check and every test, on real PostgreSQL and Redis (ON='2027-02-28 22:30' as on another day)
	$(ON_DAY) $(IN) -m pytest --numprocesses $(or $(TESTERS),3) --no-loadscope-reorder $(if $(filter true,$(CI)),--no-skips) $(ARGS)

check: $(VENV)/.stamp ## check format, lint, types and the direction of imports, in seconds
	$(IN) -m ruff format --check .
	$(IN) -m ruff check .
	$(IN) -m mypy
	$(VENV)/bin/lizard -l python -C 20 -L 60 -a 10 -w -x './.venv/*' -x './var/*' .
	$(VENV)/bin/lint-imports

# The stamp is written last, so that an incomplete environment is made again.
$(VENV)/.stamp: requirements-dev.txt pyproject.toml
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: install it, or name it with PYTHON=...' >&2; exit 1; }
	@if test "$$(cat $@ 2>/dev/null)" = '$(CURDIR)' && $(IN) -c '' 2>/dev/null; \
	then echo 'The requirements have changed: bringing $(VENV) up to date ...'; \
	else echo 'Installing what the gateway needs into $(VENV) (once, about a minute) ...'; $(MAKE_VENV); fi
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(PIP) --no-deps --no-build-isolation -e . >$(VENV).log 2>&1 || { cat $(VENV).log; exit 1; }
	@rm -f $(VENV).log
	@echo '$(CURDIR)' > $@

schema: $(VENV)/.stamp ## write what the migrations make, for `mutuelle verify` to compare; after each new migration
	@exec $(IN) -m proving.schema

lock: ## choose the pinned versions again, with hashes (UPGRADE=1 takes the newest)
	@set -e; room=$$(mktemp -d); trap 'rm -rf "$$room"' EXIT; \
	echo 'Fetching uv into a throw-away environment ...'; \
	$(PYTHON) -m venv "$$room/venv"; "$$room/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	for name in requirements requirements-dev; do \
	  cp $$name.txt "$$room/$$name.txt"; \
	  "$$room/venv/bin/uv" pip compile pyproject.toml --quiet --universal --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
	    $$(test $$name = requirements || echo --group dev) --output-file "$$room/$$name.txt"; \
	  { echo '# Made by `make lock`; do not edit.'; grep -v '^# Made by' "$$room/$$name.txt"; } > "$$room/new"; \
	  mv "$$room/new" $$name.txt; echo "$$name.txt: $$(grep -c '^[a-z]' $$name.txt) packages"; \
	done
