"""The `prefect-aws` command, on an emulator whose CloudFormation makes what the templates say."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from prefect_aws._cli import deployment, progress
from prefect_aws._cli.main import app
from prefect_aws._cli.templates import TemplateType, load_template

REGION = "us-east-1"
CLOUD = "https://api.prefect.cloud/api/accounts/a/workspaces/b"
Run = Callable[..., Result]


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def run(aws_emulator: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in the emulator's account; waiting takes no time."""
    for name, value in {
        "AWS_ENDPOINT_URL": aws_emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(progress, "_clock", fake_clock)

    def invoke(*arguments: str, input: str | None = None) -> Result:  # noqa: A002 - the runner's word
        result = CliRunner().invoke(app, ["ecs-worker", *arguments], input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return invoke


@pytest.fixture
def emulated_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator reckons with DesiredCount, and cannot when it is a parameter, which is text."""

    def load(kind: TemplateType) -> dict[str, Any]:
        template = load_template(kind)
        if service := template["Resources"].get("WorkerService"):
            service["Properties"]["DesiredCount"] = 0
        return template

    monkeypatch.setattr(deployment, "load_template", load)


@pytest.fixture(scope="module")
def cluster(aws_emulator: Any) -> str:
    """Name of a cluster."""
    return aws_emulator.client("ecs").create_cluster(clusterName=unique("flows"))["cluster"]["clusterName"]


@pytest.fixture(scope="module")
def network(aws_emulator: Any) -> dict[str, Any]:
    """A VPC with two subnets, and a subnet of another VPC."""
    ec2 = aws_emulator.client("ec2")
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in (1, 2)]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block)["Subnet"]["SubnetId"]
        for vpc, block in ((vpcs[0], "10.1.0.0/24"), (vpcs[0], "10.1.1.0/24"), (vpcs[1], "10.2.0.0/24"))
    ]
    return {"vpc": vpcs[0], "subnets": subnets[:2], "foreign": subnets[2]}


@pytest.fixture
def service(cluster: str, network: dict[str, Any]) -> Callable[..., list[str]]:
    """Arguments that deploy a service; keywords replace options, `None` leaves one out."""

    def arguments(stack: str, **options: str | int | None) -> list[str]:
        # The emulator knows no Application Auto Scaling; without a range, the template needs none.
        given: dict[str, str | int | None] = {
            "work_pool_name": f"pool-{stack}",
            "stack_name": stack,
            "existing_cluster_identifier": cluster,
            "existing_vpc_id": network["vpc"],
            "existing_subnet_ids": ",".join(network["subnets"]),
            "prefect_api_url": CLOUD,
            "prefect_api_key": "pnu_0123456789",
            "max_capacity": 1,
            **options,
        }
        chosen = [(name, value) for name, value in given.items() if value is not None]
        return ["deploy-service", *(f"--{name.replace('_', '-')}={value}" for name, value in chosen)]

    return arguments


@pytest.fixture
def events(aws_emulator: Any, cluster: str) -> Callable[[str], list[str]]:
    """Arguments that deploy a queue of events."""
    arn = f"arn:aws:ecs:{REGION}:{aws_emulator.account_id}:cluster/{cluster}"

    def arguments(stack: str) -> list[str]:
        return [
            *("deploy-events", "--work-pool-name", f"pool-{stack}", "--stack-name", stack),
            *("--existing-cluster-arn", arn),
        ]

    return arguments


def test_the_installed_command_prints_the_version():
    command = Path(sys.executable).with_name("prefect-aws")
    answer = subprocess.run([command, "version"], capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stdout.strip()) == (0, version("prefect-aws")), answer.stderr


def test_help_needs_neither_aws_nor_its_sdk():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom prefect_aws._cli.main import app\n"
        "result = CliRunner().invoke(app, ['ecs-worker', 'deploy-service', '--help'])\n"
        "assert result.exit_code == 0 and '--existing-cluster-identifier' in result.output, result.output\n"
        "print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


# deploy-service


def test_a_service_is_deployed_with_all_that_it_needs(
    run: Run, service: Any, aws_emulator: Any, cluster: str, emulated_numbers: None
):
    stack = unique("worker")
    result = run(*service(stack))
    assert result.exit_code == 0, result.output
    assert f"Stack {stack} is CREATE_COMPLETE." in result.output

    [found] = aws_emulator.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
    assert outputs["EventsQueueName"] == f"pool-{stack}-events"
    ecs = aws_emulator.client("ecs")
    [worker] = ecs.describe_services(cluster=cluster, services=[outputs["ServiceName"]])["services"]
    definition = ecs.describe_task_definition(taskDefinition=worker["taskDefinition"])["taskDefinition"]
    [container] = definition["containerDefinitions"]
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["WORK_POOL_NAME"] == f"pool-{stack}"
    assert environment["PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME"] == f"pool-{stack}-events"
    assert len(container["secrets"]) == 1
    known = aws_emulator.client("secretsmanager").list_secrets()["SecretList"]
    [arn] = [each["ARN"] for each in known if stack in each.get("Description", "")]
    value = aws_emulator.client("secretsmanager").get_secret_value(SecretId=arn)
    assert value["SecretString"] == "pnu_0123456789"

    rules = aws_emulator.client("events").list_rules()["Rules"]
    [pattern] = [json.loads(each["EventPattern"]) for each in rules if each["Name"].startswith(stack)]
    assert pattern["detail"]["clusterArn"] == [outputs["ClusterArn"]]


def test_an_event_of_a_task_reaches_the_queue_of_a_deployed_stack(run: Run, events: Any, aws_emulator: Any):
    stack = unique("events")
    assert run(*events(stack)).exit_code == 0
    arn = events(stack)[-1]
    detail = {"clusterArn": arn, "lastStatus": "STOPPED"}
    entry = {"Source": "aws.ecs", "DetailType": "ECS Task State Change"}
    aws_emulator.client("events").put_events(
        Entries=[
            {**entry, "Detail": json.dumps(detail)},
            {**entry, "Detail": json.dumps({**detail, "clusterArn": f"{arn}-other"})},
        ]
    )
    sqs = aws_emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=f"pool-{stack}-events")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
    assert [json.loads(message["Body"])["detail"] for message in found] == [detail]


def test_a_key_is_never_shown(
    run: Run,
    service: Any,
    aws_emulator: Any,
    emulated_numbers: None,
    canary: str,
    no_canary_leaks: Any,
):
    stack = unique("worker")
    for more in (("--dry-run",), ()):
        result = run(*service(stack, prefect_api_key=canary), *more)
        assert result.exit_code == 0, result.output
        no_canary_leaks.add("output", result.output)
    answer = aws_emulator.client("cloudformation").describe_stacks(StackName=stack)
    no_canary_leaks.add("describe-stacks", json.dumps(answer, default=str))
    for command in (("status", stack), ("list", "--format", "json")):
        no_canary_leaks.add(command[0], run(*command).output)


def test_a_key_that_aws_repeats_is_masked(
    run: Run, service: Any, aws_stub: Any, monkeypatch: pytest.MonkeyPatch, canary: str, no_canary_leaks: Any
):
    stub = aws_stub("cloudformation")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", stub.endpoint_url)
    stub.fail("DescribeStacks", "ValidationError", "Stack with id worker does not exist")
    stub.fail("CreateStack", "ValidationError", f"Parameter PrefectApiKey has the value {canary}, which is bad")
    result = run(*service("worker", prefect_api_key=canary))
    no_canary_leaks.add("output", result.output)
    assert result.exit_code == 1
    assert "Parameter PrefectApiKey has the value" in result.output


@pytest.mark.parametrize("option", ["prefect_api_key", "prefect_auth_string"])
def test_a_key_is_read_from_stdin(run: Run, service: Any, option: str):
    options = {"prefect_api_key": None, "prefect_api_url": "https://prefect.example.org/api", option: "-"}
    result = run(*service(unique("worker"), **options), "--dry-run", input="from-stdin\n")
    assert result.exit_code == 0, result.output
    shown = {"prefect_api_key": "PrefectApiKey ", "prefect_auth_string": "PrefectAuthString "}[option]
    assert [line.split()[1:] for line in result.output.splitlines() if shown in line] == [["****"]]
    assert "No Prefect" in run(*service(unique("worker"), **options), "--dry-run", input="\n").output


def test_what_is_missing_is_asked_for(run: Run, service: Any):
    stack = unique("worker")
    result = run(*service(stack, stack_name=None), "--dry-run", input=f"{stack}\n")
    assert result.exit_code == 0, result.output
    assert "Stack name:" in result.output


def test_a_dry_run_changes_nothing(run: Run, service: Any, aws_emulator: Any):
    stack = unique("worker")
    result = run(*service(stack, max_capacity=4), "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"Stack {stack} in {REGION} would be created" in result.output
    assert "WorkerScalableTarget AWS::ApplicationAutoScaling::ScalableTarget (if Scales)" in result.output
    pages = aws_emulator.client("cloudformation").get_paginator("describe_stacks").paginate()
    assert stack not in [each["StackName"] for page in pages for each in page["Stacks"]]


def test_deploying_again_updates_and_keeps_what_no_option_says(
    run: Run, service: Any, aws_emulator: Any, emulated_numbers: None
):
    stack = unique("worker")
    cloudformation = aws_emulator.client("cloudformation")
    assert run(*service(stack)).exit_code == 0

    def parameters() -> dict[str, str]:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}

    topic = "arn:aws:sns:us-east-1:000000000000:alarms"
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "UsePreviousValue": True} for name in parameters() if name != "AlarmTopicArn"
        ]
        + [{"ParameterKey": "AlarmTopicArn", "ParameterValue": topic}],
        Tags=cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Tags"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 100}
    )

    preview = run(*service(stack, prefect_api_key=None), "--dry-run").output
    assert "would be updated" in preview
    assert "(unchanged)" in preview
    result = run(*service(stack, prefect_api_key=None, work_queues="high"))
    assert result.exit_code == 0, result.output
    assert f"Stack {stack} is UPDATE_COMPLETE." in result.output
    now = parameters()
    assert (now["WorkQueues"], now["PrefectApiKey"], now["AlarmTopicArn"]) == ("high", "****", topic)


def test_what_fails_is_named_and_everything_else_removed(
    run: Run, service: Any, aws_emulator: Any, emulated_numbers: None
):
    stack = unique("worker")
    result = run(*service(stack, max_capacity=2))  # this the emulator cannot make
    assert result.exit_code == 1
    assert "WorkerScalableTarget (AWS::ApplicationAutoScaling::ScalableTarget) was the first to fail" in result.output
    assert "ROLLBACK_COMPLETE" in result.output
    assert not aws_emulator.client("sqs").list_queues(QueueNamePrefix=f"pool-{stack}").get("QueueUrls")
    roles = aws_emulator.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if role["RoleName"].startswith(stack)]
    secrets = aws_emulator.client("secretsmanager").list_secrets()["SecretList"]
    assert not [secret for secret in secrets if stack in secret.get("Description", "")]

    status = run("status", stack)
    assert status.exit_code == 1
    assert "Unsupported resource type" in status.output

    again = run(*service(stack))
    assert again.exit_code == 0, again.output
    assert "it is deleted, to be created anew" in again.output
    assert f"Stack {stack} is CREATE_COMPLETE." in again.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"existing_cluster_identifier": "no-such"}, "Cluster 'no-such' does not exist in us-east-1. There are: "),
        ({"existing_vpc_id": "vpc-0000dead"}, "VPC vpc-0000dead does not exist in us-east-1"),
        ({"existing_subnet_ids": "subnet-0000dead"}, "subnet-0000dead does not exist in us-east-1"),
        ({"existing_log_group_name": "/no/such"}, "log group '/no/such' does not exist"),
        (
            {
                "prefect_api_key": None,
                "prefect_api_key_secret_arn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
            },
            "secret:none-AbCdEf does not exist",
        ),
        ({"prefect_api_key": None}, "Prefect Cloud asks for an API key"),
        ({"task_memory": 1000}, "--task-cpu 1024 and --task-memory 1000 do not go together"),
        ({"log_retention_days": 31}, "--log-retention-days is 31"),
        ({"desired_count": 5}, "--desired-count 5"),
    ],
)
def test_what_does_not_exist_or_fit_is_found_before_anything_is_made(
    run: Run, service: Any, options: dict[str, Any], said: str
):
    result = run(*service(unique("worker"), **options))
    assert result.exit_code == 1
    assert said in result.output
    assert "Creating" not in result.output


def test_a_subnet_of_another_vpc_is_refused(run: Run, service: Any, network: dict[str, Any]):
    subnets = ",".join([network["subnets"][0], network["foreign"]])
    result = run(*service(unique("worker"), existing_subnet_ids=subnets))
    assert result.exit_code == 1
    assert network["foreign"] in result.output
    assert f"does not belong to {network['vpc']}" in result.output


def test_a_worker_behind_a_nat_gateway_gets_no_public_address(run: Run, service: Any, aws_emulator: Any):
    ec2 = aws_emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    chosen: dict[str, str] = {}
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    for number, target in enumerate(({"GatewayId": gateway}, {"NatGatewayId": "nat-0a1b2c3d"})):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        chosen[next(iter(target))] = subnet
    said = {
        kind: run(*service(unique("worker"), existing_vpc_id=vpc, existing_subnet_ids=subnet), "--dry-run").output
        for kind, subnet in chosen.items()
    }
    assert "AssignPublicIp              ENABLED" in said["GatewayId"]
    assert "AssignPublicIp              DISABLED" in said["NatGatewayId"]


# list, status, delete


def test_a_stack_is_listed_shown_and_deleted(run: Run, events: Any, aws_emulator: Any):
    stack = unique("events")
    assert run(*events(stack)).exit_code == 0
    rows = json.loads(run("list", "--format", "json").output)
    [row] = [row for row in rows if row["name"] == stack]
    assert (row["type"], row["work_pool"], row["status"]) == ("events-only", f"pool-{stack}", "CREATE_COMPLETE")
    assert yaml.safe_load(run("list", "--format", "yaml").output) == rows
    assert f"{stack}  events-only" in run("list").output

    shown = run("status", stack)
    assert shown.exit_code == 0
    assert f"pool-{stack}-events" in shown.output

    assert run("delete", stack, input="n\n").exit_code == 1
    assert run("status", stack).exit_code == 0
    deleted = run("delete", stack, input="y\n")
    assert (deleted.exit_code, deleted.output.splitlines()[-1]) == (0, f"Stack {stack} is deleted.")
    gone = run("status", stack)
    assert gone.exit_code == 1
    assert f"There is no stack '{stack}' in {REGION}" in gone.output


def test_a_stack_of_somebody_else_is_left_alone_unless_forced(run: Run, events: Any, aws_emulator: Any):
    stack = unique("theirs")
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": stack}}}})
    cloudformation = aws_emulator.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 100}
    )
    assert stack not in run("list").output
    for command in (events(stack), ("delete", stack)):
        result = run(*command, input="y\n")
        assert result.exit_code == 1
        assert "was not made by `prefect-aws ecs-worker`" in result.output
    assert run("delete", stack, "--force").exit_code == 0
    assert not aws_emulator.client("sqs").list_queues(QueueNamePrefix=stack).get("QueueUrls")


def test_a_stack_is_not_turned_into_another_kind(run: Run, events: Any, service: Any):
    stack = unique("events")
    assert run(*events(stack)).exit_code == 0
    result = run(*service(stack))
    assert result.exit_code == 1
    assert "made from the template 'events-only', not 'service'" in result.output


def test_nobody_waits_who_does_not_want_to(run: Run, events: Any):
    stack = unique("events")
    result = run(*events(stack), "--no-wait")
    assert result.exit_code == 0
    assert f"`prefect-aws ecs-worker status {stack}`" in result.output
    assert "CREATE_COMPLETE" not in result.output


# Region and credentials


def test_a_missing_region_is_named_with_its_remedy(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = run("list")
    assert result.exit_code == 1
    assert "No region is set. Give --region" in result.output
    assert run("list", "--region", REGION).exit_code == 0


def test_missing_credentials_are_named_with_their_remedy(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run("list")
    assert result.exit_code == 1
    assert "No credentials were found. Give --profile" in result.output


def test_a_profile_that_does_not_exist_is_named(run: Run):
    result = run("list", "--profile", "no-such")
    assert result.exit_code == 1
    assert "no-such" in result.output
    assert "credentials block" not in result.output


# export-template


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("kind", list(TemplateType))
def test_an_exported_template_is_the_template(run: Run, tmp_path: Path, kind: TemplateType, form: str):
    target = tmp_path / "new" / "folder" / "template"
    result = run(*("export-template", "--template-type", kind.value, "--output-path", str(target), "--format", form))
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(target.read_text()) == load_template(kind)


def test_a_file_is_not_overwritten_unasked(run: Run, tmp_path: Path):
    target = tmp_path / "template.json"
    target.write_text("mine")
    command = ("export-template", "--template-type", "service", "--output-path", str(target))
    for answer in ("n\n", ""):
        assert run(*command, input=answer).exit_code == 1
        assert target.read_text() == "mine"
    assert run(*command, input="y\n").exit_code == 0
    assert json.loads(target.read_text()) == load_template(TemplateType.service)


def test_a_place_that_cannot_be_written_is_named(run: Run, tmp_path: Path):
    (tmp_path / "file").touch()
    command = ("export-template", "--template-type", "service", "--output-path")
    assert "a folder; name a file in it" in run(*command, str(tmp_path)).output
    refused = run(*command, str(tmp_path / "file" / "template.json"))
    assert refused.exit_code == 1
    assert "cannot be written" in refused.output
