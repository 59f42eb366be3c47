# What CI calls is what people call. `make help` lists the targets.
CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test backtest soak check check-dashboards fmt schema golden dashboards tools image advisories

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## run the exporter over simulated provider APIs: no account and no network needed
	$(CARGO) run --release --locked -- demo

test: tools ## run all tests; installs the Prometheus and Alertmanager that they need under target/tools
	$(CARGO) test --locked

backtest: ## print how far our forecast was off on each day of past months, beside the plain run-rate
	$(CARGO) test --locked --test it backtest -- --nocapture

soak: ## kill the program 200 times while it polls and writes, and look at what it serves after each start
	CLOUDSPEND_SOAK_ROUNDS=200 $(CARGO) test --locked --test it restart -- --nocapture

check: check-dashboards ## formatting, lints, documentation, licences and sources of the dependencies, dashboards
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet
	tests/tools/deny.sh

check-dashboards: ## the dashboards are what their generator makes, lose nothing in the SDK and keep the linter's rules
	tests/tools/dashboards.sh check

fmt: ## format the code
	$(CARGO) fmt

schema: ## write the JSON schema of the configuration anew
	$(CARGO) run --quiet --locked -- schema > config/cloudspend.schema.json

golden: ## write the golden exposition and the README's table of metrics anew
	CLOUDSPEND_GOLDEN=write $(CARGO) test --quiet --locked --test it -- golden::the_whole_exposition readme::its_table

dashboards: ## make dashboards/*.json anew; needs python3 and, the first time, PyPI
	tests/tools/dashboards.sh write

tools: ## fetch the programs that the tests need
	tests/tools/fetch.sh

image: ## build the container image; needs a container engine
	docker build --tag cloudspend-exporter .

advisories: ## look for known faults in the dependencies; needs a network
	cargo-deny check advisories
