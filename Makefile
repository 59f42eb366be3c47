# CI calls the same targets as people do. `make help` lists the targets.
CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test backtest soak bench bench-check bench-dashboards check check-dashboards fmt schema golden dashboards tools image advisories check-packages chart-readme deb

# What --version and cloudspend_build_info show. Only for what is built to be run: tests need no rebuild at each commit.
# Empty outside a Git checkout; the program shows "unknown" then.
demo image deb: export CLOUDSPEND_REVISION ?= $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## run the exporter over simulated provider APIs: no account and no network needed
	$(CARGO) run --release --locked -- demo

# Many tests wait for a program or a server: two threads for each core keep the cores busy.
test: export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
test: tools ## run all tests; installs the Prometheus and Alertmanager that they need under target/tools
	$(CARGO) test --locked

backtest: ## print the forecast error on each day of past months, compared with a plain run rate
	$(CARGO) test --locked --test it backtest -- --nocapture

soak: ## kill the program 200 times while it polls and writes, then poll 500 accounts with 5,000 parts for ten minutes
	CLOUDSPEND_SOAK_ROUNDS=$${CLOUDSPEND_SOAK_ROUNDS:-200} $(CARGO) test --locked --test it restart -- --nocapture
	CLOUDSPEND_SOAK_ACCOUNTS=$${CLOUDSPEND_SOAK_ACCOUNTS:-500} CLOUDSPEND_SOAK_PARTS=$${CLOUDSPEND_SOAK_PARTS:-5000} \
	CLOUDSPEND_SOAK_SECONDS=$${CLOUDSPEND_SOAK_SECONDS:-600} CLOUDSPEND_SOAK_INTERVAL=$${CLOUDSPEND_SOAK_INTERVAL:-60} \
	CLOUDSPEND_SOAK_LATEST=$${CLOUDSPEND_SOAK_LATEST:-5} \
		$(CARGO) test --release --locked --test it soak -- --nocapture

bench: ## run all benchmarks (20 minutes after building) and write benches/RESULTS.md; needs Debian and PyPI the first time
	benches/run.sh

bench-check: ## count instructions under Callgrind; fails where rendering or folding takes 5 % more than recorded
	benches/counts.sh

bench-dashboards: tools ## load 10,000 label sets over 90 days into a Prometheus and print the ten slowest panels; 15 minutes the first time
	python3 benches/dashboards/load.py target/bench/dashboards/data
	python3 benches/dashboards/measure.py target/bench/dashboards/data dashboards now
	python3 benches/dashboards/report.py target/bench/dashboards

check: check-dashboards check-packages bench-check ## check formatting, lints, documentation, licences and sources of the dependencies, dashboards, packages, instructions
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet
	tests/tools/deny.sh

check-dashboards: ## check that the dashboards match their generator, survive the SDK and pass the linter
	tests/tools/dashboards.sh check

check-packages: ## check Helm chart, Dockerfile, compose file, workflows and systemd unit; needs python3, node and, the first time, PyPI and npm
	tests/tools/packages.sh all

fmt: ## format the code
	$(CARGO) fmt

schema: ## regenerate the JSON schema of the configuration
	$(CARGO) run --quiet --locked -- schema > config/cloudspend.schema.json

golden: ## regenerate the golden exposition, the metric reference and the tables of keys
	CLOUDSPEND_GOLDEN=write $(CARGO) test --quiet --locked --test it -- golden::exposition_matches && \
	CLOUDSPEND_GOLDEN=write $(CARGO) test --quiet --locked --test it -- docs::generated

dashboards: ## regenerate dashboards/*.json; needs python3 and, the first time, PyPI
	tests/tools/dashboards.sh write

chart-readme: ## regenerate the table of values in the README of the Helm chart
	tests/tools/packages.sh chart-readme

tools: ## fetch the programs that the tests need
	tests/tools/fetch.sh

image: ## build the container image; needs a container engine
	docker build --build-arg CLOUDSPEND_REVISION="$$CLOUDSPEND_REVISION" --tag cloudspend-exporter .

deb: ## build a Debian package; compiles cargo-deb the first time
	$(CARGO) build --release --locked
	tests/tools/deb.sh

advisories: ## check the dependencies for known vulnerabilities; needs a network
	cargo-deny check advisories
