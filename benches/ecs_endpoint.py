"""An AWS that starts every ECS task at once, for benches of the worker alone."""

from __future__ import annotations

import itertools
import time
from typing import Any

from prefect_integration_tests.backends.aws_stub import AwsCall, AwsStub

_LONG_POLL_SECONDS = 2.0
_ARN = "arn:aws:ecs:us-east-1:000000000000"


def start(*, keeps_tasks: bool = False, long_poll_seconds: float = _LONG_POLL_SECONDS) -> AwsStub:
    """ECS as far as a worker asks it: definitions are kept, tasks start. The queue of events stays empty.

    Args:
        keeps_tasks: Whether tasks are found afterwards, running for ever.
        long_poll_seconds: How long the queue waits before it says that it is empty.
    """
    stub = AwsStub("ecs", "sqs")
    definitions: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
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
        if keeps_tasks:
            tasks[task["taskArn"]] = {**task, "lastStatus": "RUNNING"}
        return {"tasks": [task], "failures": []}

    def look(call: AwsCall) -> dict[str, Any]:
        found = [tasks[arn] for arn in call.parameters["tasks"] if arn in tasks]
        return {"tasks": found, "failures": []}

    stub.respond("RegisterTaskDefinition", register)
    stub.respond("DescribeTaskDefinition", describe)
    stub.respond("RunTask", run)
    stub.respond("DescribeTasks", look)
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/000000000000/events"})
    stub.respond("ReceiveMessage", lambda call: time.sleep(long_poll_seconds) or {"Messages": []})
    return stub
