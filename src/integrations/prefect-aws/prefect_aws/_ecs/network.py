"""The network that a task in `awsvpc` mode joins: what is given, or what the VPC has.

Looked up once for each worker and VPC, and kept for some minutes: a burst of runs asks for the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from prefect_integration_kit.kept import SharedValues

from ..errors import AwsInvalidRequest, aws_errors

_KEPT_SECONDS = 300.0
_networks: SharedValues[tuple[str, list[str]]] = SharedValues(64)


def network_configuration(
    ec2: Any, *, identity: object, vpc_id: str | None, given: Mapping[str, Any], now: float | None = None
) -> dict[str, Any]:
    """Say which subnets and security groups a task joins. Blocks.

    Args:
        ec2: A client of EC2.
        identity: Tells workers, accounts and regions apart; equal ones share what was looked up.
        vpc_id: The VPC; the default one when not given.
        given: `awsvpcConfiguration` as the user wrote it, with or without that name around it.
        now: Seconds on the monotonic clock.

    Returns:
        The `networkConfiguration` of `RunTask`. Without `given`, all subnets of the VPC, with public addresses: a
        task without one cannot pull its image unless the VPC has another way out.

    Raises:
        AwsInvalidRequest: If there is no default VPC, no such VPC, it has no subnets, or a given subnet is not in it.
            It is a `ValueError`.
        AwsError: If EC2 refuses to tell.
    """
    inner: Mapping[str, Any] = given.get("awsvpcConfiguration") or given
    moment = time.monotonic() if now is None else now
    if not vpc_id and inner.get("subnets"):
        return {"awsvpcConfiguration": dict(inner)}
    vpc, subnets = _networks.get((identity, vpc_id, moment // _KEPT_SECONDS), lambda: _look_up(ec2, vpc_id))
    if not inner:
        return {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED", "securityGroups": []}}
    wanted = inner.get("subnets") or subnets
    if strangers := [subnet for subnet in wanted if subnet not in subnets]:
        raise AwsInvalidRequest(
            f"network_configuration: the subnets {', '.join(strangers)} are not in the VPC {vpc}, which has "
            f"{', '.join(subnets)}. Correct `subnets` or `vpc_id`.",
            subject=f"VPC {vpc}",
        )
    return {"awsvpcConfiguration": {**inner, "subnets": list(wanted)}}


def _look_up(ec2: Any, vpc_id: str | None) -> tuple[str, list[str]]:
    subject = f"VPC {vpc_id}" if vpc_id else "The default VPC"
    with aws_errors(subject):
        if not vpc_id:
            vpcs = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
            if not vpcs:
                raise AwsInvalidRequest(
                    "Failed to find the default VPC, so the task's network is not known. Set `vpc_id`, or "
                    "`networkConfiguration` in the task run request.",
                    subject=subject,
                )
            vpc_id = str(vpcs[0]["VpcId"])
        pages = ec2.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
        subnets = [str(subnet["SubnetId"]) for page in pages for subnet in page["Subnets"]]
    if not subnets:
        raise AwsInvalidRequest(
            f"Failed to find subnets for VPC with ID {vpc_id}, so the task's network is not known. "
            "Correct `vpc_id`, or create a subnet.",
            subject=subject,
        )
    return vpc_id, subnets
