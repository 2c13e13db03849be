"""How many flow runs the ECS worker submits in a second, and with how many calls to AWS."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from benches import harness
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.aws import MiniStack
from prefect_integration_tests.backends.aws_stub import AwsCall, AwsStub
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
_LONG_POLL_SECONDS = 2.0
_ARN = "arn:aws:ecs:us-east-1:000000000000"


def _endpoint() -> AwsStub:
    """ECS as far as a worker asks it: definitions are kept, tasks start. The queue of events stays empty."""
    stub = AwsStub("ecs", "sqs")
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
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/000000000000/events"})
    stub.respond("ReceiveMessage", lambda call: time.sleep(_LONG_POLL_SECONDS) or {"Messages": []})
    return stub


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
                with _endpoint() as stub:
                    yield stub.endpoint_url, server.api_url

        samples = harness.alternate(cases, "ecs_submissions", rounds or 3, around=around)
    return harness.save("ecs_submissions", ABOUT, samples, METRICS, keep=only is None)
