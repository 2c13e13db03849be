"""What a task run costs on each of the task runners: Prefect's own, Dask's and Ray's."""

from __future__ import annotations

from benches import harness
from benches.harness import Case, Environment, Metric
from scripts import workspace

ABOUT = (
    "One flow with two workers on one machine, beside its Prefect server. The first task run has ended after so many"
    " seconds; each of 2,000 task runs that double a number takes so many milliseconds of the whole `map`; and 20 task"
    " runs that share an argument of 64 MiB take so many seconds. Memory is the peak of all processes together."
)
METRICS = (
    Metric("start_s", "first task run, s"),
    Metric("each_ms", "each task run, ms"),
    Metric("argument_s", "20 with 64 MiB, s"),
    Metric("tree_mib", "peak MiB", digits=0),
)
ENGINES = ("threads", "processes", "Dask", "Ray")
COUNT = 2000
_OWN = ("prefect-integration-kit", "prefect-dask", "prefect-ray")
_TIMEOUT_SECONDS = 600.0


def environment() -> Environment:
    """Build the environment: the workspace's versions of everything."""
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(_OWN)]
    members = workspace.packages()
    folders = [str(workspace.find(name, members).path) for name in _OWN]
    reinstall = [f"--reinstall-package={name}" for name in _OWN]
    return harness.install("task-engines", resolution, *reinstall, *folders)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    built = {"ours": environment()}
    engines = [engine for engine in ENGINES if only is None or only in engine]
    cases = [Case("two workers", engine, "ours", (engine, str(COUNT))) for engine in engines]
    samples = harness.alternate(
        cases,
        "task_engines",
        rounds or 3,
        timeout_seconds=_TIMEOUT_SECONDS,
        built=built,
        warm_up=False,
        watch_tree=True,
    )
    versions = built["ours"].versions()
    names = ("Prefect", "distributed", "Ray", "prefect-dask", "prefect-ray")
    measured_on = ", ".join(f"{name} {versions.get(name.lower())}" for name in names)
    return harness.save("task_engines", ABOUT, samples, METRICS, keep=only is None, measured_on=f"{measured_on}.")
