"""How many flow runs the ECS worker submits in a second, and with how many calls to AWS."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from benches import harness
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.aws_stub import AwsCall, AwsStub
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "1,000 flow runs of one deployment go through `ECSWorker.run`, all at once or eight at a time, on launch type EC2,"
    " against an endpoint that answers at once. Job configurations are made before, and one run is submitted before the"
    " clock starts. Calls are HTTP requests to AWS; growth is the resident memory that the submissions left behind. The"
    " endpoint runs in a process of its own on the same two cores, so submissions per second are a lower bound."
)
METRICS = (
    Metric("per_second", "runs/s", 0, compared=False),
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("calls", "AWS calls per 1,000", 0),
    Metric("growth_mib", "growth MiB", 1, compared=False),
)
RUNS = 1_000
_TOGETHER = {"1,000 runs at once": 0, "1,000 runs, eight at a time": 8}
_ARN = "arn:aws:ecs:us-east-1:000000000000"


def _endpoint() -> AwsStub:
    """ECS as far as a worker asks it: definitions are kept, tasks start."""
    stub = AwsStub("ecs")
    definitions: dict[str, dict[str, Any]] = {}
    numbers = itertools.count(1)

    def register(call: AwsCall) -> dict[str, Any]:
        revision = next(numbers)
        arn = f"{_ARN}:task-definition/{call.parameters['family']}:{revision}"
        kept = {name: value for name, value in call.parameters.items() if name != "tags"}
        definitions[arn] = {**kept, "taskDefinitionArn": arn, "revision": revision, "status": "ACTIVE"}
        return {"taskDefinition": definitions[arn]}

    def describe(call: AwsCall) -> dict[str, Any]:
        name = call.parameters["taskDefinition"]
        return {"taskDefinition": definitions[name] if name in definitions else next(reversed(definitions.values()))}

    def run(call: AwsCall) -> dict[str, Any]:
        task: dict[str, Any] = {
            "taskArn": f"{_ARN}:task/c/{next(numbers):032x}",
            "clusterArn": f"{_ARN}:cluster/c",
            "lastStatus": "PROVISIONING",
            "containers": [],
            "tags": call.parameters.get("tags", []),
        }
        return {"tasks": [task], "failures": []}

    stub.respond("RegisterTaskDefinition", register)
    stub.respond("DescribeTaskDefinition", describe)
    stub.respond("RunTask", run)
    stub.respond("DescribeTasks", {"tasks": [], "failures": []})
    return stub


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(what, variant, environment, (str(RUNS), str(together)))
        for what, together in _TOGETHER.items()
        for variant, environment in ((BASELINE, BASELINE), ("ours", "ours"))
        if only is None or only in what
    ]
    with PrefectServer.start() as server:

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            del case
            with _endpoint() as stub:
                yield stub.endpoint_url, server.api_url

        samples = harness.alternate(cases, "ecs_submissions", rounds or 3, around=around)
    return harness.save("ecs_submissions", ABOUT, samples, METRICS, keep=only is None)
