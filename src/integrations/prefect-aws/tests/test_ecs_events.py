"""What a message says, and who wants to hear it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_aws._ecs import tags as names
from prefect_aws.observers._events import read_event, tags_of_event, type_of
from prefect_aws.observers.ecs import FilterCase, LastStatusFilter, TagsFilter

from ._ecs_events import task_event


@pytest.mark.parametrize(
    ("wanted", "tags", "is_match"),
    [
        ({}, {}, True),
        ({"team": "data"}, {"team": "data", "more": "x"}, True),
        ({"team": "data"}, {"team": "ml"}, False),
        ({"team": "data"}, {}, False),
        ({"team": FilterCase.PRESENT}, {"team": ""}, True),
        ({"team": FilterCase.PRESENT}, {}, False),
        ({"team": FilterCase.ABSENT}, {}, True),
        ({"team": FilterCase.ABSENT}, {"team": "data"}, False),
        ({"prefect.io/a": "1", "b": FilterCase.ABSENT}, {"prefect.io/a": "1"}, True),
    ],
)
def test_tags_are_filtered(wanted: dict[str, Any], tags: dict[str, str], is_match: bool) -> None:
    assert TagsFilter(**wanted).is_match(tags) is is_match


def test_statuses_are_filtered_and_none_means_all() -> None:
    assert LastStatusFilter("STOPPED", "RUNNING").is_match("RUNNING")
    assert not LastStatusFilter("STOPPED").is_match("RUNNING")
    assert LastStatusFilter().is_match("DELETED")


# Bodies

EVENT = task_event(startedBy="x")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(EVENT),
        json.dumps({"Type": "Notification", "MessageId": "m", "Message": json.dumps(EVENT)}),
        json.dumps([EVENT]),
        json.dumps(EVENT["detail"]),
        json.dumps({"detail": EVENT["detail"]}),
        json.dumps({**EVENT, "detail": json.dumps(EVENT["detail"])}),
        json.dumps(json.dumps(EVENT)),
    ],
    ids=["bare", "SNS", "list", "detail", "only detail", "detail as text", "text"],
)
def test_an_event_is_found_in_all_its_wrappings(body: str) -> None:
    event = read_event(body)
    assert event is not None
    assert event["detail"] == EVENT["detail"]
    assert type_of(event) == "task"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "null",
        "[]",
        "[1, 2]",
        "{}",
        '"text"',
        "[" * 100_000,
        '{"detail": 5}',
        '{"Message": "not json"}',
        json.dumps({"detail-type": "ECS Task State Change", "detail": {}}),
        json.dumps({**EVENT, "detail": {**EVENT["detail"], "taskArn": "arn:aws:s3:::bucket"}}),
        json.dumps({**EVENT, "detail": {**EVENT["detail"], "clusterArn": 5}}),
        json.dumps({**EVENT, "detail": {**EVENT["detail"], "lastStatus": None}}),
    ],
    ids=range(14),
)
def test_what_is_no_event_is_none(body: str) -> None:
    assert read_event(body) is None


@pytest.mark.parametrize(
    ("detail", "tags"),
    [
        ({}, {}),
        ({"startedBy": "ecs-svc/123"}, {}),
        (
            {"startedBy": "5f0a3a3e-61c9-4b7e-8a55-3b1f0c6a2e10"},
            {names.FLOW_RUN_ID: "5f0a3a3e-61c9-4b7e-8a55-3b1f0c6a2e10"},
        ),
        (
            {
                "overrides": {
                    "containerOverrides": [
                        {"name": "sidecar"},
                        {
                            "name": "flow",
                            "environment": [
                                {"name": "PREFECT__FLOW_RUN_ID", "value": "5f0a3a3e-61c9-4b7e-8a55-3b1f0c6a2e10"}
                            ],
                        },
                    ]
                }
            },
            {names.FLOW_RUN_ID: "5f0a3a3e-61c9-4b7e-8a55-3b1f0c6a2e10", names.CONTAINER_NAME: "flow"},
        ),
        ({"overrides": 5, "tags": "x", "startedBy": None}, {}),
        ({"overrides": {"containerOverrides": [5, {"environment": {}}]}}, {}),
    ],
)
def test_an_event_says_whose_its_task_is(detail: dict[str, Any], tags: dict[str, str]) -> None:
    assert tags_of_event(detail) == tags
