"""The operations on ECS tasks, with the checks that AWS makes; definitions and clusters are the emulator's."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ._aws_front import FrontCall
from ._ecs_checks import Body, check_definition, check_run, invalid, refused
from ._ecs_task import CannotStart, EcsTask, Surroundings, new_id

_MAX_DESCRIBED = 100  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
_PER_TASK_TAGS = {"TagResource", "UntagResource", "ListTagsForResource"}


class EcsTasks:
    """All tasks of one emulator."""

    def __init__(
        self,
        account_id: str,
        ecs: Callable[[str], Any],
        surroundings: Callable[[str, Body], Surroundings],
    ) -> None:
        """Start without tasks.

        Args:
            account_id: The account.
            ecs: Opens a client of the emulator behind, for a region.
            surroundings: What a task of a region with a task definition runs in.
        """
        self._account_id = account_id
        self._ecs = ecs
        self._surroundings = surroundings
        self._lock = threading.RLock()
        self._tasks: dict[str, EcsTask] = {}
        self._answers: dict[str, tuple[Body, list[str]]] = {}
        self.start_failures: list[CannotStart] = []
        """Why the next tasks will not start, one each."""
        self.placement_failures: list[str] = []
        """Reasons for which the next calls of RunTask place no task, one each."""
        self._operations: dict[str, Callable[[FrontCall], Body | None]] = {
            "RegisterTaskDefinition": self._check_definition,
            "RunTask": self._run,
            "StopTask": self._stop,
            "DescribeTasks": self._describe,
            "ListTasks": self._list,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }

    def answer(self, call: FrontCall) -> Body | None:
        """Answer a request that is about tasks; `None` for others."""
        operation = self._operations.get(call.operation)
        if operation is None or (
            call.operation in _PER_TASK_TAGS and call.body.get("resourceArn", "") not in self._tasks
        ):
            return None
        return operation(call)

    def get(self, arn: str) -> EcsTask:
        """Return a task.

        Raises:
            KeyError: If there is none with this ARN.
        """
        return self._tasks[arn]

    def all(self) -> list[EcsTask]:
        """Return all tasks, oldest first."""
        with self._lock:
            return list(self._tasks.values())

    def forget(self, arn: str | None = None) -> None:
        """Forget a stopped task, as ECS does about an hour after its end, or all tasks.

        Raises:
            KeyError: If there is none with this ARN.
        """
        with self._lock:
            if arn is None:
                self._tasks.clear()
                self._answers.clear()
            else:
                del self._tasks[arn]

    # Operations

    def _check_definition(self, call: FrontCall) -> None:
        """Leave it to the emulator behind to register what AWS would."""
        check_definition(call.body)

    def _run(self, call: FrontCall) -> Body:
        body = call.body
        cluster = self._cluster(call)
        definition = self._definition(call)
        check_run(body, definition)
        token = body.get("clientToken")
        with self._lock:
            if token and token in self._answers:
                before, arns = self._answers[token]
                if before != body:
                    raise refused("ConflictException", "The client token was used with other parameters.")
                return {"tasks": [_seen(self._tasks[arn]) for arn in arns if arn in self._tasks], "failures": []}
            if self.placement_failures:
                reason = self.placement_failures.pop(0)
                return {"tasks": [], "failures": [{"arn": cluster["clusterArn"], "reason": reason}]}
            around = self._surroundings(call.region, definition)
            tasks: list[EcsTask] = []
            for _ in range(body.get("count", 1)):
                record = self._new_record(call, cluster, definition)
                failure = self.start_failures.pop(0) if self.start_failures else None
                tasks.append(EcsTask(record, definition, around, failure))
            self._tasks.update({task.arn: task for task in tasks})
            if token:
                self._answers[token] = (body, [task.arn for task in tasks])
        answer = {"tasks": [_seen(task) for task in tasks], "failures": []}
        for task in tasks:
            task.start()
        return answer

    def _cluster(self, call: FrontCall) -> dict[str, Any]:
        name = call.body.get("cluster", "default")
        found = self._ecs(call.region).describe_clusters(clusters=[name])["clusters"]
        if not found or found[0]["status"] != "ACTIVE":
            raise refused("ClusterNotFoundException", "Cluster not found.")
        return found[0]

    def _definition(self, call: FrontCall) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        client = self._ecs(call.region)
        try:
            found = client.describe_task_definition(taskDefinition=call.body["taskDefinition"])["taskDefinition"]
        except ClientError:
            raise refused("ClientException", "TaskDefinition not found.") from None
        if found["status"] != "ACTIVE":
            raise refused("ClientException", "TaskDefinition is inactive")
        return {"volumes": [], **found}

    def _new_record(self, call: FrontCall, cluster: Body, definition: Body) -> dict[str, Any]:
        body = call.body
        arn = f"arn:aws:ecs:{call.region}:{self._account_id}:task/{cluster['clusterName']}/{new_id()}"
        overrides = body.get("overrides", {})
        strategy: list[Body] = body.get("capacityProviderStrategy") or []
        if not strategy and "launchType" not in body:
            strategy = cluster.get("defaultCapacityProviderStrategy") or []
        provider: str | None = strategy[0]["capacityProvider"] if strategy else None
        launch_type = body.get("launchType", "EC2") if provider is None else "FARGATE"
        record: dict[str, Any] = {
            "taskArn": arn,
            "clusterArn": cluster["clusterArn"],
            "taskDefinitionArn": definition["taskDefinitionArn"],
            "containers": [self._new_container(call, arn, item) for item in definition["containerDefinitions"]],
            "attachments": _attachments(body),
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": f"{call.region}a",
            "connectivity": "CONNECTED",
            "connectivityAt": time.time(),
            "cpu": overrides.get("cpu") or definition.get("cpu", "256"),
            "memory": overrides.get("memory") or definition.get("memory", "512"),
            "createdAt": time.time(),
            "desiredStatus": "RUNNING",
            "enableExecuteCommand": body.get("enableExecuteCommand", False),
            "ephemeralStorage": overrides.get("ephemeralStorage") or {"sizeInGiB": 20},
            "group": body.get("group") or f"family:{definition['family']}",
            "healthStatus": "UNKNOWN",
            "lastStatus": "PROVISIONING",
            "launchType": launch_type,
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
            "tags": list(body.get("tags", [])),
            "version": 1,
        }
        if body.get("propagateTags") == "TASK_DEFINITION":
            listed = self._ecs(call.region).list_tags_for_resource(resourceArn=definition["taskDefinitionArn"])["tags"]
            own = {tag["key"] for tag in record["tags"]}
            record["tags"] += [tag for tag in listed if tag["key"] not in own]
        if provider is not None:
            record["capacityProviderName"] = provider
        if "startedBy" in body:
            record["startedBy"] = body["startedBy"]
        if launch_type == "FARGATE":
            record.update(platformVersion=body.get("platformVersion", "1.4.0"), platformFamily="Linux")
        return record

    def _new_container(self, call: FrontCall, task_arn: str, definition: Body) -> dict[str, Any]:
        name = task_arn.split("task/", 1)[1]
        return {
            "containerArn": f"arn:aws:ecs:{call.region}:{self._account_id}:container/{name}/{uuid.uuid4()}",
            "taskArn": task_arn,
            "name": definition["name"],
            "image": definition["image"],
            "lastStatus": "PENDING",
            "networkInterfaces": [],
            "healthStatus": "UNKNOWN",
            "cpu": str(definition.get("cpu", 0)),
            **{key: str(definition[key]) for key in ("memory", "memoryReservation") if key in definition},
        }

    def _stop(self, call: FrontCall) -> Body:
        task = self._find(self._cluster(call), call.body["task"])
        if task is None:
            raise invalid("The referenced task was not found.")
        task.request_stop("UserInitiated", call.body.get("reason") or "Task stopped by user")
        return {"task": _seen(task)}

    def _describe(self, call: FrontCall) -> Body | None:
        wanted: Sequence[str] = call.body["tasks"]
        if not wanted:
            raise invalid("Tasks cannot be empty.")
        if len(wanted) > _MAX_DESCRIBED:
            raise invalid(f"Tasks cannot have more than {_MAX_DESCRIBED} entries.")
        cluster = self._cluster(call)
        with_tags = "TAGS" in call.body.get("include", [])
        tasks: list[Body] = []
        failures: list[Body] = []
        for reference in wanted:
            task = self._find(cluster, reference)
            if task is not None:
                tasks.append(_seen(task, with_tags=with_tags))
            else:
                failures.append({"arn": self._arn(cluster, reference), "reason": "MISSING"})
        return {"tasks": tasks, "failures": failures}

    def _list(self, call: FrontCall) -> Body | None:
        body = call.body
        if "serviceName" in body:
            return None  # the emulator behind starts the tasks of services
        cluster = self._cluster(call)["clusterArn"]
        status = body.get("desiredStatus", "RUNNING")
        found: list[str] = []
        for task in self.all():
            record = task.record
            family = record["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0]
            if (
                record["clusterArn"] == cluster
                and record["desiredStatus"] == status
                and body.get("family", family) == family
                and body.get("startedBy", record.get("startedBy")) == record.get("startedBy")
                and body.get("launchType", record["launchType"]) == record["launchType"]
            ):
                found.append(task.arn)
        start = int(body.get("nextToken") or 0)
        end = start + body.get("maxResults", 100)
        more = {"nextToken": str(end)} if end < len(found) else {}
        return {"taskArns": found[start:end], **more}

    def _tag(self, call: FrontCall) -> Body:
        task = self._tasks[call.body["resourceArn"]]
        new = {tag["key"] for tag in call.body["tags"]}
        task.set_tags([tag for tag in task.record["tags"] if tag["key"] not in new] + call.body["tags"])
        return {}

    def _untag(self, call: FrontCall) -> Body:
        task = self._tasks[call.body["resourceArn"]]
        task.set_tags([tag for tag in task.record["tags"] if tag["key"] not in call.body["tagKeys"]])
        return {}

    def _list_tags(self, call: FrontCall) -> Body:
        return {"tags": self._tasks[call.body["resourceArn"]].record["tags"]}

    def _arn(self, cluster: Body, reference: str) -> str:
        if reference.startswith("arn:"):
            return reference
        return f"{cluster['clusterArn'].replace(':cluster/', ':task/')}/{reference}"

    def _find(self, cluster: Body, reference: str) -> EcsTask | None:
        task = self._tasks.get(self._arn(cluster, reference))
        return task if task is not None and task.record["clusterArn"] == cluster["clusterArn"] else None


def _seen(task: EcsTask, *, with_tags: bool = True) -> dict[str, Any]:
    record = task.record
    if not with_tags:
        record["tags"] = []
    return record


def _attachments(body: Body) -> list[dict[str, Any]]:
    network = body.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if network is None:
        return []
    details = {
        "subnetId": network["subnets"][0],
        "networkInterfaceId": f"eni-{new_id()[:17]}",
        "macAddress": "0a:98:eb:a7:29:ba",
        "privateDnsName": "localhost",
        "privateIPv4Address": "127.0.0.1",
    }
    return [
        {
            "id": str(uuid.uuid4()),
            "type": "ElasticNetworkInterface",
            "status": "ATTACHED",
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }
    ]
