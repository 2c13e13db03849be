"""Credentials hand out sessions and clients: the right ones, shared, and without telling a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, NoRegionError, ProfileNotFound, UnknownServiceError
from pydantic import PrivateAttr

from prefect_aws import errors
from prefect_aws._clients import client_for, session_for
from prefect_aws.batch import batch_submit
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, ClientType, MinIOCredentials
from prefect_aws.s3 import S3Bucket, upload_to_bucket
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST

KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
IDENTITY = {"Account": "0", "Arn": "arn:aws:iam::0:user/u", "UserId": "u"}


@pytest.fixture
def who_calls(aws_stub: Callable[..., Any]) -> Callable[[AwsCredentials], Any]:
    """Ask STS who calls, and return the request as it came in."""

    def ask(fields: dict[str, Any]) -> Any:
        stub = aws_stub("sts")
        stub.respond("GetCallerIdentity", IDENTITY)
        parameters = AwsClientParameters(endpoint_url=stub.endpoint_url)
        AwsCredentials(aws_client_parameters=parameters, **fields).get_client("sts").get_caller_identity()
        return stub.calls[-1]

    return ask


# Ways to authenticate


def test_keys_and_token_of_the_block_sign_the_request(who_calls: Any) -> None:
    call = who_calls({**KEYS, "aws_session_token": "token", "region_name": "eu-west-1"})
    assert (call.access_key, call.session_token, call.region) == ("AKIA", "token", "eu-west-1")


def test_the_environment_signs_when_the_block_is_empty(who_calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    call = who_calls({})
    assert (call.access_key, call.region) == ("ENVKEY", "ap-south-1")


def test_a_profile_signs_and_brings_its_region(who_calls: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile p]\nregion = sa-east-1\naws_access_key_id = PROFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    call = who_calls({"profile_name": "p"})
    assert (call.access_key, call.region) == ("PROFILE", "sa-east-1")


def test_a_profile_that_is_rewritten_is_read_again(
    aws_stub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = aws_stub("sts")
    stub.respond("GetCallerIdentity", IDENTITY)
    config = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config))
    credentials = AwsCredentials(
        profile_name="p",
        region_name="eu-west-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=stub.endpoint_url),
    )
    for key in ("FIRST", "SECOND-KEY"):
        config.write_text(f"[p]\naws_access_key_id = {key}\naws_secret_access_key = s\n")
        credentials.get_client("sts").get_caller_identity()
    assert [call.access_key for call in stub.calls] == ["FIRST", "SECOND-KEY"]


def test_a_session_is_what_boto3_gives() -> None:
    import boto3

    session = AwsCredentials(**KEYS, region_name="eu-west-1").get_boto3_session()
    assert isinstance(session, boto3.Session)
    assert session.region_name == "eu-west-1"
    found = session.get_credentials()
    assert found is not None
    assert (found.access_key, found.secret_key) == ("AKIA", "secret")


def test_minio_is_reached_by_user_and_password(aws_stub: Callable[..., Any]) -> None:
    stub = aws_stub("s3")
    stub.respond("ListBuckets", {"Buckets": [{"Name": "b"}]})
    minio = MinIOCredentials(
        minio_root_user="minio",
        minio_root_password="minio123",
        region_name="us-west-2",
        aws_client_parameters=AwsClientParameters(endpoint_url=stub.endpoint_url),
    )
    assert minio.get_s3_client().list_buckets()["Buckets"] == [{"Name": "b"}]
    assert (stub.calls[0].access_key, stub.calls[0].region) == ("minio", "us-west-2")
    assert minio.get_boto3_session().region_name == "us-west-2"


# Clients


@pytest.mark.parametrize("service", ["s3", "sqs", "secretsmanager", "glue", ClientType.BATCH, ClientType.ECS])
def test_the_block_s_region_reaches_every_client(service: Any) -> None:
    """#16811"""
    assert AwsCredentials(**KEYS, region_name="eu-north-1").get_client(service).meta.region_name == "eu-north-1"


def test_a_client_type_is_its_name() -> None:
    credentials = AwsCredentials(**KEYS, region_name="eu-west-1")
    assert {member.value for member in ClientType} == {"s3", "ecs", "batch", "secretsmanager"}
    assert credentials.get_client(ClientType.S3) is credentials.get_client("s3") is credentials.get_s3_client()
    assert credentials.get_secrets_manager_client() is credentials.get_client("secretsmanager")


def test_all_client_parameters_are_honoured(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    client = AwsCredentials(
        **KEYS,
        region_name="eu-west-1",
        aws_client_parameters=AwsClientParameters(
            api_version="2006-03-01",
            use_ssl=False,
            verify_cert_path=bundle,
            config={
                "retries": {"mode": "adaptive", "total_max_attempts": 7},
                "s3": {"addressing_style": "path"},
                "proxies": {"http": "http://proxy:3128"},
                "max_pool_connections": 3,
            },
        ),
    ).get_s3_client()
    assert client.meta.endpoint_url.startswith("http://")
    assert client.meta.config.retries["mode"] == "adaptive"
    assert client.meta.config.s3["addressing_style"] == "path"
    assert client.meta.config.proxies == {"http": "http://proxy:3128"}
    assert client.meta.config.max_pool_connections == 3
    assert client.meta.service_model.api_version == "2006-03-01"


def test_defaults_of_ours_yield_to_the_block_s_config() -> None:
    plain = AwsCredentials(**KEYS, region_name="eu-west-1")
    own = AwsCredentials(
        **KEYS, region_name="eu-west-1", aws_client_parameters=AwsClientParameters(config={"max_pool_connections": 3})
    )
    assert client_for(plain, "s3", max_pool_connections=40).meta.config.max_pool_connections == 40
    assert client_for(own, "s3", max_pool_connections=40).meta.config.max_pool_connections == 3
    assert client_for(plain, "s3", config={"read_timeout": 5}).meta.config.read_timeout == 5
    assert plain.get_s3_client().meta.config.max_pool_connections == 10


def test_a_subclass_decides_about_its_clients() -> None:
    class OwnCredentials(AwsCredentials):
        _block_type_name = "Own AWS Credentials"

        def get_client(self, client_type: Any) -> Any:
            return f"own {client_type}"

    assert client_for(OwnCredentials(), "s3", max_pool_connections=40) == "own s3"


def test_a_subclass_decides_about_its_s3_client() -> None:
    class OwnS3Credentials(AwsCredentials):
        _block_type_name = "Own S3 Credentials"

        def get_s3_client(self) -> Any:
            return client

    client = MagicMock()
    own = OwnS3Credentials()
    S3Bucket(bucket_name="b", credentials=own).write_path("k", b"1")
    upload_to_bucket.fn(b"1", "b", own, key="l")
    assert [call.kwargs["Key"] for call in client.upload_fileobj.call_args_list] == ["k", "l"]


def test_a_subclass_decides_about_its_sessions() -> None:
    class OwnSessionCredentials(AwsCredentials):
        _block_type_name = "Own Session Credentials"
        _session: Any = PrivateAttr(default=None)

        def get_boto3_session(self) -> Any:
            return self._session

    def own() -> Any:
        block = OwnSessionCredentials(region_name="eu-west-1")
        block._session = MagicMock()
        return block

    first, second = own(), own()
    assert first.get_client("sqs") is first.get_client("sqs") is first._session.client.return_value
    assert second.get_client("sqs") is second._session.client.return_value


def test_a_client_that_a_test_puts_in_its_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = AwsCredentials(**KEYS, region_name="eu-west-1")
    real = credentials.get_client("sqs")
    for name in ("boto3.Session.client", "boto3.Session", "prefect_aws.credentials.AwsCredentials.get_boto3_session"):
        with monkeypatch.context() as patched:
            stub = MagicMock()
            patched.setattr(name, stub)
            taken = credentials.get_client("sqs")
            assert taken in (stub.return_value, stub.return_value.client.return_value), name
    assert credentials.get_client("sqs") is real


def test_each_sts_that_a_test_puts_in_its_place_is_asked_for_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::123456789012:role/tested"
    for number in range(2):
        stub = MagicMock()
        stub.return_value.assume_role.return_value = {
            "Credentials": {
                "AccessKeyId": f"ASIA{number}",
                "SecretAccessKey": "s",
                "SessionToken": "t",
                "Expiration": datetime.now(timezone.utc) + timedelta(hours=1),
            }
        }
        with monkeypatch.context() as patched:
            patched.setattr("boto3.Session.client", stub)
            session = AwsCredentials(**KEYS, region_name="eu-west-1", assume_role_arn=role).get_boto3_session()
        found = session.get_credentials()
        assert found is not None
        assert found.access_key == f"ASIA{number}"
        stub.return_value.assume_role.assert_called_once()


def test_a_stub_in_place_of_the_block_is_asked() -> None:
    stub = MagicMock(spec=AwsCredentials)
    stub.get_client.return_value.submit_job.return_value = {"jobId": "j"}
    assert batch_submit.fn("n", "q", "d", stub) == "j"
    assert upload_to_bucket.fn(b"1", "b", stub, key="k") == "k"
    stub.get_s3_client.return_value.upload_fileobj.assert_called_once()


# Sharing


def test_equal_blocks_share_a_client_nested_config_included() -> None:
    """#18752"""
    config = {"retries": {"mode": "adaptive"}, "s3": {"addressing_style": "path"}}

    def aws(config: Any) -> Any:
        parameters = AwsClientParameters(config=config)
        return AwsCredentials(**KEYS, region_name="eu-west-1", aws_client_parameters=parameters).get_s3_client()

    def minio(config: Any) -> Any:
        parameters = AwsClientParameters(config=config)
        block = MinIOCredentials(minio_root_user="u", minio_root_password="p", aws_client_parameters=parameters)
        return block.get_s3_client()

    for make in (aws, minio):
        assert make(config) is make(dict(reversed(config.items()))) is make(Config(**config))
        assert make(config) is not make({**config, "s3": {"addressing_style": "virtual"}})


@pytest.mark.parametrize(
    "other",
    [
        {"aws_secret_access_key": "other"},
        {"aws_session_token": "t"},
        {"region_name": "eu-west-2"},
        {"aws_client_parameters": AwsClientParameters(endpoint_url="http://x")},
        {"something_else": 1},
    ],
)
def test_unequal_blocks_do_not_share(other: dict[str, Any]) -> None:
    fields = {**KEYS, "region_name": "eu-west-1"}
    assert AwsCredentials(**fields).get_s3_client() is not AwsCredentials(**{**fields, **other}).get_s3_client()


def test_a_change_of_the_environment_leads_to_another_client(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = AwsCredentials(region_name="eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "B")
    first = credentials.get_s3_client()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "C")
    assert credentials.get_s3_client() is not first


def test_many_threads_build_one_client() -> None:
    credentials = AwsCredentials(**KEYS, region_name="eu-west-1")
    start, found = threading.Barrier(16), []

    def get() -> None:
        start.wait()
        found.append(credentials.get_client("sqs"))

    threads = [threading.Thread(target=get) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1


def test_nothing_that_is_kept_holds_the_secret_in_plain_text(canary: str) -> None:
    from prefect_aws import _clients

    AwsCredentials(aws_access_key_id="A", aws_secret_access_key=canary, region_name="eu-west-1").get_s3_client()
    assert canary not in repr(list(_clients._clients._values)) + repr(list(_clients._identities._values))


def test_equal_blocks_have_equal_hashes() -> None:
    assert hash(AwsCredentials(**KEYS)) == hash(AwsCredentials(**KEYS))
    assert hash(AwsCredentials(**KEYS)) != hash(AwsCredentials(**KEYS, region_name="eu-west-1"))
    minio = {"minio_root_user": "u", "minio_root_password": "p"}
    assert hash(MinIOCredentials(**minio)) == hash(MinIOCredentials(**minio))


def test_the_session_token_is_not_shown_but_can_be_read(canary: str) -> None:
    credentials = AwsCredentials(**KEYS, aws_session_token=canary)
    assert canary not in repr(credentials) + str(credentials)
    assert credentials.aws_session_token == canary


# Bad input


def test_an_unknown_service_is_refused_with_a_near_name() -> None:
    with pytest.raises(ValueError, match=r"'secretmanager'.*Did you mean 'secretsmanager'") as caught:
        AwsCredentials(**KEYS, region_name="eu-west-1").get_client("secretmanager")
    assert isinstance(caught.value, errors.AwsUnknownService | UnknownServiceError)
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match="'s 3'"):
        MinIOCredentials(minio_root_user="u", minio_root_password="p").get_client("s 3")


def test_a_missing_region_is_named_with_its_remedy() -> None:
    with pytest.raises(NoRegionError, match="Set region_name on the credentials block") as caught:
        AwsCredentials(**KEYS).get_client("secretsmanager")
    assert isinstance(caught.value, errors.AwsRegionMissing)


def test_a_missing_profile_is_named() -> None:
    with pytest.raises(ProfileNotFound, match="Profile 'nobody'") as caught:
        AwsCredentials(profile_name="nobody", region_name="eu-west-1").get_client("s3")
    assert isinstance(caught.value, errors.AwsCredentialsMissing)


@pytest.mark.parametrize(
    ("given", "lacking"),
    [("aws_access_key_id", "aws_secret_access_key"), ("aws_secret_access_key", "aws_access_key_id")],
)
def test_half_a_key_pair_is_refused_by_name(given: str, lacking: str) -> None:
    with pytest.raises(errors.AwsCredentialsMissing, match=f"{lacking} is missing"):
        AwsCredentials(**{given: KEYS[given]}).get_boto3_session()


def test_no_credentials_at_all_is_an_error_with_a_remedy(aws_stub: Callable[..., Any]) -> None:
    stub = aws_stub("sts")
    parameters = AwsClientParameters(endpoint_url=stub.endpoint_url)
    client = AwsCredentials(region_name="eu-west-1", aws_client_parameters=parameters).get_client("sts")
    with pytest.raises(errors.AwsCredentialsMissing, match="profile_name"), errors.aws_errors("Identity"):
        client.get_caller_identity()


@pytest.mark.parametrize(
    ("fault", "error", "remedy"),
    [
        (Fault.ACCESS_DENIED, errors.AwsAccessDenied, "IAM"),
        (Fault.EXPIRED_TOKEN, errors.AwsCredentialsExpired, "Sign in again"),
        (Fault.CLOCK_SKEW, errors.AwsClockSkew, "clock"),
        (Fault.UNKNOWN_KEY, errors.AwsCredentialsRefused, "access key ID"),
        (Fault.THROTTLED, errors.AwsThrottled, "fewer requests"),
        (Fault.INTERNAL, errors.AwsUnavailable, "later"),
    ],
)
@pytest.mark.parametrize("service", ["secretsmanager", "batch", "ssm"])
def test_a_refusal_is_an_error_of_its_own_with_a_remedy(
    fault: Any, error: Any, remedy: str, service: str, aws_stub: Callable[..., Any], make_credentials: Any
) -> None:
    operation, method, request = {
        "secretsmanager": ("ListSecrets", "list_secrets", {}),
        "batch": ("DescribeJobs", "describe_jobs", {"jobs": ["j"]}),
        "ssm": ("DescribeParameters", "describe_parameters", {}),
    }[service]
    stub = aws_stub(service)
    stub.fail(operation, fault)
    client = make_credentials(stub.endpoint_url).get_client(service)
    with pytest.raises(error, match=remedy), errors.aws_errors("The list"):
        getattr(client, method)(**request)


def test_an_unresolvable_host_is_named(make_credentials: Any) -> None:
    client = make_credentials(f"http://{UNRESOLVABLE_HOST}").get_client("secretsmanager")
    with pytest.raises(EndpointConnectionError, match=UNRESOLVABLE_HOST) as caught, errors.aws_errors("The list"):
        client.list_secrets()
    assert isinstance(caught.value, errors.AwsConnectionFailed)
    assert "endpoint_url" in str(caught.value)


def test_a_forked_child_makes_its_own_clients() -> None:
    import os

    credentials = AwsCredentials(**KEYS, region_name="eu-west-1")
    client = credentials.get_s3_client()
    session = session_for(credentials)
    assert session_for(credentials) is session
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        same = credentials.get_s3_client() is client
        os.write(write, b"same" if same else b"own")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 10) == b"own"
    os.close(read)
    os.close(write)
