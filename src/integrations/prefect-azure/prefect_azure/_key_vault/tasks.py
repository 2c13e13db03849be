"""Tasks that work with any secret, as `prefect_azure.key_vault` publishes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from prefect import task

from prefect_azure._key_vault.names import SecretName
from prefect_azure._key_vault.store import SecretStore
from prefect_azure._key_vault.values import decoded, encoded, properties_of
from prefect_azure.credentials import AzureCredentials
from prefect_azure.errors import AzureInvalidRequest
from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.secret_values import as_text

if TYPE_CHECKING:
    from prefect_azure.credentials import AzureIdentityFields


def _who(credentials: AzureIdentityFields | None) -> AzureIdentityFields:
    return credentials if credentials is not None else AzureCredentials()


def _open(
    secret_name: str, vault_url: str | None, credentials: AzureIdentityFields | None, timeout_seconds: float
) -> tuple[SecretStore, SecretName]:
    who = _who(credentials)
    name = SecretName.parse(secret_name, vault_url, who.cloud)
    return SecretStore.open(who, name.vault_url, timeout_seconds), name


def _read(
    secret_name: str,
    vault_url: str | None,
    credentials: AzureIdentityFields | None,
    version: str | None,
    timeout_seconds: float,
) -> str:
    store, name = _open(secret_name, vault_url, credentials, timeout_seconds)
    chosen = name.chosen(version)
    run_logger(__name__).info("Reading secret %s", secret_name)
    found = store.get(name, chosen)
    value, fault = decoded(found.value or "", found.properties.tags)
    text = None if fault else as_text(value)
    if text is None:
        raise AzureInvalidRequest(
            f"{name.subject}: {fault or 'it is not UTF-8 text'}. Read it as bytes, with "
            "AzureKeyVaultSecret.read_secret.",
            subject=name.subject,
        )
    return text


@task
async def akey_vault_read_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    version: str | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Async form of `key_vault_read_secret`."""
    return await run_sync_in_worker_thread(_read, secret_name, vault_url, credentials, version, timeout_seconds)


@sync_task(akey_vault_read_secret)
def key_vault_read_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    version: str | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Read the value of a secret.

    The value is the result of a task run, so it is stored where results are persisted; read it with
    `AzureKeyVaultSecret` where it must not be.

    Args:
        secret_name: Name of the secret, or its identifier, `https://VAULT.vault.azure.net/secrets/NAME`, with a version
            at its end or without.
        vault_url: Address of the vault, or its name; an identifier says it already.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        version: The version, as 32 hexadecimal digits; the latest by default.
        timeout_seconds: Seconds for the request, in which it is repeated when Key Vault is unavailable.

    Returns:
        The value, as text.

    Raises:
        SecretNotFound: If there is no such secret or version. It is a `LookupError`.
        AzureInvalidRequest: If a name is none, or the value is not UTF-8 text. It is a `ValueError`.
        AzureAccessDenied: If this identity may not read it, or the version is disabled.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.key_vault import key_vault_read_secret

        @flow
        def connect_to_ledger():
            password = key_vault_read_secret("ledger-password", vault_url="shop-vault")
            ...
        ```
    """
    return _read(secret_name, vault_url, credentials, version, timeout_seconds)


def _write(
    secret_name: str,
    secret_value: str | bytes,
    vault_url: str | None,
    credentials: AzureIdentityFields | None,
    content_type: str | None,
    tags: dict[str, str] | None,
    expires_on: datetime | None,
    not_before: datetime | None,
    timeout_seconds: float,
) -> str:
    store, name = _open(secret_name, vault_url, credentials, timeout_seconds)
    name = name.without_version()
    value, encoding = encoded(name.subject, secret_value)
    properties = properties_of(
        name.subject,
        content_type=content_type,
        tags={**(tags or {}), **encoding},
        expires_on=expires_on,
        not_before=not_before,
    )
    run_logger(__name__).info("Writing secret %s", secret_name)
    return str(store.set(name, value, properties).id)


@task
async def akey_vault_write_secret(
    secret_name: str,
    secret_value: str | bytes,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    content_type: str | None = None,
    tags: dict[str, str] | None = None,
    expires_on: datetime | None = None,
    not_before: datetime | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Async form of `key_vault_write_secret`."""
    return await run_sync_in_worker_thread(
        _write,
        secret_name,
        secret_value,
        vault_url,
        credentials,
        content_type,
        tags,
        expires_on,
        not_before,
        timeout_seconds,
    )


@sync_task(akey_vault_write_secret)
def key_vault_write_secret(
    secret_name: str,
    secret_value: str | bytes,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    content_type: str | None = None,
    tags: dict[str, str] | None = None,
    expires_on: datetime | None = None,
    not_before: datetime | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Write a new version of a secret, and make the secret where there is none. The versions before it stay.

    Args:
        secret_name: Name of the secret, or its identifier.
        secret_value: The value, up to 25 KiB as it is stored. Bytes that are no UTF-8 text are stored in base64, with
            the tag `file-encoding`, as the Azure CLI does.
        vault_url: Address of the vault, or its name; an identifier says it already.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        content_type: What the value is, in words of your own.
        tags: Up to 15 tags.
        expires_on: When the version ends, with its time zone. Key Vault tells of it by events, and still hands it out.
        not_before: When it begins, with its time zone.
        timeout_seconds: Seconds for the request, in which it is repeated when Key Vault is unavailable.

    Returns:
        Identifier of the new version, `https://VAULT.vault.azure.net/secrets/NAME/VERSION`.

    Raises:
        AzureInvalidRequest: If a name is none, the value is too large, or a time has no zone. It is a `ValueError`.
        AzureConflict: If a secret of this name is deleted and can still be recovered.
        AzureAccessDenied: If this identity may not write it.

    Example:
        ```python
        from datetime import datetime, timedelta, timezone
        from secrets import token_urlsafe

        from prefect import flow
        from prefect_azure.key_vault import key_vault_write_secret

        @flow
        def rotate_courier_token():
            in_june = datetime.now(timezone.utc) + timedelta(days=30)
            key_vault_write_secret("courier-token", token_urlsafe(), vault_url="shop-vault", expires_on=in_june)
        ```
    """
    return _write(
        secret_name,
        secret_value,
        vault_url,
        credentials,
        content_type,
        tags,
        expires_on,
        not_before,
        timeout_seconds,
    )


def _delete(
    secret_name: str,
    vault_url: str | None,
    credentials: AzureIdentityFields | None,
    purge: bool,
    timeout_seconds: float,
) -> str:
    store, name = _open(secret_name, vault_url, credentials, timeout_seconds)
    name = name.without_version()
    run_logger(__name__).info("Deleting secret %s", secret_name)
    if store.delete(name) and purge:
        store.purge(name)
    return name.id


@task
async def akey_vault_delete_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    purge: bool = False,
    timeout_seconds: float = 60,
) -> str:
    """Async form of `key_vault_delete_secret`."""
    return await run_sync_in_worker_thread(_delete, secret_name, vault_url, credentials, purge, timeout_seconds)


@sync_task(akey_vault_delete_secret)
def key_vault_delete_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    purge: bool = False,
    timeout_seconds: float = 60,
) -> str:
    """Delete a secret and all of its versions.

    The vault keeps it for 7 to 90 days, in which it can be recovered and its name cannot be used
    (https://learn.microsoft.com/en-us/azure/key-vault/general/soft-delete-overview).

    Args:
        secret_name: Name of the secret, or its identifier; one that ends with a version is refused.
        vault_url: Address of the vault, or its name; an identifier says it already.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        purge: Whether to delete it for good, at once.
        timeout_seconds: Seconds for each request, in which it is repeated when Key Vault is unavailable.

    Returns:
        Identifier of the secret, `https://VAULT.vault.azure.net/secrets/NAME`.

    Raises:
        SecretNotFound: If there is no such secret. It is a `LookupError`.
        AzureAccessDenied: If this identity may not delete or purge it, or the vault has purge protection.
        AzureWaitTimeout: If it is not done in time. It is a `TimeoutError`.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.key_vault import key_vault_delete_secret

        @flow
        def close_branch(city: str):
            key_vault_delete_secret(f"door-code-{city}", vault_url="shop-vault")
        ```
    """
    return _delete(secret_name, vault_url, credentials, purge, timeout_seconds)


def _recover(
    secret_name: str, vault_url: str | None, credentials: AzureIdentityFields | None, timeout_seconds: float
) -> str:
    store, name = _open(secret_name, vault_url, credentials, timeout_seconds)
    name = name.without_version()
    run_logger(__name__).info("Recovering secret %s", secret_name)
    return store.recover(name)


@task
async def akey_vault_recover_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Async form of `key_vault_recover_secret`."""
    return await run_sync_in_worker_thread(_recover, secret_name, vault_url, credentials, timeout_seconds)


@sync_task(akey_vault_recover_secret)
def key_vault_recover_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Bring a deleted secret back, with all of its versions, and wait until it can be used.

    Args:
        secret_name: Name of the secret, or its identifier; one that ends with a version is refused.
        vault_url: Address of the vault, or its name; an identifier says it already.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        timeout_seconds: Seconds for each request and for the wait.

    Returns:
        Identifier of the secret, `https://VAULT.vault.azure.net/secrets/NAME`.

    Raises:
        SecretNotFound: If no secret of this name is deleted and recoverable. It is a `LookupError`.
        AzureAccessDenied: If this identity may not recover it.
        AzureWaitTimeout: If it is not there in time. It is a `TimeoutError`.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.key_vault import key_vault_recover_secret

        @flow
        def reopen_branch(city: str):
            key_vault_recover_secret(f"door-code-{city}", vault_url="shop-vault")
        ```
    """
    return _recover(secret_name, vault_url, credentials, timeout_seconds)


def _purge(
    secret_name: str, vault_url: str | None, credentials: AzureIdentityFields | None, timeout_seconds: float
) -> None:
    store, name = _open(secret_name, vault_url, credentials, timeout_seconds)
    name = name.without_version()
    run_logger(__name__).info("Purging secret %s", secret_name)
    store.purge(name)


@task
async def akey_vault_purge_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    timeout_seconds: float = 60,
) -> None:
    """Async form of `key_vault_purge_secret`."""
    await run_sync_in_worker_thread(_purge, secret_name, vault_url, credentials, timeout_seconds)


@sync_task(akey_vault_purge_secret)
def key_vault_purge_secret(
    secret_name: str,
    vault_url: str | None = None,
    credentials: AzureIdentityFields | None = None,
    timeout_seconds: float = 60,
) -> None:
    """Delete a deleted secret for good, so that its name is free.

    Args:
        secret_name: Name of the secret, or its identifier; one that ends with a version is refused.
        vault_url: Address of the vault, or its name; an identifier says it already.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        timeout_seconds: Seconds for the request, in which it is repeated when Key Vault is unavailable.

    Raises:
        SecretNotFound: If no secret of this name is deleted and recoverable. It is a `LookupError`.
        AzureAccessDenied: If this identity may not purge it, or the vault has purge protection.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.key_vault import key_vault_purge_secret

        @flow
        def forget_branch(city: str):
            key_vault_purge_secret(f"door-code-{city}", vault_url="shop-vault")
        ```
    """
    _purge(secret_name, vault_url, credentials, timeout_seconds)


def _list(vault_url: str, credentials: AzureIdentityFields | None, timeout_seconds: float) -> list[str]:
    return [str(secret.name) for secret in SecretStore.open(_who(credentials), vault_url, timeout_seconds).list()]


@task
async def akey_vault_list_secrets(
    vault_url: str, credentials: AzureIdentityFields | None = None, timeout_seconds: float = 60
) -> list[str]:
    """Async form of `key_vault_list_secrets`."""
    return await run_sync_in_worker_thread(_list, vault_url, credentials, timeout_seconds)


@sync_task(akey_vault_list_secrets)
def key_vault_list_secrets(
    vault_url: str, credentials: AzureIdentityFields | None = None, timeout_seconds: float = 60
) -> list[str]:
    """List the secrets of a vault, without their values.

    Args:
        vault_url: Address of the vault, or its name.
        credentials: Who we are: a credentials block of this package. The default Azure credential by default.
        timeout_seconds: Seconds for the request, in which it is repeated when Key Vault is unavailable.

    Returns:
        Their names, sorted; deleted ones are left out.

    Raises:
        AzureAccessDenied: If this identity may not list them.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.key_vault import key_vault_list_secrets

        @flow
        def count_door_codes() -> int:
            return sum(name.startswith("door-code-") for name in key_vault_list_secrets("shop-vault"))
        ```
    """
    return _list(vault_url, credentials, timeout_seconds)
