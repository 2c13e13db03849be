"""A function really runs, gets what it is given, and its response comes back as boto3's."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from prefect import flow

from prefect_aws import AwsCredentials, LambdaFunction, errors
from prefect_integration_tests.backends.aws_stub import Fault

SOURCE = """
def handler(event, context):
    print("a line of the log")
    if event and event.get("fail"):
        raise ValueError("the function failed")
    return {"got": event}
"""


@pytest.fixture(scope="session")
def function_name(aws_emulator: Any) -> str:
    return aws_emulator.new_function(SOURCE)


@pytest.fixture
def function(aws_credentials: AwsCredentials, function_name: str) -> LambdaFunction:
    return LambdaFunction(function_name=function_name, aws_credentials=aws_credentials)


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("lambda")
    stub.respond("Invoke", {"StatusCode": 200, "Payload": b"{}"})
    return stub


@pytest.fixture
def recorded(stub: Any, make_credentials: Any) -> LambdaFunction:
    """A function whose invocations are only recorded."""
    return LambdaFunction(function_name="f", aws_credentials=make_credentials(stub.endpoint_url))


async def test_a_payload_goes_in_and_a_result_comes_out(function: LambdaFunction, call: Any) -> None:
    response = await call(function, "invoke", payload={"foo": "bär"})
    assert json.loads(response["Payload"].read()) == {"got": {"foo": "bär"}}
    assert response["StatusCode"] == 200


async def test_the_tail_of_the_log_is_returned_when_asked_for(function: LambdaFunction, call: Any) -> None:
    tailed = await call(function, "invoke", {"a": 1}, "RequestResponse", True)
    assert b"a line of the log" in base64.b64decode(tailed["LogResult"])


async def test_a_failing_function_is_reported_not_raised(
    function: LambdaFunction, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = await call(function, "invoke", payload={"fail": True})
    assert response["FunctionError"]
    assert "the function failed" in response["Payload"].read().decode()
    assert any(r.levelname == "WARNING" and function.function_name in r.getMessage() for r in caplog.records)


async def test_a_function_can_be_queued(function: LambdaFunction, call: Any) -> None:
    assert (await call(function, "invoke", invocation_type="Event"))["StatusCode"] == 202


async def test_a_missing_function_is_named(aws_credentials: AwsCredentials, call: Any) -> None:
    with pytest.raises(errors.AwsNotFound, match="Lambda function 'nobody'"):
        await call(LambdaFunction(function_name="nobody", aws_credentials=aws_credentials), "invoke")


async def test_only_what_is_given_is_sent(recorded: LambdaFunction, stub: Any, call: Any) -> None:
    await call(recorded, "invoke")
    sent = {name: value for name, value in stub.calls[0].parameters.items() if value != b""}
    assert sent == {"FunctionName": "f", "InvocationType": "RequestResponse"}


async def test_a_payload_may_have_what_prefect_s_own_json_has(stub: Any, recorded: LambdaFunction, call: Any) -> None:
    day, number = datetime(2026, 5, 4, tzinfo=timezone.utc), 2**70
    await call(recorded, "invoke", {"day": day, 1: UUID(int=0)})
    await call(recorded, "invoke", {"number": number})
    assert [json.loads(sent.parameters["Payload"]) for sent in stub.calls] == [
        {"day": "2026-05-04T00:00:00+00:00", "1": str(UUID(int=0))},
        {"number": number},
    ]


async def test_qualifier_type_tail_and_context_are_sent(stub: Any, recorded: LambdaFunction, call: Any) -> None:
    recorded.qualifier = "3"
    await call(recorded, "invoke", {"a": 1}, "DryRun", True, {"custom": {"who": "me"}})
    sent = stub.calls[0].parameters
    assert (sent["Qualifier"], sent["InvocationType"], sent["LogType"]) == ("3", "DryRun", "Tail")
    assert json.loads(base64.b64decode(sent["ClientContext"])) == {"custom": {"who": "me"}}
    assert json.loads(sent["Payload"]) == {"a": 1}


@pytest.mark.parametrize(("length", "fits"), [(2670, True), (2680, False)])
async def test_a_context_has_its_limit_of_3583_bytes(
    recorded: LambdaFunction, stub: Any, call: Any, length: int, fits: bool
) -> None:
    context = {"k": "x" * length}
    if fits:
        await call(recorded, "invoke", client_context=context)
        assert len(stub.calls[0].parameters["ClientContext"]) <= 3583
    else:
        with pytest.raises(ValueError, match="at most 3583"):
            await call(recorded, "invoke", client_context=context)
        assert stub.calls == []


def test_the_client_waits_as_long_as_a_function_may_run(make_credentials: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With botocore's 60 seconds a longer function would be invoked again."""
    from prefect_aws import lambda_function

    def timeout(credentials: AwsCredentials) -> int:
        config = lambda_function._CLIENT_CONFIG
        return lambda_function.client_for(credentials, "lambda", config=config).meta.config.read_timeout

    assert timeout(make_credentials("http://127.0.0.1:1")) > 900
    assert timeout(make_credentials("http://127.0.0.1:1", config={"read_timeout": 5})) == 5


async def test_a_refusal_names_function_and_action(recorded: LambdaFunction, stub: Any, call: Any) -> None:
    stub.fail("Invoke", Fault.ACCESS_DENIED)
    with pytest.raises(PermissionError, match=r"Lambda function 'f'.*Allow Invoke"):
        await call(recorded, "invoke")


async def test_flows_of_both_kinds_invoke(prefect_harness: None, function: LambdaFunction) -> None:
    @flow
    def sync_flow() -> Any:
        return json.loads(function.invoke({"a": 1})["Payload"].read())

    @flow
    async def async_flow() -> Any:
        first = await function.invoke({"a": 2})  # pyright: ignore[reportGeneralTypeIssues]
        second = await function.ainvoke({"a": 3})
        return [json.loads(response["Payload"].read()) for response in (first, second)]

    assert sync_flow() == {"got": {"a": 1}}
    assert await async_flow() == [{"got": {"a": 2}}, {"got": {"a": 3}}]
