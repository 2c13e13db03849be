"""The checks of a work pool, one function for each subject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from prefect_integration_kit.findings import Finding, failed, ok, warning

from .._ecs.network import network_configuration
from ..errors import AwsError, AwsNotFound, aws_errors
from .account import Account, Cluster

TASK_SERVICE = "ecs-tasks.amazonaws.com"


def check_role(account: Account, label: str, arn: str) -> Iterator[Finding]:
    """Look a role up, and whether tasks may have it.

    Args:
        account: Where.
        label: Which role of the task it is.
        arn: Its ARN, or its name.
    """
    name = arn.rpartition("/")[2]
    try:
        with aws_errors(f"Role {arn}"):
            role: dict[str, Any] = account.client("iam").get_role(RoleName=name)["Role"]
    except AwsNotFound:
        yield failed(label, f"{arn} does not exist. Create the role or correct it in the work pool.")
        return
    if arn.startswith("arn:") and role["Arn"] != arn:
        yield failed(label, f"{arn} does not exist; there is {role['Arn']}.")
    elif not trusts_tasks(role["AssumeRolePolicyDocument"]):
        yield failed(label, f"{arn} does not trust {TASK_SERVICE}: allow it sts:AssumeRole in the role's trust policy.")
    else:
        yield ok(label, f"{role['Arn']} exists and may be had by tasks.")


def trusts_tasks(policy: Mapping[str, Any] | str) -> bool:
    """Say whether a trust policy lets ECS tasks have the role. Conditions are not looked at."""
    document: Mapping[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    for statement in _listed(document.get("Statement")):
        principal = statement.get("Principal")
        services = (
            _listed(cast("Mapping[str, Any]", principal).get("Service")) if isinstance(principal, Mapping) else []
        )
        actions = _listed(statement.get("Action"))
        if (
            statement.get("Effect") == "Allow"
            and TASK_SERVICE in services
            and any(action in ("sts:AssumeRole", "sts:*", "*") for action in actions)
        ):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]


def check_network(account: Account, vpc_id: str | None, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Find the subnets of tasks as the worker does, and whether they have a way out.

    Args:
        account: Where.
        vpc_id: The VPC; the default one when not given.
        given: The network configuration of the work pool.
    """
    ec2 = account.client("ec2")
    network = network_configuration(ec2, identity=object(), vpc_id=vpc_id, given=given)["awsvpcConfiguration"]
    subnets: list[str] = network["subnets"]
    has_address = network.get("assignPublicIp", "DISABLED") == "ENABLED"
    with aws_errors(f"Subnet {subnets[0]}"):
        found = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": subnets}])["Subnets"]
    vpcs = {str(subnet["SubnetId"]): str(subnet["VpcId"]) for subnet in found}
    if missing := [subnet for subnet in subnets if subnet not in vpcs]:
        yield failed("network", f"Subnets {', '.join(missing)} do not exist in {account.region}.")
        return
    yield ok("network", f"Tasks join {', '.join(subnets)} of {vpcs[subnets[0]]}.")
    ways = account.ways_out(vpcs[subnets[0]], subnets)
    for subnet, way in ways.items():
        if way is None:
            yield warning(
                "network",
                f"{subnet} has no default route. Tasks reach nothing but what has a VPC endpoint: the image registry, "
                "CloudWatch, Secrets Manager and the Prefect API must be among that.",
            )
        elif way.startswith("igw-") and not has_address:
            yield failed(
                "network",
                f"{subnet} leads to the internet gateway {way}, and tasks have no public address, so they cannot pull "
                "their image. Set assignPublicIp to ENABLED, or use a subnet with a NAT gateway.",
            )
        elif way.startswith("nat-") and has_address:
            yield ok("network", f"{subnet} leads out by {way}; the public address is not needed.")
    if groups := cast("list[str]", network.get("securityGroups") or []):
        with aws_errors("Security groups"):
            known = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": groups}])["SecurityGroups"]
        there = {str(group["GroupId"]) for group in known if group.get("VpcId") == vpcs[subnets[0]]}
        if wrong := [group for group in groups if group not in there]:
            yield failed("network", f"Security groups {', '.join(wrong)} are not in {vpcs[subnets[0]]}.")


def check_logs(account: Account, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Look up the log groups that containers write to."""
    for container in _listed(definition.get("containerDefinitions")):
        configuration: Mapping[str, Any] = container.get("logConfiguration") or {}
        options: Mapping[str, str] = configuration.get("options") or {}
        group = options.get("awslogs-group")
        if configuration.get("logDriver") != "awslogs" or not group:
            continue
        with aws_errors(f"Log group {group!r}"):
            pages = account.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
            exists = any(each["logGroupName"] == group for page in pages for each in page["logGroups"])
        if exists:
            yield ok("logs", f"Container {container['name']} writes to the log group {group}.")
        elif options.get("awslogs-create-group") == "true":
            yield warning(
                "logs", f"The log group {group} does not exist; the execution role must be allowed logs:CreateLogGroup."
            )
        else:
            yield failed("logs", f"The log group {group} does not exist. Create it, or no task starts.")


def check_secrets(account: Account, definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Look up the secrets that ECS puts into containers, without reading them."""
    wanted = {
        str(secret["valueFrom"]): str(secret["name"])
        for container in _listed(definition.get("containerDefinitions"))
        for secret in _listed(container.get("secrets"))
    }
    if wanted and not definition.get("executionRoleArn"):
        yield failed("secrets", "Secrets are named, and no execution role that may read them. Set execution_role_arn.")
    for source, variable in wanted.items():
        if not _exists(account, source):
            yield failed("secrets", f"{variable}: {source} does not exist. Create it, or no task starts.")
        else:
            yield ok("secrets", f"{variable} comes from {source}.")


def _exists(account: Account, source: str) -> bool:
    parts = source.split(":")
    try:
        with aws_errors(f"Secret {source}"):
            if len(parts) > 2 and parts[2] == "secretsmanager":
                secret = account.client("secretsmanager").describe_secret(SecretId=":".join(parts[:7]))
                return not secret.get("DeletedDate")
            name = source.partition(":parameter")[2] if source.startswith("arn:") else source
            # A parameter's ARN does not tell `a` from `/a`.
            names = list(dict.fromkeys((name, name.removeprefix("/"))))
            filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
            return bool(account.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"])
    except AwsNotFound:
        return False


def check_queue(account: Account, cluster: Cluster, queue_name: str) -> Iterator[Finding]:
    """Look up the queue of task events, and the rule that fills it.

    Args:
        account: Where.
        cluster: The cluster whose tasks it must tell of.
        queue_name: Its name.
    """
    arn = queue_arn(account, queue_name)
    if arn is None:
        yield warning(
            "events",
            f"There is no queue {queue_name!r} in {account.region}, so the worker looks at tasks every few seconds "
            "instead. `prefect-aws ecs-worker deploy-events` makes one; set "
            "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME to its name, here and on the worker.",
        )
        return
    events = account.client("events")
    with aws_errors(f"Rules of queue {queue_name!r}"):
        names: list[str] = events.list_rule_names_by_target(TargetArn=arn).get("RuleNames", [])
        rules: list[dict[str, Any]] = [events.describe_rule(Name=name) for name in names]
    fitting = [rule["Name"] for rule in rules if rule.get("State") != "DISABLED" and covers(rule, cluster.arn)]
    if fitting:
        yield ok("events", f"Rule {fitting[0]} sends the events of cluster {cluster.name} to queue {queue_name}.")
    else:
        there = f"only {', '.join(names)}" if names else "none at all"
        yield failed(
            "events",
            f"No rule that is enabled sends the task events of cluster {cluster.name} to queue {queue_name}; there is "
            f"{there}. Add {cluster.arn} to the rule's event pattern, or run `prefect-aws ecs-worker deploy-events`.",
        )


def queue_arn(account: Account, queue_name: str) -> str | None:
    """Look a queue up; `None` when there is none."""
    sqs = account.client("sqs")
    try:
        with aws_errors(f"Queue {queue_name!r}"):
            url = sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    except AwsError as exc:
        if "NonExistentQueue" in exc.code or "QueueDoesNotExist" in exc.code:
            return None
        raise
    return str(attributes["QueueArn"])


def covers(rule: Mapping[str, Any], cluster_arn: str) -> bool:
    """Say whether a rule's pattern matches the state changes of a cluster's tasks.

    Plain values are compared; what is written otherwise, such as a prefix, counts as matching.
    """
    pattern: dict[str, Any] = json.loads(rule.get("EventPattern") or "{}")
    detail: dict[str, Any] = pattern.get("detail") or {}
    wanted = (
        (pattern.get("source"), "aws.ecs"),
        (pattern.get("detail-type"), "ECS Task State Change"),
        (detail.get("clusterArn"), cluster_arn),
    )
    return bool(pattern) and all(_may_match(values, value) for values, value in wanted)


def _may_match(values: Sequence[Any] | None, value: str) -> bool:
    return values is None or value in values or any(not isinstance(each, str) for each in values)
