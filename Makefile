# The commands of this house. Thin on purpose: what needs thought lives in crates/xtask.

.DEFAULT_GOAL := help
.PHONY: help run test soak check fmt gen bench demo clean tools

SEED ?= 1
MINUTES ?= 30

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools ## Starts Postroom: everything in one process, data in ./data
	cargo run --release -p postroom -- serve

test: ## Runs every test; installs first what tests need and is missing
	@.ci/tools test
	cargo build --workspace --all-targets
	@if cargo nextest --version >/dev/null 2>&1; then set -x; \
		cargo nextest run --workspace; else set -x; \
		cargo test --workspace --all-targets; fi
	cargo test --workspace --doc

soak: ## Breaks the clustered form for long: make soak SEED=7 MINUTES=120
	@.ci/tools test
	cargo build --release -p postroom
	POSTROOM_SEED=$(SEED) POSTROOM_SOAK_MINUTES=$(MINUTES) cargo test --release -p postroom-tests \
		--test faults whatever_breaks -- --nocapture

check: tools ## Format, lints, house rules, generated files, documentation
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask tidy
	cargo xtask gen --check
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

fmt: ## Formats the code
	cargo fmt --all

gen: tools ## Writes the generated files: docs/openapi.json, docs/asyncapi.json, docs/schema, docs/cli.md
	cargo xtask gen

bench: tools ## Measures the product beside its raw parts, on this machine
	cargo run --release -p postroom -- bench

demo: tools ## Plays customers into the server that `make run` started
	cargo run --release -p postroom -- demo

clean: ## Removes what was built; keeps ./data
	cargo clean

tools:
	@.ci/tools
