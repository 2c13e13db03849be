"""What Prefect adds to a build of dbt: time, memory, and how many task runs it records in a second."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benches import harness
from benches.harness import BASELINE, Case, Environment, Metric
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate
from prefect_integration_tests.backends.prefect_server import PrefectServer
from scripts import workspace

ABOUT = (
    "`build` of a generated project on DuckDB with four threads, parsed anew each time. The build is the whole command"
    " of dbt, or the call of the runner within a flow; the process includes Python's start and imports. Memory is the"
    " peak of the whole process tree. The Prefect server is a real one, on the same cores."
)
METRICS = (
    Metric("build_s", "build s"),
    Metric("total_s", "process s"),
    Metric("tree_mib", "peak MiB", 0),
    Metric("task_runs", "task runs", 0, compared=False),
    Metric("per_s", "task runs a second", 0, compared=False),
)
RAW = "dbt build"
_SIZES = (200, 2000)
_LARGEST_VARIABLE = "BENCH_DBT_NODES"
_PACKAGE = "prefect-dbt"
_PUBLISHED = "prefect-dbt==0.7.25"
_ADAPTER = "dbt-duckdb"
_TIMEOUT_SECONDS = 900.0


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the package itself."""
    own = ("prefect-shell",)  # ours needs ours
    resolution = [line for line in harness.workspace_resolution() if not line.startswith((_PACKAGE, *own))]
    members = workspace.packages()
    packages = ("prefect-integration-kit", "prefect-shell", _PACKAGE)
    folders = [str(workspace.find(name, members).path) for name in packages]
    reinstall = [f"--reinstall-package={name}" for name in packages]
    return {
        BASELINE: harness.install("dbt-published", resolution, _PUBLISHED, _ADAPTER),
        "ours": harness.install("dbt-ours", resolution, *reinstall, *folders, _ADAPTER),
    }


def _cases(sizes: Sequence[int]) -> list[Case]:
    small, large = sizes
    return [
        Case(f"{small:,} nodes", RAW, "ours", ("raw",)),
        Case(f"{small:,} nodes", BASELINE, BASELINE, ("nodes",)),
        Case(f"{small:,} nodes", "ours", "ours", ("nodes",)),
        Case(f"{small:,} nodes", "ours, no task runs", "ours", ("plain",)),
        Case(f"{large:,} nodes", RAW, "ours", ("raw",)),
        Case(f"{large:,} nodes", "ours", "ours", ("nodes",)),
    ]


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    largest = int(os.environ.get(_LARGEST_VARIABLE, _SIZES[1]))  # fewer, to try it out; that replaces no results
    cases = [case for case in _cases((_SIZES[0], largest)) if only is None or only in f"{case.what} · {case.variant}"]
    built = environments()
    with PrefectServer.start() as server, tempfile.TemporaryDirectory() as folder:
        projects = {f"{size:,} nodes": _project(Path(folder) / str(size), size) for size in (_SIZES[0], largest)}

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            with tempfile.TemporaryDirectory() as copy:
                project = projects[case.what].copy(Path(copy) / "project")
                yield (str(project.path),)

        with_server = [
            Case(c.what, c.variant, c.environment, c.arguments, (("PREFECT_API_URL", server.api_url),)) for c in cases
        ]
        samples = harness.alternate(
            with_server,
            "dbt_build",
            rounds or 3,
            timeout_seconds=_TIMEOUT_SECONDS,
            warm_up=False,
            around=around,
            built=built,
            watch_tree=True,
        )
    versions = {name: environment.versions() for name, environment in built.items()}
    ours, older = versions["ours"], versions[BASELINE]
    measured_on = (
        f"Prefect {ours.get('prefect')}, dbt-core {ours.get('dbt-core')}, {_ADAPTER} {ours.get(_ADAPTER)}. "
        f"Ours: {_PACKAGE} {ours.get(_PACKAGE)}. Published: {_PACKAGE} {older.get(_PACKAGE)}."
    )
    keep = only is None and largest == _SIZES[1]
    return harness.save(
        "dbt_build",
        ABOUT,
        samples,
        METRICS,
        note=harness.beside(RAW, samples, {"build_s": "time", "tree_mib": "memory"}),
        keep=keep,
        measured_on=measured_on,
    )


def _project(folder: Path, nodes: int) -> DbtProject:
    """Generate a project of so many nodes: three quarters models, an eighth seeds, an eighth tests."""
    eighth = nodes // 8
    return generate(folder, models=nodes - 2 * eighth, seeds=eighth, tests=eighth, threads=4)
