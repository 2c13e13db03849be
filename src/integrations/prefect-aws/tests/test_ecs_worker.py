"""The worker starts a run's task with what the run asks for, as seldom as can be, and ends it when asked to."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from prefect import flow, get_client
from prefect.exceptions import InfrastructureNotFound

from prefect_aws import AwsCredentials, ECSWorker, errors
from prefect_aws._ecs import tags
from prefect_aws._ecs.calls import MAX_THREADS
from prefect_aws._ecs.network import network_configuration
from prefect_aws._ecs.registration import known_definitions
from prefect_aws.workers.ecs_worker import ECSJobConfiguration, parse_identifier
from prefect_integration_tests.backends.aws_stub import Fault

pytestmark = pytest.mark.usefixtures("prefect_harness", "no_observer")


@flow
def ecs_flow() -> None:
    """What the runs are of; it never runs here."""


class Status:
    """Hears what Prefect's worker would hear."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def started(self, value: Any) -> None:
        self.told.append(value)


@pytest.fixture(autouse=True)
def no_definition_is_known() -> None:
    known_definitions.clear()


@pytest.fixture
def no_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are tested elsewhere; here nobody reads a queue, and nobody looks at tasks unasked."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED", "false")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_WORKER_WATCH_INTERVAL_SECONDS", "3600")


@pytest.fixture
async def pool() -> str:
    from prefect.client.schemas.actions import WorkPoolCreate

    name = f"ecs-{uuid.uuid4().hex[:8]}"
    template = ECSWorker.get_default_base_job_template()
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="ecs", base_job_template=template))
    return name


@pytest.fixture
def submit(pool: str) -> Callable[..., Any]:
    """Runs one flow run through a worker of its own."""

    async def submit(flow_run: Any, configuration: Any, **more: Any) -> Any:
        async with ECSWorker(work_pool_name=pool) as worker:
            return await worker.run(flow_run, configuration, **more)

    return submit


@pytest.fixture
async def flow_run() -> Any:
    async with get_client() as client:
        return await client.create_flow_run(ecs_flow)


@pytest.fixture
def cluster(aws_emulator: Any) -> str:
    return aws_emulator.client("ecs").create_cluster(clusterName=f"c-{uuid.uuid4().hex[:8]}")["cluster"]["clusterArn"]


@pytest.fixture
def ecs(aws_emulator: Any) -> Any:
    return aws_emulator.client("ecs")


@pytest.fixture
def configure(make_configuration: Any, aws_credentials: AwsCredentials, cluster: str) -> Callable[..., Any]:
    """A maker of configurations for a run, for the emulator."""

    def configure(flow_run: Any, **variables: Any) -> ECSJobConfiguration:
        configuration = make_configuration(credentials=aws_credentials, **{"cluster": cluster, **variables})
        configuration.prepare_for_flow_run(flow_run)
        return configuration

    return configure


def task_of(ecs: Any, identifier: str) -> dict[str, Any]:
    cluster, arn = parse_identifier(identifier)
    return ecs.describe_tasks(cluster=cluster, tasks=[arn], include=["TAGS"])["tasks"][0]


async def test_a_run_becomes_a_task(submit: Any, flow_run: Any, configure: Any, ecs: Any, cluster: str) -> None:
    result = await submit(flow_run, configure(flow_run, image="mine:1", env={"A": "1"}))
    assert result.status_code == 0
    task = task_of(ecs, result.identifier)
    assert task["clusterArn"] == cluster
    assert task["startedBy"] == str(flow_run.id)
    found = tags.as_dict(task["tags"])
    assert (found[tags.FLOW_RUN_ID], found[tags.CONTAINER_NAME]) == (str(flow_run.id), "prefect")
    (container,) = task["overrides"]["containerOverrides"]
    assert container["command"] == ["prefect", "flow-run", "execute"]
    environment = {entry["name"]: entry["value"] for entry in container["environment"]}
    assert (environment["PREFECT__FLOW_RUN_ID"], environment["A"]) == (str(flow_run.id), "1")
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert definition["containerDefinitions"][0]["image"] == "mine:1"


async def test_the_identifier_is_told_or_else_stored(submit: Any, flow_run: Any, configure: Any) -> None:
    status = Status()
    result = await submit(flow_run, configure(flow_run), task_status=status)
    assert status.told == [result.identifier]
    async with get_client() as client:
        assert (await client.read_flow_run(flow_run.id)).infrastructure_pid is None
        alone = await submit(flow_run, configure(flow_run))
        assert (await client.read_flow_run(flow_run.id)).infrastructure_pid == alone.identifier


# Network


@pytest.fixture
def joined(aws_emulator: Any) -> Callable[..., dict[str, Any]]:
    """What a task would join."""

    def joined(vpc_id: str | None = None, **given: Any) -> dict[str, Any]:
        configuration = network_configuration(
            aws_emulator.client("ec2"), identity=uuid.uuid4(), vpc_id=vpc_id, given=given
        )
        return configuration["awsvpcConfiguration"]

    return joined


def new_vpc(aws_emulator: Any, subnets: int) -> tuple[str, list[str]]:
    ec2 = aws_emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for number in range(subnets):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24")
    made = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    return vpc, [each["SubnetId"] for each in made]


def test_a_task_joins_all_subnets_of_the_default_vpc(joined: Any, aws_emulator: Any) -> None:
    ec2 = aws_emulator.client("ec2")
    default = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default]}])["Subnets"]
    assert joined() == {
        "subnets": [subnet["SubnetId"] for subnet in subnets],
        "assignPublicIp": "ENABLED",
        "securityGroups": [],
    }


def test_a_task_joins_what_is_given_where_it_is_in_the_vpc(joined: Any, aws_emulator: Any) -> None:
    vpc, subnets = new_vpc(aws_emulator, 2)
    assert joined(vpc)["subnets"] == subnets
    given = {"subnets": subnets[:1], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}
    assert joined(vpc, **given) == given
    assert joined(vpc, awsvpcConfiguration=given) == given
    assert joined(vpc, securityGroups=["sg-1"]) == {"subnets": subnets, "securityGroups": ["sg-1"]}
    with pytest.raises(ValueError, match=f"subnet-other.*{vpc}.*{subnets[0]}"):
        joined(vpc, subnets=["subnet-other"])


def test_a_vpc_without_subnets_is_refused_by_name(joined: Any, aws_emulator: Any) -> None:
    vpc, _ = new_vpc(aws_emulator, 0)
    with pytest.raises(ValueError, match=f"Failed to find subnets for VPC with ID {vpc}"):
        joined(vpc)


async def test_the_network_reaches_the_request_of_a_fargate_task(
    submit: Any, flow_run: Any, configure: Any, aws_emulator: Any
) -> None:
    vpc, _ = new_vpc(aws_emulator, 0)
    with pytest.raises(ValueError, match=vpc):
        await submit(flow_run, configure(flow_run, vpc_id=vpc))
    assert (await submit(flow_run, configure(flow_run, vpc_id=vpc, launch_type="EC2"))).identifier


async def test_another_worker_looks_at_the_default_vpc_anew(
    pool: str, make_configuration: Any, make_credentials: Any, flow_run: Any
) -> None:
    """Also of an account that was emptied and filled anew, as between the tests of a user."""
    moto = pytest.importorskip("moto")
    for _ in range(2):
        with moto.mock_aws():
            credentials = make_credentials()
            ec2 = credentials.get_client("ec2")
            credentials.get_client("ecs").create_cluster(clusterName="default")
            expected = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
            async with ECSWorker(work_pool_name=pool) as worker:
                configuration = make_configuration(credentials=credentials)
                configuration.prepare_for_flow_run(flow_run)
                request = await worker._submissions._request(
                    credentials.get_client("ecs"), "identity", configuration, logging.getLogger()
                )
            assert request["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == expected


# Task definitions


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("ecs")
    numbers = iter(range(1, 10_000))
    registered: dict[str, dict[str, Any]] = {}

    def register(call: Any) -> dict[str, Any]:
        answer = definition(next(numbers))
        registered[answer["taskDefinition"]["taskDefinitionArn"]] = call.parameters
        return answer

    stub.respond("RegisterTaskDefinition", register)
    stub.respond(
        "DescribeTaskDefinition", lambda call: {"taskDefinition": registered[call.parameters["taskDefinition"]]}
    )
    stub.respond("RunTask", lambda call: {"tasks": [task(f"{next(numbers):04}")], "failures": []})
    return stub


@pytest.fixture
def scripted(make_configuration: Any, make_credentials: Any, stub: Any) -> Callable[..., Any]:
    """A maker of configurations for a run, for the scripted endpoint."""

    def configure(flow_run: Any, **variables: Any) -> ECSJobConfiguration:
        credentials = make_credentials(stub.endpoint_url)
        configuration = make_configuration(credentials=credentials, **{"launch_type": "EC2", **variables})
        configuration.prepare_for_flow_run(flow_run)
        return configuration

    return configure


@pytest.mark.parametrize("runs", [200, pytest.param(1000, marks=pytest.mark.slow)])
async def test_all_runs_of_a_deployment_register_once(
    pool: str, stub: Any, scripted: Any, flow_run: Any, runs: int
) -> None:
    configuration = scripted(flow_run)
    async with ECSWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        for _ in range(runs):
            run = flow_run.model_copy(update={"id": uuid.uuid4(), "state": None})
            group.start_soon(partial(worker.run, run, configuration, task_status=Status()))  # pyright: ignore[reportArgumentType]
    assert len(stub.calls_of("RegisterTaskDefinition")) == 1
    assert len(stub.calls_of("RunTask")) == runs
    assert len(stub.calls) == runs + 1
    assert len({call.parameters["clientToken"] for call in stub.calls_of("RunTask")}) == runs


async def test_what_differs_is_registered_anew_and_what_is_equal_is_not(
    submit: Any, stub: Any, scripted: Any, flow_run: Any
) -> None:
    for variables in (
        {"image": "a"},
        {"image": "b"},
        {"image": "a", "env": {"X": "1"}},
        {"image": "b", "command": "c"},
    ):
        await submit(flow_run, scripted(flow_run, **variables))
    assert [
        call.parameters["containerDefinitions"][0]["image"] for call in stub.calls_of("RegisterTaskDefinition")
    ] == ["a", "b"]


async def test_an_equal_latest_revision_is_used_when_asked_for(
    submit: Any, flow_run: Any, configure: Any, ecs: Any
) -> None:
    family = f"f-{uuid.uuid4().hex}"
    arns = set()
    for _ in range(2):
        known_definitions.clear()  # as after a restart
        result = await submit(flow_run, configure(flow_run, family=family, match_latest_revision_in_family=True))
        arns.add(task_of(ecs, result.identifier)["taskDefinitionArn"])
    assert len(arns) == 1
    assert ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == list(arns)


@pytest.mark.parametrize("message", ["TaskDefinition is inactive", "Unable to describe task definition."], ids=str)
async def test_a_definition_that_somebody_deregistered_or_deleted_is_registered_again(
    submit: Any, stub: Any, scripted: Any, flow_run: Any, message: str
) -> None:
    first = await submit(flow_run, scripted(flow_run))
    stub.fail("RunTask", "ClientException", message, times=1)
    second = await submit(flow_run, scripted(flow_run))
    assert first.identifier != second.identifier
    assert len(stub.calls_of("RegisterTaskDefinition")) == 2
    assert stub.calls[-1].parameters["taskDefinition"].endswith(":3")


@pytest.mark.parametrize("gone", ["deregistered", "another"])
async def test_another_worker_looks_whether_a_known_definition_still_serves(
    submit: Any, stub: Any, scripted: Any, flow_run: Any, gone: str
) -> None:
    """Of several workers in a process, or of an account that was emptied and filled anew."""
    await submit(flow_run, scripted(flow_run))
    await submit(flow_run, scripted(flow_run))
    assert len(stub.calls_of("RegisterTaskDefinition")) == 1
    found = dict(stub.calls_of("RegisterTaskDefinition")[0].parameters)
    found.update({"status": "INACTIVE"} if gone == "deregistered" else {"networkMode": "host"})
    stub.respond("DescribeTaskDefinition", {"taskDefinition": found})
    await submit(flow_run, scripted(flow_run))
    assert len(stub.calls_of("RegisterTaskDefinition")) == 2


async def test_a_worker_may_be_forbidden_to_look_at_definitions(
    submit: Any, stub: Any, scripted: Any, flow_run: Any
) -> None:
    await submit(flow_run, scripted(flow_run))
    stub.fail("DescribeTaskDefinition", Fault.ACCESS_DENIED)
    await submit(flow_run, scripted(flow_run))
    assert len(stub.calls_of("RegisterTaskDefinition")) == 1


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.INTERNAL])
async def test_a_registration_is_tried_again(
    submit: Any, stub: Any, scripted: Any, flow_run: Any, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_WORKER_REGISTER_TASK_DEFINITION_INITIAL_DELAY_SECONDS", "0")
    stub.fail("RegisterTaskDefinition", fault, times=2)
    assert (await submit(flow_run, scripted(flow_run))).identifier
    assert len(stub.calls_of("RegisterTaskDefinition")) == 3


async def test_a_given_definition_is_used_as_it_is(
    submit: Any, flow_run: Any, configure: Any, ecs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made = ecs.register_task_definition(
        family=f"given-{uuid.uuid4().hex}",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "log", "image": "l", "essential": False}, {"name": "main", "image": "mine"}],
    )["taskDefinition"]
    configuration = configure(
        flow_run, task_definition_arn=made["taskDefinitionArn"], secrets={"DB": "arn:db"}, launch_type="EC2"
    )
    with caplog.at_level(logging.WARNING, "prefect"):
        result = await submit(flow_run, configuration)
    task = task_of(ecs, result.identifier)
    assert task["taskDefinitionArn"] == made["taskDefinitionArn"]
    assert task["overrides"]["containerOverrides"][0]["name"] == "main"
    assert "no effect: secrets" in caplog.text


async def test_a_given_definition_that_does_not_exist_is_refused_by_name(
    submit: Any, flow_run: Any, configure: Any
) -> None:
    with pytest.raises(errors.AwsNotFound, match=r"'nothing:7' does not exist.*task_definition_arn"):
        await submit(flow_run, configure(flow_run, task_definition_arn="nothing:7"))


async def test_a_container_that_a_given_definition_lacks_is_refused_by_name(
    submit: Any, flow_run: Any, configure: Any, ecs: Any
) -> None:
    family = f"given-{uuid.uuid4().hex}"
    ecs.register_task_definition(family=family, containerDefinitions=[{"name": "main", "image": "i", "memory": 128}])
    with pytest.raises(ValueError, match="no container 'flow', only main"):
        await submit(flow_run, configure(flow_run, task_definition_arn=family, container_name="flow"))


# Refusals


async def test_a_cluster_that_is_gone_is_refused_by_name(submit: Any, stub: Any, scripted: Any, flow_run: Any) -> None:
    stub.fail("RunTask", "ClusterNotFoundException", "Cluster not found.")
    with pytest.raises(errors.AwsNotFound, match="'mine'"):
        await submit(flow_run, scripted(flow_run, cluster="mine"))


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "RunTask"])
async def test_a_denial_names_what_to_allow(
    submit: Any, stub: Any, scripted: Any, flow_run: Any, operation: str
) -> None:
    stub.fail(operation, Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsAccessDenied, match=f"Allow {operation}"):
        await submit(flow_run, scripted(flow_run))
    assert len(stub.calls_of(operation)) == 1


async def test_a_task_that_a_worker_before_us_started_is_taken_over(
    submit: Any, stub: Any, scripted: Any, flow_run: Any
) -> None:
    started = task("0777", startedBy=str(flow_run.id))
    stub.fail("RunTask", "ConflictException", "The client token is known.")
    stub.respond("ListTasks", {"taskArns": [started["taskArn"]]}, {"taskArns": []})
    stub.respond("DescribeTasks", {"tasks": [started], "failures": []})
    assert (await submit(flow_run, scripted(flow_run))).identifier == f"{ARN}:cluster/c::{started['taskArn']}"
    assert stub.calls_of("ListTasks")[0].parameters["startedBy"] == str(flow_run.id)


# Cancelling


async def test_a_task_is_stopped_from_another_process(
    submit: Any, flow_run: Any, configure: Any, ecs: Any, pool: str
) -> None:
    result = await submit(flow_run, configure(flow_run))
    async with ECSWorker(work_pool_name=pool) as another:
        await another.kill_infrastructure(result.identifier, configure(flow_run))
    stopped = task_of(ecs, result.identifier)
    assert (stopped["desiredStatus"], stopped["stoppedReason"]) == ("STOPPED", "Stopped by Prefect.")


@pytest.mark.parametrize("gone", ["task", "cluster"])
async def test_a_task_that_is_gone_is_said_to_be(
    flow_run: Any, configure: Any, pool: str, cluster: str, gone: str
) -> None:
    where = cluster if gone == "task" else cluster.replace("cluster/", "cluster/gone-")
    async with ECSWorker(work_pool_name=pool) as worker:
        with pytest.raises(InfrastructureNotFound, match="no-such-task"):
            await worker.kill_infrastructure(f"{where}::{ARN}:task/c/no-such-task", configure(flow_run))


async def test_a_denied_stop_is_no_missing_task(flow_run: Any, scripted: Any, stub: Any, pool: str) -> None:
    stub.fail("StopTask", Fault.ACCESS_DENIED)
    async with ECSWorker(work_pool_name=pool) as worker:
        with pytest.raises(errors.AwsAccessDenied, match="StopTask"):
            await worker.kill_infrastructure(f"c::{ARN}:task/c/1", scripted(flow_run))


async def test_a_run_cancelled_while_its_task_is_started_has_the_task_stopped(
    pool: str, stub: Any, scripted: Any, flow_run: Any
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(call: Any) -> dict[str, Any]:
        asked.set()
        assert answer.wait(30)
        return {"tasks": [task("1")], "failures": []}

    stub.respond("RunTask", slowly)
    stub.respond("StopTask", {"task": task("1", "STOPPING")})
    async with ECSWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        group.start_soon(worker.run, flow_run, scripted(flow_run))
        await anyio.to_thread.run_sync(asked.wait)
        await worker._cancel_run(flow_run.id)  # what Prefect's worker calls when it hears of it
        answer.set()
    (stop,) = stub.calls_of("StopTask")
    assert stop.parameters["task"] == task("1")["taskArn"]
    async with get_client() as client:
        assert (await client.read_flow_run(flow_run.id)).state.is_cancelled()


async def test_a_run_cancelled_before_its_task_is_started_starts_none(
    pool: str, stub: Any, scripted: Any, flow_run: Any
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(call: Any) -> dict[str, Any]:
        asked.set()
        assert answer.wait(30)
        return definition(1)

    stub.respond("RegisterTaskDefinition", slowly)
    results: list[Any] = []
    async with ECSWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:

        async def run() -> None:
            results.append(await worker.run(flow_run, scripted(flow_run)))

        group.start_soon(run)
        await anyio.to_thread.run_sync(asked.wait)
        await worker._cancel_run(flow_run.id)
        answer.set()
    assert results[0].identifier == ""
    assert stub.calls_of("RunTask") == []


# Load


async def test_no_more_runs_are_submitted_at_a_time_than_the_setting_allows(
    pool: str, stub: Any, scripted: Any, flow_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_WORKER_MAX_CONCURRENT_SUBMISSIONS", "3")
    lock, together, most = threading.Lock(), [0], [0]

    def counted(call: Any) -> dict[str, Any]:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        barrier_passed.wait(0.05)
        with lock:
            together[0] -= 1
        return {"tasks": [task(uuid.uuid4().hex)], "failures": []}

    barrier_passed = threading.Event()
    stub.respond("RunTask", counted)
    configuration = scripted(flow_run)
    async with ECSWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        for _ in range(12):
            run = flow_run.model_copy(update={"id": uuid.uuid4(), "state": None})
            group.start_soon(partial(worker.run, run, configuration, task_status=Status()))  # pyright: ignore[reportArgumentType]
    assert len(stub.calls_of("RunTask")) == 12
    assert most[0] == 3


async def test_heartbeats_go_out_while_aws_does_not_answer(pool: str, stub: Any, scripted: Any, flow_run: Any) -> None:
    """More calls hang than Prefect has threads; its own work does not wait for them."""
    answer = threading.Event()
    stub.respond("RunTask", lambda call: answer.wait(60) and {"tasks": [task("1")], "failures": []})
    configuration = scripted(flow_run)
    async with ECSWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        try:
            for _ in range(100):
                run = flow_run.model_copy(update={"id": uuid.uuid4(), "state": None})
                group.start_soon(partial(worker.run, run, configuration, task_status=Status()))  # pyright: ignore[reportArgumentType]
            with anyio.fail_after(30):
                while len(stub.calls_of("RunTask")) < MAX_THREADS:
                    await anyio.sleep(0.01)
            free = anyio.to_thread.current_default_thread_limiter()
            assert free.borrowed_tokens == 0
            with anyio.fail_after(10):
                await worker.sync_with_backend()
                await anyio.to_thread.run_sync(lambda: None)
        finally:
            answer.set()


# Limits


@pytest.mark.parametrize(("counts", "left"), [("false", 0), ("true", 1)])
async def test_the_limit_counts_what_the_setting_says(
    pool: str, stub: Any, scripted: Any, flow_run: Any, counts: str, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_WORKER_LIMIT_COUNTS_RUNNING_TASKS", counts)
    async with ECSWorker(work_pool_name=pool, limit=5) as worker:
        worker.limiter.acquire_on_behalf_of_nowait(flow_run.id)
        await worker.run(flow_run, scripted(flow_run))
        worker._release_limit_slot(flow_run.id)  # as Prefect's worker does when `run` returns
        assert worker.limiter.borrowed_tokens == left
        (watched,) = worker._submissions.watch._tasks.values()
        worker._submissions.watch.forget(watched)
        assert worker.limiter.borrowed_tokens == 0


# Secrets and templates


async def test_no_value_of_the_environment_is_logged(
    submit: Any, stub: Any, scripted: Any, flow_run: Any, no_canary_leaks: Any, canary: str
) -> None:
    logging.getLogger("prefect").setLevel(logging.DEBUG)
    configuration = scripted(flow_run, env={"PREFECT_API_KEY": canary, "MINE": canary})
    await submit(flow_run, configuration)
    stub.fail("RunTask", "ClientException", f"The value {canary} is not allowed.")
    with pytest.raises(errors.AwsInvalidRequest) as caught:
        await submit(flow_run, configuration)
    no_canary_leaks.add_error(caught.value)


async def test_a_key_that_goes_out_as_plain_text_is_warned_of_once(
    pool: str, stub: Any, scripted: Any, flow_run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plain, secret = (
        scripted(flow_run, env={"PREFECT_API_KEY": "k"}),
        scripted(flow_run, env={"PREFECT_API_AUTH_STRING": "k"}, prefect_api_auth_string_secret_arn="arn:auth"),
    )
    with caplog.at_level(logging.WARNING, "prefect"):
        async with ECSWorker(work_pool_name=pool) as worker:
            for configuration in (plain, plain, secret):
                await worker.run(flow_run, configuration)
    assert caplog.text.count("as a plain environment variable") == 1
    assert "prefect_api_key_secret_arn" in caplog.text


async def test_a_variable_that_the_template_has_no_place_for_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    template = ECSWorker.get_default_base_job_template()
    del template["job_configuration"]["secrets"]
    template["job_configuration"]["env"] = {}
    async with get_client() as client:
        with caplog.at_level(logging.WARNING, "prefect"):
            for _ in range(2):
                configuration = await ECSJobConfiguration.from_template_and_values(
                    template, {"secrets": {"A": "arn"}, "cpu": 512, "env.NAME": "x"}, client=client
                )
    assert caplog.text.count("variables secrets, so") == 1
    assert configuration.secrets == {}
    assert configuration.env == {"NAME": "x"}


ARN = "arn:aws:ecs:us-east-1:000000000000"


def task(name: str, status: str = "PROVISIONING", **more: Any) -> dict[str, Any]:
    return {"taskArn": f"{ARN}:task/c/{name}", "clusterArn": f"{ARN}:cluster/c", "lastStatus": status, **more}


def definition(revision: int) -> dict[str, Any]:
    return {"taskDefinition": {"taskDefinitionArn": f"{ARN}:task-definition/f:{revision}", "revision": revision}}
