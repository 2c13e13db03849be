"""Equal task definitions are seen to be equal, whatever ECS adds, fills in or reorders."""

from __future__ import annotations

import copy
import random
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_aws._ecs.canonical import canonical, digest
from prefect_aws._ecs.registration import describe, register

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)
PAIRS = st.dictionaries(NAMES, st.text("xyz 0123", max_size=5), max_size=4)


@st.composite
def containers(draw: st.DrawFn) -> dict[str, Any]:
    """A container definition, with each optional part there or not, and defaults written out or not."""
    container: dict[str, Any] = {"name": draw(NAMES), "image": draw(NAMES)}
    optional: dict[str, Any] = {
        "cpu": st.sampled_from([0, 128]),
        "memory": st.sampled_from([128, 512]),
        "essential": st.booleans(),
        "command": st.lists(NAMES, min_size=1, max_size=3),
        "environment": PAIRS.map(lambda pairs: [{"name": name, "value": value} for name, value in pairs.items()]),
        "secrets": PAIRS.map(lambda pairs: [{"name": name, "valueFrom": f"arn:{name}"} for name in pairs]),
        "mountPoints": st.just([{"sourceVolume": "v", "containerPath": "/v", "readOnly": False}]),
        "portMappings": st.sampled_from([[{"containerPort": 80}], [{"containerPort": 80, "protocol": "tcp"}]]),
        "logConfiguration": st.just({"logDriver": "awslogs", "options": {"awslogs-group": "g"}}),
        "resourceRequirements": st.just([{"type": "GPU", "value": "1"}]),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            container[name] = draw(strategy)
    return container


@st.composite
def task_definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `RegisterTaskDefinition`."""
    definition: dict[str, Any] = {
        "family": f"f-{uuid.UUID(int=draw(st.integers(0, 2**64))).hex}",
        "containerDefinitions": draw(st.lists(containers(), min_size=1, max_size=3, unique_by=lambda c: c["name"])),
        "volumes": [{"name": "v"}],
    }
    if draw(st.booleans()):
        definition |= {
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": draw(st.sampled_from(["1024", "1 vCPU"])),
            "memory": draw(st.sampled_from(["2048", "2 GB"])),
        }
    if draw(st.booleans()):
        definition["taskRoleArn"] = "arn:aws:iam::000000000000:role/r"
    return definition


def as_ecs_answers(definition: dict[str, Any], seed: int) -> dict[str, Any]:
    """What ECS answers: fields added, defaults filled in, sets in another order; as its reference describes."""
    order = random.Random(seed)
    answer = copy.deepcopy(definition)
    fargate = "FARGATE" in answer.get("requiresCompatibilities", [])
    for container in answer["containerDefinitions"]:
        for name, default in (("cpu", 0), ("essential", True)):
            container.setdefault(name, default)
        for name in ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"):
            container.setdefault(name, [])
        for port in container["portMappings"]:
            port.setdefault("protocol", "tcp")
            port.setdefault("hostPort", port["containerPort"] if fargate else 0)
        order.shuffle(container["environment"])
        order.shuffle(container.get("secrets", []))
    order.shuffle(answer["containerDefinitions"])
    answer["volumes"] = [{**volume, "host": {}} for volume in answer["volumes"]]
    for name in ("cpu", "memory"):
        if name in answer:
            answer[name] = {"1 vCPU": "1024", "2 GB": "2048"}.get(answer[name], answer[name])
    return {
        "networkMode": "bridge",
        "placementConstraints": [],
        **answer,
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/f:7",
        "revision": 7,
        "status": "ACTIVE",
        "compatibilities": ["EC2", "FARGATE"],
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "registeredAt": "2026-01-01T00:00:00Z",
        "registeredBy": "arn:aws:iam::000000000000:user/u",
    }


@given(task_definitions(), st.integers())
def test_what_ecs_answers_equals_what_was_registered(definition: dict[str, Any], seed: int) -> None:
    assert canonical(as_ecs_answers(definition, seed)) == canonical(definition)
    assert digest(as_ecs_answers(definition, seed)) == digest(definition)


@pytest.fixture(scope="module")
def ecs(aws_emulator: Any) -> Any:
    return aws_emulator.client("ecs")


@settings(max_examples=25)
@given(definition=task_definitions())
def test_what_is_registered_is_described_as_equal(ecs: Any, definition: dict[str, Any]) -> None:
    definition = {"cpu": "256", "memory": "512", **definition}  # the emulator makes sizes up where there are none
    arn = register(ecs, definition, match_latest=False)
    described = describe(ecs, arn)
    assert described is not None
    assert canonical(described) == canonical(definition)
    assert register(ecs, definition, match_latest=True) == arn


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "512"},
        {"taskRoleArn": "arn:other"},
        {"containerDefinitions": [{"name": "a", "image": "i:2"}]},
        {"containerDefinitions": [{"name": "a", "image": "i", "essential": False}, {"name": "b", "image": "i"}]},
        {"containerDefinitions": [{"name": "a", "image": "i", "command": ["y", "x"]}]},
        {"containerDefinitions": [{"name": "a", "image": "i", "environment": [{"name": "A", "value": "2"}]}]},
        {"volumes": [{"name": "w"}]},
    ],
)
def test_definitions_that_differ_are_told_apart(change: dict[str, Any]) -> None:
    definition = {
        "family": "f",
        "cpu": "1024",
        "containerDefinitions": [
            {"name": "a", "image": "i", "command": ["x", "y"], "environment": [{"name": "A", "value": "1"}]}
        ],
    }
    assert digest({**definition, **change}) != digest(definition)


def test_a_family_that_does_not_exist_is_no_error(ecs: Any) -> None:
    assert describe(ecs, "nothing-here") is None
