"""Credentials of a role are renewed before they expire: once, by whoever needs them, without a new client."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from prefect_aws import errors
from prefect_aws._clients import forget_clients
from prefect_aws.assume_role_parameters import AssumeRoleParameters
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials
from prefect_integration_tests.backends.aws_stub import Fault

ROLE = "arn:aws:iam::123456789012:role/reporting"
HOUR = 3600
NEARLY_OVER = 30
"""Seconds left at which all threads wait for new credentials."""


class Role:
    """STS and Secrets Manager on one stub: each assumed session has a number in its keys."""

    def __init__(self, stub: Any, lifetimes: list[int]) -> None:
        self.stub = stub
        self._numbers = itertools.count(1)
        self._lifetimes = lifetimes
        stub.respond("AssumeRole", self._assume)
        stub.respond("GetSecretValue", {"SecretString": "s"})

    def _assume(self, call: Any) -> Any:
        number = next(self._numbers)
        left = self._lifetimes[min(number, len(self._lifetimes)) - 1]
        return {
            "Credentials": {
                "AccessKeyId": f"ASIAROLESESSION{number}",
                "SecretAccessKey": f"role-secret-{number}",
                "SessionToken": f"role-token-{number}",
                "Expiration": datetime.now(timezone.utc) + timedelta(seconds=left),
            }
        }

    def credentials(self, **fields: Any) -> AwsCredentials:
        parameters = AwsClientParameters(endpoint_url=self.stub.endpoint_url)
        return AwsCredentials(
            **{
                "aws_access_key_id": "AKIABASE",
                "aws_secret_access_key": "base-secret",
                "region_name": "eu-west-1",
                "assume_role_arn": ROLE,
                "aws_client_parameters": parameters,
                **fields,
            }
        )

    @property
    def assumed(self) -> list[Any]:
        return self.stub.calls_of("AssumeRole")

    @property
    def keys_used(self) -> list[str]:
        return [call.access_key for call in self.stub.calls_of("GetSecretValue")]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """A stub may get the port of an earlier one, whose role would then be remembered."""
    forget_clients()


@pytest.fixture
def role(aws_stub: Callable[..., Any]) -> Callable[..., Role]:
    """A maker of roles, given the seconds that each session lasts."""
    return lambda *lifetimes: Role(aws_stub("sts", "secretsmanager"), list(lifetimes) or [HOUR])


def read(client: Any) -> None:
    client.get_secret_value(SecretId="s")


def test_requests_are_signed_by_the_role(role: Callable[..., Role]) -> None:
    service = role()
    read(service.credentials().get_client("secretsmanager"))
    assert service.assumed[0].access_key == "AKIABASE"
    assert service.assumed[0].parameters["RoleArn"] == ROLE
    assert service.assumed[0].parameters["RoleSessionName"].startswith("prefect-")
    call = service.stub.calls[-1]
    assert (call.access_key, call.session_token, call.region) == ("ASIAROLESESSION1", "role-token-1", "eu-west-1")


def test_the_session_has_the_role_s_credentials(role: Callable[..., Role]) -> None:
    session = role().credentials().get_boto3_session()
    frozen = session.get_credentials().get_frozen_credentials()
    assert (frozen.access_key, frozen.token) == ("ASIAROLESESSION1", "role-token-1")
    assert session.region_name == "eu-west-1"


def test_all_parameters_reach_sts(role: Callable[..., Role]) -> None:
    service = role()
    given = {
        "RoleSessionName": "my-session",
        "DurationSeconds": 7200,
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": []}),
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        "Tags": [{"Key": "team", "Value": "data"}],
        "TransitiveTagKeys": ["team"],
        "ExternalId": "partner-7",
        "SourceIdentity": "alice",
    }
    service.credentials(assume_role_kwargs=AssumeRoleParameters(**given)).get_boto3_session()
    assert service.assumed[0].parameters == {"RoleArn": ROLE, **given}


def test_equal_blocks_and_all_their_clients_share_one_session_of_the_role(role: Callable[..., Role]) -> None:
    service = role()
    service.credentials().get_boto3_session()
    service.credentials().get_boto3_session()
    read(service.credentials().get_client("secretsmanager"))
    service.credentials().get_client("s3")
    assert len(service.assumed) == 1


def test_expiring_credentials_are_renewed_by_the_same_client(role: Callable[..., Role]) -> None:
    service = role(NEARLY_OVER, HOUR)
    client = service.credentials().get_client("secretsmanager")
    for _ in range(3):
        read(client)
    assert service.keys_used == ["ASIAROLESESSION2"] * 3
    assert len(service.assumed) == 2
    assert service.credentials().get_client("secretsmanager") is client


def test_expired_credentials_are_never_used(role: Callable[..., Role]) -> None:
    service = role(-5, -5, HOUR)
    client = service.credentials().get_client("secretsmanager")
    with pytest.raises(RuntimeError, match="expired"):  # STS itself gave expired ones
        read(client)
    read(client)
    assert service.keys_used == ["ASIAROLESESSION3"]


def test_many_threads_renew_once(role: Callable[..., Role]) -> None:
    service = role(NEARLY_OVER, HOUR)
    client = service.credentials().get_client("secretsmanager")
    start = threading.Barrier(16)

    def work() -> None:
        start.wait()
        read(client)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.assumed) == 2
    assert service.keys_used == ["ASIAROLESESSION2"] * 16


def test_a_failed_early_renewal_does_not_fail_the_request(role: Callable[..., Role]) -> None:
    service = role(500, HOUR)  # seconds: renewal is due, but the old credentials still serve
    client = service.credentials().get_client("secretsmanager")
    service.stub.fail("AssumeRole", Fault.ACCESS_DENIED, times=1)
    read(client)
    read(client)
    assert service.keys_used == ["ASIAROLESESSION1", "ASIAROLESESSION2"]


def test_a_short_session_is_not_renewed_on_every_request(role: Callable[..., Role]) -> None:
    service = role(900)
    client = service.credentials(assume_role_kwargs={"DurationSeconds": 900}).get_client("secretsmanager")
    for _ in range(3):
        read(client)
    assert len(service.assumed) == 1


def test_a_renewal_that_is_refused_names_the_role(role: Callable[..., Role]) -> None:
    service = role(NEARLY_OVER)
    client = service.credentials().get_client("secretsmanager")
    service.stub.fail("AssumeRole", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsAccessDenied, match=ROLE), errors.aws_errors("Secret 's'"):
        read(client)


@pytest.mark.parametrize("use", [lambda c: c.get_boto3_session(), lambda c: c.get_client("s3")])
def test_a_role_that_may_not_be_assumed_is_an_error_at_once(role: Callable[..., Role], use: Any) -> None:
    service = role()
    service.stub.fail("AssumeRole", Fault.ACCESS_DENIED)
    with pytest.raises(ClientError, match=ROLE) as caught:
        use(service.credentials())
    assert isinstance(caught.value, errors.AwsAccessDenied | PermissionError)


# MFA


def test_a_code_of_the_device_is_used_once_and_then_asked_for(role: Callable[..., Role]) -> None:
    service = role(-5, HOUR)
    mfa = {"SerialNumber": "arn:aws:iam::123456789012:mfa/alice", "TokenCode": "123456"}
    client = service.credentials(assume_role_kwargs=mfa).get_client("secretsmanager")
    with pytest.raises(errors.AwsCredentialsExpired, match="set_mfa_token_provider") as caught:
        read(client)
    assert ROLE in str(caught.value)
    assert "123456 " not in str(caught.value)
    assert len(service.assumed) == 1


def test_a_code_serves_until_its_session_is_over(role: Callable[..., Role]) -> None:
    service = role(NEARLY_OVER)
    mfa = {"SerialNumber": "arn:aws:iam::123456789012:mfa/alice", "TokenCode": "123456"}
    client = service.credentials(assume_role_kwargs=mfa).get_client("secretsmanager")
    read(client)
    assert service.keys_used == ["ASIAROLESESSION1"]


def test_a_source_of_codes_lets_the_role_be_renewed(role: Callable[..., Role]) -> None:
    service = role(NEARLY_OVER, HOUR)
    credentials = service.credentials(assume_role_kwargs={"SerialNumber": "arn:aws:iam::123456789012:mfa/alice"})
    codes = iter(["111111", "222222"])
    credentials.set_mfa_token_provider(lambda: next(codes))
    read(credentials.get_client("secretsmanager"))
    assert [call.parameters["TokenCode"] for call in service.assumed] == ["111111", "222222"]


# What boto3 itself renews


def web_identity_profile(folder: Path) -> str:
    token = folder / "token"
    token.write_text("a-web-identity-token")
    return f"role_arn = {ROLE}\nweb_identity_token_file = {token}\n"


def test_a_web_identity_is_renewed_without_a_new_client(
    aws_stub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = aws_stub("sts", "secretsmanager")
    service = Role(stub, [NEARLY_OVER, HOUR])
    stub.respond("AssumeRoleWithWebIdentity", service._assume)
    config = tmp_path / "config"
    config.write_text("[profile web]\nregion = eu-west-1\n" + web_identity_profile(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.endpoint_url)
    client = AwsCredentials(profile_name="web").get_client("secretsmanager")
    for _ in range(3):
        read(client)
    assert service.keys_used == ["ASIAROLESESSION1", "ASIAROLESESSION2", "ASIAROLESESSION2"]
    assert len(stub.calls_of("AssumeRoleWithWebIdentity")) == 2
    assert AwsCredentials(profile_name="web").get_client("secretsmanager") is client


def test_a_sign_on_profile_is_renewed_without_a_new_client(
    aws_stub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = aws_stub("sso", "secretsmanager")
    numbers = itertools.count(1)

    def give(call: Any) -> Any:
        number = next(numbers)
        left = NEARLY_OVER if number == 1 else HOUR
        expiration = datetime.now(timezone.utc) + timedelta(seconds=left)
        return {
            "roleCredentials": {
                "accessKeyId": f"ASIASSO{number}",
                "secretAccessKey": "s",
                "sessionToken": "t",
                "expiration": int(expiration.timestamp() * 1000),
            }
        }

    stub.respond("GetRoleCredentials", give)
    stub.respond("GetSecretValue", {"SecretString": "s"})
    start_url = "https://example.awsapps.com/start"
    config = tmp_path / ".aws" / "config"
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    config.write_text(
        f"[profile sso]\nregion = eu-west-1\nsso_start_url = {start_url}\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = reader\n"
    )
    in_an_hour = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    (cache / f"{hashlib.sha1(start_url.encode()).hexdigest()}.json").write_text(
        json.dumps({"startUrl": start_url, "region": "eu-west-1", "accessToken": "a", "expiresAt": in_an_hour})
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.endpoint_url)
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    client = AwsCredentials(profile_name="sso").get_client("secretsmanager")
    for _ in range(3):
        read(client)
    keys = [call.access_key for call in stub.calls_of("GetSecretValue")]
    assert keys == ["ASIASSO1", "ASIASSO2", "ASIASSO2"]
    assert len(stub.calls_of("GetRoleCredentials")) == 2


# Parameters


@pytest.mark.parametrize("seconds", [899, 43201])
def test_a_session_s_length_must_be_possible(seconds: int) -> None:
    with pytest.raises(ValidationError, match="DurationSeconds"):
        AssumeRoleParameters(DurationSeconds=seconds)


def test_only_what_is_set_is_passed_on() -> None:
    assert AssumeRoleParameters().get_params_override() == {}
    assert AssumeRoleParameters(ExternalId="x").get_params_override() == {"ExternalId": "x"}
    assert hash(AssumeRoleParameters(Tags=[{"Key": "a", "Value": "b"}])) == hash(
        AssumeRoleParameters(Tags=[{"Value": "b", "Key": "a"}])
    )


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        ("http://127.0.0.1:4566", True),
        ("https://minio.example.org", True),
        ("https://s3.eu-west-1.amazonaws.com", False),
        ("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", False),
        ("https://sts.eu-west-1.amazonaws.com", True),
        (None, False),
    ],
)
def test_an_endpoint_of_another_aws_service_is_not_asked_for_roles(endpoint: str | None, kept: bool) -> None:
    from prefect_aws._assume_role import sts_parameters

    chosen = sts_parameters(AwsClientParameters(endpoint_url=endpoint, api_version="2006-03-01"))
    assert ("endpoint_url" in chosen) is kept
    assert "api_version" not in chosen


def test_the_sdk_logs_neither_the_role_s_secret_nor_its_token(
    role: Callable[..., Role], caplog: pytest.LogCaptureFixture
) -> None:
    service = role()
    with caplog.at_level("DEBUG"):
        read(service.credentials().get_client("secretsmanager"))
    assert "GetSecretValue" in caplog.text  # the SDK did log
    assert "role-token-1" not in caplog.text
    assert "role-secret-1" not in caplog.text
