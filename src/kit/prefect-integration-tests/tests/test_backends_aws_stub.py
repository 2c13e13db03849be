"""The AWS stub says what it was told, in the service's own protocol, and nothing that the service could not say."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest

pytest.importorskip("boto3")

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from prefect_integration_tests.backends.aws_stub import (
    AwsError,
    AwsStub,
    Fault,
    HangUp,
    StubMisused,
    session_credentials,
)

MakeStub = Callable[..., AwsStub]
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"})


def run(state: str, **more: object) -> dict[str, object]:
    return {"JobRun": {"Id": "jr_1", "JobRunState": state, **more}}


def test_answers_come_in_order_and_the_last_one_stays(aws_stub: MakeStub):
    stub = aws_stub("glue")
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    stub.respond("GetJobRun", run("RUNNING", StartedOn=started), run("STOPPED"))
    client = stub.client("glue")
    answers = [client.get_job_run(JobName="j", RunId="jr_1")["JobRun"] for _ in range(3)]
    assert [answer["JobRunState"] for answer in answers] == ["RUNNING", "STOPPED", "STOPPED"]
    assert answers[0]["StartedOn"] == started
    assert "ErrorMessage" not in answers[1]
    assert stub.calls_of("GetJobRun")[0].parameters == {"JobName": "j", "RunId": "jr_1"}


def test_a_failure_comes_before_the_script_and_passes(aws_stub: MakeStub):
    stub = aws_stub("secretsmanager")
    stub.respond("GetSecretValue", {"SecretString": "v"})
    stub.fail("GetSecretValue", Fault.THROTTLED, times=2)
    client = stub.client("secretsmanager", config=ONCE)
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            client.get_secret_value(SecretId="s")
    assert client.get_secret_value(SecretId="s")["SecretString"] == "v"


def test_a_function_of_the_call_may_answer(aws_stub: MakeStub):
    stub = aws_stub("sts", "secretsmanager")
    number = iter(range(1, 100))
    stub.respond("AssumeRole", lambda call: session_credentials(next(number), 900))
    stub.respond(
        "GetSecretValue",
        lambda call: Fault.EXPIRED_TOKEN if call.session_token == "token-1" else {"SecretString": call.access_key},
    )
    sts = stub.client("sts")
    for expected in (None, "ASIASESSION000000002"):
        keys = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/r", RoleSessionName="tests")["Credentials"]
        left = keys["Expiration"] - datetime.now(timezone.utc)
        assert timedelta(minutes=14) < left < timedelta(minutes=16)
        client = stub.client(
            "secretsmanager",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            region_name="eu-west-1",
        )
        if expected is None:
            with pytest.raises(ClientError, match="ExpiredTokenException"):
                client.get_secret_value(SecretId="s")
        else:
            assert client.get_secret_value(SecretId="s")["SecretString"] == expected
    assert stub.calls[-1].region == "eu-west-1"
    assert stub.calls[0].parameters["RoleSessionName"] == "tests"


def test_rest_json_is_spoken(aws_stub: MakeStub):
    stub = aws_stub("lambda", "batch")
    stub.respond("Invoke", {"StatusCode": 200, "Payload": b'"done"', "FunctionError": "Handled"})
    answer = stub.client("lambda").invoke(FunctionName="f", Payload=b'{"a": 1}', Qualifier="7", ClientContext="e30=")
    assert (answer["Payload"].read(), answer["FunctionError"], answer["StatusCode"]) == (b'"done"', "Handled", 200)
    assert stub.calls[0].parameters == {
        "FunctionName": "f",
        "Payload": b'{"a": 1}',
        "Qualifier": "7",
        "ClientContext": "e30=",
    }
    stub.respond("SubmitJob", {"jobName": "j", "jobId": "1"})
    stub.client("batch").submit_job(jobName="j", jobQueue="q", jobDefinition="d", parameters={"k": "v"})
    assert stub.calls[1].parameters["parameters"] == {"k": "v"}


def test_rest_xml_is_spoken(aws_stub: MakeStub):
    stub = aws_stub("s3")
    stub.respond("PutObject", {"ETag": '"1"'})
    stub.respond("GetObject", {"Body": b"data", "ContentType": "text/plain", "Metadata": {"a": "b"}})
    stub.respond(
        "ListObjectsV2",
        {"Contents": [{"Key": "a", "Size": 1}, {"Key": "b", "Size": 2}], "KeyCount": 2, "IsTruncated": False},
    )
    stub.respond("DeleteObjects", {"Deleted": [{"Key": "a"}]})
    client = stub.client("s3")
    client.put_object(Bucket="b", Key="x/ü", Body=b"data", ServerSideEncryption="AES256")
    answer = client.get_object(Bucket="b", Key="x")
    assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (b"data", "text/plain", {"a": "b"})
    assert [item["Size"] for item in client.list_objects_v2(Bucket="b", Prefix="p")["Contents"]] == [1, 2]
    client.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "a"}], "Quiet": False})
    put, _, listing, delete = (call.parameters for call in stub.calls)
    assert (put["Key"], put["Body"], put["ServerSideEncryption"]) == ("x/ü", b"data", "AES256")
    assert listing["Prefix"] == "p"
    assert delete["Delete"]["Objects"] == [{"Key": "a"}]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "fault", "code", "status"),
    [
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, Fault.ACCESS_DENIED, "AccessDenied", 403),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, Fault.EXPIRED_TOKEN, "ExpiredToken", 400),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, Fault.CLOCK_SKEW, "RequestTimeTooSkewed", 403),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, Fault.UNKNOWN_KEY, "InvalidAccessKeyId", 403),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, Fault.THROTTLED, "SlowDown", 503),
        ("s3", "head_object", {"Bucket": "b", "Key": "k"}, Fault.ACCESS_DENIED, "403", 403),
        ("sts", "get_caller_identity", {}, Fault.CLOCK_SKEW, "SignatureDoesNotMatch", 403),
        ("sts", "get_caller_identity", {}, Fault.EXPIRED_TOKEN, "ExpiredToken", 403),
        ("glue", "get_job", {"JobName": "j"}, Fault.ACCESS_DENIED, "AccessDeniedException", 400),
        ("glue", "get_job", {"JobName": "j"}, Fault.UNKNOWN_KEY, "UnrecognizedClientException", 400),
        ("ssm", "get_parameter", {"Name": "n"}, Fault.CLOCK_SKEW, "InvalidSignatureException", 400),
        ("lambda", "invoke", {"FunctionName": "f"}, Fault.THROTTLED, "TooManyRequestsException", 429),
        ("batch", "describe_jobs", {"jobs": ["1"]}, Fault.ACCESS_DENIED, "AccessDeniedException", 403),
        ("batch", "describe_jobs", {"jobs": ["1"]}, Fault.INTERNAL, "InternalError", 500),
    ],
)
def test_faults_are_put_in_the_words_of_the_service(
    aws_stub: MakeStub, service: str, operation: str, arguments: dict[str, object], fault: Fault, code: str, status: int
):
    stub = aws_stub(service)
    client = stub.client(service, config=ONCE)
    stub.fail(client.meta.method_to_api_mapping[operation], fault)
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_modelled_error_is_raised_as_its_own_class(aws_stub: MakeStub):
    stub = aws_stub("secretsmanager")
    stub.fail("GetSecretValue", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    client = stub.client("secretsmanager")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="can't find"):
        client.get_secret_value(SecretId="s")


def test_a_missing_answer_is_a_closed_connection(aws_stub: MakeStub):
    stub = aws_stub("glue")
    stub.respond("GetJob", HangUp())
    with pytest.raises(ConnectionClosedError):
        stub.client("glue", config=ONCE).get_job(JobName="j")


def test_answers_that_the_service_could_not_give_are_refused(aws_stub: MakeStub):
    stub = aws_stub("glue")
    with pytest.raises(StubMisused, match="ErrorMesage"):
        stub.respond("GetJobRun", run("FAILED", ErrorMesage="typo"))
    with pytest.raises(StubMisused, match="BROKEN"):
        stub.respond("GetJobRun", run("BROKEN"))
    with pytest.raises(StubMisused, match="GetJobRuns2"):
        stub.respond("GetJobRuns2", {})


def test_a_request_that_was_not_scripted_fails_the_test():
    stub = AwsStub("glue")
    with contextlib.closing(stub), pytest.raises(ClientError, match="not scripted"):
        stub.client("glue").get_job(JobName="j")
    with pytest.raises(StubMisused, match="GetJob is not scripted"):
        stub.check()


def test_a_request_that_does_not_fit_the_model_fails_the_test():
    stub = AwsStub("batch")
    stub.respond("SubmitJob", {"jobName": "j", "jobId": "1"})
    client = stub.client("batch", config=Config(parameter_validation=False))
    with contextlib.closing(stub), pytest.raises(ClientError, match="StubMisused"):
        client.submit_job(jobName="j", jobDefinition="d")
    with pytest.raises(StubMisused, match="jobQueue"):
        stub.check()


def test_a_client_that_is_stopped_while_it_sends_asked_for_nothing(aws_stub: MakeStub):
    stub = aws_stub("glue")
    address = urlsplit(stub.endpoint_url)
    head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSGlue.GetJobRun\r\nContent-Length: 50\r\n\r\n{"
    with socket.create_connection((address.hostname, address.port)) as line:
        line.sendall(head.encode())
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
    assert not stub.calls
    stub.check()


def test_leaving_the_block_checks():
    stub = AwsStub("glue")
    stub.problems.append("something")
    with pytest.raises(StubMisused, match="something"):
        stub.__exit__(None, None, None)


def test_a_script_is_safe_under_concurrency(aws_stub: MakeStub):
    stub = aws_stub("ssm")
    values = [{"Parameter": {"Value": str(number)}} for number in range(40)]
    stub.respond("GetParameter", *values, AwsError("ParameterNotFound"))
    client = stub.client("ssm")
    seen: list[str] = []

    def read() -> None:
        for _ in range(10):
            seen.append(client.get_parameter(Name="n")["Parameter"]["Value"])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, seen)) == list(range(40))
