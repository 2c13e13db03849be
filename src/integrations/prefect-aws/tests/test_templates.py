"""The CloudFormation templates hold together, give no more than is needed, and start the worker as they should."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_aws._cli.templates import MAX_BODY_BYTES, TemplateFormat, TemplateType, as_body, as_text, load_template
from prefect_aws._cli.values import LOG_RETENTION_DAYS
from prefect_aws._ecs.fargate import MEMORY_MIB

PSEUDO = {f"AWS::{name}" for name in ("AccountId", "NoValue", "Partition", "Region", "StackName", "URLSuffix")}
# Actions that no resource can be named for, or none that is known beforehand:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ecs:ListTasks",  # held to the cluster by a condition
}


@pytest.fixture(params=list(TemplateType), ids=lambda kind: kind.value)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load_template(request.param)


@pytest.fixture
def service() -> dict[str, Any]:
    return load_template(TemplateType.service)


def walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for member in node.values():
            yield from walk(member)
    elif isinstance(node, list):
        for member in node:
            yield from walk(member)


def names_in_sub(value: Any) -> set[str]:
    text, own = (value, {}) if isinstance(value, str) else (value[0], value[1])
    return {name for name in re.findall(r"\$\{([^!}]+)\}", text) if name not in own}


def test_every_reference_leads_somewhere(template: dict[str, Any]):
    known = PSEUDO | set(template["Parameters"]) | set(template["Resources"])
    for node in walk(template):
        if set(node) == {"Ref"}:
            assert node["Ref"] in known
        if "Fn::GetAtt" in node:
            assert node["Fn::GetAtt"][0] in template["Resources"]
        if "Fn::Sub" in node:
            assert {name.split(".")[0] for name in names_in_sub(node["Fn::Sub"])} <= known
        if "Fn::If" in node:
            assert node["Fn::If"][0] in template["Conditions"]
        if isinstance(node.get("Condition"), str):
            assert node["Condition"] in template["Conditions"]


def test_every_parameter_and_condition_is_used(template: dict[str, Any]):
    text = json.dumps({name: template[name] for name in ("Resources", "Outputs")})
    conditions = json.dumps(template.get("Conditions", {}))
    for name in template["Parameters"]:
        assert re.search(rf'"{name}"|\$\{{{name}\}}', text + conditions), name
    for name in template.get("Conditions", {}):
        assert f'"{name}"' in text + json.dumps(list(template["Conditions"].values())), name


def statements(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for node in walk(template["Resources"]):
        if "Statement" in node:
            yield from node["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else found


def test_no_policy_names_every_resource_where_it_could_name_one(template: dict[str, Any]):
    for statement in statements(template):
        if statement.get("Resource") == "*":
            assert set(actions(statement)) <= WITHOUT_RESOURCE
        assert not any("*" in action for action in actions(statement))


def test_roles_are_passed_to_tasks_only(service: dict[str, Any]):
    [passes] = [statement for statement in statements(service) if "iam:PassRole" in actions(statement)]
    assert passes["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_queues_are_encrypted_and_take_events_of_the_rule_alone(template: dict[str, Any]):
    queues = [each for each in template["Resources"].values() if each["Type"] == "AWS::SQS::Queue"]
    assert [queue["Properties"]["SqsManagedSseEnabled"] for queue in queues] == [True, True]
    [statement] = template["Resources"]["EventsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == {"Fn::GetAtt": ["TaskStateRule", "Arn"]}


def test_the_rule_listens_to_one_cluster(template: dict[str, Any]):
    pattern = template["Resources"]["TaskStateRule"]["Properties"]["EventPattern"]
    assert pattern["detail-type"] == ["ECS Task State Change"]
    assert len(pattern["detail"]["clusterArn"]) == 1


def test_a_secret_is_hidden_and_goes_nowhere_but_into_its_secret(service: dict[str, Any]):
    for parameter, secret in (("PrefectApiKey", "ApiKeySecret"), ("PrefectAuthString", "AuthStringSecret")):
        assert service["Parameters"][parameter]["NoEcho"] is True
        uses = [
            name
            for name, resource in service["Resources"].items()
            if f'{{"Ref": "{parameter}"}}' in json.dumps(resource)
        ]
        assert uses == [secret]
        assert parameter not in json.dumps(list(service["Outputs"].values()))


def test_templates_are_valid_and_fit_into_a_request(template: dict[str, Any], aws_emulator: Any):
    body = as_body(template)
    assert len(body.encode()) < MAX_BODY_BYTES
    answer = aws_emulator.client("cloudformation").validate_template(TemplateBody=body)
    assert {each["ParameterKey"] for each in answer["Parameters"]} == set(template["Parameters"])


def test_yaml_says_the_same_as_json(template: dict[str, Any]):
    text = as_text(template, TemplateFormat.yaml)
    assert yaml.safe_load(text) == template
    assert not re.search(r"^\s*\S+: [&*]", text.replace("'*'", ""), re.MULTILINE)
    assert json.loads(as_text(template, TemplateFormat.json)) == template


def test_allowed_values_are_those_that_the_command_allows(service: dict[str, Any]):
    assert service["Parameters"]["LogRetentionDays"]["AllowedValues"] == list(LOG_RETENTION_DAYS)
    assert service["Parameters"]["TaskCpu"]["AllowedValues"] == list(MEMORY_MIB)


def container(service: dict[str, Any]) -> dict[str, Any]:
    return service["Resources"]["WorkerTaskDefinition"]["Properties"]["ContainerDefinitions"][0]


@pytest.mark.parametrize(
    ("queues", "extra"),
    [
        ("", []),
        ("high,very low", ["--work-queue", "high", "--work-queue", "very low"]),
        ("*,$(touch evil)", ["--work-queue", "*", "--work-queue", "$(touch evil)"]),
    ],
)
def test_the_container_starts_a_worker_of_its_pool(
    service: dict[str, Any], tmp_path: Path, queues: str, extra: list[str]
):
    prefect = tmp_path / "prefect"
    prefect.write_text('#!/bin/sh\nfor argument in "$@"; do printf "%s\\n" "$argument"; done\n')
    prefect.chmod(0o755)
    surroundings = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "WORK_POOL_NAME": "my 'pool' $(touch evil)",
        "WORK_QUEUES": queues,
    }
    done = subprocess.run(
        container(service)["Command"], env=surroundings, capture_output=True, text=True, cwd=tmp_path, check=True
    )
    start = ["worker", "start", "--pool", "my 'pool' $(touch evil)", "--type", "ecs", "--with-healthcheck"]
    assert done.stdout.splitlines() == [*start, *extra]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1)])
def test_the_health_check_believes_the_worker(service: dict[str, Any], answer: int, code: int):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    word, *command = container(service)["HealthCheck"]["Command"]
    assert word == "CMD"
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = [part.replace(":8080/", f":{server.server_port}/") for part in command]
        done = subprocess.run([sys.executable, *here[1:]], capture_output=True, check=False, timeout=30)
        server.shutdown()
    assert done.returncode == code


def test_the_worker_reads_its_queue(service: dict[str, Any]):
    environment = {each["Name"]: each["Value"] for each in container(service)["Environment"]}
    name = environment["PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME"]
    assert name == {"Fn::GetAtt": ["EventsQueue", "QueueName"]}
