"""What Container Instances runs cost: threads, calls to Azure, and lines of output that are lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from benches import harness, pairs, prefect_servers
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.azure_api import AzureApi

ABOUT = (
    "Flow runs go through `AzureContainerWorker.run`, all at the same time, against a local server that checks requests"
    " by the models of Azure's SDK. Each container runs for 30 seconds and exits with 0; both workers look every 5"
    " seconds, as they do by default. The run that prints writes 10,000 lines in bursts of 2,000, with `stream_output`."
    " Calls are HTTP requests to the API, from before the first to after the last run; threads are the most that the"
    " worker's process had. Ours lists the resource group at each look, once for all runs, and deletes what it made."
    " Prefect has a PostgreSQL: on SQLite it answers 503 to so many."
)
METRICS = (
    Metric("threads", "threads", 0),
    Metric("calls_per_run", "calls per run", 1),
    Metric("lines_lost", "lines lost", 0, compared=False),
    Metric("lines_twice", "lines twice", 0, compared=False),
    Metric("left_over", "left behind", 0, compared=False),
    Metric("wall_s", "seconds", 1, compared=False),
    Metric("failed", "runs that failed", 0, compared=False),
)
RUNS = (1, 20, 200)
LINES = 10_000
BURST = 2_000
CONTAINER_SECONDS = 30.0
_PACKAGE = "prefect-azure"


class Printing:
    """Lets each container print in bursts, and end."""

    def __init__(self, azure: AzureApi) -> None:
        self._azure = azure
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _print(self) -> None:
        while self._azure.play.running == 0:
            if self._is_over.wait(0.1):
                return
        for start in range(0, LINES, BURST):
            # The interval of the workers is 5 seconds: all of a burst comes between two looks.
            if self._is_over.wait(6.0):
                return
            self._azure.play.write("*", [f"line {number}" for number in range(start, start + BURST)])
        self._is_over.wait(6.0)
        self._azure.play.end()


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    described = [(f"{count} at a time", str(count), "0") for count in RUNS] + [("one that prints", "1", str(LINES))]
    cases = [
        Case(name, variant, variant, (count, lines))
        for name, count, lines in described
        for variant in (BASELINE, "ours")
        if only is None or only in name
    ]
    built = pairs.pair("aci", (_PACKAGE,), beside=("prefect-docker",))
    counted: dict[Case, list[Counter[str]]] = {case: [] for case in cases}
    with AzureApi() as azure, prefect_servers.on_postgres() as server:

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            azure.reset()
            prints = case.arguments[1] != "0"
            azure.play(seconds=None if prints else CONTAINER_SECONDS)
            if prints:
                with Printing(azure):
                    yield server.api_url, azure.endpoint
            else:
                yield server.api_url, azure.endpoint
            made = Counter(call=len(azure.calls), left=len(azure.container_groups) + len(azure.deployments))
            counted[case].append(made)

        samples = harness.alternate(
            cases, "aci_calls", rounds or 2, around=around, built=built, warm_up=False, timeout_seconds=900
        )
    for case, counts in counted.items():
        for sample, count in zip(samples[case], counts, strict=True):
            sample.values["calls_per_run"] = count["call"] / int(case.arguments[0])
            sample.values["left_over"] = count["left"]
    measured_on = pairs.compared(built, (_PACKAGE,))
    return harness.save("aci_calls", ABOUT, samples, METRICS, among=only is not None, measured_on=measured_on)
