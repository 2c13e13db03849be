"""Parameters are written, read, listed and deleted by block and by task, in both faces."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from prefect import flow

from prefect_aws import AwsCredentials, AwsParameter, errors
from prefect_aws.parameter_store import (
    adelete_parameter,
    aread_parameter,
    aread_parameters,
    awrite_parameter,
    delete_parameter,
    read_parameter,
    read_parameters,
    write_parameter,
)


@pytest.fixture
def name() -> str:
    return f"/app/{uuid.uuid4().hex}"


@pytest.fixture
def store(aws_emulator: Any) -> Any:
    return aws_emulator.client("ssm")


@pytest.fixture
def parameter(aws_credentials: AwsCredentials, name: str) -> AwsParameter:
    return AwsParameter(aws_credentials=aws_credentials, parameter_name=name)


async def test_text_is_stored_encrypted_and_read_back(parameter: AwsParameter, store: Any, call: Any) -> None:
    assert await call(parameter, "write_value", "postgresql://grün") == 1
    assert await call(parameter, "write_value", "second") == 2
    assert await call(parameter, "read_value") == "second"
    assert store.get_parameter(Name=parameter.parameter_name)["Parameter"]["Type"] == "SecureString"


async def test_a_block_chooses_the_type(aws_credentials: AwsCredentials, name: str, store: Any, call: Any) -> None:
    plain = AwsParameter(aws_credentials=aws_credentials, parameter_name=name, parameter_type="String")
    await call(plain, "write_value", "v")
    assert store.get_parameter(Name=name)["Parameter"]["Type"] == "String"


async def test_a_list_is_read_as_a_list(parameter: AwsParameter, store: Any, call: Any) -> None:
    await call(parameter, "write_value", ["a", "b c"])
    assert await call(parameter, "read_list") == ["a", "b c"]
    assert await call(parameter, "read_value") == "a,b c"
    assert store.get_parameter(Name=parameter.parameter_name)["Parameter"]["Type"] == "StringList"


async def test_a_comma_inside_a_list_is_refused(parameter: AwsParameter, call: Any) -> None:
    with pytest.raises(ValueError, match="comma"):
        await call(parameter, "write_value", ["a,b"])


async def test_versions_are_read_by_number_and_by_label(aws_stub: Any, make_credentials: Any, call: Any) -> None:
    stub = aws_stub("ssm")
    stub.respond("GetParameter", lambda sent: {"Parameter": {"Value": sent.parameters["Name"]}})
    parameter = AwsParameter(aws_credentials=make_credentials(stub.endpoint_url), parameter_name="/p")
    assert await call(parameter, "read_value") == "/p"
    assert await call(parameter, "read_value", version=1) == "/p:1"
    assert await call(parameter, "read_value", label="stable") == "/p:stable"
    assert await call(parameter, "read_secret", version=2) == b"/p:2"
    assert all(sent.parameters["WithDecryption"] for sent in stub.calls)
    stub.fail("GetParameter", "ParameterVersionNotFound")
    with pytest.raises(errors.AwsParameterNotFound, match="/p:9"):
        await call(parameter, "read_value", version=9)
    with pytest.raises(ValueError, match="version or label, not both"):
        await call(parameter, "read_value", version=1, label="stable")


async def test_json_is_read(parameter: AwsParameter, call: Any) -> None:
    await call(parameter, "write_value", '{"user": "app"}')
    assert await call(parameter, "read_json") == {"user": "app"}


async def test_what_is_not_json_is_refused_without_being_said(
    parameter: AwsParameter, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    await call(parameter, "write_value", canary)
    with pytest.raises(errors.AwsInvalidRequest, match="is not JSON") as caught:
        await call(parameter, "read_json")
    no_canary_leaks.add_error(caught.value)


async def test_an_existing_parameter_can_be_protected(parameter: AwsParameter, call: Any) -> None:
    await call(parameter, "write_value", "first", overwrite=False)
    with pytest.raises(FileExistsError, match=parameter.parameter_name):
        await call(parameter, "write_value", "second", overwrite=False)
    assert await call(parameter, "read_value") == "first"


async def test_bytes_that_are_no_text_are_refused_without_being_said(
    parameter: AwsParameter, call: Any, no_canary_leaks: Any, canary: str
) -> None:
    with pytest.raises(ValueError, match="not UTF-8") as caught:
        await call(parameter, "write_secret", canary.encode() + b"\xff")
    no_canary_leaks.add_error(caught.value)


async def test_key_and_tier_of_the_block_and_other_options_reach_aws(
    aws_stub: Any, make_credentials: Any, call: Any
) -> None:
    stub = aws_stub("ssm")
    stub.respond("PutParameter", {"Version": 3})
    parameter = AwsParameter(
        aws_credentials=make_credentials(stub.endpoint_url), parameter_name="/p", kms_key_id="alias/k", tier="Advanced"
    )
    assert await call(parameter, "write_value", "v", Description="d") == 3
    assert stub.calls[0].parameters == {
        "Name": "/p",
        "Value": "v",
        "Type": "SecureString",
        "Overwrite": True,
        "KeyId": "alias/k",
        "Tier": "Advanced",
        "Description": "d",
    }


async def test_all_pages_below_a_path_are_read(aws_credentials: AwsCredentials, name: str, call: Any) -> None:
    expected = {f"{name}/{number:02}": str(number) for number in range(23)}
    for key, value in expected.items():
        write_parameter.fn(key, value, aws_credentials)
    deeper = {f"{name}/deep/er": "x"}
    write_parameter.fn(f"{name}/deep/er", "x", aws_credentials)
    sibling = f"{name}-sibling/a"
    write_parameter.fn(sibling, "y", aws_credentials)
    assert await call((read_parameters.fn, aread_parameters.fn), name, aws_credentials) == {**expected, **deeper}
    assert await call((read_parameters.fn, aread_parameters.fn), name, aws_credentials, recursive=False) == expected
    assert await call((read_parameters.fn, aread_parameters.fn), f"{name}/none", aws_credentials) == {}


async def test_the_tasks_write_read_and_delete(aws_credentials: AwsCredentials, name: str, call: Any) -> None:
    assert await call((write_parameter.fn, awrite_parameter.fn), name, "v", aws_credentials, "String") == 1
    assert await call((read_parameter.fn, aread_parameter.fn), name, aws_credentials) == "v"
    await call((delete_parameter.fn, adelete_parameter.fn), name, aws_credentials)
    with pytest.raises(LookupError, match=name):
        await call((read_parameter.fn, aread_parameter.fn), name, aws_credentials)
    with pytest.raises(errors.AwsParameterNotFound, match=name):
        await call((delete_parameter.fn, adelete_parameter.fn), name, aws_credentials)


async def test_flows_of_both_kinds_use_the_tasks(
    prefect_harness: None, aws_credentials: AwsCredentials, name: str
) -> None:
    @flow
    def sync_flow() -> Any:
        write_parameter(name, ["a", "b"], aws_credentials)
        return read_parameter(name, aws_credentials), read_parameters(name.rsplit("/", 1)[0], aws_credentials)[name]

    @flow
    async def async_flow() -> Any:
        return await read_parameter(name, aws_credentials), await aread_parameter(name, aws_credentials)

    assert sync_flow() == ("a,b", "a,b")
    assert await async_flow() == ("a,b", "a,b")
