# Every verb of the project. Needs Python >= 3.11, cargo and a C compiler; the rest is fetched.
# The logic lives in the tools: `uv` (environment), `cargo`, `ruff`, `mypy`, `pytest`, `grootboek`.

# A user's flags would replace those of .cargo/config.toml, and with them the AVX-512 signature backend.
unexport RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS VIRTUAL_ENV

export PATH := $(PATH):$(HOME)/.cargo/bin
UV := $(shell command -v uv || echo .venv/bin/uv)
BIN := .venv/bin
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test check bench fuzz tools environment format

demo: environment
	@$(BIN)/grootboek demo

test: environment
	cargo test --release --locked --quiet --package grootboek-core
	$(BIN)/pytest benches --benchmark-disable --quiet
	$(BIN)/pytest

check: environment
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/stubtest --mypy-config-file pyproject.toml grootboek._core
	cargo fmt --all --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
	$(BIN)/pytest --quiet tests/project

# A bench fails whose median is more than FAIL per cent above the newest one that is stored for this machine.
FAIL := 25

bench: environment
	@$(BIN)/python -m benches.gate --fail $(FAIL) --store .benchmarks benches

# Every decoder of both languages, fed changed bytes. The Rust half needs a nightly toolchain and cargo-fuzz.
SECONDS := 60
FUZZED := $(shell sed -n 's/^name = "\([a-z]*\)"$$/\1/p' rust/fuzz/Cargo.toml)

fuzz: environment
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS)
	@command -v cargo-fuzz >/dev/null || { \
		echo "skipped: the Rust targets (cargo install cargo-fuzz; rustup toolchain install nightly)"; exit 0; }; \
	for target in $(FUZZED); do \
		mkdir -p target/fuzz/corpus/$$target && \
		cargo +nightly fuzz run --fuzz-dir rust/fuzz --target-dir target/fuzz $$target target/fuzz/corpus/$$target \
			-- -max_total_time=$$(($(SECONDS) / $(words $(FUZZED)) + 1)) -print_final_stats=1 || exit 1; \
	done

format: environment
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt --all

environment: tools $(UV)
	@$(UV) sync --locked --inexact --quiet

# The machine has no uv: an environment of its own brings it along.
.venv/bin/uv: | tools
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip --quiet --disable-pip-version-check install uv

tools:
	@missing=; \
	[ -n "$(PYTHON)" ] || missing="$$missing Python>=3.11(https://www.python.org)"; \
	command -v cargo >/dev/null || missing="$$missing cargo(https://rustup.rs)"; \
	command -v cc >/dev/null || missing="$$missing C-compiler(gcc-or-clang)"; \
	[ -z "$$missing" ] || { echo "missing:$$missing" >&2; exit 2; }
