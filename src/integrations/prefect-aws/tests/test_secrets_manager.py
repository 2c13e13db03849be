"""Secrets are written, read and deleted by block and by task, in both faces, and never said."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from prefect import flow, task

from prefect_aws import AwsCredentials, AwsSecret, errors
from prefect_aws.secrets_manager import create_secret, delete_secret, read_secret, update_secret
from prefect_integration_tests.backends.aws_stub import Fault

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"
FOR_GOOD = {"force_delete_without_recovery": True}


@pytest.fixture
def name() -> str:
    return f"app/{uuid.uuid4().hex}"


@pytest.fixture
def store(aws_emulator: Any) -> Any:
    return aws_emulator.client("secretsmanager")


@pytest.fixture
def secret(aws_credentials: AwsCredentials, name: str) -> AwsSecret:
    return AwsSecret(aws_credentials=aws_credentials, secret_name=name)


# The block (what every secret block must do is in test_conformance.py)


async def test_a_secret_stored_as_text_is_read_as_bytes(secret: AwsSecret, store: Any, call: Any) -> None:
    store.create_secret(Name=secret.secret_name, SecretString="grün")
    assert await call(secret, "read_secret") == "grün".encode()


async def test_a_secret_is_stored_as_binary_and_its_arn_returned(secret: AwsSecret, store: Any, call: Any) -> None:
    arn = await call(secret, "write_secret", b"\x00\xff")
    assert store.get_secret_value(SecretId=arn)["SecretBinary"] == b"\x00\xff"
    assert await call(secret, "write_secret", b"again") == arn


async def test_versions_are_read_by_id_and_by_label(secret: AwsSecret, store: Any, call: Any) -> None:
    first = store.create_secret(Name=secret.secret_name, SecretString="first")["VersionId"]
    await call(secret, "write_secret", b"second")
    assert await call(secret, "read_secret", version_id=first) == b"first"
    assert await call(secret, "read_secret", version_stage="AWSPREVIOUS") == b"first"
    assert await call(secret, "read_secret") == b"second"
    with pytest.raises(errors.AwsSecretNotFound, match=secret.secret_name):
        await call(secret, "read_secret", version_stage="NOSUCHLABEL")


async def test_options_reach_the_request_that_knows_them(
    aws_stub: Callable[..., Any], make_credentials: Any, call: Any
) -> None:
    stub = aws_stub("secretsmanager")
    stub.respond("PutSecretValue", {"ARN": ARN})
    stub.respond("CreateSecret", {"ARN": ARN})
    stub.fail("PutSecretValue", "ResourceNotFoundException", times=1)
    secret = AwsSecret(aws_credentials=make_credentials(stub.endpoint_url), secret_name="s")
    options = {"Description": "for tests", "VersionStages": ["BLUE"]}
    for _ in range(2):
        assert await call(secret, "write_secret", b"value", **options) == ARN
    refused, created, put = (call.parameters for call in stub.calls)
    assert (created["Description"], "VersionStages" in created) == ("for tests", False)
    assert (put["VersionStages"], "Description" in put) == (["BLUE"], False)
    assert refused["SecretId"] == put["SecretId"] == created["Name"] == "s"
    with pytest.raises(errors.AwsInvalidRequest, match="Colour"):
        await call(secret, "write_secret", b"value", Colour="red")


def test_a_secret_that_somebody_else_creates_meanwhile_gets_a_new_version(
    aws_stub: Callable[..., Any], make_credentials: Any
) -> None:
    stub = aws_stub("secretsmanager")
    stub.respond("PutSecretValue", {"ARN": ARN})
    stub.fail("PutSecretValue", "ResourceNotFoundException", times=1)
    stub.fail("CreateSecret", "ResourceExistsException")
    secret = AwsSecret(aws_credentials=make_credentials(stub.endpoint_url), secret_name="s")
    assert secret.write_secret(b"value", _sync=True) == ARN


async def test_a_deleted_secret_can_be_restored_within_its_window(secret: AwsSecret, store: Any, call: Any) -> None:
    arn = await call(secret, "write_secret", b"value")
    assert await call(secret, "delete_secret", recovery_window_in_days=15) == arn
    with pytest.raises(errors.AwsInvalidRequest, match=secret.secret_name):
        await call(secret, "read_secret")
    store.restore_secret(SecretId=secret.secret_name)
    assert await call(secret, "read_secret") == b"value"


@pytest.mark.parametrize("days", [0, 6, 31, 90])
async def test_an_impossible_window_is_refused_and_nothing_deleted(secret: AwsSecret, call: Any, days: int) -> None:
    await call(secret, "write_secret", b"value")
    with pytest.raises(ValueError, match=rf"recovery_window_in_days is {days}; it must be between 7 and 30"):
        await call(secret, "delete_secret", recovery_window_in_days=days)
    assert await call(secret, "read_secret") == b"value"


async def test_the_window_does_not_matter_when_a_secret_is_deleted_for_good(secret: AwsSecret, call: Any) -> None:
    await call(secret, "write_secret", b"value")
    await call(secret, "delete_secret", recovery_window_in_days=0, **FOR_GOOD)
    with pytest.raises(errors.AwsSecretNotFound):
        await call(secret, "read_secret")


async def test_json_is_read_whole_or_by_field(secret: AwsSecret, store: Any, call: Any) -> None:
    store.create_secret(Name=secret.secret_name, SecretString='{"user": "app", "ports": [1, 2]}')
    assert await call(secret, "read_json") == {"user": "app", "ports": [1, 2]}
    assert await call(secret, "read_json", "ports") == [1, 2]
    with pytest.raises(errors.AwsSecretNotFound, match="no field 'password'"):
        await call(secret, "read_json", field="password")


async def test_a_secret_that_is_not_json_is_refused_without_being_said(
    secret: AwsSecret, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    await call(secret, "write_secret", canary.encode())
    with pytest.raises(errors.AwsInvalidRequest, match="is not JSON") as caught:
        await call(secret, "read_json")
    no_canary_leaks.add_error(caught.value)
    assert caught.value.__context__ is None


async def test_an_error_can_be_caught_as_before(secret: AwsSecret, call: Any) -> None:
    with pytest.raises(ClientError) as caught:
        await call(secret, "read_secret")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


async def test_a_refused_write_does_not_say_the_secret(
    aws_stub: Callable[..., Any], make_credentials: Any, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    stub = aws_stub("secretsmanager")
    stub.fail("PutSecretValue", "InvalidParameterException", f"Value {canary} is not valid.")
    secret = AwsSecret(aws_credentials=make_credentials(stub.endpoint_url), secret_name="s")
    with pytest.raises(errors.AwsInvalidRequest, match="Secret 's'") as caught:
        await call(secret, "write_secret", canary.encode())
    no_canary_leaks.add_error(caught.value)


async def test_a_refused_read_names_secret_and_action(
    aws_stub: Callable[..., Any], make_credentials: Any, call: Any
) -> None:
    stub = aws_stub("secretsmanager")
    stub.fail("GetSecretValue", Fault.ACCESS_DENIED)
    secret = AwsSecret(aws_credentials=make_credentials(stub.endpoint_url), secret_name="s")
    with pytest.raises(PermissionError, match=r"Secret 's'.*Allow GetSecretValue"):
        await call(secret, "read_secret")


# The tasks


def test_a_sync_flow_uses_the_tasks_without_await(
    prefect_harness: None, aws_credentials: AwsCredentials, name: str
) -> None:
    @flow
    def use() -> Any:
        created = create_secret(name, "one", aws_credentials, description="d", tags=[{"Key": "k", "Value": "v"}])
        first = read_secret(name, aws_credentials)
        updated = update_secret(name, b"two", aws_credentials)
        second = read_secret(secret_name=name, aws_credentials=aws_credentials)
        previous = read_secret(name, aws_credentials, version_stage="AWSPREVIOUS")
        same = read_secret(name, aws_credentials, version_id=created["VersionId"])
        deleted = delete_secret(name, aws_credentials, force_delete_without_recovery=True)
        return created, first, updated, second, previous, same, deleted

    created, first, updated, second, previous, same, deleted = use()
    assert (first, second, previous, same) == ("one", b"two", "one", "one")
    assert created["Name"] == updated["Name"] == deleted["Name"] == name
    assert set(created) >= {"ARN", "Name", "VersionId"}
    assert isinstance(deleted["DeletionDate"], datetime)
    assert "ResponseMetadata" not in {**created, **updated, **deleted}


async def test_an_async_flow_awaits_the_tasks(
    prefect_harness: None, aws_credentials: AwsCredentials, name: str
) -> None:
    @task
    def in_a_sync_task() -> Any:
        return read_secret(name, aws_credentials)

    @flow
    async def use() -> Any:
        await create_secret(name, "one", aws_credentials)
        future = read_secret.submit(name, aws_credentials)
        return await read_secret(name, aws_credentials), future.result(), in_a_sync_task()

    assert await use() == ("one", "one", "one")


async def test_a_value_of_another_type_is_refused(aws_credentials: AwsCredentials, name: str) -> None:
    for work in (create_secret, update_secret):
        with pytest.raises(ValueError, match=r"of type int\. Give str or bytes"):
            await work.fn(name, 42, aws_credentials)


async def test_a_task_s_error_is_the_documented_one(aws_credentials: AwsCredentials, name: str) -> None:
    for work in (read_secret.fn(name, aws_credentials), update_secret.fn(name, "v", aws_credentials)):
        with pytest.raises(errors.AwsSecretNotFound, match=name):
            await work
    await create_secret.fn(name, "v", aws_credentials)
    with pytest.raises(errors.AwsAlreadyExists, match=name):
        await create_secret.fn(name, "v", aws_credentials)
    with pytest.raises(ValueError, match="between 7 and 30"):
        await delete_secret.fn(name, aws_credentials, recovery_window_in_days=90)


def test_a_sync_flow_may_give_the_tasks_to_a_loop(
    prefect_harness: None, aws_credentials: AwsCredentials, name: str
) -> None:
    """They are coroutine functions, and programs of earlier versions call them so."""

    @flow
    def use() -> Any:
        created = asyncio.run(create_secret(name, "one", aws_credentials))
        first = asyncio.run(read_secret(name, aws_credentials))
        asyncio.run(update_secret(name, b"two", aws_credentials))
        return created["Name"], first, asyncio.run(read_secret(name, aws_credentials))

    assert use() == (name, "one", b"two")
