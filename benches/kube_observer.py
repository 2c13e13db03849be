"""What starting the observer costs on a cluster with tens of thousands of finished pods."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benches import harness, pairs
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.kube_api import KubeApi
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "The observer is imported and starts on a cluster with 50,000 pods of flow runs that were completed long ago, and"
    " with none. The API server is a stand-in that lists a page of 500 pods in some 25 ms, in another process on the"
    " same cores; the Prefect server is a real one. The start is over when the observer has done nothing for five"
    " seconds; these do not count. Growth is the resident memory that this leaves behind, on top of Prefect's client."
)
METRICS = (
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("kube_calls", "Kubernetes calls", 0),
    Metric("prefect_calls", "Prefect calls", 0),
    Metric("growth_mib", "growth MiB", 1),
)
PODS = 50_000
_PODS_VARIABLE = "BENCH_KUBE_PODS"
_RUNS = 50
_TIMEOUT_SECONDS = 1800.0
_PACKAGE = "prefect-kubernetes"


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    most = int(os.environ.get(_PODS_VARIABLE, PODS))  # fewer, to try it out; that replaces no results
    cases = [
        Case(f"start with {pods:,} finished pods", variant, variant, (str(_RUNS),))
        for pods in (0, most)
        for variant in (BASELINE, "ours")
        if only is None or only in f"start with {pods:,} finished pods"
    ]
    counts: dict[str, int] = {f"start with {pods:,} finished pods": pods for pods in (0, most)}
    built = pairs.pair("kubernetes", (_PACKAGE,))
    with KubeApi() as api, PrefectServer.start() as server, tempfile.TemporaryDirectory() as folder:
        run_ids = _completed_runs(server)

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            api.reset()
            api.add_finished_pods(
                counts[case.what],
                labels_of=lambda number: {
                    "prefect.io/flow-run-id": run_ids[number % _RUNS],
                    "prefect.io/flow-run-name": f"finished-{number}",
                },
            )
            yield str(api.write_kubeconfig(Path(folder) / "config")), server.api_url, api.url

        samples = harness.alternate(
            cases,
            "kube_observer",
            rounds or 3,
            timeout_seconds=_TIMEOUT_SECONDS,
            warm_up=False,
            around=around,
            built=built,
        )
    measured_on = pairs.compared(built, (_PACKAGE,))
    keep = only is None and most == PODS
    return harness.save("kube_observer", ABOUT, samples, METRICS, keep=keep, measured_on=measured_on)


def _completed_runs(server: PrefectServer) -> list[str]:
    """Make flow runs that are completed, and return their ids."""
    import asyncio

    from prefect import State, flow, get_client
    from prefect.client.schemas.objects import StateType
    from prefect.settings import PREFECT_API_URL, temporary_settings

    @flow
    def finished() -> None:
        pass

    async def make() -> list[str]:
        async with get_client() as client:  # which tries again when the server is busy
            return [
                str((await client.create_flow_run(finished, state=State(type=StateType.COMPLETED))).id)
                for _number in range(_RUNS)
            ]

    with temporary_settings({PREFECT_API_URL: server.api_url}):
        return asyncio.run(make())
