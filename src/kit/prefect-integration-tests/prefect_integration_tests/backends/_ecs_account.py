"""What a container gets from other services of the account: the values of its secrets, and a place for its output."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ._ecs_logs import ContainerLogs
from ._ecs_task import CannotStart

Client = Callable[[str], Any]
"""Opens a client of a service."""


def read_secret(client: Client, value_from: str) -> str:
    """Read what an entry of `secrets` names.

    Args:
        client: Opens clients of the task's region.
        value_from: An ARN of Secrets Manager, with a key of its JSON perhaps, or a parameter's ARN or name.

    Raises:
        CannotStart: If there is no such thing.
    """
    from botocore.exceptions import ClientError

    try:
        if ":secretsmanager:" in value_from:
            # arn:aws:secretsmanager:region:account:secret:name:json-key:version-stage:version-id
            fields = value_from.split(":")
            text = client("secretsmanager").get_secret_value(SecretId=":".join(fields[:7]))["SecretString"]
            return str(json.loads(text)[fields[7]]) if len(fields) > 7 and fields[7] else text
        name = value_from.split(":parameter", 1)[-1]
        return client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except (ClientError, KeyError, ValueError) as exc:
        raise CannotStart(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            f"failed: unable to retrieve secret from asm: {value_from}: {type(exc).__name__}"
        ) from exc


def open_logs(client: Client, container: Mapping[str, Any], task_id: str) -> ContainerLogs | None:
    """Return the log stream of a container; `None` if its definition asks for none.

    Args:
        client: Opens clients of the task's region.
        container: Its definition.
        task_id: Last part of the task's ARN.

    Raises:
        CannotStart: If the log group does not exist and is not to be created.
    """
    from botocore.exceptions import ClientError

    configuration = container.get("logConfiguration", {})
    if configuration.get("logDriver") != "awslogs":
        return None
    options = configuration["options"]
    group = options["awslogs-group"]
    logs = client("logs")
    if options.get("awslogs-create-group") == "true":
        with contextlib.suppress(ClientError):  # it is there
            logs.create_log_group(logGroupName=group)
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group not in [item["logGroupName"] for item in found]:
        raise CannotStart(
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
            "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
        )
    return ContainerLogs(logs, group, f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}")
