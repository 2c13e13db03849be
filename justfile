# Every command of this repository; `just` alone lists them. Each sets up what it needs.

uv := env("UV", "uv")
run := uv + " run --no-sync"
pytest := run + " pytest -n auto --maxprocesses 4 --dist loadgroup"

set positional-arguments

# Where Python may not keep its bytecode, each of some hundred processes would compile everything anew.
export PYTHONDONTWRITEBYTECODE := ""

# Under `uv run`, Ray would have uv make an environment for each of its workers; they have that of the caller.
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := "0"

# An active environment is not ours to use, and uv would warn about it at every command.
unexport VIRTUAL_ENV

_list:
    @'{{ just_executable() }}' --justfile '{{ justfile() }}' --list --unsorted

# All packages, extras that tests want, and tools, in `.venv`
_sync:
    @{{ uv }} sync --quiet --inexact --all-packages --group examples

# Run the nightly report: shell, S3, SQL, Secrets Manager, mail and Slack, on servers that start by themselves
tour *ARGS: _sync
    @{{ run }} python examples/tour.py "$@"

# Run all tests, each package's in an environment of its own; or those of one package (`just test aws`)
test PACKAGE="" *ARGS: _sync
    #!/bin/sh
    set -eu
    case "$1" in
    '') shift; JUST='{{ just_executable() }}' exec {{ run }} python -m scripts.everything "$@" ;;
    -*) JUST='{{ just_executable() }}' exec {{ run }} python -m scripts.everything "$@" ;;
    esac
    name=$({{ run }} python -m scripts.workspace name "$1")
    folder=$({{ run }} python -m scripts.workspace path "$1")
    shift
    export UV_PROJECT_ENVIRONMENT=".venvs/$name"
    {{ uv }} sync --quiet --package "$name"
    # What one environment has compiled, no other compiles again.
    {{ run }} python -m scripts.bytecode .venv "$UV_PROJECT_ENVIRONMENT"
    status=0
    {{ pytest }} "$folder" -m 'not slow' "$@" || status=$?
    {{ run }} python -m scripts.bytecode "$UV_PROJECT_ENVIRONMENT" .venv
    # Arguments that select tests of one package leave others without any, which is no failure.
    [ "$status" -eq 5 ] && [ "$#" -gt 0 ] && exit 0
    exit "$status"

# Run the long tests that a scheduled workflow runs
test-slow *ARGS: _sync
    {{ pytest }} -m slow --timeout 1800 "$@"

# Run the examples, or those that are named, offline
examples *NAMES: _sync
    @{{ run }} python -m scripts.examples run "$@"

# Find style errors, in Python and in shell scripts
lint: _sync
    {{ run }} ruff check
    {{ run }} ruff format --check
    {{ run }} shellcheck .ci/run .ci/kubernetes

# Check the types
types: _sync
    {{ run }} basedpyright

# Mend what can be mended without thinking: format, order of imports
fmt: _sync
    {{ run }} ruff check --fix
    {{ run }} ruff format

# Serve the documentation on this machine, and show changes as they are saved
docs *ARGS: docs-generate
    @{{ run }} python -m scripts.site serve "$@"

# Write what is generated of the documentation: reference, example pages, navigation, llms.txt
docs-generate *ARGS: _sync
    @{{ run }} prefect-integration-docs generate "$@"

# Check the documentation: generated pages are current, every page renders, links and code are right
docs-check: _sync
    {{ run }} prefect-integration-docs generate --check
    {{ run }} python -m scripts.site check
    {{ run }} python -m scripts.docs_check

# Test the documentation's site, in a real browser where there is one; screenshots go to `site-screenshots`
docs-test *ARGS: _sync
    {{ run }} pytest scripts/tests/test_site.py scripts/tests/test_browser.py "$@"

# Write the documentation as a static site, to `build/site`
docs-build: docs-generate
    {{ run }} python -m scripts.site build --out build/site

# Write the README's table of integrations from their metadata (`--check`: only say when it is stale)
readme *ARGS: _sync
    {{ run }} python -m scripts.readme "$@"

# Write what follows from GitHub's GraphQL schema in prefect-github (`--check`: only say what is stale)
github *ARGS: _sync
    {{ run }} python -m scripts.github "$@"

# Write what follows from Databricks's Jobs API in prefect-databricks (`--check`: only say what is stale)
databricks *ARGS: _sync
    @{{ run }} python -m scripts.databricks "$@"

# Everything that needs no server: lint, types, docs-check, and that nothing generated is stale
check: lint types docs-check (readme "--check") (github "--check") (databricks "--check")

# Compare with the published packages, in one run: `just bench import_cost`
bench *ARGS: _sync
    @{{ run }} python -m benches "$@"

# Make a new integration from the template: `just new acme`
new NAME: _sync
    @{{ run }} python scripts/new.py "$1"

# Build wheel and source distribution into dist/, of every package or of one
build PACKAGE="": _sync
    #!/bin/sh
    set -eu
    if [ -z "$1" ]; then
        exec {{ uv }} build --all-packages --out-dir dist
    fi
    exec {{ uv }} build --out-dir dist --package "$({{ run }} python -m scripts.workspace name "$1")"
