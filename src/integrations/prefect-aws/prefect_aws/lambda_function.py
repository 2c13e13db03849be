"""AWS Lambda: a block that invokes one function.

Examples:
    Invoke a function with a payload:

    ```python
    from prefect_aws import LambdaFunction

    LambdaFunction(function_name="shipping-cost").invoke(payload={"weight_kg": 2.5})
    ```

    Invoke one version or alias of it:

    ```python
    LambdaFunction(function_name="shipping-cost", qualifier="1").invoke()
    ```

    Invoke it without waiting for its result:

    ```python
    LambdaFunction(function_name="shipping-cost").invoke(invocation_type="Event")
    ```

    Get the last 4 KB of its log as well:

    ```python
    LambdaFunction(function_name="shipping-cost").invoke(tail=True)
    ```

    Pass a client context:

    ```python
    LambdaFunction(function_name="shipping-cost").invoke(client_context={"custom": {"shop": "north"}})
    ```
"""

import base64
import json
from typing import Any, Literal

from prefect.blocks.core import Block
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._clients import client_for
from ._remote_work import ASK_ONCE, perhaps_done, start_once
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, aws_errors

InvocationType = Literal["RequestResponse", "Event", "DryRun"]

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: base64 text of at most 3583 bytes
_MAX_CLIENT_CONTEXT_BYTES = 3583
# A function runs for 900 seconds at most. botocore gives up after 60 by default and then invokes it a second time.
_CLIENT_CONFIG = {"read_timeout": 910, "tcp_keepalive": True, **ASK_ONCE}

_clock: Clock = SYSTEM_CLOCK


class LambdaFunction(QuickKey, Block):
    """A function that is deployed to AWS Lambda.

    Example:
        Invoke a function and read its result:

        ```python
        from prefect_aws import LambdaFunction

        response = LambdaFunction.load("BLOCK_NAME").invoke(payload={"weight_kg": 2.5})
        response["Payload"].read()
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Lambda Function"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    function_name: str = Field(
        default=...,
        title="Function Name",
        description="Name, ARN or partial ARN of the function. It must be deployed already.",
    )
    qualifier: str | None = Field(
        default=None,
        title="Qualifier",
        description="Version or alias to invoke; the unpublished latest version when not given.",
    )
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials to authenticate with.",
    )

    def _invoke(
        self,
        payload: dict[str, Any] | None,
        invocation_type: InvocationType,
        tail: bool,
        client_context: dict[str, Any] | None,
    ) -> dict[str, Any]:
        subject = f"Lambda function {self.function_name!r}"
        request: dict[str, Any] = {
            "FunctionName": self.function_name,
            "InvocationType": invocation_type,
        }
        if tail:
            request["LogType"] = "Tail"
        if self.qualifier is not None:
            request["Qualifier"] = self.qualifier
        if payload is not None:
            request["Payload"] = _as_json(payload)
        if client_context is not None:
            request["ClientContext"] = _encoded(client_context, subject)
        client = client_for(self.aws_credentials, "lambda", config=_CLIENT_CONFIG)
        run_logger(__name__).info("Invoking %s (%s)", subject, invocation_type)

        def ask() -> dict[str, Any]:
            with perhaps_done("The function may have run."), aws_errors(subject):
                return client.invoke(**request)

        response = start_once(ask, _clock)
        if fault := response.get("FunctionError"):
            run_logger(__name__).warning(
                "%s ended in an error (%s). The response's Payload says which.", subject, fault
            )
        return response

    async def ainvoke(
        self,
        payload: dict[str, Any] | None = None,
        invocation_type: InvocationType = "RequestResponse",
        tail: bool = False,
        client_context: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Async form of `invoke`.

        Example:
            ```python
            from prefect import flow
            from prefect_aws import LambdaFunction

            @flow
            async def example_flow():
                lambda_function = await LambdaFunction.aload("BLOCK_NAME")
                response = await lambda_function.ainvoke(payload={"weight_kg": 2.5})
                return response["Payload"].read()
            ```
        """
        return await run_sync_in_worker_thread(self._invoke, payload, invocation_type, tail, client_context)

    @async_dispatch(ainvoke)
    def invoke(
        self,
        payload: dict[str, Any] | None = None,
        invocation_type: InvocationType = "RequestResponse",
        tail: bool = False,
        client_context: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Invoke the function.

        A function that fails is no error here: the response then has the key `FunctionError`, its payload describes
        the failure, and a warning is logged. The read time-out of the client is 910 seconds, longer than any function
        may run, unless the credentials block's `config` has another. When Lambda refuses the request for a passing
        reason it is sent again, some times; when no answer comes it is not, since the function may have run. `retries`
        in the block's `config` lets boto3 repeat it all the same.

        Args:
            payload: What the function receives, as JSON. Times and UUIDs are written as text, enumerations as their
                values, dataclasses as objects.
            invocation_type: `RequestResponse` waits for the result, `Event` queues the call, `DryRun` only checks
                permissions and arguments.
            tail: Whether the response includes the last 4 KB of the function's log, as base64 text in `LogResult`.
            client_context: What the function sees as its client context. As JSON in base64 it may have 3583 bytes.

        Returns:
            boto3's
            [response](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/lambda/client/invoke.html):
            `StatusCode`, and for `RequestResponse` a stream `Payload`, read by `response["Payload"].read()`.

        Raises:
            AwsNotFound: If there is no such function, version or alias.
            AwsInvalidRequest: If the client context is too long or AWS refuses the payload.
            AwsConnectionFailed: If the answer was lost. The function may have run.
        """
        return self._invoke(payload, invocation_type, tail, client_context)


def _as_json(payload: dict[str, Any]) -> bytes:
    import orjson  # as Prefect does: it knows times, UUIDs, enumerations and dataclasses

    try:
        return orjson.dumps(payload, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # such as an integer of more than 64 bits
        return json.dumps(payload).encode()


def _encoded(client_context: dict[str, Any], subject: str) -> str:
    encoded = base64.b64encode(json.dumps(client_context).encode()).decode("ascii")
    if len(encoded) > _MAX_CLIENT_CONTEXT_BYTES:
        raise AwsInvalidRequest(
            f"{subject}: the client context has {len(encoded)} bytes as base64; at most {_MAX_CLIENT_CONTEXT_BYTES} "
            "are allowed. Put what is long into the payload.",
            subject=subject,
        )
    return encoded
