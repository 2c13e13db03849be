"""What the tests of the ECS observer share: events, and time that runs faster."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from prefect_aws._ecs import tags as names
from prefect_integration_kit.waiting import apoll

ACCOUNT = "arn:aws:ecs:us-east-1:123456789012"
CLUSTER = f"{ACCOUNT}:cluster/flows"


class FastClock:
    """A clock that runs some times as fast as the machine's."""

    def __init__(self, speed: float = 100) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def new_task_arn() -> str:
    return f"{ACCOUNT}:task/flows/{uuid.uuid4().hex}"


def task_event(task_arn: str | None = None, last_status: str = "STOPPED", **detail: Any) -> dict[str, Any]:
    """An event as EventBridge gives it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "time": "2026-03-01T10:00:00Z",
        "resources": [task_arn],
        "detail": {
            "taskArn": task_arn or new_task_arn(),
            "clusterArn": CLUSTER,
            "taskDefinitionArn": f"{ACCOUNT}:task-definition/flows:1",
            "lastStatus": last_status,
            "containers": [],
            **detail,
        },
    }


def tagged(task_arn: str, flow_run_id: Any = None, **fields: Any) -> dict[str, Any]:
    """A task as DescribeTasks gives it; without a flow run it is nobody's."""
    tags = [] if flow_run_id is None else [{"key": names.FLOW_RUN_ID, "value": str(flow_run_id)}]
    return {"taskArn": task_arn, "lastStatus": "STOPPED", "tags": tags + fields.pop("tags", []), **fields}


async def until(is_so: Callable[[], Any], subject: str = "what the test waits for") -> None:
    """Wait until something is so, 30 seconds at most."""

    async def look() -> bool | None:
        found = is_so()
        return True if (await found if isinstance(found, Awaitable) else found) else None

    await apoll(look, subject=subject, interval_seconds=0.02, timeout_seconds=30)


@contextlib.asynccontextmanager
async def running(observer: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run an observer, and cancel it at the end."""
    task = asyncio.create_task(observer.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
