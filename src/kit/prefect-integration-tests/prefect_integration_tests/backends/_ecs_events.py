"""ECS' events, as EventBridge delivers them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timezone
from typing import Any

from .processes import HOST

EVENT_PATTERN = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}
"""Pattern of the rule that `TaskEvents.new_queue` makes."""


class TaskEvents:
    """Plays EventBridge: each change of a task goes to the default bus, and by its rules to queues.

    The events have the shape that
    [AWS documents](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html).
    """

    def __init__(self, client: Callable[[str, str], Any], region: str) -> None:
        """Start to send.

        Args:
            client: Opens a client of the emulator, for a region and a service.
            region: Where `new_queue` makes its queues.
        """
        self._client = client
        self._region = region
        self._lock = threading.RLock()
        self._held: list[dict[str, Any]] | None = None
        self.sent: list[dict[str, Any]] = []
        """The `detail` of each event that was sent."""

    def new_queue(self) -> str:
        """Make an SQS queue that gets the events from now on, by a rule of the default bus, and return its URL."""
        name = f"events-{uuid.uuid4().hex[:12]}"
        sqs, bus = self._client(self._region, "sqs"), self._client(self._region, "events")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus.put_rule(Name=name, EventPattern=json.dumps(EVENT_PATTERN))
        bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    @contextlib.contextmanager
    def held(self) -> Generator[list[dict[str, Any]]]:
        """Keep events back inside the block, and send them at its end.

        Yields:
            Their details. Clear the list to lose them, reverse it to send them out of order.
        """
        with self._lock:
            held = self._held = []
        try:
            yield held
        finally:
            with self._lock:
                self._held = None
                for detail in held:
                    self.send(detail)

    def send(self, detail: Mapping[str, Any]) -> None:
        """Send one event.

        Args:
            detail: A task, as `sent` has it.
        """
        region = detail["taskArn"].split(":")[3]
        entry = {
            "Source": "aws.ecs",
            "DetailType": "ECS Task State Change",
            "Resources": [detail["taskArn"]],
            "Detail": json.dumps(detail),
        }
        with self._lock:
            self._client(region, "events").put_events(Entries=[entry])
            self.sent.append(dict(detail))

    def changed(self, record: Mapping[str, Any]) -> None:
        """Send, or keep back, the event of a change.

        Args:
            record: The task; times are seconds since the epoch.
        """
        detail = event_detail(record)
        with self._lock:
            if self._held is not None:
                self._held.append(detail)
            else:
                self.send(detail)


def event_detail(record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a task as EventBridge does: times as text, no tags, and the time of the change.

    Args:
        record: The task as DescribeTasks shows it; times are seconds since the epoch.
    """
    detail = {key: _time(value) if key.endswith("At") else value for key, value in record.items() if key != "tags"}
    detail["updatedAt"] = _time(time.time())
    detail["attachments"] = [{**item, "type": "eni"} for item in record["attachments"]]
    interfaces = [{"attachmentId": item["id"], "privateIpv4Address": HOST} for item in record["attachments"]]
    detail["containers"] = [{**item, "networkInterfaces": interfaces} for item in record["containers"]]
    return detail


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
