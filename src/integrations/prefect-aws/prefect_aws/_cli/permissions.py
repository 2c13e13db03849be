"""May an identity do what the worker does? IAM's policy simulator says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_integration_kit.findings import Finding, failed, ok, warning

from ..errors import AwsError, aws_errors

if TYPE_CHECKING:
    from .account import Account, Cluster

CHECK = "permissions"
_ASSUMED = re.compile(r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/")


class Need(NamedTuple):
    """Actions that the worker takes on one resource."""

    actions: tuple[str, ...]
    resource: str = "*"


def needs(cluster: Cluster, roles: Sequence[str], queue_arn: str | None) -> list[Need]:
    """List what a worker does at AWS.

    Args:
        cluster: The cluster of its tasks.
        roles: ARNs of the roles that its tasks have.
        queue_arn: The queue of task events, if there is one.
    """
    head, _, name = cluster.arn.rpartition(":cluster/")
    found = [
        Need(("ecs:RunTask",), f"{head}:task-definition/prefect-check:1"),
        Need(("ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"), f"{head}:task/{name}/0123456789abcdef"),
        Need(
            (
                *("ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTasks"),
                *("ec2:DescribeSubnets", "ec2:DescribeVpcs"),
            )
        ),
    ]
    found += [Need(("iam:PassRole",), role) for role in dict.fromkeys(roles)]
    if queue_arn:
        actions = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueUrl", "GetQueueAttributes")
        found.append(Need(tuple(f"sqs:{action}" for action in actions), queue_arn))
    return found


def check_permissions(
    account: Account, identity: str, cluster: Cluster, roles: Sequence[str], queue_arn: str | None
) -> Iterator[Finding]:
    """Simulate what the worker does.

    Args:
        account: Who asks.
        identity: ARN of a user, a role or a session of a role.
        cluster: The cluster.
        roles: ARNs of the roles that tasks have.
        queue_arn: The queue of task events.
    """
    if identity.endswith(":root"):
        yield ok(CHECK, "The account's root user may do everything. Let the worker have a role of its own.")
        return
    iam = account.client("iam")
    source = _principal(iam, identity)
    context = [
        ("ecs:cluster", [cluster.arn]),
        ("ecs:CreateAction", ["RunTask"]),
        ("iam:PassedToService", ["ecs-tasks.amazonaws.com"]),
    ]
    denied: list[str] = []
    for need in needs(cluster, roles, queue_arn):
        try:
            with aws_errors(f"Permissions of {source}"):
                answer = iam.simulate_principal_policy(
                    PolicySourceArn=source,
                    ActionNames=list(need.actions),
                    ResourceArns=[need.resource],
                    ContextEntries=[
                        {"ContextKeyName": name, "ContextKeyValues": values, "ContextKeyType": "string"}
                        for name, values in context
                    ],
                )
        except AwsError as exc:
            yield warning(CHECK, f"Those of {source} could not be checked: {exc}")
            return
        results: list[dict[str, Any]] = answer["EvaluationResults"]
        denied += [
            result["EvalActionName"] if need.resource == "*" else f"{result['EvalActionName']} on {need.resource}"
            for result in results
            if result["EvalDecision"] != "allowed"
        ]
    if denied:
        yield failed(CHECK, f"{source} may not {'; '.join(denied)}. Allow it in IAM.")
    else:
        yield ok(CHECK, f"{source} may do what a worker does.")


def _principal(iam: Any, identity: str) -> str:
    """The role behind a session; the simulator takes no sessions."""
    match = _ASSUMED.match(identity)
    if match is None:
        return identity
    try:
        with aws_errors(f"Role {match['role']!r}"):
            return str(iam.get_role(RoleName=match["role"])["Role"]["Arn"])  # its path is not in the session's ARN
    except AwsError:
        return f"arn:{match['partition']}:iam::{match['account']}:role/{match['role']}"
