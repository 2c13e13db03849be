"""The AWS account that a command works in, and what it looks up there before it changes anything."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import typer

from .._ecs.calls import open_client
from ..credentials import AwsCredentials
from ..errors import AwsAccessDenied, AwsError, AwsNotFound, aws_errors
from .failures import CommandFailed


class Cluster(NamedTuple):
    """An ECS cluster."""

    name: str
    arn: str


class Account:
    """Clients of one region, as the profile and boto3's other sources say."""

    def __init__(self, region: str | None, profile: str | None, base: AwsCredentials | None = None) -> None:
        """Find the region and the credentials.

        Args:
            region: Region; that of the credentials, or of boto3's own sources, when not given.
            profile: Profile of AWS's configuration files.
            base: Credentials to use where no profile is given.

        Raises:
            CommandFailed: If no region is known.
            AwsCredentialsMissing: If there are no credentials, or no such profile.
        """
        if profile or base is None:
            base = AwsCredentials(profile_name=profile or None)
        self._credentials = base.model_copy(update={"region_name": region}) if region else base
        with aws_errors("AWS credentials"):
            session: Any = self._credentials.get_boto3_session()
            found: str | None = region or session.region_name
            credentials: object = session.get_credentials()
        if not found:
            raise CommandFailed(
                "No region is set. Give --region, set AWS_DEFAULT_REGION, or set region in the profile."
            )
        if credentials is None:
            raise CommandFailed(
                "No credentials were found. Give --profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign "
                "in by `aws sso login` or `aws configure`."
            )
        self.region: str = found

    def client(self, service: str, *, region: str | None = None) -> Any:
        """The client of a service; it tries throttled requests again, and slows down by itself.

        Args:
            service: Name of the service.
            region: Another region than the account's.
        """
        credentials = self._credentials
        if region and region != self.region:
            credentials = credentials.model_copy(update={"region_name": region})
        return open_client(credentials, service)

    def cluster(self, identifier: str) -> Cluster:
        """Look a cluster up, by name or ARN.

        Raises:
            CommandFailed: If it does not exist, or is not active.
        """
        ecs = self.client("ecs")
        with aws_errors(f"Cluster {identifier!r}"):
            answer = ecs.describe_clusters(clusters=[identifier])
        found: list[dict[str, Any]] = answer.get("clusters") or []
        if not found or found[0].get("status") == "INACTIVE":
            raise CommandFailed(f"Cluster {identifier!r} does not exist in {self.region}.{self._known_clusters(ecs)}")
        cluster = found[0]
        if cluster.get("status") != "ACTIVE":
            raise CommandFailed(f"Cluster {identifier!r} is {cluster.get('status')}; it must be ACTIVE.")
        return Cluster(str(cluster["clusterName"]), str(cluster["clusterArn"]))

    def _known_clusters(self, ecs: Any) -> str:
        try:
            with aws_errors("Clusters"):
                arns: list[str] = ecs.list_clusters(maxResults=20)["clusterArns"]
        except AwsError:
            return ""
        names = sorted(arn.rpartition("/")[2] for arn in arns)
        return f" There are: {', '.join(names)}." if names else " There is none: `aws ecs create-cluster` makes one."

    def check_network(self, vpc_id: str, subnet_ids: Sequence[str]) -> None:
        """Look up a VPC and its subnets.

        Raises:
            CommandFailed: If one does not exist, or a subnet is of another VPC.
        """
        ec2 = self.client("ec2")
        with aws_errors(f"VPC {vpc_id!r}"):
            # A filter, since an ID that does not exist is an error: so one answer tells of all that are missing.
            vpcs: list[Any] = ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Vpcs"]
        if not vpcs:
            raise CommandFailed(f"--existing-vpc-id: VPC {vpc_id} does not exist in {self.region}.")
        with aws_errors(f"Subnets of {vpc_id!r}"):
            pages = ec2.get_paginator("describe_subnets").paginate(
                Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}]
            )
            vpc_of = {str(subnet["SubnetId"]): str(subnet["VpcId"]) for page in pages for subnet in page["Subnets"]}
        missing = [subnet for subnet in subnet_ids if subnet not in vpc_of]
        if missing:
            raise CommandFailed(f"--existing-subnet-ids: {_listed(missing)} not exist in {self.region}.")
        foreign = [f"{subnet} (of {vpc_of[subnet]})" for subnet in subnet_ids if vpc_of[subnet] != vpc_id]
        if foreign:
            raise CommandFailed(f"--existing-subnet-ids: {_listed(foreign)} not belong to {vpc_id}.")

    def needs_public_ip(self, vpc_id: str, subnet_ids: Sequence[str]) -> bool:
        """Say whether tasks in these subnets reach the internet by a public address of their own.

        They do where the way out is an internet gateway, and need none where it is anything else, such as a NAT
        gateway. Where the routes may not be read, the answer is yes: it does no harm in a private subnet.
        """
        try:
            routes = self.ways_out(vpc_id, subnet_ids)
        except AwsAccessDenied as exc:
            typer.echo(f"Warning: {exc} The worker gets a public address.", err=True)
            return True
        return any(target is None or target.startswith("igw-") for target in routes.values())

    def ways_out(self, vpc_id: str, subnet_ids: Sequence[str]) -> dict[str, str | None]:
        """Find where the default route of each subnet leads.

        Returns:
            By subnet the ID of a gateway, such as `igw-…` or `nat-…`; `None` where there is no default route.
        """
        with aws_errors(f"Route tables of {vpc_id!r}"):
            pages = (
                self.client("ec2")
                .get_paginator("describe_route_tables")
                .paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
            )
            tables: list[Mapping[str, Any]] = [table for page in pages for table in page["RouteTables"]]
        main: str | None = None
        own: dict[str, str | None] = {}
        for table in tables:
            way = _default_route(table)
            for association in table.get("Associations") or ():
                if association.get("Main"):
                    main = way
                if subnet := association.get("SubnetId"):
                    own[str(subnet)] = way
        return {subnet: own.get(subnet, main) for subnet in subnet_ids}

    def check_secret(self, option: str, arn: str) -> None:
        """Look a secret up, without reading it.

        Raises:
            CommandFailed: If it does not exist, or is to be deleted.
        """
        try:
            with aws_errors(f"{option} {arn}"):
                secret = self.client("secretsmanager").describe_secret(SecretId=arn)
        except AwsNotFound as exc:
            raise CommandFailed(f"{option}: secret {arn} does not exist.") from exc
        except AwsAccessDenied as exc:
            typer.echo(f"Warning: whether the secret exists was not checked: {exc}", err=True)
            return
        if secret.get("DeletedDate"):
            raise CommandFailed(f"{option}: secret {arn} is marked for deletion. Restore it or name another.")

    def check_log_group(self, name: str) -> None:
        """Look a log group up.

        Raises:
            CommandFailed: If it does not exist.
        """
        logs = self.client("logs")
        with aws_errors(f"Log group {name!r}"):
            pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
            found = any(group["logGroupName"] == name for page in pages for group in page["logGroups"])
        if not found:
            raise CommandFailed(
                f"--existing-log-group-name: log group {name!r} does not exist in {self.region}. "
                "Create it, or leave the option out to have one made."
            )

    def running_workers(self, cluster: str, service: str) -> Mapping[str, Any] | None:
        """Look at the service of a worker; `None` when it cannot be seen."""
        with contextlib.suppress(AwsError), aws_errors(f"Service {service!r}"):
            services = self.client("ecs").describe_services(cluster=cluster, services=[service])["services"]
            return services[0] if services else None
        return None


def _default_route(table: Mapping[str, Any]) -> str | None:
    for route in table.get("Routes") or ():
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State", "active") == "active":
            keys = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")
            return next((str(route[key]) for key in keys if route.get(key)), "other")
    return None


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'does' if len(names) == 1 else 'do'}"
