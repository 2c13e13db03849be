"""How many calls to Google a Cloud Run flow run costs, and how many threads its worker has meanwhile."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benches import harness, pairs
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_identity import GoogleIdentity
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "Flow runs go through `CloudRunWorkerV2.run`, all at the same time, against a local server that checks requests by"
    " Google's discovery document. Each container runs for 30 seconds and exits with 0; both workers wait between two"
    " looks as they do by default. Calls are HTTP requests to the API, from before the first to after the last run;"
    " threads are the most that the worker's process had."
)
METRICS = (
    Metric("calls_per_run", "calls per run", 1),
    Metric("reads_per_run", "of these, reads", 1),
    Metric("threads", "threads", 0),
    Metric("wall_s", "seconds", 1, compared=False),
    Metric("failed", "runs that failed", 0, compared=False),
)
RUNS = (1, 20)
CONTAINER_SECONDS = 30.0
_PACKAGE = "prefect-gcp"


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(f"{count} at a time", variant, variant, (str(count),))
        for count in RUNS
        for variant in (BASELINE, "ours")
        if only is None or only in f"{count} at a time"
    ]
    built = pairs.pair("gcp", (_PACKAGE,))
    counted: dict[Case, list[Counter[str]]] = {case: [] for case in cases}
    with (
        GoogleApi() as google,
        GoogleIdentity() as identity,
        PrefectServer.start() as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        key = Path(folder) / "key.json"
        key.write_text(json.dumps(identity.service_account_info()))

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            google.reset()
            google.play(seconds=CONTAINER_SECONDS)
            yield server.api_url, google.endpoint, str(key)
            counted[case].append(Counter(call.method.rpartition(".")[2] for call in google.calls))

        samples = harness.alternate(
            cases, "cloud_run_calls", rounds or 2, around=around, built=built, warm_up=False, timeout_seconds=400
        )
    for case, calls in counted.items():
        for sample, count in zip(samples[case], calls, strict=True):
            runs = int(case.arguments[0])
            sample.values["calls_per_run"] = sum(count.values()) / runs
            sample.values["reads_per_run"] = (count["get"] + count["list"]) / runs
    measured_on = pairs.compared(built, (_PACKAGE,))
    return harness.save("cloud_run_calls", ABOUT, samples, METRICS, keep=only is None, measured_on=measured_on)
