"""Secrets in AWS Secrets Manager: a block for one secret, tasks for any."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect.blocks.abstract import SecretBlock
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import (
    async_dispatch,
    run_sync_in_worker_thread,
)
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.secret_values import parsed

from . import _secrets
from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsAlreadyExists, AwsInvalidRequest, AwsSecretNotFound, aws_errors

if TYPE_CHECKING:
    from ._secret_tasks import create_secret, delete_secret, read_secret, update_secret

__all__ = [
    "AwsSecret",
    "create_secret",
    "delete_secret",
    "read_secret",
    "update_secret",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "create_secret": "._secret_tasks",
        "delete_secret": "._secret_tasks",
        "read_secret": "._secret_tasks",
        "update_secret": "._secret_tasks",
    },
)


class AwsSecret(QuickKey, SecretBlock):
    """A secret in AWS Secrets Manager.

    Example:
        Replace a token, then go back to the one before:

        ```python
        from prefect_aws import AwsSecret

        courier_token = AwsSecret.load("BLOCK_NAME")
        courier_token.write_secret(b"token of June")
        assert courier_token.read_secret() == b"token of June"

        courier_token.write_secret(courier_token.read_secret(version_stage="AWSPREVIOUS"))
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "AWS Secret"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    aws_credentials: AwsCredentials = Field(default=..., description="Credentials to authenticate with.")
    secret_name: str = Field(default=..., description="Name or ARN of the secret.")

    def _read(self, version_id: str | None, version_stage: str | None, options: Mapping[str, Any]) -> bytes:
        value = _secrets.get(
            self.aws_credentials,
            self.secret_name,
            **{"VersionId": version_id, "VersionStage": version_stage, **options},
        )
        self.logger.info("Read secret %s", self.secret_name)
        return value.encode("utf-8") if isinstance(value, str) else value

    async def aread_secret(
        self, version_id: str | None = None, version_stage: str | None = None, **read_kwargs: Any
    ) -> bytes:
        """Async form of `read_secret`."""
        return await run_sync_in_worker_thread(self._read, version_id, version_stage, read_kwargs)

    @async_dispatch(aread_secret)
    def read_secret(self, version_id: str | None = None, version_stage: str | None = None, **read_kwargs: Any) -> bytes:
        """Read the secret.

        Args:
            version_id: ID of the version to read.
            version_stage: Label of the version to read; `AWSCURRENT` when neither version is given.
            read_kwargs: Further arguments of boto3's
                [`get_secret_value`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/secretsmanager/client/get_secret_value.html).

        Returns:
            The value; one that was stored as text, encoded as UTF-8.

        Raises:
            AwsSecretNotFound: If there is no such secret or version.
        """
        return self._read(version_id, version_stage, read_kwargs)

    def _read_json(self, field: str | None, version_id: str | None, version_stage: str | None) -> Any:
        text = self._read(version_id, version_stage, {})
        subject = f"Secret {self.secret_name!r}"
        value, fault = parsed(text)
        if fault:
            raise AwsInvalidRequest(f"{subject} is not JSON ({fault}). Use read_secret.", subject=subject)
        if field is None:
            return value
        if not isinstance(value, dict) or field not in value:
            raise AwsSecretNotFound(f"{subject} has no field {field!r}. Add it or correct the name.", subject=subject)
        return cast("dict[str, Any]", value)[field]

    async def aread_json(
        self,
        field: str | None = None,
        version_id: str | None = None,
        version_stage: str | None = None,
    ) -> Any:
        """Async form of `read_json`."""
        return await run_sync_in_worker_thread(self._read_json, field, version_id, version_stage)

    @async_dispatch(aread_json)
    def read_json(
        self,
        field: str | None = None,
        version_id: str | None = None,
        version_stage: str | None = None,
    ) -> Any:
        """Read a secret that holds JSON, such as the key-value pairs of the AWS console.

        Args:
            field: Name of one field to return; the whole document when not given.
            version_id: ID of the version to read.
            version_stage: Label of the version to read; `AWSCURRENT` when neither version is given.

        Returns:
            The document or the field, as Python values.

        Raises:
            AwsSecretNotFound: If there is no such secret, version or field.
            AwsInvalidRequest: If the secret is not JSON.

        Example:
            ```python
            from prefect_aws import AwsSecret

            password = AwsSecret.load("BLOCK_NAME").read_json("password")
            ```
        """
        return self._read_json(field, version_id, version_stage)

    def _write(self, secret_data: bytes, options: Mapping[str, Any]) -> str:
        _secrets.refuse_empty(self.secret_name, secret_data)
        client = self.aws_credentials.get_secrets_manager_client()
        put, create = _split_options(client, options)
        subject = f"Secret {self.secret_name!r}"

        def update() -> dict[str, Any]:
            with aws_errors(subject, not_found=AwsSecretNotFound, secrets=[secret_data]), silent_sdk():
                return client.put_secret_value(SecretId=self.secret_name, SecretBinary=secret_data, **put)

        try:
            answer = update()
        except AwsSecretNotFound:
            try:
                with aws_errors(subject, secrets=[secret_data]), silent_sdk():
                    answer = client.create_secret(Name=self.secret_name, SecretBinary=secret_data, **create)
            except AwsAlreadyExists:  # somebody else created it in the meantime
                answer = update()
        self.logger.info("Wrote secret %s", self.secret_name)
        return str(answer["ARN"])

    async def awrite_secret(self, secret_data: bytes, **put_or_create_secret_kwargs: Any) -> str:
        """Async form of `write_secret`."""
        return await run_sync_in_worker_thread(self._write, secret_data, put_or_create_secret_kwargs)

    @async_dispatch(awrite_secret)
    def write_secret(self, secret_data: bytes, **put_or_create_secret_kwargs: Any) -> str:
        """Write a new version of the secret, and create the secret where there is none.

        Args:
            secret_data: The value; it is stored as binary.
            put_or_create_secret_kwargs: Further arguments of boto3's
                [`put_secret_value`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/secretsmanager/client/put_secret_value.html)
                and
                [`create_secret`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/secretsmanager/client/create_secret.html).
                Each request takes those that it knows: `Description` and `Tags` have an effect when the secret is
                created, `VersionStages` when it has been there.

        Returns:
            ARN of the secret.

        Raises:
            AwsAccessDenied: If this identity may not write it.
            AwsInvalidRequest: If the secret is about to be deleted, or the value or an argument is refused.
        """
        return self._write(secret_data, put_or_create_secret_kwargs)

    def _remove(
        self,
        recovery_window_in_days: int,
        force_delete_without_recovery: bool,
        options: Mapping[str, Any],
    ) -> str:
        answer = _secrets.delete(
            self.aws_credentials,
            self.secret_name,
            recovery_window_in_days,
            force_delete_without_recovery,
            **options,
        )
        self.logger.info("Deleted secret %s", self.secret_name)
        return str(answer["ARN"])

    async def adelete_secret(
        self,
        recovery_window_in_days: int = 30,
        force_delete_without_recovery: bool = False,
        **delete_kwargs: Any,
    ) -> str:
        """Async form of `delete_secret`."""
        return await run_sync_in_worker_thread(
            self._remove, recovery_window_in_days, force_delete_without_recovery, delete_kwargs
        )

    @async_dispatch(adelete_secret)
    def delete_secret(
        self,
        recovery_window_in_days: int = 30,
        force_delete_without_recovery: bool = False,
        **delete_kwargs: Any,
    ) -> str:
        """Delete the secret, at once or after a time in which it can be restored.

        Args:
            recovery_window_in_days: Days for which it can be restored, from 7 to 30. It has no effect together with
                `force_delete_without_recovery`.
            force_delete_without_recovery: Whether to delete it at once and for good.
            delete_kwargs: Further arguments of boto3's
                [`delete_secret`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/secretsmanager/client/delete_secret.html).

        Returns:
            ARN of the secret.

        Raises:
            AwsSecretNotFound: If there is no such secret.
            AwsInvalidRequest: If the recovery window is out of bounds. It is a `ValueError`.
        """
        return self._remove(recovery_window_in_days, force_delete_without_recovery, delete_kwargs)


def _split_options(client: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give each of the two requests the options that it knows; what neither knows goes to both, to be refused."""
    if not options:
        return {}, {}
    model = client.meta.service_model
    put = set(model.operation_model("PutSecretValue").input_shape.members)
    create = set(model.operation_model("CreateSecret").input_shape.members)
    unknown = set(options) - put - create

    def chosen(known: set[str]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name in known | unknown}

    return chosen(put), chosen(create)
