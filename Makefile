# What CI calls is what people call. `make help` lists the targets.
CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test backtest soak bench bench-check check check-dashboards fmt schema golden dashboards tools image advisories check-packages chart-readme deb

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## run the exporter over simulated provider APIs: no account and no network needed
	$(CARGO) run --release --locked -- demo

# Many tests wait for a program or a server: two threads for each core keep the cores busy.
test: export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
test: tools ## run all tests; installs the Prometheus and Alertmanager that they need under target/tools
	$(CARGO) test --locked

backtest: ## print how far our forecast was off on each day of past months, beside the plain run-rate
	$(CARGO) test --locked --test it backtest -- --nocapture

soak: ## kill the program 200 times while it polls and writes; then poll 500 accounts with 5,000 parts for ten minutes
	CLOUDSPEND_SOAK_ROUNDS=$${CLOUDSPEND_SOAK_ROUNDS:-200} $(CARGO) test --locked --test it restart -- --nocapture
	CLOUDSPEND_SOAK_ACCOUNTS=$${CLOUDSPEND_SOAK_ACCOUNTS:-500} CLOUDSPEND_SOAK_PARTS=$${CLOUDSPEND_SOAK_PARTS:-5000} \
	CLOUDSPEND_SOAK_SECONDS=$${CLOUDSPEND_SOAK_SECONDS:-600} CLOUDSPEND_SOAK_INTERVAL=$${CLOUDSPEND_SOAK_INTERVAL:-60} \
	CLOUDSPEND_SOAK_LATEST=$${CLOUDSPEND_SOAK_LATEST:-5} \
		$(CARGO) test --release --locked --test it soak -- --nocapture

bench: ## run all benchmarks (20 minutes after building) and write benches/RESULTS.md; needs Debian and PyPI the first time
	benches/run.sh

bench-check: ## count instructions under Callgrind; fails where rendering or folding takes 5 % more than is written down
	benches/counts.sh

check: check-dashboards check-packages bench-check ## formatting, lints, documentation, licences and sources of the dependencies, dashboards, packages, instructions
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet
	tests/tools/deny.sh

check-dashboards: ## the dashboards are what their generator makes, lose nothing in the SDK and keep the linter's rules
	tests/tools/dashboards.sh check

check-packages: ## Helm chart, Dockerfile, compose file, workflows and systemd unit; needs python3, node and, the first time, PyPI and npm
	tests/tools/packages.sh all

fmt: ## format the code
	$(CARGO) fmt

schema: ## write the JSON schema of the configuration anew
	$(CARGO) run --quiet --locked -- schema > config/cloudspend.schema.json

golden: ## write the golden exposition, the metric reference and the tables of keys anew
	CLOUDSPEND_GOLDEN=write $(CARGO) test --quiet --locked --test it -- golden::exposition_matches && \
	CLOUDSPEND_GOLDEN=write $(CARGO) test --quiet --locked --test it -- docs::generated

dashboards: ## make dashboards/*.json anew; needs python3 and, the first time, PyPI
	tests/tools/dashboards.sh write

chart-readme: ## write the table of values in the README of the Helm chart anew
	tests/tools/packages.sh chart-readme

tools: ## fetch the programs that the tests need
	tests/tools/fetch.sh

image: ## build the container image; needs a container engine
	docker build --tag cloudspend-exporter .

deb: ## build a Debian package; compiles cargo-deb the first time
	$(CARGO) build --release --locked
	tests/tools/deb.sh

advisories: ## look for known faults in the dependencies; needs a network
	cargo-deny check advisories
