"""`prefect-aws ecs-worker check` finds what would keep the first flow run of a work pool from starting."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from typer.testing import CliRunner, Result

from prefect_aws._cli import checks, images
from prefect_aws._cli.account import Account
from prefect_aws._cli.main import app
from prefect_aws._ecs import calls
from prefect_aws.workers.ecs_worker import ECSWorker
from prefect_integration_kit.findings import Level
from prefect_integration_tests.backends.aws_stub import Fault

REGION = "us-east-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ECR_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def reader(aws_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who works in the emulator's account."""
    for name, value in {
        "AWS_ENDPOINT_URL": aws_emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def check(reader: None, prefect_harness: None) -> Callable[..., Result]:
    def invoke(pool: str, *arguments: str) -> Result:
        result = CliRunner().invoke(app, ["ecs-worker", "check", pool, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return invoke


@pytest.fixture
def pool(prefect_harness: None) -> Callable[..., str]:
    """Makes a work pool whose variables have these defaults."""

    def make(defaults: dict[str, Any], *, type: str = "ecs") -> str:  # noqa: A002 - Prefect's word
        template = ECSWorker.get_default_base_job_template()
        for name, value in defaults.items():
            template["variables"]["properties"][name]["default"] = value
        name = unique("pool")
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=name, type=type, base_job_template=template))
        return name

    return make


@pytest.fixture(scope="module")
def account(aws_emulator: Any) -> dict[str, Any]:
    """An account with all that a work pool needs, and some things that it should not use."""
    ecs, ec2, iam = (aws_emulator.client(service) for service in ("ecs", "ec2", "iam"))
    cluster = ecs.create_cluster(clusterName=unique("flows"))["cluster"]["clusterArn"]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ways = {
        "public": {"GatewayId": ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]},
        "private": {"NatGatewayId": "nat-0a1b2c3d"},
    }
    subnets: dict[str, str] = {}
    for number, kind in enumerate((*ways, "closed")):
        subnets[kind] = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[kind])
        if way := ways.get(kind):
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
    roles = {
        kind: iam.create_role(RoleName=unique(kind), AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
        for kind, policy in (("tasks", TRUST), ("others", {**TRUST, "Statement": []}))
    }
    secret = aws_emulator.client("secretsmanager").create_secret(Name=unique("key"), SecretString="k")["ARN"]
    aws_emulator.client("ssm").put_parameter(Name="/orders/key", Value="k", Type="SecureString")
    aws_emulator.client("logs").create_log_group(logGroupName="/orders/flows")
    repository = unique("orders")
    aws_emulator.client("ecr").create_repository(repositoryName=repository)
    aws_emulator.client("ecr").put_image(
        repositoryName=repository, imageManifest=json.dumps({"schemaVersion": 2}), imageTag="1.4"
    )
    queue = unique("orders-events")
    sqs, events = aws_emulator.client("sqs"), aws_emulator.client("events")
    arn = f"arn:aws:sqs:{REGION}:{aws_emulator.account_id}:{queue}"
    sqs.create_queue(QueueName=queue)
    rule = unique("orders")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"clusterArn": [cluster]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern), State="ENABLED")
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    return {
        "cluster": cluster,
        "vpc": vpc,
        "subnets": subnets,
        "roles": roles,
        "secret": secret,
        "image": f"{ECR_HOST}/{repository}",
        "queue": queue,
    }


@pytest.fixture
def good(account: dict[str, Any]) -> dict[str, Any]:
    """Defaults of a work pool that works."""
    return {
        "cluster": account["cluster"],
        "vpc_id": account["vpc"],
        "network_configuration": {"subnets": [account["subnets"]["private"]]},
        "execution_role_arn": account["roles"]["tasks"],
        "task_role_arn": account["roles"]["tasks"],
        "image": f"{account['image']}:1.4",
        "prefect_api_key_secret_arn": account["secret"],
        "configure_cloudwatch_logs": True,
        "cloudwatch_logs_options": {"awslogs-group": "/orders/flows"},
    }


def test_a_pool_that_works_passes_every_check(check: Any, pool: Any, good: dict[str, Any], account: dict[str, Any]):
    name = pool(good)
    result = check(name, "--events-queue-name", account["queue"], "--json")
    assert result.exit_code == 0, result.output
    findings = json.loads(result.output)
    assert {each["level"] for each in findings} == {"ok"}, result.output
    assert {each["check"] for each in findings} == {
        *("identity", "cluster", "task definition", "execution role", "task role", "network"),
        *("image", "logs", "secrets", "events", "permissions"),
    }
    told = check(name, "--events-queue-name", account["queue"])
    assert all(line.startswith("✓ ") for line in told.output.splitlines()), told.output


@pytest.mark.parametrize(
    ("change", "subject", "said"),
    [
        ({"cluster": "no-such"}, "cluster", "Cluster 'no-such' does not exist"),
        ({"cpu": 256, "memory": 4096}, "task definition", "512, 1024 or 2048 MiB"),
        ({"task_definition_arn": "no-such:1"}, "task definition", "'no-such:1' does not exist"),
        ({"task_role_arn": "arn:aws:iam::000000000000:role/none"}, "task role", "role/none does not exist"),
        ({"vpc_id": "vpc-0000dead"}, "network", "vpc-0000dead"),
        ({"image": f"{ECR_HOST}/no-such:1"}, "image", "has no repository 'no-such' in us-east-1"),
        (
            {"cloudwatch_logs_options": {"awslogs-group": "/no", "awslogs-create-group": "false"}},
            "logs",
            "/no does not",
        ),
        ({"secrets": {"TOKEN": "/no/such"}}, "secrets", "TOKEN: /no/such does not exist"),
        (
            {"secrets": {"TOKEN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf:field::"}},
            "secrets",
            "does not exist",
        ),
    ],
)
def test_what_keeps_a_run_from_starting_fails(
    check: Any, pool: Any, good: dict[str, Any], change: dict[str, Any], subject: str, said: str
):
    result = check(pool({**good, **change}), "--json")
    assert result.exit_code == 1
    failures = [each for each in json.loads(result.output) if each["level"] == "failed"]
    assert [each["check"] for each in failures] == [subject], result.output
    assert said in failures[0]["message"]


def test_a_role_that_tasks_cannot_have_fails(check: Any, pool: Any, good: dict[str, Any], account: dict[str, Any]):
    result = check(pool({**good, "execution_role_arn": account["roles"]["others"]}))
    assert result.exit_code == 1
    assert "does not trust ecs-tasks.amazonaws.com" in result.output


def test_a_tag_that_was_not_pushed_fails(check: Any, pool: Any, good: dict[str, Any], account: dict[str, Any]):
    result = check(pool({**good, "image": f"{account['image']}:1.5"}))
    assert result.exit_code == 1
    assert "the repository has no image '1.5'" in result.output


def test_secrets_and_private_images_need_an_execution_role(check: Any, pool: Any, good: dict[str, Any]):
    without = {**good, "execution_role_arn": None, "configure_cloudwatch_logs": None, "cloudwatch_logs_options": {}}
    result = check(pool(without))
    assert result.exit_code == 1
    assert "no execution role that may read them" in result.output
    assert "there is no execution role to pull it" in result.output


@pytest.mark.parametrize(
    ("subnet", "address", "code", "said"),
    [
        ("public", "DISABLED", 1, "Set assignPublicIp to ENABLED"),
        ("public", "ENABLED", 0, ""),
        ("private", "DISABLED", 0, ""),
        ("private", "ENABLED", 0, "the public address is not needed"),
        ("closed", "DISABLED", 0, "has no default route"),
    ],
)
def test_tasks_need_a_way_out(
    check: Any,
    pool: Any,
    good: dict[str, Any],
    account: dict[str, Any],
    subnet: str,
    address: str,
    code: int,
    said: str,
):
    network = {"subnets": [account["subnets"][subnet]], "assignPublicIp": address}
    result = check(pool({**good, "network_configuration": network}))
    assert result.exit_code == code, result.output
    assert said in result.output


def test_security_groups_are_of_the_vpc(check: Any, pool: Any, good: dict[str, Any], account: dict[str, Any]):
    network = {"subnets": [account["subnets"]["private"]], "securityGroups": ["sg-0000dead"]}
    result = check(pool({**good, "network_configuration": network}))
    assert result.exit_code == 1
    assert f"Security groups sg-0000dead are not in {account['vpc']}" in result.output


def test_a_queue_that_no_rule_fills_fails_and_a_missing_one_warns(
    check: Any, pool: Any, good: dict[str, Any], account: dict[str, Any], aws_emulator: Any
):
    other = aws_emulator.client("ecs").create_cluster(clusterName=unique("other"))["cluster"]["clusterArn"]
    name = pool({**good, "cluster": other})
    result = check(name, "--events-queue-name", account["queue"])
    assert result.exit_code == 1
    assert f"Add {other} to the rule's event pattern" in result.output
    missing = check(name, "--events-queue-name", "no-such-queue")
    assert missing.exit_code == 0
    assert "prefect-aws ecs-worker deploy-events" in missing.output


def test_a_parameter_is_found_by_its_arn(check: Any, pool: Any, good: dict[str, Any]):
    arn = f"arn:aws:ssm:{REGION}:000000000000:parameter/orders/key"
    result = check(pool({**good, "secrets": {"TOKEN": arn}}))
    assert f"TOKEN comes from {arn}" in result.output


def test_what_is_no_ecs_pool_is_refused(check: Any, pool: Any):
    assert "There is no work pool 'no-such-pool'. `prefect work-pool create --type ecs" in check("no-such-pool").output
    result = check(pool({}, type="process"))
    assert result.exit_code == 1
    assert "is of type 'process', not 'ecs'" in result.output


def test_a_template_that_contradicts_itself_is_named(check: Any, pool: Any, good: dict[str, Any]):
    result = check(pool({**good, "vpc_id": None}))
    assert result.exit_code == 1
    assert "You must provide a `vpc_id`" in result.output


# Permissions


@pytest.fixture
def iam(aws_stub: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """IAM and STS that say what the test says; the session is one of the role `worker`."""
    stub = aws_stub("iam", "sts")
    for service in ("IAM", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", stub.endpoint_url)
    stub.respond(
        "GetCallerIdentity",
        {"Account": "000000000000", "UserId": "x", "Arn": "arn:aws:sts::000000000000:assumed-role/worker/session"},
    )

    def role(call: Any) -> dict[str, Any]:
        name = call.parameters["RoleName"]
        arn = f"arn:aws:iam::000000000000:role/{'prefect/' if name == 'worker' else ''}{name}"
        when = datetime(2026, 5, 4, tzinfo=timezone.utc)
        known = {"Path": "/", "RoleName": name, "RoleId": "AROA0123456789ABCDEF", "Arn": arn, "CreateDate": when}
        return {"Role": {**known, "AssumeRolePolicyDocument": json.dumps(TRUST)}}

    stub.respond("GetRole", role)
    return stub


def test_what_the_worker_may_not_do_is_named(check: Any, pool: Any, good: dict[str, Any], iam: Any):
    def decide(call: Any) -> dict[str, Any]:
        [resource] = call.parameters["ResourceArns"]
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": "implicitDeny" if action == "iam:PassRole" else "allowed",
                }
                for action in call.parameters["ActionNames"]
            ]
        }

    iam.respond("SimulatePrincipalPolicy", decide)
    result = check(pool(good))
    assert result.exit_code == 1
    assert f"may not iam:PassRole on {good['task_role_arn']}" in result.output
    asked = iam.calls_of("SimulatePrincipalPolicy")
    assert {call.parameters["PolicySourceArn"] for call in asked} == {"arn:aws:iam::000000000000:role/prefect/worker"}
    assert "ecs:RunTask" in [action for call in asked for action in call.parameters["ActionNames"]]


def test_permissions_that_cannot_be_looked_at_are_a_warning(check: Any, pool: Any, good: dict[str, Any], iam: Any):
    iam.fail("SimulatePrincipalPolicy", Fault.ACCESS_DENIED)
    iam.fail("GetRole", Fault.ACCESS_DENIED)
    result = check(pool(good))
    assert result.exit_code == 0, result.output
    assert "Allow SimulatePrincipalPolicy to this identity" in result.output
    assert "Could not be checked" in result.output


def test_refused_credentials_end_the_check(
    check: Any, pool: Any, good: dict[str, Any], iam: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calls, "RETRIES", {"retries": {"total_max_attempts": 1}})
    iam.fail("GetCallerIdentity", Fault.EXPIRED_TOKEN)
    result = check(pool(good), "--json")
    assert result.exit_code == 1
    [finding] = json.loads(result.output)
    assert finding["check"] == "identity"
    assert "aws sso login" in finding["message"]


# Pure


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("python", ("registry-1.docker.io", "library/python", "latest")),
        ("prefecthq/prefect:3", ("registry-1.docker.io", "prefecthq/prefect", "3")),
        ("docker.io/prefecthq/prefect", ("registry-1.docker.io", "prefecthq/prefect", "latest")),
        ("localhost:5000/a/b:c", ("localhost:5000", "a/b", "c")),
        ("ghcr.io/a/b@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
        ("ghcr.io/a/b:1@sha256:00", ("ghcr.io", "a/b", "sha256:00")),
    ],
)
def test_the_name_of_an_image_is_read_as_docker_reads_it(name: str, parts: tuple[str, str, str]):
    assert images.parse_image(name) == parts


@pytest.mark.parametrize(
    ("statement", "trusts"),
    [
        (TRUST["Statement"][0], True),
        ({**TRUST["Statement"][0], "Action": ["sts:TagSession", "sts:AssumeRole"]}, True),
        ({**TRUST["Statement"][0], "Principal": {"Service": ["a", "ecs-tasks.amazonaws.com"]}}, True),
        ({**TRUST["Statement"][0], "Effect": "Deny"}, False),
        ({**TRUST["Statement"][0], "Principal": {"Service": "ecs.amazonaws.com"}}, False),
        ({**TRUST["Statement"][0], "Principal": "*"}, False),
        ({**TRUST["Statement"][0], "Action": "sts:TagSession"}, False),
    ],
)
def test_a_trust_policy_is_understood(statement: dict[str, Any], trusts: bool):
    for policy in ({"Statement": statement}, json.dumps({"Statement": [statement]})):
        assert checks.trusts_tasks(policy) is trusts


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"source": ["aws.ecs"]}, True),
        ({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"clusterArn": ["arn:c"]}}, True),
        ({"source": ["aws.ecs"], "detail": {"clusterArn": [{"prefix": "arn:"}]}}, True),
        ({"source": ["aws.ecs"], "detail": {"clusterArn": ["arn:other"]}}, False),
        ({"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}, False),
        ({"source": ["aws.s3"]}, False),
        ({}, False),
    ],
)
def test_a_rule_covers_a_cluster_or_not(pattern: dict[str, Any], matches: bool):
    assert checks.covers({"EventPattern": json.dumps(pattern)}, "arn:c") is matches


# Other registries


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry that gives `public/flows:1` to whoever has an anonymous token, and keeps `private` to itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/token?service=local&scope=repository%3Apublic%3Apull"
            body = b'{"token": "anybody"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            if "private" in self.path:
                self.send_response(403)
            elif self.headers.get("Authorization") != "Bearer anybody":
                self.send_response(401)
                realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
                scope = 'service="local",scope="repository:public:pull"'
                self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",{scope}')
            else:
                self.send_response(200 if self.path == "/v2/public/flows/manifests/1" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("image", "level", "said"),
    [
        ("public/flows:1", Level.ok, "is in 127.0.0.1"),
        ("public/flows:2", Level.failed, "does not exist in 127.0.0.1"),
        ("private/flows:1", Level.warning, "asks for credentials"),
    ],
)
def test_a_registry_is_asked_when_that_is_wanted(reader: None, registry: str, image: str, level: Level, said: str):
    name = f"{registry}/{image}"
    [finding] = images.check_image(Account(None, None), name, ask_registries=True)
    assert finding.level is level
    assert said in finding.message
    [unasked] = images.check_image(Account(None, None), name, ask_registries=False)
    assert unasked.level is Level.ok


def test_a_tag_that_moves_and_a_registry_that_is_silent_are_warnings(reader: None):
    found = list(images.check_image(Account(None, None), "127.0.0.1:9/flows", ask_registries=True))
    assert [finding.level for finding in found] == [Level.warning, Level.warning]
    assert "could not be asked" in found[0].message
    assert "Name a version" in found[1].message
