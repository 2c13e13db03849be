"""ECS tasks are real containers, with the states, stop codes and events of ECS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("boto3")
pytest.importorskip("docker")

from botocore.exceptions import ClientError

from prefect_integration_tests.backends.aws_faults import AwsError
from prefect_integration_tests.backends.ecs import EcsEmulator

pytestmark = pytest.mark.xdist_group("docker")

FOREVER = ["sleep", "600"]
STATES = ["PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture
def aws(empty_ecs_emulator: EcsEmulator) -> EcsEmulator:
    return empty_ecs_emulator


@pytest.fixture
def running(aws: EcsEmulator, busybox_image: str) -> str:
    arn = aws.run(aws.register(busybox_image, FOREVER, stopTimeout=2))
    aws.wait(arn, "RUNNING")
    return arn


def describe(aws: EcsEmulator, arn: str) -> dict[str, Any]:
    cluster = arn.split("/")[1]
    return aws.client("ecs").describe_tasks(cluster=cluster, tasks=[arn], include=["TAGS"])["tasks"][0]


def awslogs(group: str, **options: str) -> dict[str, Any]:
    named = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    return {"logDriver": "awslogs", "options": {**named, **options}}


def read_logs(aws: EcsEmulator, group: str, arn: str, container: str = "prefect") -> list[str]:
    stream = f"p/{container}/{arn.rpartition('/')[2]}"
    events = aws.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    return [event["message"] for event in events]


def receive(aws: EcsEmulator, url: str, count: int) -> list[dict[str, Any]]:
    sqs = aws.client("sqs")
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline, found
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
    return sorted(found, key=lambda event: event["detail"]["version"])


# How tasks run


def test_a_task_runs_its_command_and_ends_with_its_exit_code(aws: EcsEmulator, busybox_image: str):
    arn = aws.run(aws.register(busybox_image, ["sh", "-c", "exit 3"]))
    aws.wait(arn)
    task = describe(aws, arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("STOPPED", "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["containers"][0]["exitCode"] == 3
    assert task["createdAt"] <= task["pullStartedAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]


def test_overrides_win_over_the_definition(aws: EcsEmulator, busybox_image: str):
    definition = aws.register(
        busybox_image,
        ["false"],
        entryPoint=["sh", "-c"],
        environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        logConfiguration=awslogs("overrides", **{"awslogs-create-group": "true"}),
    )
    override = {"name": "prefect", "command": ["echo $A $B"], "environment": [{"name": "B", "value": "2"}]}
    arn = aws.run(definition, overrides={"containerOverrides": [override]})
    assert aws.wait(arn)["containers"][0]["exitCode"] == 0
    assert read_logs(aws, "overrides", arn) == ["1 2"]


def test_secrets_are_in_the_environment(aws: EcsEmulator, busybox_image: str):
    secret = aws.client("secretsmanager").create_secret(Name="s", SecretString='{"token": "from json"}')["ARN"]
    aws.client("ssm").put_parameter(Name="/p", Value="from parameter", Type="SecureString")
    definition = aws.register(
        busybox_image,
        ["sh", "-c", "echo $TOKEN; echo $PARAMETER"],
        secrets=[{"name": "TOKEN", "valueFrom": f"{secret}:token::"}, {"name": "PARAMETER", "valueFrom": "/p"}],
        logConfiguration=awslogs("secrets", **{"awslogs-create-group": "true"}),
    )
    arn = aws.run(definition)
    aws.wait(arn)
    assert read_logs(aws, "secrets", arn) == ["from json", "from parameter"]


def test_a_sidecar_that_ends_does_not_stop_the_task_and_is_stopped_with_it(aws: EcsEmulator, busybox_image: str):
    containers: list[dict[str, Any]] = [
        {"name": "main", "command": ["sh", "-c", "sleep 1; exit 5"], "essential": True},
        {"name": "short", "command": ["true"], "essential": False},
        {"name": "long", "command": FOREVER, "essential": False, "stopTimeout": 2},
    ]
    defined = [{**container, "image": busybox_image} for container in containers]
    arn = aws.run(aws.register(busybox_image, task={"containerDefinitions": defined}))
    ended = {container["name"]: container["exitCode"] for container in aws.wait(arn)["containers"]}
    assert ended == {"main": 5, "short": 0, "long": 137}


def test_an_event_is_sent_for_each_state(aws: EcsEmulator, busybox_image: str):
    url = aws.events.new_queue()
    tags = [{"key": "k", "value": "v"}]
    arn = aws.run(aws.register(busybox_image, ["sh", "-c", "sleep 0.5; exit 1"]), tags=tags)
    aws.wait(arn)
    events = receive(aws, url, len(STATES) + 1)  # pulled, too
    states = [event["detail"]["lastStatus"] for event in events]
    assert sorted(set(states), key=states.index) == STATES
    assert [event["detail"]["version"] for event in events] == list(range(1, len(events) + 1))
    last = events[-1]
    assert last["resources"] == [last["detail"]["taskArn"]] == [arn]
    assert (last["source"], last["detail-type"]) == ("aws.ecs", "ECS Task State Change")
    assert (last["account"], last["region"]) == ("000000000000", "us-east-1")
    detail, task = last["detail"], describe(aws, arn)
    assert "tags" not in detail
    assert task["tags"] == tags
    assert detail["stoppedAt"].endswith("Z")
    for key in ("stopCode", "stoppedReason", "desiredStatus", "clusterArn", "taskDefinitionArn", "overrides"):
        assert detail[key] == task[key]
    assert detail["containers"][0]["exitCode"] == 1


def test_events_come_late_twice_or_never(aws: EcsEmulator, busybox_image: str):
    url = aws.events.new_queue()
    definition = aws.register(busybox_image, ["true"])
    with aws.events.held() as held:
        lost = aws.run(definition)
        aws.wait(lost)
        aws.tasks.get(lost).join(10)
        held.clear()
    with aws.events.held() as held:
        late = aws.run(definition)
        aws.wait(late)
        aws.tasks.get(late).join(10)
        assert aws.events.sent == []
        del held[:-1]
    aws.events.send(aws.events.sent[-1])
    details = [event["detail"] for event in receive(aws, url, 2)]
    assert [(detail["taskArn"], detail["lastStatus"]) for detail in details] == [(late, "STOPPED")] * 2


# How tasks end


def test_a_stopped_task_gets_sigterm_and_may_clean_up(aws: EcsEmulator, busybox_image: str):
    script = "trap 'echo bye; exit 9' TERM; echo ready; while true; do sleep 0.1; done"
    arn = aws.run(aws.register(busybox_image, ["sh", "-c", script]))
    aws.wait(arn, "RUNNING")
    deadline = time.monotonic() + 10
    while "ready" not in aws.output(arn):
        assert time.monotonic() < deadline
    aws.client("ecs").stop_task(cluster=arn.split("/")[1], task=arn, reason="enough")
    task = aws.wait(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 9


def test_a_task_that_ignores_sigterm_is_killed_after_its_timeout(aws: EcsEmulator, running: str):
    cluster = running.split("/")[1]
    answer = aws.client("ecs").stop_task(cluster=cluster, task=running)["task"]
    assert (answer["lastStatus"], answer["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert aws.wait(running)["containers"][0]["exitCode"] == 137


@pytest.mark.parametrize(
    ("act", "code", "exit_code", "reason"),
    [
        (EcsEmulator.kill, "EssentialContainerExited", 137, None),
        (
            EcsEmulator.run_out_of_memory,
            "EssentialContainerExited",
            137,
            "OutOfMemoryError: Container killed due to memory usage",
        ),
        (EcsEmulator.interrupt, "SpotInterruption", 137, None),
    ],
    ids=["killed", "out of memory", "spot interruption"],
)
def test_what_ends_a_task_from_outside(
    aws: EcsEmulator, running: str, act: Callable[..., None], code: str, exit_code: int, reason: str | None
):
    act(aws, running)
    task = aws.wait(running)
    container = task["containers"][0]
    assert (task["stopCode"], container["exitCode"], container.get("reason")) == (code, exit_code, reason)


def test_too_much_memory_ends_a_task(aws: EcsEmulator, busybox_image: str):
    arn = aws.run(aws.register(busybox_image, ["sh", "-c", "x=a; while true; do x=$x$x; done"], memory=32))
    container = aws.wait(arn)["containers"][0]
    assert (container["exitCode"], container["reason"].partition(":")[0]) == (137, "OutOfMemoryError")


@pytest.mark.parametrize(
    ("fields", "reason", "container"),
    [
        ({"image": "no-such-image:1"}, "CannotPullContainerError", "CannotPullContainerError"),
        ({"command": ["no-such-program"]}, "Task failed to start", "CannotStartContainerError"),
        (
            {"secrets": [{"name": "A", "valueFrom": "no-such-parameter"}]},
            "ResourceInitializationError",
            "ResourceInitializationError",
        ),
        (
            {"logConfiguration": awslogs("no-such-group")},
            "ResourceInitializationError",
            "ResourceInitializationError",
        ),
    ],
    ids=["image", "program", "secret", "log group"],
)
def test_what_keeps_a_task_from_starting(
    aws: EcsEmulator, busybox_image: str, fields: Any, reason: str, container: str
):
    task = aws.wait(aws.run(aws.register(**{"image": busybox_image, "command": ["true"], **fields})))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(reason)
    assert task["containers"][0]["reason"].startswith(container)
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_a_start_a_placement_or_an_operation_fails_when_told(aws: EcsEmulator, busybox_image: str):
    definition, cluster = aws.register(busybox_image, ["true"]), aws.new_cluster()
    aws.fail_next_start("ResourceInitializationError: no network")
    assert aws.wait(aws.run(definition))["stoppedReason"] == "ResourceInitializationError: no network"
    ecs = aws.client("ecs", config=_without_retries())
    wanted: dict[str, Any] = {
        "cluster": cluster,
        "taskDefinition": definition,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
    }
    aws.fail_next_placement("RESOURCE:CPU")
    assert ecs.run_task(**wanted)["failures"][0]["reason"] == "RESOURCE:CPU"
    aws.fail("RunTask", AwsError("ThrottlingException", "Rate exceeded"))
    with pytest.raises(ClientError, match="ThrottlingException"):
        ecs.run_task(**wanted)
    assert ecs.run_task(**wanted)["failures"] == []
    assert [call.operation for call in aws.calls if call.body.get("cluster") == cluster] == ["RunTask"] * 3


def _without_retries() -> Any:
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


# What the operations say


def test_a_client_token_starts_a_task_once(aws: EcsEmulator, busybox_image: str):
    definition, cluster = aws.register(busybox_image, ["true"]), aws.new_cluster()
    arns = [aws.run(definition, cluster, clientToken="t", startedBy="a") for _ in range(2)]
    assert arns[0] == arns[1]
    with pytest.raises(ClientError, match="ConflictException"):
        aws.run(definition, cluster, clientToken="t", startedBy="b")


def test_tasks_are_listed_by_cluster_family_and_starter(aws: EcsEmulator, busybox_image: str):
    definition, other, cluster = (
        aws.register(busybox_image, FOREVER, stopTimeout=0),
        aws.register(busybox_image),
        aws.new_cluster(),
    )
    mine = aws.run(definition, cluster, startedBy="me")
    aws.run(definition, cluster, startedBy="you")
    aws.wait(aws.run(other, cluster, startedBy="me"))
    ecs = aws.client("ecs")
    family = definition.rpartition("/")[2].rpartition(":")[0]
    assert ecs.list_tasks(cluster=cluster, family=family, startedBy="me")["taskArns"] == [mine]
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, PaginationConfig={"PageSize": 1})
    assert [len(page["taskArns"]) for page in pages] == [1, 1]
    assert len(ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]) == 1


def test_tags_of_a_task_are_changed(aws: EcsEmulator, running: str):
    ecs = aws.client("ecs")
    ecs.tag_resource(resourceArn=running, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "1"}])
    ecs.untag_resource(resourceArn=running, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=running)["tags"] == [{"key": "b", "value": "1"}]
    assert describe(aws, running)["tags"] == [{"key": "b", "value": "1"}]


def test_a_forgotten_task_is_missing(aws: EcsEmulator, busybox_image: str):
    arn = aws.run(aws.register(busybox_image, ["true"]))
    aws.wait(arn)
    aws.forget(arn)
    answer = aws.client("ecs").describe_tasks(cluster=arn.split("/")[1], tasks=[arn])
    assert (answer["tasks"], answer["failures"]) == ([], [{"arn": arn, "reason": "MISSING"}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster": "no-such-cluster"}, "ClusterNotFoundException"),
        ({"taskDefinition": "no-such-definition"}, "TaskDefinition not found"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "both a launch type and capacity provider"),
        ({"overrides": {"containerOverrides": [{"name": "other"}]}}, "is not a container in the TaskDefinition"),
        ({"count": 11}, "between 1 and 10"),
        ({"tags": [{"key": "aws:x", "value": "1"}]}, "must not start with 'aws:'"),
    ],
)
def test_what_aws_refuses_is_refused(aws: EcsEmulator, busybox_image: str, options: dict[str, Any], message: str):
    wanted: dict[str, Any] = {
        "cluster": aws.new_cluster(),
        "taskDefinition": aws.register(busybox_image, ["true"]),
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        **options,
    }
    with pytest.raises(ClientError, match=message):
        aws.client("ecs").run_task(**wanted)
    assert aws.tasks.all() == []


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"cpu": "256", "memory": "4096"}, "No Fargate configuration exists"),
        ({"cpu": "300"}, "No Fargate configuration exists"),
        ({"networkMode": "bridge"}, "Fargate only supports network mode"),
        ({"containerDefinitions": [{"name": "a", "image": "b", "essential": False}]}, "At least one essential"),
    ],
)
def test_what_no_definition_may_be_is_refused(aws: EcsEmulator, task: dict[str, Any], message: str):
    with pytest.raises(ClientError, match=message):
        aws.register("image:1", task=task)


def test_other_services_are_behind_the_same_address(aws: EcsEmulator):
    bucket = aws.behind.new_bucket()
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="ü/k", Body=b"v" * 100_000, Metadata={"a": "b"})
    found = s3.get_object(Bucket=bucket, Key="ü/k")
    assert (len(found["Body"].read()), found["Metadata"]) == (100_000, {"a": "b"})
    assert s3.head_object(Bucket=bucket, Key="ü/k")["ContentLength"] == 100_000
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="none")


def test_nothing_is_left_behind(aws: EcsEmulator, running: str):
    ids = aws.task(running).container_ids
    aws.reset()
    left = [item.id for item in aws.engine.client().containers.list(all=True)]
    assert not set(ids) & set(left)
    assert aws.client("ecs").list_clusters()["clusterArns"] == []
