# Every command of this repository; `just` alone lists them. Each sets up what it needs.

uv := env("UV", "uv")
run := uv + " run --no-sync"
pytest := run + " pytest -n auto --maxprocesses 4 --dist loadgroup"
# For what asks the workspace about itself and needs nothing of it installed.
ask := uv + " run --quiet --no-project --with packaging --with tomli python -m"

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

# Run the nightly report: shell, S3, Dask, SQL, Secrets Manager, mail and Slack, on servers that start by themselves
tour *ARGS: _sync
    @{{ run }} python examples/tour.py "$@"

# Run all tests, each package's in an environment of its own; or those of one package (`just test aws`)
test PACKAGE="" *ARGS:
    #!/bin/sh
    set -eu
    case "$1" in
    '') shift; exec '{{ just_executable() }}' _everything "$@" ;;
    -*) exec '{{ just_executable() }}' _everything "$@" ;;
    esac
    name=$({{ ask }} scripts.workspace name "$1")
    folder=$({{ ask }} scripts.workspace path "$1")
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

_everything *ARGS: _sync
    @JUST='{{ just_executable() }}' {{ run }} python -m scripts.everything "$@"

# Run one package's tests on any Python, with its `highest`, `lowest-direct` or, whatever the pin says, `newest` versions
test-on PACKAGE PYTHON RESOLUTION="highest" *ARGS:
    #!/bin/sh
    # By the rules of pip, for this package alone: it gets what a user gets, and what others cannot do is no matter.
    set -eu
    name=$({{ ask }} scripts.workspace name "$1")
    folder=$({{ ask }} scripts.workspace path "$1")
    python=$2 resolution=$3
    shift 3
    environment="$PWD/.venvs/$name-$python-$resolution"
    if [ "$resolution" = newest ]; then
        resolution=highest
        export UV_EXCLUDE_NEWER=false
    fi
    {{ uv }} venv --quiet --clear --python "$python" "$environment"
    {{ uv }} pip install --quiet --python "$environment" --resolution "$resolution" \
        --editable "$folder" --group "$folder/pyproject.toml:dev"
    export PATH="$environment/bin:$PATH"
    exec python -m pytest -n auto --maxprocesses 4 --dist loadgroup "$folder" -m 'not slow' "$@"

# Run the tests of the repository's own programs
test-scripts *ARGS: _sync
    {{ pytest }} scripts -m 'not slow' "$@"

# Run the long tests that a scheduled workflow runs
test-slow *ARGS: _sync
    {{ pytest }} -m slow --timeout 1800 "$@"

# Fuzz what reads text from outside, all targets or those that are named: `just fuzz docker.volumes --seconds 300`
fuzz *ARGS: _sync
    @{{ uv }} sync --quiet --inexact --all-packages --group fuzz
    @{{ run }} python -m fuzz "$@"

# Run the examples, or those that are named, offline
examples *NAMES: _sync
    @{{ run }} python -m scripts.examples run "$@"

# Find style errors, in Python and in shell scripts
lint: _sync
    {{ run }} ruff check
    {{ run }} ruff format --check
    {{ run }} shellcheck .ci/run .ci/kubernetes
    {{ run }} python -m scripts.workflows

# Check the types, of everything or of the packages that are named (`just types aws`)
types *PACKAGES: _sync
    #!/bin/sh
    set -eu
    folders=
    for package in "$@"; do
        folders="$folders $({{ ask }} scripts.workspace path "$package")"
    done
    exec {{ run }} basedpyright $folders

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

# Write each package's public interface to its `interface.txt` (`--check`: only say what is stale; `guard --base REV`)
interface *ARGS: _sync
    @{{ run }} python -m scripts.interface "$@"

# Write what follows from GitHub's GraphQL schema in prefect-github (`--check`: only say what is stale)
github *ARGS: _sync
    {{ run }} python -m scripts.github "$@"

# Write what follows from Databricks's Jobs API in prefect-databricks (`--check`: only say what is stale)
databricks *ARGS: _sync
    @{{ run }} python -m scripts.databricks "$@"

# Write the page that says what becomes of each fault (`--check`; `tests PACKAGE`: the tests that it stands on)
faults *ARGS: _sync
    @{{ run }} python -m scripts.faults "$@"

# Write the documentation's page of benchmarks from their results (`--check`: only say when it is stale)
benchmarks *ARGS: _sync
    @{{ run }} python -m scripts.benchmarks "$@"

# Everything that needs no server: lint, types, docs-check, and that nothing generated is stale
check: lint types docs-check news-check (readme "--check") (interface "--check") (github "--check") (databricks "--check") (faults "--check") (benchmarks "--check")

# Compare with the published packages, in one run: `just bench import_cost`
bench *ARGS: _sync
    @{{ run }} python -m benches "$@"

# Make a new integration from the template: `just new acme`
new NAME: _sync
    @{{ run }} python scripts/new.py "$1"

# Build wheel and source distribution into dist/, of every package or of one
build PACKAGE="":
    #!/bin/sh
    set -eu
    if [ -z "$1" ]; then
        exec {{ uv }} build --all-packages --out-dir dist
    fi
    exec {{ uv }} build --out-dir dist --package "$({{ ask }} scripts.workspace name "$1")"

# Write down a change for users: `just news aws fixed "What was wrong." --issue 12`
news PACKAGE TYPE TEXT *ARGS:
    @{{ ask }} scripts.releases news "$@"

# Check what is written down of changes
news-check:
    {{ ask }} scripts.releases check

# List the packages with unreleased changes, by their news and by git (`--json`)
unreleased *ARGS:
    @{{ ask }} scripts.releases unreleased "$@"

# Give a package its next version, and its news to the changelog: `just release aws minor`, `patch`, `1.0.0`, `current`
release PACKAGE STEP *ARGS:
    @{{ ask }} scripts.releases release "$@"

# Say what is wrong with wheels and source distributions, before they are published: `just build-check dist/*`
build-check *FILES: _sync
    @{{ run }} python -m scripts.distributions "$@"

# Check that a tag such as prefect-aws-0.9.0 may release its package, and say where to test it
release-check TAG:
    @{{ ask }} scripts.releases verify "$1"

# Run a package's tests with its wheel, as a user gets it: `just test-wheel aws dist lowest-direct`, or `highest`
test-wheel PACKAGE WHEEL_FOLDER RESOLUTION *ARGS:
    @{{ ask }} scripts.releases test-wheel "$@"

# Sign what is in a folder, by the identity of the workflow that runs this, and upload both to the index
publish FOLDER:
    #!/bin/sh
    set -eu
    pin=$(sed -n 's/^exclude-newer = "\(.*\)"/\1/p' pyproject.toml)
    {{ uv }} tool run --exclude-newer "$pin" pypi-attestations sign "$1"/*.whl "$1"/*.tar.gz
    # What is there already and the same, when a workflow is run again, the index accepts once more.
    {{ uv }} publish --trusted-publishing always \
        "$1"/*.whl "$1"/*.tar.gz "$1"/*.publish.attestation

# Make GitHub's release of a tag, with what the changelog says and the files of a folder
announce TAG FOLDER:
    #!/bin/sh
    set -eu
    notes=$({{ ask }} scripts.releases notes "$1")
    gh release create "$1" --verify-tag --latest=false --title "$1" --notes "$notes" "$2"/*.whl "$2"/*.tar.gz

# Say which tests a workflow is to run, on which Pythons and versions: all, or what is changed (`--base origin/main`)
plan *ARGS:
    @{{ ask }} scripts.matrix "$@"

# Install as root what a package's tests need on a machine, or those of `all`: Debian packages, a cluster
prepare PACKAGE:
    @{{ ask }} scripts.runner "$1"

# Move the date that pins all dependencies to a week ago (`--propose`: in a pull request)
pin *ARGS:
    @{{ ask }} scripts.pin "$@"

# Find known vulnerabilities in what all packages resolve to, and unsafe workflows, by asking their data bases
audit: _sync
    {{ uv }} audit
    {{ run }} python -m scripts.workflows --online

# Say in an issue how a scheduled workflow went: `just report TITLE failure`
report TITLE RESULT:
    @{{ ask }} scripts.report "$1" "$2"

# Build the image of a worker: `just image aws`, with `--base IMAGE`, `--python 3.13`, `--latest`, `--push`
image PACKAGE *ARGS: _sync
    @{{ run }} python -m scripts.images build "$@"
