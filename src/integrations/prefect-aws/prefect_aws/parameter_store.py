"""Parameters in AWS Systems Manager's parameter store: a block for one parameter, tasks for any."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from prefect.blocks.abstract import SecretBlock
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names

from . import _parameters
from ._parameters import ParameterType
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest

if TYPE_CHECKING:
    from ._parameter_tasks import (
        adelete_parameter,
        aread_parameter,
        aread_parameters,
        awrite_parameter,
        delete_parameter,
        read_parameter,
        read_parameters,
        write_parameter,
    )

__all__ = [
    "AwsParameter",
    "ParameterType",
    "Tier",
    "adelete_parameter",
    "aread_parameter",
    "aread_parameters",
    "awrite_parameter",
    "delete_parameter",
    "read_parameter",
    "read_parameters",
    "write_parameter",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "adelete_parameter": "._parameter_tasks",
        "aread_parameter": "._parameter_tasks",
        "aread_parameters": "._parameter_tasks",
        "awrite_parameter": "._parameter_tasks",
        "delete_parameter": "._parameter_tasks",
        "read_parameter": "._parameter_tasks",
        "read_parameters": "._parameter_tasks",
        "write_parameter": "._parameter_tasks",
    },
)

Tier = Literal["Standard", "Advanced", "Intelligent-Tiering"]


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
        return _parameters.read(self.parameter_name, self.aws_credentials, version, label)

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
        subject = _parameters.subject_of(self.parameter_name)
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
        return _parameters.write(
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
        _parameters.delete(self.parameter_name, self.aws_credentials)

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
        fault = f"{_parameters.subject_of(name)}: the value is not UTF-8 text, and parameters hold only text."
    raise AwsInvalidRequest(f"{fault} Use AwsSecret for other bytes.", subject=_parameters.subject_of(name))
