"""How many flow runs the ECS worker submits in a second, and with how many calls to AWS."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from benches import ecs_endpoint, harness
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.aws import MiniStack
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "200 flow runs of one deployment go through `ECSWorker.run`, eight at a time: on launch type EC2 against an"
    " endpoint that answers at once, on Fargate in the default VPC against MiniStack. Job configurations are made"
    " before, and one run is submitted before the clock starts. Calls are HTTP requests to AWS; growth is the resident"
    " memory that the submissions left behind. The endpoint runs in a process of its own on the same two cores, so"
    " submissions per second are a lower bound."
)
METRICS = (
    Metric("per_second", "runs/s", 0, compared=False),
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("calls", "AWS calls per 1,000", 0),
    Metric("growth_mib", "growth MiB", 1, compared=False),
)
RUNS = 200
_TOGETHER = 8
_LAUNCH_TYPES = ("EC2", "FARGATE")


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(f"{RUNS} runs on {launch_type}", variant, environment, (str(RUNS), str(_TOGETHER), launch_type))
        for launch_type in _LAUNCH_TYPES
        for variant, environment in ((BASELINE, BASELINE), ("ours", "ours"))
        if only is None or only in launch_type
    ]
    with PrefectServer.start() as server:

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            if case.arguments[-1] == "FARGATE":
                with MiniStack.start() as emulator:
                    emulator.client("ecs").create_cluster(clusterName="c")
                    yield emulator.endpoint_url, server.api_url
            else:
                with ecs_endpoint.start() as stub:
                    yield stub.endpoint_url, server.api_url

        samples = harness.alternate(cases, "ecs_submissions", rounds or 3, around=around)
    return harness.save("ecs_submissions", ABOUT, samples, METRICS, keep=only is None)
