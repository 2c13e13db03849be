"""dbt projects for the tests that look at many kinds of nodes or of mistakes; written as files, on DuckDB."""

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from prefect_integration_tests.backends.dbt_projects import DbtProject, installed_release, parse_once
from prefect_integration_tests.harness import cache_folder

DUCKDB = """\
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: shop.duckdb, threads: 2}
"""


_CACHE = cache_folder()  # tests have another home
_PROJECT = "dbt_project.yml"
_PROFILES = "profiles.yml"


def write_project(folder: Path, files: Mapping[str, str | None]) -> Path:
    """Write a project: a name, a profile on DuckDB and one model, unless `files` say otherwise.

    Where name and profile are the usual ones, dbt need not parse what comes with dbt itself.

    Args:
        folder: Where to; it is made.
        files: Content by path within the project; `None` leaves a file out.
    """
    _write(folder, {**_usual(folder), **files})
    if not {_PROJECT, _PROFILES} & files.keys() and not (folder / "target").exists():
        _as_project(folder).take_parsed(_parsed())
    return folder


def _usual(folder: Path) -> dict[str, str | None]:
    return {
        _PROJECT: "name: shop\nprofile: shop\n",
        # A relative path would be one from where the tests run.
        _PROFILES: DUCKDB.replace("shop.duckdb", str(folder / "shop.duckdb")),
        "models/parcels.sql": "select 1 as id",
    }


def _write(folder: Path, files: Mapping[str, str | None]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _as_project(folder: Path) -> DbtProject:
    return DbtProject(folder, "shop", "duckdb", "main", str(folder / "shop.duckdb"))


@functools.cache
def _parsed() -> DbtProject:
    """The usual project, parsed by dbt in this or an earlier test run."""
    home = Path(tempfile.mkdtemp(prefix="dbt-shop-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folder = home / "shop"
    _write(folder, _usual(folder))
    project = _as_project(folder)
    parse_once(project, _CACHE)
    return project


_HAS_FORKS = sys.platform == "linux" and installed_release("duckdb") >= (2, 0)
needs_forks = pytest.mark.skipif(
    not _HAS_FORKS, reason="forks are made on Linux, and DuckDB before 2 starts a thread when it is imported"
)
"""On tests of projects on DuckDB whose dbt runs in a fork of a process that has imported it."""

EVENTS = """\
{{ config(materialized='table', event_time='moment') }}
select * from (values
    (timestamp '2026-01-01 12:00:00', 1), (timestamp '2026-01-02 12:00:00', 0), (timestamp '2026-01-03 12:00:00', 3)
) t(moment, n)
"""
BATCHES = """\
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='moment', batch_size='day',
          begin='2026-01-01', concurrent_batches=false) }}
select moment, case when n = 0 then error('a bad day') else n end as n from {{ ref('events') }}
"""
STATES_YML = """\
models:
  - name: good
    columns:
      - name: id
        data_tests:
          - unique: {name: unique_good_id}
          - not_null: {name: not_null_good_id}
          - not_null: {name: warns_good_id, config: {severity: warn}}
exposures:
  - name: board
    type: dashboard
    owner: {name: shop, email: shop@example.com}
    depends_on: [ref('good')]
sources:
  - name: raw
    schema: main
    loaded_at_field: moment
    freshness: {warn_after: {count: 1, period: day}, error_after: {count: 100000, period: day}}
    tables:
      - name: old
        identifier: events
      - name: missing
      - name: fresh
        loaded_at_field: now()
      - name: stale
        identifier: events
        freshness: {warn_after: {count: 1, period: day}, error_after: {count: 2, period: day}}
"""
HAS_BATCHES = installed_release() >= (1, 9)
BATCH_ARGS = ("--event-time-start", "2026-01-01", "--event-time-end", "2026-01-04") if HAS_BATCHES else ()
"""What a build of `states_project` needs, so that it has three batches, of which the second fails."""


def states_project(folder: Path) -> Path:
    """Write a project in which a build and a check of freshness give every status that the installed dbt has."""
    files = {
        "models/parcels.sql": None,
        "models/good.sql": "{{ config(materialized='table') }}\nselect 1 as id union all select null",
        "models/broken.sql": "select no_such_column",
        "models/below_broken.sql": "select * from {{ ref('broken') }}",
        "models/fresh.sql": "{{ config(materialized='table') }}\nselect 1 as n",
        "models/events.sql": EVENTS,
        "models/states.yml": STATES_YML,
        **({"models/batches.sql": BATCHES} if HAS_BATCHES else {}),
    }
    return write_project(folder, files)
