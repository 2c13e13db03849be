"""What `RunTask` is asked for: environment, command, tags and capacity of one run, and no secret as plain text."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_aws._ecs import tags
from prefect_aws._ecs.requests import MAX_OVERRIDES, build_request
from prefect_aws.workers.ecs_worker import (
    ECSJobConfiguration,
    mask_api_key,
    mask_sensitive_env_values,
    parse_identifier,
)

ARN = "arn:aws:ecs:us-east-1:000000000000:task-definition/f:1"


@pytest.fixture
def request_of(make_configuration: Any) -> Any:
    def build(*, given: bool = False, env: Any = None, labels: Any = None, **variables: Any) -> dict[str, Any]:
        configuration = make_configuration(**variables)
        configuration.env = dict(env or {})
        configuration.labels = dict(labels or {})
        return build_request(configuration, ARN, given=given)

    return build


def overrides(request: dict[str, Any], name: str = "prefect") -> dict[str, Any]:
    return next(each for each in request["overrides"]["containerOverrides"] if each["name"] == name)


def test_a_run_s_command_and_environment_go_with_the_request(request_of: Any) -> None:
    request = request_of(command="prefect flow-run execute", env={"A": "1", "EMPTY": "", "B": 2})
    container = overrides(request)
    assert container["command"] == ["prefect", "flow-run", "execute"]
    assert container["environment"] == [
        {"name": "A", "value": "1"},
        {"name": "EMPTY", "value": ""},
        {"name": "B", "value": "2"},
    ]
    assert (request["taskDefinition"], request["count"]) == (ARN, 1)


def test_without_a_command_the_engine_runs(request_of: Any) -> None:
    assert overrides(request_of())["command"] == ["python", "-m", "prefect.engine"]


def test_a_variable_set_to_null_is_taken_away() -> None:
    configuration = ECSJobConfiguration(
        task_definition={"family": "f"},
        task_run_request={"overrides": {"containerOverrides": [{"environment": {"KEPT": "x", "GONE": None}}]}},
        env={"GONE": "of the worker", "BASE": "b"},
    )
    environment = overrides(build_request(configuration, ARN, given=False))["environment"]
    assert {entry["name"]: entry["value"] for entry in environment} == {"BASE": "b", "KEPT": "x"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"launchType": "FARGATE"}),
        ({"launch_type": "EC2"}, {"launchType": "EC2"}),
        (
            {"launch_type": "FARGATE_SPOT"},
            {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]},
        ),
        (
            {"capacity_provider_strategy": [{"capacityProvider": "mine", "weight": 2, "base": 1}]},
            {
                "launchType": None,
                "capacityProviderStrategy": [{"capacityProvider": "mine", "weight": 2, "base": 1}],
            },
        ),
        ({"cluster": "c"}, {"cluster": "c"}),
        ({"propagate_tags": "TASK_DEFINITION"}, {"propagateTags": "TASK_DEFINITION"}),
        ({"enable_execute_command": True}, {"enableExecuteCommand": True}),
        ({"platform_version": "1.4.0"}, {"platformVersion": "1.4.0"}),
    ],
)
def test_a_variable_shapes_the_request(request_of: Any, variables: dict[str, Any], expected: dict[str, Any]) -> None:
    request = request_of(**variables)
    assert {name: request.get(name) for name in expected} == expected


def test_sizes_and_roles_are_overridden_for_the_task(request_of: Any) -> None:
    request = request_of(cpu=512, memory=1024, task_role_arn="arn:role")
    assert request["overrides"]["cpu"] == "512"
    assert request["overrides"]["memory"] == "1024"
    assert request["overrides"]["taskRoleArn"] == "arn:role"
    assert (overrides(request)["cpu"], overrides(request)["memory"]) == (512, 1024)


def test_a_given_definition_is_shaped_as_far_as_the_request_can(request_of: Any) -> None:
    request = request_of(given=True, execution_role_arn="arn:role", ephemeral_storage_gib=40)
    assert request["overrides"]["executionRoleArn"] == "arn:role"
    assert request["overrides"]["ephemeralStorage"] == {"sizeInGiB": 40}


def test_labels_become_tags_that_ecs_takes(request_of: Any) -> None:
    labels = {
        tags.FLOW_RUN_ID: "0aa",
        tags.FLOW_NAME: "naïve (v2)! " + "x" * 300,
        "aws:mine": "a",
        **{f"label-{number}": "v" for number in range(60)},
    }
    request = request_of(labels=labels, tags={"team": "data"})
    found = tags.as_dict(request["tags"])
    assert len(request["tags"]) == 50
    assert found[tags.FLOW_RUN_ID] == "0aa"
    assert found[tags.FLOW_NAME] == ("naïve -v2-- " + "x" * 300)[:256]
    assert found[tags.CONTAINER_NAME] == "prefect"
    assert request["startedBy"] == "0aa"


def test_a_definition_to_be_deregistered_is_marked_on_the_task(request_of: Any) -> None:
    marked = tags.as_dict(request_of(auto_deregister_task_definition=True)["tags"])
    assert marked["prefect.io/degregister-task-definition"] == "true"  # as workers and observers before have it
    given = request_of(auto_deregister_task_definition=True, given=True)
    assert tags.DEREGISTER not in tags.as_dict(given["tags"])


def test_a_value_that_comes_from_a_secret_is_not_in_the_request(request_of: Any, canary: str) -> None:
    request = request_of(
        env={"PREFECT_API_KEY": canary, "PREFECT_API_AUTH_STRING": canary, "DB": canary, "A": "1"},
        secrets={"DB": "arn:db"},
        prefect_api_key_secret_arn="arn:key",
        prefect_api_auth_string_secret_arn="arn:auth",
    )
    assert canary not in str(request)
    assert overrides(request)["environment"] == [{"name": "A", "value": "1"}]


def test_an_environment_that_ecs_would_refuse_is_refused_by_name_and_not_by_value(request_of: Any, canary: str) -> None:
    with pytest.raises(ValueError, match=str(MAX_OVERRIDES)) as caught:
        request_of(env={"HUGE": canary * 500, "SMALL": "1"})
    assert "HUGE" in str(caught.value)
    assert canary not in str(caught.value)


def test_the_api_key_is_masked_whole(canary: str) -> None:
    request = {
        "overrides": {
            "containerOverrides": [
                {"environment": [{"name": "PREFECT_API_KEY", "value": canary}, {"name": "A", "value": "plain"}]}
            ]
        }
    }
    masked = mask_api_key(request)
    assert masked["overrides"]["containerOverrides"][0]["environment"] == [
        {"name": "PREFECT_API_KEY", "value": "***"},
        {"name": "A", "value": "plain"},
    ]
    assert canary in str(request)


def test_masking_shows_the_start_of_long_values_only() -> None:
    request = {"overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": "abcdefghijklmnop"}]}]}}
    masked = mask_sensitive_env_values(request, ["A"])
    assert masked["overrides"]["containerOverrides"][0]["environment"][0]["value"] == "abc***"
    short = {"overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": "abcd"}]}]}}
    assert mask_sensitive_env_values(short, ["A"], keep_length=2, replace_with="?") == {
        "overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": "?"}]}]}
    }


def test_an_identifier_is_taken_apart() -> None:
    arn = "arn:aws:ecs:us-east-1:000000000000:task/c/0aa"
    assert parse_identifier(f"arn:aws:ecs:us-east-1:000000000000:cluster/c::{arn}") == (
        "arn:aws:ecs:us-east-1:000000000000:cluster/c",
        arn,
    )
    with pytest.raises(ValueError, match="cluster::task_arn"):
        parse_identifier("container-id")
