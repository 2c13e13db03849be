"""AWS on this machine: MiniStack, from the `ministack` distribution, with what tests need set up in one call.

It stands behind tests of Lambda (the function really runs), Secrets Manager, Parameter Store, STS, Glue, Batch and the
parts of S3 that are not about data. It checks no signatures, its Glue and Batch jobs succeed at once, and Batch accepts
names that do not exist: for states over time, refusals and malformed answers there is `aws_stub`.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ._boto import open_client
from ._lifetime import Stopped, started
from .aws_stub import AwsStub
from .processes import HOST, LocalServer, answers_http, find_program, free_port

if TYPE_CHECKING:
    from typing_extensions import Self


class BatchTarget(NamedTuple):
    """Names to submit a Batch job to."""

    queue: str
    definition: str


def _unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class MiniStack(Stopped):
    """An AWS emulator: one account, every service at one URL.

    ```python
    with MiniStack.start() as aws:
        aws.client("secretsmanager").create_secret(Name="token", SecretString="s3cr3t")
        function = aws.new_function("def handler(event, context): return event")
    ```
    """

    access_key: str = "testing"
    secret_key: str = "testing-secret"  # any value is accepted
    region: str = "us-east-1"
    account_id: str = "000000000000"

    def __init__(self) -> None:
        """Describe the server; `start` starts it."""
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="ministack-"))
        self._server = LocalServer(
            [find_program("ministack", distribution="ministack")],
            lambda: answers_http(f"{self.endpoint_url}/_ministack/health"),
            name="ministack",
            env={
                "GATEWAY_PORT": str(self.port),
                "BIND_HOST": HOST,
                "MINISTACK_HOST": HOST,
                "MINISTACK_ACCOUNT_ID": self.account_id,
                "TMPDIR": str(self._folder),  # it unpacks functions there and leaves them behind
            },
            cwd=self._folder,
            log_path=self._folder / "server.log",
        )

    @classmethod
    def start(cls) -> Self:
        """Start a server on a free port (about 1 s) and wait until it answers.

        Raises:
            ServerError: If it does not start.
        """
        return started(cls)

    @property
    def endpoint_url(self) -> str:
        """URL that clients of every service take as `endpoint_url`."""
        return f"http://{HOST}:{self.port}"

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it. Data do not survive."""
        return self._server

    def client(self, service: str, **options: Any) -> Any:
        """Open a boto3 client.

        Args:
            service: Name of the service, such as `glue`.
            options: Further arguments of `boto3.session.Session.client`, which win over this server's, and
                `access_key`, `secret_key` and `region`.
        """
        return open_client(
            service,
            **{
                "endpoint_url": self.endpoint_url,
                "access_key": self.access_key,
                "secret_key": self.secret_key,
                "region": self.region,
                **options,
            },
        )

    def reset(self) -> None:
        """Delete everything in the account, in milliseconds."""
        request = urllib.request.Request(f"{self.endpoint_url}/_ministack/reset", method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30):
            pass

    def new_bucket(self, prefix: str = "test") -> str:
        """Create an empty bucket with a unique name, and return the name."""
        bucket = _unique(prefix)
        self.client("s3").create_bucket(Bucket=bucket)
        return bucket

    def new_role(self, prefix: str = "role") -> str:
        """Create a role that any function, job or session may take, and return its ARN."""
        policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
        role = self.client("iam").create_role(RoleName=_unique(prefix), AssumeRolePolicyDocument=json.dumps(policy))
        return role["Role"]["Arn"]

    def new_function(
        self, source: str, *, timeout_seconds: int = 10, environment: Mapping[str, str] | None = None
    ) -> str:
        """Create a Lambda function from Python source and return its name.

        Args:
            source: A module with a function `handler(event, context)`.
            timeout_seconds: How long one call may take.
            environment: Variables that the function sees.
        """
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("index.py", source)
        name = _unique("function")
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=self.new_role(),
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout_seconds,
            Environment={"Variables": dict(environment or {})},
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
        return name

    def new_glue_job(self) -> str:
        """Create a Glue job and return its name. A run of it goes from RUNNING to SUCCEEDED in a moment."""
        name = _unique("job")
        command = {"Name": "glueetl", "ScriptLocation": "s3://scripts/job.py"}
        self.client("glue").create_job(Name=name, Role=self.new_role(), Command=command)
        return name

    def new_batch_target(self) -> BatchTarget:
        """Create a compute environment, a job queue and a job definition, ready to submit to."""
        batch = self.client("batch")
        environment = batch.create_compute_environment(
            computeEnvironmentName=_unique("environment"),
            type="MANAGED",
            computeResources={
                "type": "FARGATE",
                "maxvCpus": 4,
                "subnets": ["subnet-1"],
                "securityGroupIds": ["sg-1"],
            },
        )
        order = {"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}
        queue = batch.create_job_queue(jobQueueName=_unique("queue"), priority=1, computeEnvironmentOrder=[order])
        definition = batch.register_job_definition(
            jobDefinitionName=_unique("definition"),
            type="container",
            containerProperties={
                "image": "busybox",
                "command": ["true"],
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "128"},
                ],
            },
        )
        return BatchTarget(queue["jobQueueName"], definition["jobDefinitionName"])

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def aws_emulator() -> Iterator[MiniStack]:
    """An AWS emulator for the whole session; see `MiniStack` for what it offers."""
    with MiniStack.start() as emulator:
        yield emulator


@pytest.fixture
def empty_aws_emulator(aws_emulator: MiniStack) -> MiniStack:
    """`aws_emulator` with nothing in it."""
    aws_emulator.reset()
    return aws_emulator


@pytest.fixture
def aws_stub() -> Iterator[Callable[..., AwsStub]]:
    """A maker of stubs, such as `aws_stub("glue", "sts")`; they are checked and closed with the test."""
    with contextlib.ExitStack() as stack:

        def make(*services: str) -> AwsStub:
            return stack.enter_context(AwsStub(*services))

        yield make
