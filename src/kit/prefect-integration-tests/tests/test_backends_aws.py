"""Each AWS service that the tests of integrations use answers a real client."""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("boto3")

from botocore.exceptions import ClientError

from prefect_integration_tests.backends.aws import MiniStack


def test_an_object_is_stored(aws_emulator: MiniStack):
    bucket = aws_emulator.new_bucket()
    client = aws_emulator.client("s3")
    client.put_object(Bucket=bucket, Key="k", Body=b"v", StorageClass="STANDARD_IA")
    assert client.head_object(Bucket=bucket, Key="k")["StorageClass"] == "STANDARD_IA"


def test_a_secret_lives_in_its_region_only(aws_emulator: MiniStack):
    aws_emulator.client("secretsmanager").create_secret(Name="here", SecretString="v")
    assert aws_emulator.client("secretsmanager").get_secret_value(SecretId="here")["SecretString"] == "v"
    elsewhere = aws_emulator.client("secretsmanager", region_name="eu-west-1")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        elsewhere.get_secret_value(SecretId="here")


def test_a_parameter_is_decrypted(aws_emulator: MiniStack):
    client = aws_emulator.client("ssm")
    client.put_parameter(Name="/app/password", Value="v", Type="SecureString")
    assert client.get_parameter(Name="/app/password", WithDecryption=True)["Parameter"]["Value"] == "v"


def test_a_role_is_assumed_and_seen_by_the_service(aws_emulator: MiniStack):
    role = aws_emulator.new_role("reader")
    answer = aws_emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")
    keys = answer["Credentials"]
    identity = aws_emulator.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).get_caller_identity()
    assert identity["Arn"].endswith("/tests")
    assert identity["Account"] == aws_emulator.account_id


def test_a_function_runs(aws_emulator: MiniStack):
    source = "import os\ndef handler(event, context):\n    return {'got': event, 'mode': os.environ['MODE']}"
    name = aws_emulator.new_function(source, environment={"MODE": "test"})
    answer = aws_emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"a": 1}), LogType="Tail")
    assert json.loads(answer["Payload"].read()) == {"got": {"a": 1}, "mode": "test"}


def test_a_failing_function_says_so(aws_emulator: MiniStack):
    name = aws_emulator.new_function("def handler(event, context):\n    raise ValueError('no')")
    answer = aws_emulator.client("lambda").invoke(FunctionName=name)
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorMessage"] == "no"


def test_a_glue_run_succeeds(aws_emulator: MiniStack):
    job = aws_emulator.new_glue_job()
    client = aws_emulator.client("glue")
    run = client.start_job_run(JobName=job, Arguments={"--day": "1"})["JobRunId"]
    deadline = time.monotonic() + 20
    while (state := client.get_job_run(JobName=job, RunId=run)["JobRun"]["JobRunState"]) != "SUCCEEDED":
        assert state in ("STARTING", "RUNNING")
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_batch_job_is_submitted(aws_emulator: MiniStack):
    target = aws_emulator.new_batch_target()
    client = aws_emulator.client("batch")
    job = client.submit_job(jobName="j", jobQueue=target.queue, jobDefinition=target.definition)["jobId"]
    described = client.describe_jobs(jobs=[job])["jobs"][0]
    assert (described["jobName"], described["status"]) == ("j", "SUCCEEDED")


def test_reset_empties_the_account(empty_aws_emulator: MiniStack):
    empty_aws_emulator.new_bucket()
    empty_aws_emulator.reset()
    assert empty_aws_emulator.client("s3").list_buckets()["Buckets"] == []
