"""What 200 flow runs cost in the hands of each worker: time, calls to Prefect and to the cloud, memory that stays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from benches import harness, local_clouds, prefect_servers
from benches.harness import BASELINE, Case, Metric
from benches.local_clouds import Arguments

RUNS = 200
_RUNS_VARIABLE = "BENCH_WORKER_RUNS"
_LIFE = local_clouds.Life(container_seconds=10.0, pod_seconds=2.0)
_TIMEOUT_SECONDS = 1800.0
ABOUT = (
    "Flow runs of one deployment, all scheduled at once, in the hands of one worker that asks for runs twice a second."
    f" Containers of ACI, Cloud Run and Vertex AI are played by local servers and run for {_LIFE.container_seconds:g}"
    f" seconds, pods for {_LIFE.pod_seconds:g}; Docker is a real engine with containers of busybox that last two"
    " seconds, and Snowpark's containers are processes that end at once. ECS is an endpoint that answers at once. A run"
    " counts as over when the worker's `run` returns, which may be when it is submitted. What flow runs report"
    " themselves is reported for them, and not counted. One run goes before, so that imports and clients are not"
    " measured. Calls are requests of the worker's process, by run; growth is the memory that the runs left behind."
    " Our worker of Kubernetes prints what pods print, and looks at each job and its pods for that, most of its calls."
    " Runs that Prefect's own part of the worker gives up before that count as failed. Prefect has a PostgreSQL: on"
    " SQLite it answers 503 to so many, and runs crash with either package. Worker, servers and Prefect share the"
    " machine."
)
METRICS = (
    Metric("wall_s", "seconds", 1),
    Metric("cpu_s", "CPU s"),
    Metric("prefect_calls", "Prefect calls a run", 1),
    Metric("cloud_calls", "cloud calls a run", 1),
    Metric("growth_mib", "growth MiB", 1, compared=False),
    Metric("threads", "threads", 0),
    Metric("completed", "completed", 0, compared=False),
    Metric("failed", "failed", 0, compared=False),
)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table; fewer runs, where `BENCH_WORKER_RUNS` says so, replace no results.

    A round of all takes more than half an hour, so some workers may be measured at a time.
    """
    runs = int(os.environ.get(_RUNS_VARIABLE, RUNS))
    samples: dict[Case, list[harness.Sample]] = {}
    with prefect_servers.on_postgres() as server, tempfile.TemporaryDirectory() as folder:
        for kind, cloud in local_clouds.CLOUDS.items():
            what = f"{runs} runs, `{kind}`"
            if only is not None and only not in what:
                continue
            with cloud(Path(folder), _LIFE) as fresh:

                @contextmanager
                def around(case: Case, fresh: Callable[[], Arguments] = fresh) -> Generator[Arguments]:
                    del case
                    yield server.api_url, *fresh()

                cases = [Case(what, variant, f"{variant}-extras", (kind, str(runs))) for variant in (BASELINE, "ours")]
                samples |= harness.alternate(
                    *(cases, "worker_runs", rounds or 2),
                    around=around,
                    built=harness.with_extras(),
                    warm_up=False,
                    timeout_seconds=_TIMEOUT_SECONDS,
                )
    return harness.save("worker_runs", ABOUT, samples, METRICS, keep=runs == RUNS, among=only is not None)
