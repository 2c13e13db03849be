"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import builtins
import getpass
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from prefect_aws import (
    AwsCredentials,
    AwsParameter,
    AwsSecret,
    ECSWorker,
    GlueJobBlock,
    LambdaFunction,
    S3Bucket,
    athena,
    batch,
    client_waiter,
    glue_job,
    step_functions,
)
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.suites import GuideSuite

REGION = "eu-central-1"
SHIPPING_COST = """
def handler(event, context):
    print("parcel to", event["country"])
    return {"price": f"{2 * event['weight_kg']:.2f} EUR"}
"""
PACK_ORDER = {
    "StartAt": "Pack",
    "States": {"Pack": {"Type": "Pass", "Parameters": {"parcel.$": "States.Format('P-{}', $.order)"}, "End": True}},
}


@pytest.fixture(scope="session")
def shop(aws_emulator: Any) -> None:
    """What the shop of the guide has at AWS."""
    s3 = aws_emulator.client("s3")
    for name in ("shop-archive", "shop-flows", "shop-bundles", "greenhouse-sensors"):
        s3.create_bucket(Bucket=name)
    for hour in (8, 9):
        s3.put_object(Bucket="greenhouse-sensors", Key=f"2026-05-04/{hour}.json", Body=b"{}")
    s3.put_object(Bucket="shop-archive", Key="invoices/may-approved.txt", Body=b"yes")
    aws_emulator.client("sqs", region=REGION).create_queue(QueueName="new-orders")
    role = aws_emulator.new_role()
    command = {"Name": "glueetl", "ScriptLocation": "s3://scripts/job.py"}
    aws_emulator.client("glue", region=REGION).create_job(Name="load-orders", Role=role, Command=command)
    aws_emulator.client("stepfunctions", region=REGION).create_state_machine(
        name="pack-order", definition=json.dumps(PACK_ORDER), roleArn=role
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("index.py", SHIPPING_COST)
    aws_emulator.client("lambda", region=REGION).create_function(
        FunctionName="shipping-cost",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )


@pytest.fixture(scope="session")
def saved_blocks(prefect_harness: None, aws_emulator: Any) -> None:
    """The blocks that one page saves and another loads."""
    credentials = AwsCredentials(
        aws_access_key_id=aws_emulator.access_key,
        aws_secret_access_key=aws_emulator.secret_key,
        region_name=REGION,
    )
    credentials.save("shop-aws", overwrite=True)
    S3Bucket(bucket_name="shop-archive", bucket_folder="invoices", credentials=credentials).save(
        "invoices", overwrite=True
    )
    LambdaFunction(function_name="shipping-cost", aws_credentials=credentials).save("shipping-cost", overwrite=True)
    pool = WorkPoolCreate(name="shop-ecs", type="ecs", base_job_template=ECSWorker.get_default_base_job_template())
    with get_client(sync_client=True) as client:
        client.create_work_pool(pool, overwrite=True)
        client.create_deployment(client.create_flow_from_name("pack-order"), name="nightly")


class TestGuide(GuideSuite):
    distribution = "prefect-aws"
    more_pages = ("../../index.mdx", "../use-integrations.mdx")  # their examples are about S3

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        aws_emulator: Any,
        shop: None,
        saved_blocks: None,
        fake_clock: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The shop's account, its blocks and its profile, and a reader who answers what he is asked."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws_emulator.endpoint_url)
        keys = "aws_access_key_id = shop\naws_secret_access_key = shop-secret\n"
        config = page_folder.with_name(f"{page_folder.name}-config")
        config.write_text(f"[profile shop]\n{keys}[profile greenhouse]\n{keys}")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        (page_folder / "example-ca.pem").touch()
        monkeypatch.setattr(builtins, "input", lambda prompt="": aws_emulator.access_key)
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "" if "token" in prompt else aws_emulator.secret_key)
        for module in (glue_job, client_waiter, batch, step_functions, athena):
            monkeypatch.setattr(module, "_clock", fake_clock)

    @pytest.fixture
    def provocations(
        self,
        aws_emulator: Any,
        shop: None,
        aws_stub: Any,
        make_credentials: Any,
        fake_clock: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        monkeypatch.setattr(client_waiter, "_clock", fake_clock)
        stub = aws_stub("secretsmanager", "s3", "sts", "glue", "lambda")
        real = make_credentials(aws_emulator.endpoint_url, region_name=REGION)
        scripted = make_credentials(stub.endpoint_url)

        def read(credentials: AwsCredentials) -> bytes:
            return AwsSecret(secret_name="shop/ledger-login", aws_credentials=credentials).read_secret()

        def refused(fault: Fault) -> bytes:
            stub.fail("GetSecretValue", fault)
            return read(scripted)

        def bucket(name: str = "shop-archive", credentials: AwsCredentials = real, folder: str = "") -> S3Bucket:
            return S3Bucket(bucket_name=name, bucket_folder=folder, credentials=credentials)

        def from_the_wrong_region() -> bytes:
            stub.fail("GetObject", Fault.WRONG_REGION)
            return bucket(credentials=scripted).read_path("may.pdf")

        def upward() -> object:
            aws_emulator.client("s3").put_object(Bucket="shop-flows", Key="app/../../evil.txt", Body=b"evil")
            return bucket("shop-flows").download_folder_to_path("app", tmp_path)

        def assume() -> bytes:
            stub.fail("AssumeRole", Fault.ACCESS_DENIED)
            arn = "arn:aws:iam::210987654321:role/stock-reader"
            return read(make_credentials(stub.endpoint_url, assume_role_arn=arn))

        def write_deleted() -> str:
            secret = AwsSecret(secret_name="shop/old-login", aws_credentials=real)
            secret.write_secret(b"1")
            secret.delete_secret()
            return secret.write_secret(b"2")

        def run_job() -> None:
            stub.respond("StartJobRun", {"JobRunId": "jr_1"})
            ended = {"JobRunState": "FAILED", "ErrorMessage": "No rows in orders/2026-05-04"}
            stub.respond("GetJobRun", {"JobRun": ended})
            GlueJobBlock(job_name="load-orders", aws_credentials=scripted).trigger().wait_for_completion()

        def wait_for_function() -> None:
            stub.respond("GetFunction", {"Configuration": {"State": "Failed"}})
            client_waiter.client_waiter.fn("lambda", "function_active_v2", scripted, FunctionName="shipping-cost")

        unsigned = make_credentials(aws_emulator.endpoint_url, aws_access_key_id=None, aws_secret_access_key=None)
        nowhere = make_credentials("http://127.0.0.1:9")
        function = LambdaFunction(function_name="shiping-cost", aws_credentials=real)
        parameter = AwsParameter(parameter_name="/shop/ledger-urls", aws_credentials=real)
        return {
            "No credentials are found": partial(read, unsigned),
            "The key is not accepted": partial(refused, Fault.UNKNOWN_KEY),
            "The credentials have expired": partial(refused, Fault.EXPIRED_TOKEN),
            "An action is not allowed": partial(refused, Fault.ACCESS_DENIED),
            "The role cannot be assumed": assume,
            "The clock is wrong": partial(refused, Fault.CLOCK_SKEW),
            "No region is given": lambda: read(make_credentials(region_name=None)),
            "The region is wrong": from_the_wrong_region,
            "The service cannot be reached": partial(read, nowhere),
            "boto3 knows no such service": partial(real.get_client, "secretmanager"),
            "The bucket does not exist": partial(bucket("shop-archve").read_path, "may.pdf"),
            "The object does not exist": partial(bucket(folder="invoices").read_path, "May.pdf"),
            "The name of the bucket is an address": lambda: bucket("s3://shop-archive").read_path("may.pdf"),
            "A key leads out of the folder": upward,
            "An object does not appear in time": partial(
                bucket(folder="invoices").wait_for_object, "june-approved.txt", timeout_seconds=0.1
            ),
            "A secret is not found": partial(
                read, make_credentials(aws_emulator.endpoint_url, region_name="eu-west-1")
            ),
            "A parameter is not found": parameter.read_value,
            "A function is not found": function.invoke,
            "A secret was deleted": write_deleted,
            "Too many requests": partial(refused, Fault.THROTTLED),
            "AWS has a failure": partial(refused, Fault.INTERNAL),
            "A Glue job ended without success": run_job,
            "A waiter does not exist": partial(client_waiter.client_waiter.fn, "lambda", "function_activ", real),
            "A waiter saw a failure": wait_for_function,
        }
