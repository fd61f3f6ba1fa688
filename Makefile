# make install   sets up .venv; safe to run again, and quick when nothing changed
# make demo      enrols the people of sample_videos/ and finds them again
# make test      style, types and tests
# make test-long the tests that take minutes, and 500 generated inputs where `make test` has 50
# make install EXTRA=gpu   the same with FAISS for NVIDIA GPUs

EXTRA ?= cpu
VENV := .venv
STAMP := $(VENV)/.installed-$(EXTRA)
BIN := $(VENV)/bin
# Each process holds a pose model and torch: a gigabyte, towards the end up to two and a half.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help install demo test test-long lint clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt .ci/prepare
	@bash .ci/prepare $(VENV)
	@# The two builds of FAISS overwrite each other, so the one not wanted goes first.
	@$(BIN)/python -m pip uninstall -qq --yes $(if $(filter gpu,$(EXTRA)),faiss-cpu,faiss-gpu)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[$(EXTRA),dev]'
	@$(BIN)/reid --version
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: install
	$(BIN)/reid demo --out demo_out

test: lint
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-long: install
	$(BIN)/python -m pytest -m long -s
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --hypothesis-profile=long tests/pipeline/test_hostile_*.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo_out build .pytest_cache .mypy_cache .ruff_cache
