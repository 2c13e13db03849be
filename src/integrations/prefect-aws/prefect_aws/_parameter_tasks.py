"""Tasks for parameters of the parameter store; they are public in `prefect_aws.parameter_store`."""

from collections.abc import Sequence
from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

from . import _parameters
from ._parameters import ParameterType
from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsParameterNotFound, aws_errors


def _read_path(path: str, credentials: AwsCredentials, recursive: bool = True) -> dict[str, str]:
    client = _parameters.client_of(credentials)
    subject = f"Parameters below {path!r}"
    found: dict[str, str] = {}
    with aws_errors(subject, not_found=AwsParameterNotFound), silent_sdk():
        pages = client.get_paginator("get_parameters_by_path").paginate(
            Path=path, Recursive=recursive, WithDecryption=True
        )
        for page in pages:
            found.update((item["Name"], item["Value"]) for item in page["Parameters"])
    run_logger(__name__).info("Read %d parameters below %s", len(found), path)
    return found


@task
async def aread_parameter(
    name: str,
    aws_credentials: AwsCredentials,
    version: int | None = None,
    label: str | None = None,
) -> str:
    """Async form of `read_parameter`."""
    return await run_sync_in_worker_thread(_parameters.read, name, aws_credentials, version, label)


@sync_task(aread_parameter)
def read_parameter(
    name: str,
    aws_credentials: AwsCredentials,
    version: int | None = None,
    label: str | None = None,
) -> str:
    """Read the value of a parameter, decrypted.

    The value is the result of a task run, so it is stored where results are persisted; read it with `AwsParameter`
    where it must not be.

    Args:
        name: Name or ARN of the parameter.
        aws_credentials: Who we are at AWS.
        version: Number of the version to read; the latest when neither version nor label is given.
        label: Label of the version to read.

    Returns:
        The value; that of a list with commas between its elements.

    Raises:
        AwsParameterNotFound: If there is no such parameter, version or label.
        AwsInvalidRequest: If both version and label are given.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.parameter_store import read_parameter

        @flow
        def example_read_parameter():
            return read_parameter("/app/url", AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    return _parameters.read(name, aws_credentials, version, label)


@task
async def aread_parameters(path: str, aws_credentials: AwsCredentials, recursive: bool = True) -> dict[str, str]:
    """Async form of `read_parameters`."""
    return await run_sync_in_worker_thread(_read_path, path, aws_credentials, recursive)


@sync_task(aread_parameters)
def read_parameters(path: str, aws_credentials: AwsCredentials, recursive: bool = True) -> dict[str, str]:
    """Read all parameters below a path, decrypted.

    Args:
        path: The path, beginning with `/`, such as `/app/production`.
        aws_credentials: Who we are at AWS.
        recursive: Whether parameters in deeper paths are read too.

    Returns:
        The values by full name; empty when there is nothing below the path.

    Raises:
        AwsInvalidRequest: If the path does not begin with `/`.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.parameter_store import read_parameters

        @flow
        def example_read_parameters():
            return read_parameters("/app/production", AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    return _read_path(path, aws_credentials, recursive)


@task
async def awrite_parameter(
    name: str,
    value: str | Sequence[str],
    aws_credentials: AwsCredentials,
    parameter_type: ParameterType | None = None,
    overwrite: bool = True,
    **parameter_kwargs: Any,
) -> int:
    """Async form of `write_parameter`."""
    return await run_sync_in_worker_thread(
        _parameters.write, name, value, aws_credentials, parameter_type, overwrite, **parameter_kwargs
    )


@sync_task(awrite_parameter)
def write_parameter(
    name: str,
    value: str | Sequence[str],
    aws_credentials: AwsCredentials,
    parameter_type: ParameterType | None = None,
    overwrite: bool = True,
    **parameter_kwargs: Any,
) -> int:
    """Write a parameter, and create it where there is none.

    Args:
        name: Name of the parameter.
        value: Its value: text, or a list of texts without commas.
        aws_credentials: Who we are at AWS.
        parameter_type: `SecureString`, which is encrypted and the default for text, `String`, or `StringList`, the
            default for a list.
        overwrite: Whether an existing parameter gets a new version.
        parameter_kwargs: Further arguments of boto3's
            [`put_parameter`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/ssm/client/put_parameter.html).

    Returns:
        Number of the version that was written.

    Raises:
        AwsAlreadyExists: If the parameter exists and `overwrite` is false.
        AwsInvalidRequest: If the name or value is refused.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.parameter_store import write_parameter

        @flow
        def example_write_parameter(url: str):
            write_parameter("/app/url", url, AwsCredentials.load("BLOCK_NAME"), "String")
        ```
    """
    return _parameters.write(name, value, aws_credentials, parameter_type, overwrite, **parameter_kwargs)


@task
async def adelete_parameter(name: str, aws_credentials: AwsCredentials) -> None:
    """Async form of `delete_parameter`."""
    await run_sync_in_worker_thread(_parameters.delete, name, aws_credentials)


@sync_task(adelete_parameter)
def delete_parameter(name: str, aws_credentials: AwsCredentials) -> None:
    """Delete a parameter with all its versions.

    Args:
        name: Name of the parameter.
        aws_credentials: Who we are at AWS.

    Raises:
        AwsParameterNotFound: If there is no such parameter.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.parameter_store import delete_parameter

        @flow
        def example_delete_parameter():
            delete_parameter("/app/url", AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    _parameters.delete(name, aws_credentials)
