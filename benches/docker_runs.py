"""How long flow runs wait for their container, and how soon the Docker worker sees that it has ended."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from benches import harness, pairs
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "Scheduled flow runs of one deployment are picked up by a worker, which starts a container of busybox for each that"
    " prints a line a second for two seconds and ends. Worker, Docker engine and Prefect server share the machine."
    " Starts are the engine's own times, counted from the moment the worker asks for scheduled runs: the median of all"
    " runs and the last one. The end is seen when the worker's `run` returns, counted from the engine's own time of the"
    " end. CPU and threads are the worker's."
)
METRICS = (
    Metric("start_s", "to start, median s"),
    Metric("last_start_s", "to last start s"),
    Metric("seen_s", "end seen after, median s", 3),
    Metric("last_seen_s", "end seen after, longest s", 3),
    Metric("cpu_s", "CPU s"),
    Metric("threads", "threads", 0),
)
RUNS = (1, 20)
MANY = 100
_MANY_VARIABLE = "BENCH_DOCKER_MANY"
_PACKAGE = "prefect-docker"


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table; a hundred runs at a time, too, where `BENCH_DOCKER_MANY` is set."""
    counts = (*RUNS, MANY) if os.environ.get(_MANY_VARIABLE) else RUNS
    cases = [
        Case(f"{count} at a time", variant, variant, (str(count),))
        for count in counts
        for variant in (BASELINE, "ours")
        if only is None or only in f"{count} at a time"
    ]
    built = pairs.pair("docker", (_PACKAGE,))
    with DockerEngine.start() as engine, PrefectServer.start() as server:
        image = engine.import_busybox()
        client = engine.client()

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            del case
            try:
                yield server.api_url, engine.socket_url, image
            finally:
                for container in client.containers.list(all=True, filters={"label": "prefect-bench"}):
                    container.remove(force=True)

        samples = harness.alternate(cases, "docker_runs", rounds or 3, around=around, built=built)
    measured_on = pairs.compared(built, (_PACKAGE,))
    return harness.save("docker_runs", ABOUT, samples, METRICS, keep=only is None, measured_on=measured_on)
