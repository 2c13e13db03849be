"""Tasks for secrets of Secrets Manager; they are public in `prefect_aws.secrets_manager`."""

from typing import Any

from prefect_integration_kit.dispatch import (
    async_task,
    run_sync_in_worker_thread,
)
from prefect_integration_kit.logs import run_logger

from . import _secrets
from ._awaited import awaited
from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, AwsSecretNotFound, aws_errors


def _value(name: str, value: str | bytes) -> dict[str, str | bytes]:
    _secrets.refuse_empty(name, value)
    if isinstance(value, str):
        return {"SecretString": value}
    if isinstance(value, bytes):
        return {"SecretBinary": value}
    raise AwsInvalidRequest(
        f"Secret {name!r}: the value is of type {type(value).__name__}. Give str or bytes.",
        subject=f"Secret {name!r}",
    )


def _read_secret(
    secret_name: str,
    aws_credentials: AwsCredentials,
    version_id: str | None = None,
    version_stage: str | None = None,
) -> str | bytes:
    run_logger(__name__).info("Reading secret %s", secret_name)
    return _secrets.get(aws_credentials, secret_name, VersionId=version_id, VersionStage=version_stage)


@async_task(awaited(_read_secret))
async def read_secret(
    secret_name: str,
    aws_credentials: AwsCredentials,
    version_id: str | None = None,
    version_stage: str | None = None,
) -> str | bytes:
    """Read the value of a secret.

    A sync flow or task calls it without `await`. The value is the result of a task run, so it is stored where results
    are persisted; read it with `AwsSecret` where it must not be.

    Args:
        secret_name: Name or ARN of the secret.
        aws_credentials: Who we are at AWS.
        version_id: ID of the version to read.
        version_stage: Label of the version to read; `AWSCURRENT` when neither version is given.

    Returns:
        Text for a secret that was stored as text, bytes for one that was stored as binary.

    Raises:
        AwsSecretNotFound: If there is no such secret or version.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.secrets_manager import read_secret

        @flow
        def connect_to_ledger():
            password = read_secret("shop/ledger-password", AwsCredentials.load("BLOCK_NAME"))
            ...
        ```
    """
    return await run_sync_in_worker_thread(_read_secret, secret_name, aws_credentials, version_id, version_stage)


def _update_secret(
    secret_name: str,
    secret_value: str | bytes,
    aws_credentials: AwsCredentials,
    description: str | None = None,
) -> dict[str, str]:
    run_logger(__name__).info("Updating secret %s", secret_name)
    request: dict[str, Any] = _value(secret_name, secret_value)
    if description is not None:
        request["Description"] = description
    client = aws_credentials.get_secrets_manager_client()
    with aws_errors(f"Secret {secret_name!r}", not_found=AwsSecretNotFound, secrets=[secret_value]), silent_sdk():
        return _secrets.without_metadata(client.update_secret(SecretId=secret_name, **request))


@async_task(awaited(_update_secret))
async def update_secret(
    secret_name: str,
    secret_value: str | bytes,
    aws_credentials: AwsCredentials,
    description: str | None = None,
) -> dict[str, str]:
    """Give an existing secret a new value.

    A sync flow or task calls it without `await`.

    Args:
        secret_name: Name or ARN of the secret.
        secret_value: The new value; `str` is stored as text, `bytes` as binary.
        aws_credentials: Who we are at AWS.
        description: A new description; the old one stays when not given.

    Returns:
        The keys `ARN`, `Name` and `VersionId` of the new version.

    Raises:
        AwsSecretNotFound: If there is no such secret.
        AwsInvalidRequest: If the value is neither `str` nor `bytes`, or is refused.

    Example:
        ```python
        from secrets import token_urlsafe

        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.secrets_manager import update_secret

        @flow
        def rotate_courier_token():
            update_secret("shop/courier-token", token_urlsafe(), AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    return await run_sync_in_worker_thread(_update_secret, secret_name, secret_value, aws_credentials, description)


def _create_secret(
    secret_name: str,
    secret_value: str | bytes,
    aws_credentials: AwsCredentials,
    description: str | None = None,
    tags: list[dict[str, str]] | None = None,
) -> dict[str, str]:
    run_logger(__name__).info("Creating secret %s", secret_name)
    request: dict[str, Any] = _value(secret_name, secret_value)
    if description is not None:
        request["Description"] = description
    if tags is not None:
        request["Tags"] = tags
    client = aws_credentials.get_secrets_manager_client()
    with aws_errors(f"Secret {secret_name!r}", secrets=[secret_value]), silent_sdk():
        return _secrets.without_metadata(client.create_secret(Name=secret_name, **request))


@async_task(awaited(_create_secret))
async def create_secret(
    secret_name: str,
    secret_value: str | bytes,
    aws_credentials: AwsCredentials,
    description: str | None = None,
    tags: list[dict[str, str]] | None = None,
) -> dict[str, str]:
    """Create a secret.

    A sync flow or task calls it without `await`.

    Args:
        secret_name: Name of the secret.
        secret_value: Its value; `str` is stored as text, `bytes` as binary.
        aws_credentials: Who we are at AWS.
        description: What the secret is for.
        tags: Tags, each as a dictionary with the keys `Key` and `Value`.

    Returns:
        The keys `ARN`, `Name` and `VersionId`.

    Raises:
        AwsAlreadyExists: If there is a secret of this name.
        AwsInvalidRequest: If the value is neither `str` nor `bytes`, or is refused.

    Example:
        ```python
        from secrets import token_bytes

        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.secrets_manager import create_secret

        @flow
        def open_branch(city: str) -> str:
            created = create_secret(
                f"branches/{city}/signing-key",
                token_bytes(32),
                AwsCredentials.load("BLOCK_NAME"),
                description=f"Signs the receipts of {city}",
                tags=[{"Key": "branch", "Value": city}],
            )
            return created["ARN"]
        ```
    """
    return await run_sync_in_worker_thread(
        _create_secret, secret_name, secret_value, aws_credentials, description, tags
    )


def _delete_secret(
    secret_name: str,
    aws_credentials: AwsCredentials,
    recovery_window_in_days: int = 30,
    force_delete_without_recovery: bool = False,
) -> dict[str, str]:
    run_logger(__name__).info("Deleting secret %s", secret_name)
    return _secrets.delete(aws_credentials, secret_name, recovery_window_in_days, force_delete_without_recovery)


@async_task(awaited(_delete_secret))
async def delete_secret(
    secret_name: str,
    aws_credentials: AwsCredentials,
    recovery_window_in_days: int = 30,
    force_delete_without_recovery: bool = False,
) -> dict[str, str]:
    """Delete a secret, at once or after a time in which it can be restored.

    A sync flow or task calls it without `await`.

    Args:
        secret_name: Name or ARN of the secret.
        aws_credentials: Who we are at AWS.
        recovery_window_in_days: Days for which it can be restored, from 7 to 30. It has no effect together with
            `force_delete_without_recovery`.
        force_delete_without_recovery: Whether to delete it at once and for good.

    Returns:
        The keys `ARN`, `Name` and `DeletionDate`, a `datetime`: the time of the request and the recovery window added.

    Raises:
        AwsSecretNotFound: If there is no such secret.
        AwsInvalidRequest: If the recovery window is out of bounds. It is a `ValueError`.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.secrets_manager import delete_secret

        @flow
        def close_branch(city: str):
            aws_credentials = AwsCredentials.load("BLOCK_NAME")
            delete_secret(f"branches/{city}/signing-key", aws_credentials, recovery_window_in_days=14)
            delete_secret(f"branches/{city}/door-code", aws_credentials, force_delete_without_recovery=True)
        ```
    """
    return await run_sync_in_worker_thread(
        _delete_secret,
        secret_name,
        aws_credentials,
        recovery_window_in_days,
        force_delete_without_recovery,
    )
