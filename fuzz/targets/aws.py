"""Parsers of prefect-aws."""

from __future__ import annotations

import json

from prefect_aws._cli import values
from prefect_aws._cli.failures import CommandFailed
from prefect_aws._ecs.canonical import canonical
from prefect_aws.observers._events import read_event, tags_of_event, type_of
from prefect_aws.workers.ecs_worker import mask_sensitive_env_values, parse_identifier

from ..registry import refusing, target

_REGION = "eu-central-1"


@target(
    "arn:aws:ecs:eu-central-1:123456789012:cluster/flows",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-B",
    "arn:aws-cn:ecs::1:cluster/",
    "flows",
)
def arns(text: str) -> None:
    """An ARN is of the region, or it is refused with the option's name."""
    with refusing(CommandFailed):
        assert "\n" not in values.cluster_identifier(text, region=_REGION)
    with refusing(CommandFailed):
        assert f":{_REGION}:" in values.cluster_arn(text, region=_REGION)
    with refusing(CommandFailed):
        assert f":{_REGION}:" in values.secret_arn("--option", text, region=_REGION)


@target("my-stack", "vpc-0a", "subnet-1,subnet-2", "a/b", "pool", "prefecthq/prefect:3", "x y")
def options(text: str) -> None:
    """What a command takes can stand in a template: one line, no separators of other things."""
    for check in (values.stack_name, values.vpc_id, values.docker_image, values.work_pool_name):
        with refusing(CommandFailed):
            assert "\n" not in check(text)
    with refusing(CommandFailed):
        assert all(part.startswith("subnet-") and "," not in part for part in values.subnet_ids(text))
    assert values._QUEUE_NAME.fullmatch(values.events_queue_name(text))
    values.work_queues(text)


@target("https://prefect.example.org/api", "http://localhost:4200", "https://u:p@h/api", "https://[", "http://h\u2100/")
def api_urls(text: str) -> None:
    """The URL of an API has a host, and nobody's password."""
    with refusing(CommandFailed):
        url = values.api_url(text)
        assert values.api_url(url) == url
        values.is_cloud(url)


_EVENT = {
    "detail-type": "ECS Task State Change",
    "detail": {
        "taskArn": "arn:aws:ecs:eu-central-1:1:task/c/0a",
        "clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/c",
        "lastStatus": "STOPPED",
        "startedBy": "prefect/0a0b0c0d-0000-4000-8000-000000000000",
        "tags": [{"key": "a", "value": "b"}],
        "overrides": {"containerOverrides": [{"name": "p", "environment": [{"name": "A", "value": "b"}]}]},
    },
}


@target(json.dumps(_EVENT), json.dumps({"Message": json.dumps(_EVENT)}), json.dumps([_EVENT["detail"]]), "[[", '"')
def events(body: str) -> None:
    """Any message is an event with a detail, or is none."""
    event = read_event(body)
    if event is not None:
        assert isinstance(event["detail"], dict)
        type_of(event)
        assert all(isinstance(value, str) for value in tags_of_event(event["detail"]).values())


@target("cluster::arn:aws:ecs:r:1:task/c/a", "::x", "a::", "a:b")
def identifiers(text: str) -> None:
    """What is read of an identifier makes it again."""
    with refusing(ValueError):
        found = parse_identifier(text)
        assert f"{found.cluster}::{found.task_arn}" == text


@target('{"cpu": "1 vCPU", "volumes": [{"name": "a"}]}', '{"containerDefinitions": [{"name": "a", "cpu": "1"}]}', "{}")
def task_definitions(text: str) -> None:
    """A definition in the one form is the same when it is brought into it again."""
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(definition, dict):
        made = canonical(definition)
        assert canonical(made) == made


@target("s3cret-value-of-a-key", "abc", "")
def masked_values(secret: str) -> None:
    """A masked request has at most the first characters of a long value."""
    name = "PREFECT_API_KEY"
    request = {"overrides": {"containerOverrides": [{"environment": [{"name": name, "value": secret}]}]}}
    shown = mask_sensitive_env_values(request, [name])["overrides"]["containerOverrides"][0]["environment"][0]["value"]
    assert len(secret) < 1 or shown != secret or secret == "***"
