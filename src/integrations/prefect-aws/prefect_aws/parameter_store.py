"""Parameters in AWS Systems Manager's parameter store: a block for one parameter, tasks for any."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from prefect.blocks.abstract import SecretBlock
from prefect.tasks import task
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, AwsParameterNotFound, aws_errors

ParameterType = Literal["String", "StringList", "SecureString"]
Tier = Literal["Standard", "Advanced", "Intelligent-Tiering"]


def _client(credentials: AwsCredentials) -> Any:
    return credentials.get_client("ssm")


def _subject(name: str) -> str:
    return f"Parameter {name!r}"


def _read(name: str, credentials: AwsCredentials, version: int | None = None, label: str | None = None) -> str:
    if version is not None and label is not None:
        raise AwsInvalidRequest(f"{_subject(name)}: give version or label, not both.", subject=_subject(name))
    selector = version if version is not None else label
    full_name = name if selector is None else f"{name}:{selector}"
    client = _client(credentials)
    with aws_errors(_subject(full_name), not_found=AwsParameterNotFound), silent_sdk():
        answer = client.get_parameter(Name=full_name, WithDecryption=True)
    run_logger(__name__).info("Read parameter %s", full_name)
    return str(answer["Parameter"]["Value"])


def _write(
    name: str,
    value: str | Sequence[str],
    credentials: AwsCredentials,
    parameter_type: ParameterType | None = None,
    overwrite: bool = True,
    **options: Any,
) -> int:
    kind = parameter_type or ("SecureString" if isinstance(value, str) else "StringList")
    text = value if isinstance(value, str) else _joined(name, value)
    if not text:
        raise AwsInvalidRequest(
            f"{_subject(name)}: the value is empty, which the parameter store does not hold.",
            subject=_subject(name),
        )
    client = _client(credentials)
    secrets = [value] if isinstance(value, str) else list(value)
    with aws_errors(_subject(name), secrets=secrets), silent_sdk():
        answer = client.put_parameter(Name=name, Value=text, Type=kind, Overwrite=overwrite, **options)
    run_logger(__name__).info("Wrote parameter %s as %s", name, kind)
    return int(answer["Version"])


def _joined(name: str, values: Sequence[str]) -> str:
    """Join a list as AWS stores it, which knows no way to write a comma inside an element."""
    if any("," in value for value in values):
        raise AwsInvalidRequest(
            f"{_subject(name)}: an element of the list has a comma in it, and commas separate elements. "
            "Store the list as JSON text instead.",
            subject=_subject(name),
        )
    return ",".join(values)


def _delete(name: str, credentials: AwsCredentials) -> None:
    client = _client(credentials)
    with aws_errors(_subject(name), not_found=AwsParameterNotFound):
        client.delete_parameter(Name=name)
    run_logger(__name__).info("Deleted parameter %s", name)


def _read_path(path: str, credentials: AwsCredentials, recursive: bool = True) -> dict[str, str]:
    client = _client(credentials)
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
    return await run_sync_in_worker_thread(_read, name, aws_credentials, version, label)


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
    return _read(name, aws_credentials, version, label)


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
        _write, name, value, aws_credentials, parameter_type, overwrite, **parameter_kwargs
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
    return _write(name, value, aws_credentials, parameter_type, overwrite, **parameter_kwargs)


@task
async def adelete_parameter(name: str, aws_credentials: AwsCredentials) -> None:
    """Async form of `delete_parameter`."""
    await run_sync_in_worker_thread(_delete, name, aws_credentials)


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
    _delete(name, aws_credentials)


class AwsParameter(QuickKey, SecretBlock):
    """A parameter in AWS Systems Manager's parameter store.

    Example:
        Write a parameter, encrypted, and read it:

        ```python
        from prefect_aws import AwsParameter

        parameter = AwsParameter.load("BLOCK_NAME")
        parameter.write_value("postgresql://example.org/app")
        assert parameter.read_value() == "postgresql://example.org/app"
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "AWS Parameter"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    aws_credentials: AwsCredentials = Field(default=..., description="Credentials to authenticate with.")
    parameter_name: str = Field(
        default=..., description="Name of the parameter, such as /app/url; to read also its ARN."
    )
    parameter_type: ParameterType = Field(
        default="SecureString",
        description="How the parameter is written: SecureString is encrypted, String is not, StringList is a list.",
    )
    kms_key_id: str | None = Field(
        default=None,
        description="Key that encrypts a SecureString; the account's own key for parameters when not given.",
    )
    tier: Tier | None = Field(
        default=None,
        description="Storage tier: Standard holds values of 4 KB, Advanced of 8 KB; the account's default when not "
        "given.",
    )

    def _value(self, version: int | None, label: str | None) -> str:
        return _read(self.parameter_name, self.aws_credentials, version, label)

    async def aread_value(self, version: int | None = None, label: str | None = None) -> str:
        """Async form of `read_value`."""
        return await run_sync_in_worker_thread(self._value, version, label)

    @async_dispatch(aread_value)
    def read_value(self, version: int | None = None, label: str | None = None) -> str:
        """Read the parameter as text, decrypted.

        Args:
            version: Number of the version to read; the latest when neither version nor label is given.
            label: Label of the version to read.

        Returns:
            The value; that of a list with commas between its elements.

        Raises:
            AwsParameterNotFound: If there is no such parameter, version or label.
            AwsInvalidRequest: If both version and label are given.
        """
        return self._value(version, label)

    def _list(self, version: int | None, label: str | None) -> list[str]:
        return self._value(version, label).split(",")

    async def aread_list(self, version: int | None = None, label: str | None = None) -> list[str]:
        """Async form of `read_list`."""
        return await run_sync_in_worker_thread(self._list, version, label)

    @async_dispatch(aread_list)
    def read_list(self, version: int | None = None, label: str | None = None) -> list[str]:
        """Read a parameter of the type `StringList`.

        Args:
            version: Number of the version to read; the latest when neither version nor label is given.
            label: Label of the version to read.

        Returns:
            Its elements.

        Raises:
            AwsParameterNotFound: If there is no such parameter, version or label.
        """
        return self._list(version, label)

    def _json(self, version: int | None, label: str | None) -> Any:
        text = self._value(version, label)
        try:
            return json.loads(text)
        except json.JSONDecodeError as exc:
            fault = f"{exc.msg} in line {exc.lineno}, column {exc.colno}"
        # Raised here and not above, since the parser's own error holds all of the value.
        subject = _subject(self.parameter_name)
        raise AwsInvalidRequest(f"{subject} is not JSON ({fault}). Use read_value.", subject=subject)

    async def aread_json(self, version: int | None = None, label: str | None = None) -> Any:
        """Async form of `read_json`."""
        return await run_sync_in_worker_thread(self._json, version, label)

    @async_dispatch(aread_json)
    def read_json(self, version: int | None = None, label: str | None = None) -> Any:
        """Read a parameter that holds JSON.

        Args:
            version: Number of the version to read; the latest when neither version nor label is given.
            label: Label of the version to read.

        Returns:
            The document, as Python values.

        Raises:
            AwsParameterNotFound: If there is no such parameter, version or label.
            AwsInvalidRequest: If the value is not JSON.
        """
        return self._json(version, label)

    def _bytes(self, version: int | None, label: str | None) -> bytes:
        return self._value(version, label).encode("utf-8")

    async def aread_secret(self, version: int | None = None, label: str | None = None) -> bytes:
        """Async form of `read_secret`."""
        return await run_sync_in_worker_thread(self._bytes, version, label)

    @async_dispatch(aread_secret)
    def read_secret(self, version: int | None = None, label: str | None = None) -> bytes:
        """Read the parameter as bytes, as every secret block does.

        Args:
            version: Number of the version to read; the latest when neither version nor label is given.
            label: Label of the version to read.

        Returns:
            The value, encoded as UTF-8.

        Raises:
            AwsParameterNotFound: If there is no such parameter, version or label.
        """
        return self._bytes(version, label)

    def _put(self, value: str | Sequence[str], overwrite: bool, options: dict[str, Any]) -> int:
        own: dict[str, Any] = {}
        if self.kms_key_id is not None and self.parameter_type == "SecureString":
            own["KeyId"] = self.kms_key_id
        if self.tier is not None:
            own["Tier"] = self.tier
        return _write(
            self.parameter_name,
            value,
            self.aws_credentials,
            self.parameter_type if isinstance(value, str) else "StringList",
            overwrite,
            **{**own, **options},
        )

    async def awrite_value(self, value: str | Sequence[str], overwrite: bool = True, **parameter_kwargs: Any) -> int:
        """Async form of `write_value`."""
        return await run_sync_in_worker_thread(self._put, value, overwrite, parameter_kwargs)

    @async_dispatch(awrite_value)
    def write_value(self, value: str | Sequence[str], overwrite: bool = True, **parameter_kwargs: Any) -> int:
        """Write the parameter, and create it where there is none.

        Args:
            value: The value. A list of texts without commas is written as a `StringList`, whatever the block's type.
            overwrite: Whether an existing parameter gets a new version.
            parameter_kwargs: Further arguments of boto3's
                [`put_parameter`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/ssm/client/put_parameter.html).

        Returns:
            Number of the version that was written.

        Raises:
            AwsAlreadyExists: If the parameter exists and `overwrite` is false.
            AwsInvalidRequest: If the name or value is refused.
        """
        return self._put(value, overwrite, parameter_kwargs)

    def _put_secret(self, secret_data: bytes, options: dict[str, Any]) -> str:
        self._put(_decoded(secret_data, self.parameter_name), True, options)
        return self.parameter_name

    async def awrite_secret(self, secret_data: bytes, **parameter_kwargs: Any) -> str:
        """Async form of `write_secret`."""
        return await run_sync_in_worker_thread(self._put_secret, secret_data, parameter_kwargs)

    @async_dispatch(awrite_secret)
    def write_secret(self, secret_data: bytes, **parameter_kwargs: Any) -> str:
        """Write the parameter from bytes, as every secret block does.

        Args:
            secret_data: The value, text in UTF-8: the parameter store holds no other bytes.
            parameter_kwargs: Further arguments of boto3's `put_parameter`.

        Returns:
            Name of the parameter.

        Raises:
            AwsInvalidRequest: If the bytes are not UTF-8, or the name or value is refused.
        """
        return self._put_secret(secret_data, parameter_kwargs)

    def _remove(self) -> None:
        _delete(self.parameter_name, self.aws_credentials)

    async def adelete_secret(self) -> None:
        """Async form of `delete_secret`."""
        await run_sync_in_worker_thread(self._remove)

    @async_dispatch(adelete_secret)
    def delete_secret(self) -> None:
        """Delete the parameter with all its versions.

        Raises:
            AwsParameterNotFound: If there is no such parameter.
        """
        self._remove()


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        fault = f"{_subject(name)}: the value is not UTF-8 text, and parameters hold only text."
    raise AwsInvalidRequest(f"{fault} Use AwsSecret for other bytes.", subject=_subject(name))
