"""What a job configuration registers: each variable has its effect, and contradictions are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_aws._ecs import fargate
from prefect_aws._ecs.definitions import build_definition, container_name_in, family_of
from prefect_aws.workers.ecs_worker import (
    DEFAULT_TASK_DEFINITION_TEMPLATE,
    DEFAULT_TASK_RUN_REQUEST_TEMPLATE,
    ECSJobConfiguration,
    ECSWorker,
)


@pytest.fixture
def definition_of(make_configuration: Any) -> Any:
    def build(**variables: Any) -> dict[str, Any]:
        return build_definition(
            make_configuration(**variables), family="prefect_pool", region="eu-west-1", image="prefect:dev"
        )

    return build


def container(definition: dict[str, Any], name: str = "prefect") -> dict[str, Any]:
    return next(each for each in definition["containerDefinitions"] if each["name"] == name)


def test_without_variables_it_is_one_container_on_fargate(definition_of: Any) -> None:
    assert definition_of() == {
        "family": "prefect_pool",
        "containerDefinitions": [{"name": "prefect", "image": "prefect:dev", "essential": True}],
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "1024",
        "memory": "2048",
    }


def test_the_template_as_text_is_the_template(definition_of: Any) -> None:
    import yaml

    template = ECSWorker.get_default_base_job_template()["job_configuration"]
    assert yaml.safe_load(DEFAULT_TASK_DEFINITION_TEMPLATE) == template["task_definition"]
    assert yaml.safe_load(DEFAULT_TASK_RUN_REQUEST_TEMPLATE) == template["task_run_request"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"execution_role_arn": "arn:role"}, {"executionRoleArn": "arn:role"}),
        ({"family": "my family!"}, {"family": "my-family"}),
        ({"cpu": 2048, "memory": 8192}, {"cpu": "2048", "memory": "8192"}),
        ({"ephemeral_storage_gib": 50}, {"ephemeralStorage": {"sizeInGiB": 50}}),
        ({"cpu_architecture": "ARM64"}, {"runtimePlatform": {"cpuArchitecture": "ARM64"}}),
        (
            {"operating_system_family": "WINDOWS_SERVER_2022_CORE", "cpu": 1024, "memory": 2048},
            {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
        ),
        ({"volumes": [{"name": "data"}]}, {"volumes": [{"name": "data"}]}),
    ],
)
def test_a_variable_shapes_the_task(definition_of: Any, variables: dict[str, Any], expected: dict[str, Any]) -> None:
    definition = definition_of(**variables)
    assert {name: definition.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"image": "mine:1"}, {"image": "mine:1"}),
        (
            {"secrets": {"DB": "arn:db", "A": "arn:a"}},
            {"secrets": [{"name": "A", "valueFrom": "arn:a"}, {"name": "DB", "valueFrom": "arn:db"}]},
        ),
        (
            {"prefect_api_key_secret_arn": "arn:key"},
            {"secrets": [{"name": "PREFECT_API_KEY", "valueFrom": "arn:key"}]},
        ),
        (
            {"prefect_api_auth_string_secret_arn": "arn:auth"},
            {"secrets": [{"name": "PREFECT_API_AUTH_STRING", "valueFrom": "arn:auth"}]},
        ),
        (
            {"volumes": [{"name": "v"}], "mount_points": [{"sourceVolume": "v", "containerPath": "/v"}]},
            {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]},
        ),
        ({"gpu": 2, "launch_type": "EC2"}, {"resourceRequirements": [{"type": "GPU", "value": "2"}]}),
        (
            {"configure_cloudwatch_logs": True, "execution_role_arn": "arn:role"},
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-create-group": "true",
                        "awslogs-group": "prefect",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "prefect_pool",
                    },
                }
            },
        ),
    ],
)
def test_a_variable_shapes_the_flow_s_container(
    definition_of: Any, variables: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = container(definition_of(**variables))
    assert {name: found.get(name) for name in expected} == expected


def test_options_of_the_log_driver_win_over_the_defaults(definition_of: Any) -> None:
    definition = definition_of(
        configure_cloudwatch_logs=True,
        execution_role_arn="arn:role",
        cloudwatch_logs_prefix="nightly",
        cloudwatch_logs_options={"awslogs-group": "mine", "mode": "non-blocking"},
    )
    options = container(definition)["logConfiguration"]["options"]
    assert (options["awslogs-group"], options["mode"], options["awslogs-stream-prefix"]) == (
        "mine",
        "non-blocking",
        "nightly",
    )


def test_a_sidecar_does_not_keep_the_task_alive(definition_of: Any) -> None:
    definition = definition_of(sidecars=[{"name": "agent", "image": "agent:1", "secrets": []}])
    assert container(definition, "agent") == {"name": "agent", "image": "agent:1", "essential": False}
    assert container(definition)["essential"] is True


@pytest.mark.parametrize(
    ("launch_type", "mode", "compatibilities"),
    [("FARGATE", "awsvpc", ["FARGATE"]), ("FARGATE_SPOT", "awsvpc", ["FARGATE"]), ("EC2", None, None)],
)
def test_the_launch_type_decides_on_network_and_compatibility(
    definition_of: Any, launch_type: str, mode: str | None, compatibilities: list[str] | None
) -> None:
    definition = definition_of(launch_type=launch_type)
    assert (definition.get("networkMode"), definition.get("requiresCompatibilities")) == (mode, compatibilities)
    if launch_type == "EC2":
        assert not {"cpu", "memory"} & set(definition)
        assert (container(definition)["cpu"], container(definition)["memory"]) == (1024, 2048)
    else:
        assert (definition["cpu"], definition["memory"]) == ("1024", "2048")
        assert not {"cpu", "memory"} & set(container(definition))


@pytest.mark.parametrize(
    ("variables", "of_task", "of_container"),
    [
        ({}, (None, None), (1024, 2048)),
        ({"cpu": 512, "memory": 1024}, ("512", "1024"), (512, 1024)),
        ({"memory": 4194304}, (None, "4194304"), (1024, 4194304)),
        ({"sidecars": [{"name": "s", "image": "i", "memory": 256, "cpu": 128}]}, (None, None), (1024, 2048)),
        (
            {"cpu": 512, "memory": 1024, "sidecars": [{"name": "s", "image": "i", "memory": 256, "cpu": 128}]},
            ("512", "1024"),
            (384, 768),
        ),
        (
            {"cpu": 512, "memory": 1024, "sidecars": [{"name": "s", "image": "i", "memoryReservation": 9, "cpu": 512}]},
            ("512", "1024"),
            (None, 1015),
        ),
        ({"sidecars": [{"name": "s", "image": "i"}]}, ("1024", "2048"), (None, None)),
    ],
    ids=["default", "given", "huge", "sidecar", "sidecar of a given size", "sidecar takes all", "sidecar without size"],
)
def test_on_instances_the_flow_s_container_has_the_size(
    definition_of: Any, variables: dict[str, Any], of_task: tuple[Any, Any], of_container: tuple[Any, Any]
) -> None:
    """Where the launch type is EC2 it is the container's size that counts for placing the task."""
    definition = definition_of(launch_type="EC2", **variables)
    assert (definition.get("cpu"), definition.get("memory")) == of_task
    assert (container(definition).get("cpu"), container(definition).get("memory")) == of_container


def test_a_container_s_own_size_is_kept_on_instances() -> None:
    own = {"name": "prefect", "image": "mine", "cpu": "256", "memoryReservation": 64}
    configuration = ECSJobConfiguration(
        task_definition={"containerDefinitions": [own]}, task_run_request={"launchType": "EC2"}
    )
    definition = build_definition(configuration, family="f", region=None, image="unused")
    assert {**own, "cpu": 256, "essential": True} == container(definition)
    assert not {"cpu", "memory"} & set(definition)


def test_a_template_s_own_content_is_kept() -> None:
    configuration = ECSJobConfiguration(
        task_definition={
            "containerDefinitions": [
                {"name": "side", "image": "s", "essential": False, "environment": {"A": "", "B": 1}},
                {"name": "prefect", "image": "mine", "memory": 512, "logConfiguration": {"logDriver": "json-file"}},
            ],
            "networkMode": "host",
        },
        task_run_request={"launchType": "EC2"},
        configure_cloudwatch_logs=True,
        execution_role_arn="arn:role",
    )
    definition = build_definition(configuration, family="f", region=None, image="unused")
    assert definition["networkMode"] == "host"
    assert container(definition)["logConfiguration"] == {"logDriver": "json-file"}
    assert container(definition, "side")["environment"] == [{"name": "A", "value": ""}, {"name": "B", "value": "1"}]


def test_building_leaves_the_configuration_as_it_was(make_configuration: Any) -> None:
    configuration = make_configuration(secrets={"A": "arn"}, sidecars=[{"name": "s", "image": "i"}], cpu=512)
    before = json.dumps(configuration.task_definition)
    first = build_definition(configuration, family="f", region=None, image="i")
    assert build_definition(configuration, family="f", region=None, image="i") == first
    assert json.dumps(configuration.task_definition) == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"cpu": 1000}, ["cpu is 1000", "256, 512"]),
        ({"cpu": 256, "memory": 8192}, ["memory is 8192 MiB", "cpu 256", "512, 1024 or 2048"]),
        ({"gpu": 1}, ["gpu", "EC2"]),
        ({"ephemeral_storage_gib": 30, "launch_type": "EC2"}, ["ephemeral_storage_gib", "FARGATE"]),
        ({"sidecars": [{"name": "s"}]}, ["sidecars[0]", "image"]),
        ({"sidecars": [{"name": "prefect", "image": "i"}]}, ["Two containers", "prefect"]),
        ({"mount_points": [{"sourceVolume": "v", "containerPath": "/v"}]}, ["mount_points[0]", "'v'", "volumes"]),
    ],
)
def test_a_contradiction_is_refused_by_name(definition_of: Any, variables: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words follow
        definition_of(**variables)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ["task definition must be provided"]),
        ({"task_definition": {"containerDefinitions": [{"name": "a", "essential": False}]}}, ["essential", "'a'"]),
        ({"task_definition": {"family": "f"}, "configure_cloudwatch_logs": True}, ["execution_role_arn"]),
        (
            {"task_definition": {"family": "f"}, "cloudwatch_logs_options": {"a": "b"}},
            ["configure_cloudwatch_logs", "cloudwatch_logs_options"],
        ),
        ({"task_definition": {"family": "f"}, "network_configuration": {"subnets": ["s"]}}, ["vpc_id"]),
    ],
)
def test_a_configuration_that_cannot_run_is_refused(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        ECSJobConfiguration(**fields)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("containers", "name"),
    [
        ([], "prefect"),
        ([{"name": "flow"}], "flow"),
        ([{"name": "log", "essential": False}, {"name": "flow"}], "flow"),
        ([{"name": "other"}, {"name": "prefect"}], "prefect"),
    ],
)
def test_the_flow_s_container_is_found(containers: list[dict[str, Any]], name: str) -> None:
    assert container_name_in({"containerDefinitions": containers}) == name


def test_a_family_name_is_one_that_ecs_takes() -> None:
    name = family_of("prefect", "pool with spaces", None, "ünïcode/" + "x" * 300)
    assert name.startswith("prefect_pool-with-spaces_unicode-x")
    assert len(name) <= 255
    assert family_of("!!!") == "prefect"


def test_every_size_that_fargate_offers_is_accepted_and_its_neighbours_are_not() -> None:
    for cpu, sizes in fargate.MEMORY_MIB.items():
        assert [fargate.conflict(cpu, mib) for mib in sizes] == [None] * len(sizes)
        assert fargate.conflict(cpu, sizes[0] - 1)
        assert fargate.conflict(cpu, sizes[-1] + 1)
        assert fargate.conflict(f"{cpu / 1024} vCPU", f"{sizes[0] / 1024} GB") is None
        assert fargate.conflict(cpu, fargate.fitting_memory(cpu, 2048)) is None
    assert fargate.conflict(fargate.fitting_cpu(30720, 1024), 30720) is None
