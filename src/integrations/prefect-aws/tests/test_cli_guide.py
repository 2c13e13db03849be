"""Each step of the guide to a manual deployment does what the page says, by the SDK where the page has the AWS CLI."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from prefect_aws._cli import permissions
from prefect_aws._cli.account import Cluster
from prefect_aws._cli.check import read_configuration
from prefect_aws._cli.templates import TemplateType, load_template
from prefect_aws._ecs.definitions import build_definition
from prefect_aws.workers.ecs_worker import ECSWorker
from prefect_integration_tests.guide_pages import Page, find_guide, read_page

REGION = "us-east-1"
GUIDE = find_guide(Path(__file__).resolve().parent, "prefect-aws")
pytestmark = pytest.mark.skipif(GUIDE is None, reason="The package is here without its guide.")


@pytest.fixture(scope="module")
def files() -> Path:
    assert GUIDE is not None
    return GUIDE / "ecs" / "iam"


@pytest.fixture(scope="module")
def page() -> Page:
    assert GUIDE is not None
    return read_page(GUIDE / "ecs-worker" / "manual-deployment.mdx", "ecs-worker/manual-deployment")


@pytest.fixture
def filled(files: Path, aws_emulator: Any) -> Callable[..., str]:
    """Reads a file of the guide with its placeholders filled in."""

    def read(name: str, **values: str) -> str:
        text = (files / name).read_text()
        for placeholder, value in {"ACCOUNT_ID": aws_emulator.account_id, "REGION": REGION, **values}.items():
            text = re.sub(rf"(?<![A-Z_]){placeholder}(?![A-Z_])", value, text)
        return text

    return read


def test_the_files_are_those_that_the_page_shows(files: Path, page: Page):
    shown = [block.code.strip() for block in page.blocks if block.language == "json"]
    text = page.path.read_text()
    for path in files.rglob("*.json"):
        assert path.read_text().strip() in shown, path
        assert f"docs/integrations/prefect-aws/ecs/iam/{path.relative_to(files).as_posix()}" in text, path
        json.loads(path.read_text())


def test_the_policies_allow_all_that_the_worker_does(files: Path):
    allowed: set[str] = set()
    for name in ("worker-policy.json", "sqs-policy.json"):
        for statement in json.loads((files / name).read_text())["Statement"]:
            actions = statement["Action"]
            allowed |= {actions} if isinstance(actions, str) else set(actions)
    arn = f"arn:aws:ecs:{REGION}:123456789012:cluster/flows"
    needed = permissions.needs(Cluster("flows", arn), ["arn:aws:iam::123456789012:role/x"], "arn:aws:sqs:::q")
    assert {action for need in needed for action in need.actions} <= allowed

    role = load_template(TemplateType.service)["Resources"]["WorkerRole"]["Properties"]["Policies"]
    deployed: set[str] = set()
    for policy in role:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            deployed |= {actions} if isinstance(actions, str) else set(actions)
    assert deployed == allowed


def test_the_page_names_every_action_of_the_policy(files: Path, page: Page):
    text = page.path.read_text()
    table = text[text.index("| Action |") : text.index("Create the policy and attach it")]
    for statement in json.loads((files / "worker-policy.json").read_text())["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert f"`{action}`" in table


def test_every_step_can_be_taken(aws_emulator: Any, files: Path, page: Page, filled: Callable[..., str]):
    iam, sqs, events, ecs, ec2, logs = (
        aws_emulator.client(service) for service in ("iam", "sqs", "events", "ecs", "ec2", "logs")
    )
    secrets = aws_emulator.client("secretsmanager")
    cluster = ecs.create_cluster(clusterName="my-ecs-cluster")["cluster"]["clusterArn"]
    secret = secrets.create_secret(Name="PrefectECSWorkerAPIKey", SecretString="pnu_0123")["ARN"]
    pattern = json.loads(filled("secrets/secrets-manager/secret-policy.json"))["Statement"][0]["Resource"]
    assert re.fullmatch(re.escape(pattern).replace(r"\?", "."), secret), "the policy is about this secret"
    ssm = aws_emulator.client("ssm")
    ssm.put_parameter(Name="/prefect/my-ecs-pool/api/key", Value="pnu_0123", Type="SecureString")
    parameter = ssm.get_parameter(Name="/prefect/my-ecs-pool/api/key")["Parameter"]["ARN"]
    assert parameter == json.loads(filled("secrets/ssm-parameter-store/secret-policy.json"))["Statement"][0]["Resource"]

    trust = filled("trust-policy.json")
    names = ("ecsTaskExecutionRole", "ecsTaskRole", "PrefectECSRunnerTaskRole")
    roles = {name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"] for name in names}
    iam.attach_role_policy(
        RoleName="ecsTaskExecutionRole",
        PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
    )
    iam.put_role_policy(
        RoleName="ecsTaskExecutionRole",
        PolicyName="PrefectECSWorkerSecretPolicy",
        PolicyDocument=filled("secrets/secrets-manager/secret-policy.json"),
    )
    for role, policy, name in (
        ("ecsTaskRole", "ecsTaskPolicy", "worker-policy.json"),
        ("PrefectECSRunnerTaskRole", "PrefectECSRunnerTaskPolicy", "runner-task-policy.json"),
    ):
        arn = iam.create_policy(PolicyName=policy, PolicyDocument=filled(name))["Policy"]["Arn"]
        assert arn == f"arn:aws:iam::{aws_emulator.account_id}:policy/{policy}"
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)

    dead = {"MessageRetentionPeriod": "1209600", "VisibilityTimeout": "60", "SqsManagedSseEnabled": "true"}
    url = sqs.create_queue(QueueName="my-ecs-pool-events-dlq", Attributes=dead)["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    given = _quoted(page, "aws sqs create-queue --queue-name my-ecs-pool-events --attributes '")
    url = sqs.create_queue(
        QueueName="my-ecs-pool-events", Attributes=json.loads(given.replace("DEAD_LETTER_QUEUE_ARN", dead_arn))
    )["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    rule = _quoted(page, "--event-pattern '").replace("REGION", REGION).replace("ACCOUNT_ID", aws_emulator.account_id)
    assert json.loads(rule)["detail"]["clusterArn"] == [cluster]
    name = "my-ecs-pool-task-state-changes"
    rule_arn = events.put_rule(Name=name, EventPattern=rule, State="ENABLED")["RuleArn"]
    attributes = _quoted(page, '--attributes \'{"Policy"', keep='{"Policy"')
    attributes = attributes.replace("REGION", REGION).replace("ACCOUNT_ID", aws_emulator.account_id)
    [statement] = json.loads(json.loads(attributes)["Policy"])["Statement"]
    assert statement["Resource"] == queue
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].rpartition("/")[2] == rule_arn.rpartition("/")[2]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=json.loads(attributes))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue}])
    iam.put_role_policy(
        RoleName="ecsTaskRole", PolicyName="EcsWorkerSqsPolicy", PolicyDocument=filled("sqs-policy.json")
    )
    detail = {"clusterArn": cluster, "lastStatus": "STOPPED"}
    entry = {"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": json.dumps(detail)}
    events.put_events(Entries=[entry])
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["detail"] == detail

    logs.create_log_group(logGroupName="/prefect/worker")
    logs.put_retention_policy(logGroupName="/prefect/worker", retentionInDays=30)
    text = filled(
        "task-definition.json",
        EXECUTION_ROLE_ARN=roles["ecsTaskExecutionRole"],
        TASK_ROLE_ARN=roles["ecsTaskRole"],
        SECRET_ARN=secret,
    )
    registered = ecs.register_task_definition(**json.loads(text))["taskDefinition"]
    assert registered["containerDefinitions"][0]["secrets"] == [{"name": "PREFECT_API_KEY", "valueFrom": secret}]
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    vpc = next(vpc for vpc in vpcs if vpc["IsDefault"])  # the emulator does not heed the filter
    of_vpc = {"Name": "vpc-id", "Values": [vpc["VpcId"]]}
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=[of_vpc])["Subnets"]]
    groups = ec2.describe_security_groups(Filters=[of_vpc, {"Name": "group-name", "Values": ["default"]}])
    service = ecs.create_service(
        serviceName="prefect-worker-service",
        cluster="my-ecs-cluster",
        taskDefinition="prefect-worker-task",
        launchType="FARGATE",
        desiredCount=0,  # the emulator would pull the image
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": subnets,
                "securityGroups": [group["GroupId"] for group in groups["SecurityGroups"]],
                "assignPublicIp": "ENABLED",
            }
        },
    )["service"]
    assert service["taskDefinition"] == registered["taskDefinitionArn"]


def _quoted(page: Page, beginning: str, keep: str = "") -> str:
    """The rest of a text in single quotes in one of the page's commands."""
    [block] = [block for block in page.blocks if beginning in block.code]
    return keep + block.code.split(beginning, 1)[1].split("'", 1)[0]


def test_the_defaults_of_the_page_become_those_of_the_runs(prefect_harness: None, page: Page):
    pool = f"guide-{uuid.uuid4().hex[:8]}"
    template = ECSWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="ecs", base_job_template=template))
    code = {block.heading: block for block in page.blocks if block.is_python}
    functions: dict[str, Any] = {"__name__": "guide"}
    for heading in ("Configure work pool defaults", "Add custom variables to the schema"):
        exec(code[heading].compile(), functions)

    asyncio.run(functions["set_defaults"](pool))
    configuration = read_configuration(pool)
    assert configuration.cluster == functions["DEFAULTS"]["cluster"]
    assert configuration.vpc_id == "vpc-12345678"
    assert configuration.network_configuration == functions["DEFAULTS"]["network_configuration"]
    assert configuration.execution_role_arn == functions["DEFAULTS"]["execution_role_arn"]

    asyncio.run(functions["add_task_definition_variable"](pool))
    definition = build_definition(read_configuration(pool), family="f", region=REGION, image="flows:1")
    assert [each["name"] for each in definition["containerDefinitions"]] == ["prefect"]
    assert definition["executionRoleArn"] == functions["DEFAULTS"]["execution_role_arn"]
