"""The line to AWS breaks, and AWS refuses: what becomes of one operation of each service."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import HTTPClientError

from prefect_aws import AwsCredentials, AwsParameter, AwsSecret, LambdaFunction, S3Bucket, errors
from prefect_aws import _remote_work as package_work
from prefect_aws._clients import client_for
from prefect_aws._ecs.starting import Starter, client_token, run_task
from prefect_aws.athena import query, start_query_and_wait
from prefect_aws.batch import batch_submit
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.glue_job import GlueJobBlock
from prefect_aws.observers import _sqs
from prefect_aws.observers._sqs import SqsSubscriber
from prefect_aws.settings import EcsWorkerSettings
from prefect_aws.sqs import OutgoingMessage, send_message
from prefect_aws.step_functions import start_execution
from prefect_integration_kit import remote_work
from prefect_integration_kit.waiting import Backoff
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import EDGE_FAULTS, EdgeFault, HttpEdge, Refusal
from prefect_integration_tests.suites import HttpFaultSuite

from ._ecs_events import until

DONE = (None, "truncated", "slow", "lost")
SILENCE: frozenset[EdgeFault] = frozenset({"reset", "time-out", "truncated", "lost"})
READ_SECONDS = 0.8


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, clean_surroundings: None) -> None:
    """Pauses between attempts, the SDK's and ours, are next to nothing."""
    monkeypatch.setattr(random, "random", lambda: 0.01)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    monkeypatch.setattr(package_work, "_ATTEMPTS", Backoff(initial_seconds=0.01, max_attempts=3))
    monkeypatch.setattr(
        remote_work, "START_BACKOFF", Backoff(initial_seconds=0.01, maximum_seconds=0.1, max_attempts=2)
    )


def credentials_at(endpoint_url: str, secret_key: str = "testing-secret") -> AwsCredentials:
    """Credentials with the retries that users get."""
    parameters = AwsClientParameters(
        endpoint_url=endpoint_url, config={"connect_timeout": 2, "read_timeout": READ_SECONDS}
    )
    return AwsCredentials(
        aws_access_key_id="testing",
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        aws_client_parameters=parameters,
    )


def assuming(credentials: AwsCredentials, role: str) -> AwsCredentials:
    return credentials.model_copy(update={"assume_role_arn": f"arn:aws:iam::000000000000:role/{role}"})


@pytest.fixture(scope="module")
def function_name(aws_emulator: Any) -> str:
    """A function that returns what it gets."""
    return aws_emulator.new_function("def handler(event, context): return event")


class _AwsFaults(HttpFaultSuite):
    error = errors.AwsError
    secret = "testing-secret"

    @pytest.fixture
    def edge(self, aws_emulator: Any, http_edge: Any) -> HttpEdge:
        self.aws = aws_emulator
        edge = http_edge(aws_emulator.endpoint_url)
        self.credentials = credentials_at(edge.url)
        return edge

    def refusal(self, fault: EdgeFault) -> Refusal | None:
        if fault == "429":
            content = {"__type": "ThrottlingException", "message": "Rate exceeded"}
            return Refusal(429, json.dumps(content).encode())
        return None

    def done(self, edge: HttpEdge, key: str) -> int:
        """Count requests that were done, where the emulator does not tell."""
        return sum(1 for call in edge.calls if call.fault in DONE and key.encode() in call.content)


class TestS3Bucket(HttpFaultSuite):
    error = errors.AwsError
    named = "s3://"

    @pytest.fixture
    def edge(self, s3_server: Any, s3_bucket_name: str, behind: Any, http_edge: Any) -> HttpEdge:
        edge = http_edge(s3_server.endpoint_url)
        self.secret = s3_server.secret_key
        self.bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=credentials_at(edge.url, s3_server.secret_key))
        self.behind = behind
        return edge

    def refusal(self, fault: EdgeFault) -> Refusal | None:
        code = {"429": "SlowDown", "503": "ServiceUnavailable"}.get(fault, "InternalError")
        content = f"<Error><Code>{code}</Code><Message>Later.</Message></Error>"
        return Refusal(int(fault) if fault.isdigit() else 500, content.encode(), {"Content-Type": "application/xml"})

    async def change(self, edge: HttpEdge, key: str) -> None:
        await self.bucket.awrite_path(key, b"content")
        assert await self.bucket.aread_path(key) == b"content"

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.behind.keys().count(key)


class TestS3BucketReads(TestS3Bucket):
    """The answer to a read is what is truncated, slow or lost."""

    @pytest.fixture
    def edge(self, s3_server: Any, s3_bucket_name: str, behind: Any, http_edge: Any) -> HttpEdge:
        edge = http_edge(s3_server.endpoint_url)
        self.secret = s3_server.secret_key
        self.bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=credentials_at(edge.url, s3_server.secret_key))
        self.read: list[str] = []
        behind.put("content", bytes(1000))
        return edge

    async def change(self, edge: HttpEdge, key: str) -> None:
        assert await self.bucket.aread_path("content") == bytes(1000)
        self.read.append(key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.read.count(key)


class TestAwsSecret(_AwsFaults):
    named = "Secret"

    async def change(self, edge: HttpEdge, key: str) -> None:
        await AwsSecret(aws_credentials=self.credentials, secret_name=key).awrite_secret(b"content")

    def changes(self, edge: HttpEdge, key: str) -> int:
        client = self.aws.client("secretsmanager")
        try:
            return int(client.get_secret_value(SecretId=key)["SecretBinary"] == b"content")
        except client.exceptions.ResourceNotFoundException:
            return 0


class TestAwsParameter(_AwsFaults):
    named = "arameter"

    async def change(self, edge: HttpEdge, key: str) -> None:
        await AwsParameter(aws_credentials=self.credentials, parameter_name=f"/{key}").awrite_value("content")

    def changes(self, edge: HttpEdge, key: str) -> int:
        client = self.aws.client("ssm")
        try:
            answer = client.get_parameter(Name=f"/{key}", WithDecryption=True)
        except client.exceptions.ParameterNotFound:
            return 0
        return int(answer["Parameter"]["Value"] == "content")


class TestSqsQueue(_AwsFaults):
    named = "SQS queue"

    @pytest.fixture
    def edge(self, aws_emulator: Any, http_edge: Any) -> HttpEdge:
        self.aws = aws_emulator
        edge = http_edge(aws_emulator.endpoint_url)
        self.credentials = credentials_at(edge.url)
        self.client = aws_emulator.client("sqs")
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        name = f"q-{id(edge)}-{edge.port}.fifo"
        self.queue = self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return edge

    def change(self, edge: HttpEdge, key: str) -> None:
        url = self.queue.replace(self.aws.endpoint_url, edge.url)
        send_message.fn(url, OutgoingMessage(key, group_id="one"), self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        answer = self.client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return sum(message["Body"] == key for message in answer.get("Messages", []))


class TestLambdaFunction(_AwsFaults):
    error = (errors.AwsError, HTTPClientError)  # the payload is a stream of boto3's
    named = "(?i)function|read"
    unsure = SILENCE

    @pytest.fixture(autouse=True)
    def _function(self, function_name: str) -> None:
        self.function_name = function_name

    async def change(self, edge: HttpEdge, key: str) -> None:
        function = LambdaFunction(function_name=self.function_name, aws_credentials=self.credentials)
        answer = await function.ainvoke({"key": key})
        assert key.encode() in answer["Payload"].read()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.done(edge, key)


class TestBatch(_AwsFaults):
    named = "Batch job"
    unsure = SILENCE

    def change(self, edge: HttpEdge, key: str) -> None:
        target = self.aws.new_batch_target()
        batch_submit.fn(key, target.queue, target.definition, self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.done(edge, key)


class TestGlueJob(_AwsFaults):
    named = "Glue job"
    unsure = SILENCE

    @pytest.fixture(autouse=True)
    def _job(self, aws_emulator: Any) -> None:
        self.job = aws_emulator.new_glue_job()

    async def change(self, edge: HttpEdge, key: str) -> None:
        block = GlueJobBlock(job_name=self.job, arguments={"--key": key}, aws_credentials=self.credentials)
        await block.atrigger()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return len(self.aws.client("glue").get_job_runs(JobName=self.job)["JobRuns"])


class TestStepFunctions(_AwsFaults):
    named = "Step Functions"
    definition: ClassVar[Any] = {"StartAt": "Pack", "States": {"Pack": {"Type": "Pass", "End": True}}}

    @pytest.fixture(autouse=True)
    def _machine(self, aws_emulator: Any) -> None:
        self.machine = aws_emulator.client("stepfunctions").create_state_machine(
            name=f"m-{id(self)}", definition=json.dumps(self.definition), roleArn=aws_emulator.new_role()
        )["stateMachineArn"]

    def change(self, edge: HttpEdge, key: str) -> None:
        start_execution.fn(self.machine, self.credentials, {"key": key}, name=key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        found = self.aws.client("stepfunctions").list_executions(stateMachineArn=self.machine)["executions"]
        return len([execution for execution in found if execution["name"] == key])


class TestAthena(_AwsFaults):
    named = "Athena query"

    def change(self, edge: HttpEdge, key: str) -> None:
        bucket = self.aws.new_bucket()
        text = f"SELECT '{key}' AS found"
        result = query.fn(text, self.credentials, output_location=f"s3://{bucket}/", interval_seconds=0.02)
        assert result.rows == [(key,)]

    def changes(self, edge: HttpEdge, key: str) -> int:
        """Athena gives the earlier query back for a token that it knows; the emulator does not."""
        asked = [call for call in edge.calls if call.fault in DONE and key.encode() in call.content]
        return len({json.loads(call.content)["ClientRequestToken"] for call in asked})


class TestAssumeRole(HttpFaultSuite):
    """A session of a role. One that is asked for twice does no harm."""

    error = errors.AwsError
    named = "Role arn:aws:iam"
    secret = "testing-secret"

    @pytest.fixture
    def edge(self, aws_stub: Any, http_edge: Any) -> HttpEdge:
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        keys = {"AccessKeyId": "ASIAROLESESSION1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}
        stub = aws_stub("sts")
        stub.respond("AssumeRole", {"Credentials": keys})
        self.assumed: list[str] = []
        return http_edge(stub.endpoint_url)

    def refusal(self, fault: EdgeFault) -> Refusal | None:
        code = {"429": "Throttling", "503": "ServiceUnavailable"}.get(fault, "InternalFailure")
        content = f"<ErrorResponse><Error><Code>{code}</Code><Message>Later.</Message></Error></ErrorResponse>"
        return Refusal(int(fault) if fault.isdigit() else 500, content.encode(), {"Content-Type": "text/xml"})

    def change(self, edge: HttpEdge, key: str) -> None:
        credentials = assuming(credentials_at(edge.url), key)
        assert credentials.get_boto3_session().get_credentials().access_key == "ASIAROLESESSION1"
        self.assumed.append(key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.assumed.count(key)


def test_the_keys_in_an_answer_of_sts_that_is_cut_off_are_not_said(aws_stub: Any, http_edge: Any) -> None:
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    keys = {
        "AccessKeyId": "ASIAROLESESSION1",
        "SecretAccessKey": "canary",
        "SessionToken": "canary",
        "Expiration": ends,
    }
    stub = aws_stub("sts")
    stub.respond("AssumeRole", {"Credentials": keys})
    edge = http_edge(stub.endpoint_url)
    with edge.fault("truncated", times=None), pytest.raises(errors.AwsError, match=r"role/thing.*cut off") as caught:
        assuming(credentials_at(edge.url), "thing").get_boto3_session()
    assert "canary" not in "".join(traceback.format_exception(caught.value))


class TestEcsWorker(HttpFaultSuite):
    """A worker asks ECS for the task of a run."""

    error = errors.AwsError
    named = "ECS cluster"
    secret = "testing-secret"

    @pytest.fixture
    def edge(self, aws_stub: Any, http_edge: Any) -> HttpEdge:
        self.stub = aws_stub("ecs")
        task = {"taskArn": "arn:aws:ecs:us-east-1:000000000000:task/c/1", "lastStatus": "PROVISIONING"}
        self.stub.respond("RunTask", {"tasks": [task], "failures": []})
        edge = http_edge(self.stub.endpoint_url)
        self.ecs = client_for(credentials_at(edge.url), "ecs", config={"retries": {"total_max_attempts": 2}})
        return edge

    async def change(self, edge: HttpEdge, key: str) -> None:
        settings = EcsWorkerSettings(create_task_run_max_attempts=2, create_task_run_min_delay_seconds=0)
        starter = Starter(settings, jitter=lambda low, high: 0.01)
        request = {"taskDefinition": "f:1", "cluster": key, "count": 1}
        token = client_token(key)
        await starter.start(self.ecs, request, token=token, is_wanted=lambda: True, on_retry=lambda error, delay: None)

    def changes(self, edge: HttpEdge, key: str) -> int:
        """ECS starts one task for a token, however often it is asked."""
        asked = [call.parameters for call in self.stub.calls_of("RunTask")]
        return len({call["clientToken"] for call in asked if call["cluster"] == key})


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessage"])
@pytest.mark.parametrize("fault", EDGE_FAULTS)
async def test_the_observer_outlasts(
    aws_emulator: Any, http_edge: Any, monkeypatch: pytest.MonkeyPatch, fault: EdgeFault, operation: str
) -> None:
    """A message comes again until it is acknowledged, whatever becomes of the line."""
    monkeypatch.setattr(_sqs, "SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS", 1)
    edge = http_edge(aws_emulator.endpoint_url)
    for name, value in {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "testing",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", edge.url)
    client = aws_emulator.client("sqs")
    url = client.create_queue(QueueName=f"events-{edge.port}-{time.monotonic_ns()}")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="event")
    subscriber = SqsSubscriber(url.rpartition("/")[2])
    subscriber.backoff = Backoff(initial_seconds=0.01, maximum_seconds=0.1)
    stream = subscriber.stream_messages()

    def left() -> list[str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [found[name] for name in names]

    async def read() -> None:
        async for message in stream:
            assert message.message["Body"] == "event"
            if await message.ack() or left() == ["0", "0"]:  # it may be gone although no answer came
                return

    with edge.fault(fault, where=lambda call: call.headers.get("X-Amz-Target", "").endswith(f".{operation}")) as struck:
        reading = asyncio.create_task(read())
        await until(struck, "the fault")
        if fault != "time-out":  # boto3 waits for a minute; the line is cut before
            await asyncio.wait_for(reading, 20)
    await asyncio.wait_for(reading, 20)
    await stream.aclose()
    assert left() == ["0", "0"]


@pytest.mark.parametrize("fault", ["DNS", "TLS"])
async def test_the_observer_outlasts_a_way_that_leads_nowhere(
    aws_stub: Any, http_edge: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    """A name that is not known, a certificate of somebody else: told, and tried until it is mended."""
    stub = aws_stub("sqs")
    stub.respond("ReceiveMessage", {"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "event"}]})
    ca = PrivateCA(tmp_path)
    other, own = ca.issue("other", "other.test"), ca.issue("own", "localhost")
    context = (other if fault == "TLS" else own).server_context()
    edge = http_edge(stub.endpoint_url, context=context)
    address = f"https://localhost:{edge.port}"
    stub.respond("GetQueueUrl", {"QueueUrl": f"{address}/123456789012/q"})
    is_known = fault != "DNS"
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "localhost" and not is_known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name, value in {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "testing",
        "DEFAULT_REGION": "us-east-1",
        "CA_BUNDLE": str(ca.ca_file),
        "ENDPOINT_URL_SQS": address,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    subscriber = SqsSubscriber("q")
    subscriber.backoff = Backoff(initial_seconds=0.01, maximum_seconds=0.1)
    stream = subscriber.stream_messages()
    reading = asyncio.ensure_future(anext(stream))
    await until(lambda: len(subscriber.monitor.health.recent_errors) > 2, "failures")
    told = subscriber.monitor.health
    assert "localhost" in str(told.recent_errors), told
    assert not reading.done()
    is_known = True
    context.load_cert_chain(own.cert_file, own.key_file)
    assert (await asyncio.wait_for(reading, 20)).message["Body"] == "event"
    await stream.aclose()


# Refusals in the services' own words, and ways that lead nowhere

RUN = {"cluster": "thing", "taskDefinition": "f:1"}
OPERATIONS: dict[str, tuple[str, str, Callable[[AwsCredentials], Any]]] = {
    "EcsWorker": ("ecs", "RunTask", lambda own: run_task(client_for(own, "ecs"), RUN)),
    "S3Bucket": ("s3", "PutObject", lambda own: S3Bucket(bucket_name="thing", credentials=own).write_path("k", b"1")),
    "AwsSecret": (
        "secretsmanager",
        "GetSecretValue",
        lambda own: AwsSecret(aws_credentials=own, secret_name="thing").read_secret(),
    ),
    "AwsParameter": (
        "ssm",
        "GetParameter",
        lambda own: AwsParameter(aws_credentials=own, parameter_name="/thing").read_value(),
    ),
    "SqsQueue": (
        "sqs",
        "SendMessageBatch",
        lambda own: send_message.fn("https://sqs.us-east-1.amazonaws.com/000000000000/thing", "x", own),
    ),
    "LambdaFunction": (
        "lambda",
        "Invoke",
        lambda own: LambdaFunction(function_name="thing", aws_credentials=own).invoke(),
    ),
    "Batch": ("batch", "SubmitJob", lambda own: batch_submit.fn("thing", "q", "d", own)),
    "GlueJob": ("glue", "StartJobRun", lambda own: GlueJobBlock(job_name="thing", aws_credentials=own).trigger()),
    "StepFunctions": (
        "stepfunctions",
        "StartExecution",
        lambda own: start_execution.fn("arn:aws:states:us-east-1:000000000000:stateMachine:thing", own),
    ),
    "AssumeRole": ("sts", "AssumeRole", lambda own: assuming(own, "thing").get_boto3_session()),
    "Athena": (
        "athena",
        "StartQueryExecution",
        lambda own: start_query_and_wait.fn("SELECT 1", own, workgroup="thing"),
    ),
}

REFUSALS: dict[str, tuple[Fault, type[errors.AwsError], str]] = {
    "expired token": (Fault.EXPIRED_TOKEN, errors.AwsCredentialsExpired, "Sign in again"),
    "permission lost": (Fault.ACCESS_DENIED, errors.AwsAccessDenied, "Allow"),
    "clock jump": (Fault.CLOCK_SKEW, errors.AwsClockSkew, "clock"),
}


@pytest.fixture(params=sorted(OPERATIONS))
def operation(request: pytest.FixtureRequest) -> tuple[str, str, Callable[[AwsCredentials], Any]]:
    """An operation of each service."""
    return OPERATIONS[request.param]


@pytest.mark.parametrize("refusal", sorted(REFUSALS))
def test_a_refusal_is_told_at_once_with_its_remedy(aws_stub: Any, operation: Any, refusal: str) -> None:
    service, name, do = operation
    fault, error, remedy = REFUSALS[refusal]
    stub = aws_stub(service)
    stub.fail(name, fault)
    with pytest.raises(error, match=rf"(?s)thing.*{remedy}|{remedy}.*thing") as caught:
        do(credentials_at(stub.endpoint_url))
    assert len(stub.calls_of(name)) == 1
    assert "testing-secret" not in str(caught.value)


def test_a_host_that_nobody_knows_is_named(operation: Any) -> None:
    with pytest.raises(errors.AwsError, match=rf"(?s)thing.*{UNRESOLVABLE_HOST}.*endpoint_url"):
        operation[2](credentials_at(f"http://{UNRESOLVABLE_HOST}"))


def test_a_certificate_that_nobody_trusts_is_refused(
    aws_stub: Any, operation: Any, http_edge: Any, tmp_path: Path
) -> None:
    service, _, do = operation
    stub = aws_stub(service)
    edge = http_edge(stub.endpoint_url, context=PrivateCA(tmp_path).issue("aws", "127.0.0.1").server_context())
    with pytest.raises(errors.AwsError, match=r"(?s)thing.*certificate verify failed.*"):
        do(credentials_at(edge.url))
    assert edge.calls == []
    assert stub.calls == []


# A process is killed

DOWNLOAD = """
import sys
from prefect_aws import AwsClientParameters, MinIOCredentials, S3Bucket
url, user, password, bucket, target = sys.argv[1:]
credentials = MinIOCredentials(minio_root_user=user, minio_root_password=password, region_name="us-east-1",
    aws_client_parameters=AwsClientParameters(endpoint_url=url))
S3Bucket(bucket_name=bucket, credentials=credentials).download_object_to_path("big", target)
"""


async def test_a_killed_download_leaves_the_old_file(
    s3_server: Any, s3_bucket_name: str, behind: Any, fault_proxy: Any, tmp_path: Path
) -> None:
    behind.put("big", bytes(24 * 1024 * 1024))
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    proxy.bytes_per_second = 4 * 1024 * 1024
    target = tmp_path / "folder" / "big"
    target.parent.mkdir()
    target.write_bytes(b"old")
    arguments = [proxy.url, s3_server.access_key, s3_server.secret_key, s3_bucket_name, str(target)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DOWNLOAD, *arguments)
    await until(lambda: len(list(target.parent.iterdir())) > 1, "the download")
    process.kill()
    await process.wait()
    assert target.read_bytes() == b"old"
    proxy.heal()
    again = await asyncio.create_subprocess_exec(sys.executable, "-c", DOWNLOAD, *arguments)
    assert await again.wait() == 0
    assert target.stat().st_size == 24 * 1024 * 1024
