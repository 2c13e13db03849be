"""Tasks that work with any secret, as `prefect_gcp.secret_manager` publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import task

from prefect_gcp._secret_store import SecretStore
from prefect_gcp._secret_values import as_bytes
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpInvalidRequest
from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.secret_values import as_text


def _create_secret(
    secret_name: str,
    gcp_credentials: GcpCredentials,
    timeout: float,
    project: str | None,
    labels: dict[str, str] | None,
    replica_locations: list[str] | None,
    secret_options: Mapping[str, Any],
) -> str:
    store = SecretStore.open(gcp_credentials, timeout, project)
    name = store.name(secret_name).without_version()
    run_logger(__name__).info("Creating secret %s", secret_name)
    return store.create(name, labels=labels, replica_locations=replica_locations, options=secret_options)


@task
async def acreate_secret(
    secret_name: str,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
    labels: dict[str, str] | None = None,
    replica_locations: list[str] | None = None,
    **secret_options: Any,
) -> str:
    """Async form of `create_secret`."""
    return await run_sync_in_worker_thread(
        _create_secret, secret_name, gcp_credentials, timeout, project, labels, replica_locations, secret_options
    )


@sync_task(acreate_secret)
def create_secret(
    secret_name: str,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
    labels: dict[str, str] | None = None,
    replica_locations: list[str] | None = None,
    **secret_options: Any,
) -> str:
    """Create a secret without a value; `update_secret` gives it one.

    Args:
        secret_name: Name of the secret: up to 255 letters, digits, hyphens and underscores. A full name,
            `projects/PROJECT/secrets/NAME`, goes before `project`.
        gcp_credentials: Who we are at Google Cloud.
        timeout: Seconds for the request, in which it is repeated when Secret Manager is unavailable.
        project: Project of the secret; that of the credentials by default.
        labels: Labels, to find and to bill it by.
        replica_locations: Regions that its values are kept in, such as `["europe-west3"]`; Google chooses by default.
        **secret_options: Further fields of a
            [`Secret`](https://cloud.google.com/python/docs/reference/secretmanager/latest/google.cloud.secretmanager_v1.types.Secret),
            such as `annotations`, `topics` or `version_aliases`.

    Returns:
        Full name of the secret, `projects/NUMBER/secrets/NAME`. The other tasks take it as `secret_name`.

    Raises:
        GcpAlreadyExists: If there is a secret of this name. It is a `FileExistsError`.
        GcpInvalidRequest: If the name or an option is refused. It is a `ValueError`.
        GcpAccessDenied: If this identity may not create secrets.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.secret_manager import create_secret, update_secret

        @flow
        def open_branch(city: str) -> str:
            gcp_credentials = GcpCredentials.load("BLOCK_NAME")
            door_code = create_secret(f"door-code-{city}", gcp_credentials, labels={"branch": city})
            return update_secret(door_code, "4711", gcp_credentials)
        ```
    """
    return _create_secret(secret_name, gcp_credentials, timeout, project, labels, replica_locations, secret_options)


def _update_secret(
    secret_name: str, secret_value: str | bytes, gcp_credentials: GcpCredentials, timeout: float, project: str | None
) -> str:
    store = SecretStore.open(gcp_credentials, timeout, project)
    name = store.name(secret_name).without_version()
    value = as_bytes(name, secret_value)
    run_logger(__name__).info("Updating secret %s", secret_name)
    return store.add(name, value)


@task
async def aupdate_secret(
    secret_name: str,
    secret_value: str | bytes,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Async form of `update_secret`."""
    return await run_sync_in_worker_thread(_update_secret, secret_name, secret_value, gcp_credentials, timeout, project)


@sync_task(aupdate_secret)
def update_secret(
    secret_name: str,
    secret_value: str | bytes,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Give an existing secret a new value, as its latest version. The versions before it stay.

    Args:
        secret_name: Name of the secret. A full name, `projects/PROJECT/secrets/NAME`, goes before `project`.
        secret_value: The new value, up to 64 KiB; `str` is encoded as UTF-8.
        gcp_credentials: Who we are at Google Cloud.
        timeout: Seconds for the request, in which it is repeated when Secret Manager is unavailable.
        project: Project of the secret; that of the credentials by default.

    Returns:
        Full name of the new version, `projects/NUMBER/secrets/NAME/versions/3`.

    Raises:
        GcpNotFound: If there is no such secret. It is a `LookupError`.
        GcpInvalidRequest: If the value is empty, too large, or neither `str` nor `bytes`. It is a `ValueError`.
        GcpAccessDenied: If this identity may not add versions.

    Example:
        ```python
        from secrets import token_urlsafe

        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.secret_manager import update_secret

        @flow
        def rotate_courier_token():
            update_secret("courier-token", token_urlsafe(), GcpCredentials.load("BLOCK_NAME"))
        ```
    """
    return _update_secret(secret_name, secret_value, gcp_credentials, timeout, project)


def _read_secret(
    secret_name: str, gcp_credentials: GcpCredentials, version_id: str | int, timeout: float, project: str | None
) -> str:
    store = SecretStore.open(gcp_credentials, timeout, project)
    name = store.name(secret_name)
    version = name.chosen(version_id)
    run_logger(__name__).info("Reading secret %s", secret_name)
    text = as_text(store.access(name, version))
    if text is None:
        raise GcpInvalidRequest(
            f"{name.subject} is not UTF-8 text. Read it as bytes, with GcpSecret.read_secret.", subject=name.subject
        )
    return text


@task
async def aread_secret(
    secret_name: str,
    gcp_credentials: GcpCredentials,
    version_id: str | int = "latest",
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Async form of `read_secret`."""
    return await run_sync_in_worker_thread(_read_secret, secret_name, gcp_credentials, version_id, timeout, project)


@sync_task(aread_secret)
def read_secret(
    secret_name: str,
    gcp_credentials: GcpCredentials,
    version_id: str | int = "latest",
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Read the value of a secret.

    The value is the result of a task run, so it is stored where results are persisted; read it with `GcpSecret` where
    it must not be.

    Args:
        secret_name: Name of the secret. A full name, `projects/PROJECT/secrets/NAME`, goes before `project`, and may
            end with a version: `…/versions/3`.
        gcp_credentials: Who we are at Google Cloud.
        version_id: Number of the version, `"latest"` or an alias.
        timeout: Seconds for the request, in which it is repeated when Secret Manager is unavailable.
        project: Project of the secret; that of the credentials by default.

    Returns:
        The value, decoded from UTF-8.

    Raises:
        GcpNotFound: If there is no such secret or version, or the secret has no version yet. It is a `LookupError`.
        GcpPreconditionFailed: If the version is disabled or destroyed.
        GcpInvalidRequest: If the value is not UTF-8 text. It is a `ValueError`.
        GcpAccessDenied: If this identity may not access the version.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.secret_manager import read_secret

        @flow
        def connect_to_ledger():
            gcp_credentials = GcpCredentials.load("BLOCK_NAME")
            password = read_secret("ledger-password", gcp_credentials)
            former_password = read_secret("ledger-password", gcp_credentials, version_id=3)
            ...
        ```
    """
    return _read_secret(secret_name, gcp_credentials, version_id, timeout, project)


def _delete_secret(secret_name: str, gcp_credentials: GcpCredentials, timeout: float, project: str | None) -> str:
    store = SecretStore.open(gcp_credentials, timeout, project)
    name = store.name(secret_name).without_version()
    run_logger(__name__).info("Deleting secret %s", secret_name)
    return store.delete(name)


@task
async def adelete_secret(
    secret_name: str, gcp_credentials: GcpCredentials, timeout: float = 60, project: str | None = None
) -> str:
    """Async form of `delete_secret`."""
    return await run_sync_in_worker_thread(_delete_secret, secret_name, gcp_credentials, timeout, project)


@sync_task(adelete_secret)
def delete_secret(
    secret_name: str, gcp_credentials: GcpCredentials, timeout: float = 60, project: str | None = None
) -> str:
    """Delete a secret and all of its versions, at once and for good.

    Args:
        secret_name: Name of the secret. A full name, `projects/PROJECT/secrets/NAME`, goes before `project`; one that
            ends with a version is refused.
        gcp_credentials: Who we are at Google Cloud.
        timeout: Seconds for the request, in which it is repeated when Secret Manager is unavailable.
        project: Project of the secret; that of the credentials by default.

    Returns:
        Full name of the deleted secret, `projects/PROJECT/secrets/NAME`.

    Raises:
        GcpNotFound: If there is no such secret. It is a `LookupError`.
        GcpAccessDenied: If this identity may not delete it.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.secret_manager import delete_secret

        @flow
        def close_branch(city: str):
            delete_secret(f"door-code-{city}", GcpCredentials.load("BLOCK_NAME"))
        ```
    """
    return _delete_secret(secret_name, gcp_credentials, timeout, project)


def _delete_secret_version(
    secret_name: str, version_id: int, gcp_credentials: GcpCredentials, timeout: float, project: str | None
) -> str:
    store = SecretStore.open(gcp_credentials, timeout, project)
    name = store.name(secret_name)
    version = name.numbered(version_id)
    run_logger(__name__).info("Deleting version %s of secret %s", version, secret_name)
    return store.set_state(name, version, "destroy")


@task
async def adelete_secret_version(
    secret_name: str,
    version_id: int,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Async form of `delete_secret_version`."""
    return await run_sync_in_worker_thread(
        _delete_secret_version, secret_name, version_id, gcp_credentials, timeout, project
    )


@sync_task(adelete_secret_version)
def delete_secret_version(
    secret_name: str,
    version_id: int,
    gcp_credentials: GcpCredentials,
    timeout: float = 60,
    project: str | None = None,
) -> str:
    """Destroy the value of one version of a secret, for good. The version stays in the list, as destroyed.

    Args:
        secret_name: Name of the secret. A full name, `projects/PROJECT/secrets/NAME`, goes before `project`.
        version_id: Number of the version. `"latest"` is refused: it could be another one than you have seen.
        gcp_credentials: Who we are at Google Cloud.
        timeout: Seconds for the request, in which it is repeated when Secret Manager is unavailable.
        project: Project of the secret; that of the credentials by default.

    Returns:
        Full name of the version, `projects/NUMBER/secrets/NAME/versions/3`.

    Raises:
        GcpNotFound: If there is no such secret or version. It is a `LookupError`.
        GcpPreconditionFailed: If the version is destroyed already.
        GcpInvalidRequest: If `version_id` is not a number from 1. It is a `ValueError`.
        GcpAccessDenied: If this identity may not destroy versions.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.secret_manager import delete_secret_version

        @flow
        def forget_former_password():
            delete_secret_version("ledger-password", 3, GcpCredentials.load("BLOCK_NAME"))
        ```
    """
    return _delete_secret_version(secret_name, version_id, gcp_credentials, timeout, project)
