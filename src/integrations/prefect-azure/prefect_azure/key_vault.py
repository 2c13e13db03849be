"""Secrets in Azure Key Vault: a block for one secret, tasks for any."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from prefect.blocks.abstract import SecretBlock
from pydantic import Field, HttpUrl

from prefect_azure.credentials import AzureCredentials
from prefect_azure.errors import AzureInvalidRequest, AzureNotFound
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.secret_values import parsed

if TYPE_CHECKING:
    from prefect_azure._key_vault.names import SecretName
    from prefect_azure._key_vault.store import SecretStore
    from prefect_azure._key_vault.tasks import (
        akey_vault_delete_secret,
        akey_vault_list_secrets,
        akey_vault_purge_secret,
        akey_vault_read_secret,
        akey_vault_recover_secret,
        akey_vault_write_secret,
        key_vault_delete_secret,
        key_vault_list_secrets,
        key_vault_purge_secret,
        key_vault_read_secret,
        key_vault_recover_secret,
        key_vault_write_secret,
    )

__all__ = [
    "AzureCredentials",
    "AzureKeyVaultSecret",
    "KeyVaultSecretVersion",
    "akey_vault_delete_secret",
    "akey_vault_list_secrets",
    "akey_vault_purge_secret",
    "akey_vault_read_secret",
    "akey_vault_recover_secret",
    "akey_vault_write_secret",
    "key_vault_delete_secret",
    "key_vault_list_secrets",
    "key_vault_purge_secret",
    "key_vault_read_secret",
    "key_vault_recover_secret",
    "key_vault_write_secret",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "akey_vault_delete_secret": "._key_vault.tasks",
        "akey_vault_list_secrets": "._key_vault.tasks",
        "akey_vault_purge_secret": "._key_vault.tasks",
        "akey_vault_read_secret": "._key_vault.tasks",
        "akey_vault_recover_secret": "._key_vault.tasks",
        "akey_vault_write_secret": "._key_vault.tasks",
        "key_vault_delete_secret": "._key_vault.tasks",
        "key_vault_list_secrets": "._key_vault.tasks",
        "key_vault_purge_secret": "._key_vault.tasks",
        "key_vault_read_secret": "._key_vault.tasks",
        "key_vault_recover_secret": "._key_vault.tasks",
        "key_vault_write_secret": "._key_vault.tasks",
    },
)


@dataclass(frozen=True)
class KeyVaultSecretVersion:
    """One version of a secret, without its value.

    Attributes:
        version: Its 32 hexadecimal digits.
        id: Its identifier, `https://VAULT.vault.azure.net/secrets/NAME/VERSION`.
        enabled: Only an enabled version can be read.
        created_at: When it was written, to the second.
        updated_at: When something about it was changed last.
        expires_on: When it ends; Key Vault still hands it out afterwards. `None` if never.
        not_before: When it begins; Key Vault also hands it out before. `None` if at once.
        content_type: What its value is, in the words of who wrote it.
        tags: Its tags.
    """

    version: str
    id: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    expires_on: datetime | None = None
    not_before: datetime | None = None
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])


class AzureKeyVaultSecret(QuickKey, SecretBlock):
    """A secret in Azure Key Vault.

    It needs the extra `key-vault`. The identity needs the role "Key Vault Secrets User" to read, and "Key Vault
    Secrets Officer" to do the rest (https://learn.microsoft.com/en-us/azure/key-vault/general/rbac-guide).

    Attributes:
        secret_name: Name of the secret, or its identifier.
        vault_url: Address of the vault, or its name.
        credentials: Who reads and writes; the default Azure credential where nothing is given.
        secret_version: The version to read.
        content_type: Content type of versions that `write_secret` stores.
        tags: Tags of versions that `write_secret` stores.

    Example:
        Replace a token, then look at the one before:

        ```python
        from prefect_azure.key_vault import AzureKeyVaultSecret

        courier_token = AzureKeyVaultSecret.load("BLOCK_NAME")
        courier_token.write_secret(b"token of June")
        assert courier_token.read_secret() == b"token of June"

        former = courier_token.list_versions()[1]
        courier_token.read_secret(version=former.version)
        ```
    """

    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
    )
    _block_type_name = "Azure Key Vault Secret"
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")

    secret_name: str = Field(
        default=...,
        description="Name of the secret, or its identifier, https://VAULT.vault.azure.net/secrets/NAME.",
    )
    vault_url: str | None = Field(
        default=None,
        title="Vault URL",
        description="Address of the vault, such as https://shop.vault.azure.net, or its name. An identifier as name of "
        "the secret says it already.",
    )
    credentials: AzureCredentials = Field(
        default_factory=AzureCredentials,
        description="Who reads and writes; the default Azure credential where nothing is given.",
    )
    secret_version: str | None = Field(
        default=None, description="The version to read, as 32 hexadecimal digits; the latest by default."
    )
    content_type: str | None = Field(
        default=None, description="Content type to give versions that are written, such as application/json."
    )
    tags: dict[str, str] | None = Field(default=None, description="Tags to give versions that are written.")

    def _open(self) -> tuple[SecretStore, SecretName]:
        from prefect_azure._key_vault.names import SecretName
        from prefect_azure._key_vault.store import SecretStore

        name = SecretName.parse(self.secret_name, self.vault_url, self.credentials.cloud)
        return SecretStore.open(self.credentials, name.vault_url), name

    def _read(self, version: str | None) -> bytes:
        from prefect_azure._key_vault.values import decoded

        store, name = self._open()
        found = store.get(name, name.chosen(self.secret_version if version is None else version))
        value, fault = decoded(found.value or "", found.properties.tags)
        if fault:
            raise AzureInvalidRequest(f"{name.subject}: {fault}. Correct the tag or the value.", subject=name.subject)
        self.logger.info("Read secret %s", self.secret_name)
        return value

    async def aread_secret(self, version: str | None = None) -> bytes:
        """Async form of `read_secret`."""
        return await run_sync_in_worker_thread(self._read, version)

    @async_dispatch(aread_secret)
    def read_secret(self, version: str | None = None) -> bytes:
        """Read the secret.

        A value that `write_secret` or the Azure CLI stored in base64 is decoded; its tag `file-encoding` says so.

        Args:
            version: The version, or `"latest"`; `secret_version` of the block by default.

        Returns:
            The value; text as UTF-8.

        Raises:
            SecretNotFound: If there is no such secret or version. It is a `LookupError`.
            AzureAccessDenied: If this identity may not read it, or the version is disabled.
            AzureUnavailable: If Key Vault did not answer within a minute.
        """
        return self._read(version)

    def _read_json(self, key: str | None, version: str | None) -> Any:
        subject = f"Secret {self.secret_name!r}"
        value, fault = parsed(self._read(version))
        if fault:
            raise AzureInvalidRequest(f"{subject} is not JSON ({fault}). Use read_secret.", subject=subject)
        if key is None:
            return value
        if not isinstance(value, dict) or key not in value:
            raise AzureNotFound(f"{subject} has no field {key!r}. Add it or correct the name.", subject=subject)
        return cast("dict[str, Any]", value)[key]

    async def aread_json(self, field: str | None = None, version: str | None = None) -> Any:
        """Async form of `read_json`."""
        return await run_sync_in_worker_thread(self._read_json, field, version)

    @async_dispatch(aread_json)
    def read_json(self, field: str | None = None, version: str | None = None) -> Any:
        """Read a secret that holds JSON.

        Args:
            field: Name of one field to return; the whole document when not given.
            version: The version, or `"latest"`; `secret_version` of the block by default.

        Returns:
            The document or the field, as Python values.

        Raises:
            AzureNotFound: If there is no such secret, version or field. It is a `LookupError`.
            AzureInvalidRequest: If the secret is not JSON. It is a `ValueError`.

        Example:
            ```python
            from prefect_azure.key_vault import AzureKeyVaultSecret

            password = AzureKeyVaultSecret.load("BLOCK_NAME").read_json("password")
            ```
        """
        return self._read_json(field, version)

    def _write(self, secret_data: bytes, expires_on: datetime | None, not_before: datetime | None) -> str:
        from prefect_azure._key_vault.values import encoded, properties_of

        store, name = self._open()
        name = name.without_version()
        value, tags = encoded(name.subject, secret_data)
        properties = properties_of(
            name.subject,
            content_type=self.content_type,
            tags={**(self.tags or {}), **tags},
            expires_on=expires_on,
            not_before=not_before,
        )
        written = store.set(name, value, properties)
        self.logger.info("Wrote secret %s", self.secret_name)
        return str(written.id)

    async def awrite_secret(
        self, secret_data: bytes, expires_on: datetime | None = None, not_before: datetime | None = None
    ) -> str:
        """Async form of `write_secret`."""
        return await run_sync_in_worker_thread(self._write, secret_data, expires_on, not_before)

    @async_dispatch(awrite_secret)
    def write_secret(
        self, secret_data: bytes, expires_on: datetime | None = None, not_before: datetime | None = None
    ) -> str:
        """Write a new version of the secret, and make the secret where there is none.

        Key Vault stores text. Bytes that are no UTF-8 text are stored in base64 with the tag `file-encoding`, as the
        Azure CLI does.

        Args:
            secret_data: The value, up to 25 KiB as it is stored.
            expires_on: When the version ends, with its time zone. Key Vault tells of it by events, and still hands it
                out.
            not_before: When it begins, with its time zone.

        Returns:
            Identifier of the new version, `https://VAULT.vault.azure.net/secrets/NAME/VERSION`.

        Raises:
            AzureInvalidRequest: If the value is too large, or a time has no zone. It is a `ValueError`.
            AzureConflict: If a secret of this name is deleted and can still be recovered.
            AzureAccessDenied: If this identity may not write it.
        """
        return self._write(secret_data, expires_on, not_before)

    def _remove(self, purge: bool) -> str:
        store, name = self._open()
        name = name.without_version()
        recovery_id = store.delete(name)
        if purge and recovery_id:
            store.purge(name)
        self.logger.info("Deleted secret %s", self.secret_name)
        return name.id

    async def adelete_secret(self, purge: bool = False) -> str:
        """Async form of `delete_secret`."""
        return await run_sync_in_worker_thread(self._remove, purge)

    @async_dispatch(adelete_secret)
    def delete_secret(self, purge: bool = False) -> str:
        """Delete the secret and all of its versions.

        The vault keeps it for 7 to 90 days, in which `recover_secret` brings it back and its name cannot be used
        (https://learn.microsoft.com/en-us/azure/key-vault/general/soft-delete-overview).

        Args:
            purge: Whether to delete it for good, at once.

        Returns:
            Identifier of the secret, `https://VAULT.vault.azure.net/secrets/NAME`.

        Raises:
            SecretNotFound: If there is no such secret. It is a `LookupError`.
            AzureAccessDenied: If this identity may not delete or purge it, or the vault has purge protection.
            AzureWaitTimeout: If it is not done within a minute. It is a `TimeoutError`.
        """
        return self._remove(purge)

    def _recover(self) -> str:
        store, name = self._open()
        identifier = store.recover(name.without_version())
        self.logger.info("Recovered secret %s", self.secret_name)
        return identifier

    async def arecover_secret(self) -> str:
        """Async form of `recover_secret`."""
        return await run_sync_in_worker_thread(self._recover)

    @async_dispatch(arecover_secret)
    def recover_secret(self) -> str:
        """Bring the deleted secret back, with all of its versions.

        Returns:
            Identifier of the secret, `https://VAULT.vault.azure.net/secrets/NAME`.

        Raises:
            SecretNotFound: If no secret of this name is deleted and recoverable. It is a `LookupError`.
            AzureAccessDenied: If this identity may not recover it.
            AzureWaitTimeout: If it is not done within a minute. It is a `TimeoutError`.
        """
        return self._recover()

    def _purge(self) -> None:
        store, name = self._open()
        store.purge(name.without_version())
        self.logger.info("Purged secret %s", self.secret_name)

    async def apurge_secret(self) -> None:
        """Async form of `purge_secret`."""
        await run_sync_in_worker_thread(self._purge)

    @async_dispatch(apurge_secret)
    def purge_secret(self) -> None:
        """Delete the deleted secret for good, so that its name is free.

        Raises:
            SecretNotFound: If no secret of this name is deleted and recoverable. It is a `LookupError`.
            AzureAccessDenied: If this identity may not purge it, or the vault has purge protection.
        """
        self._purge()

    def _list_versions(self) -> list[KeyVaultSecretVersion]:
        store, name = self._open()
        return [
            KeyVaultSecretVersion(
                version=str(found.version),
                id=str(found.id),
                enabled=bool(found.enabled),
                created_at=found.created_on,
                updated_at=found.updated_on,
                expires_on=found.expires_on,
                not_before=found.not_before,
                content_type=found.content_type,
                tags=dict(found.tags or {}),
            )
            for found in store.versions(name)
        ]

    async def alist_versions(self) -> list[KeyVaultSecretVersion]:
        """Async form of `list_versions`."""
        return await run_sync_in_worker_thread(self._list_versions)

    @async_dispatch(alist_versions)
    def list_versions(self) -> list[KeyVaultSecretVersion]:
        """List the versions of the secret, without their values.

        Returns:
            All versions, newest first; those of one second in any order.

        Raises:
            SecretNotFound: If there is no such secret. It is a `LookupError`.
            AzureAccessDenied: If this identity may not list versions.
        """
        return self._list_versions()

    def _set_enabled(self, version: str, enabled: bool) -> str:
        store, name = self._open()
        found = store.update(name, name.checked(version), {"enabled": enabled})
        self.logger.info("Version %s of secret %s: %s", version, self.secret_name, "on" if enabled else "off")
        return str(found.id)

    async def aenable_version(self, version: str) -> str:
        """Async form of `enable_version`."""
        return await run_sync_in_worker_thread(self._set_enabled, version, True)

    @async_dispatch(aenable_version)
    def enable_version(self, version: str) -> str:
        """Let a disabled version be read again.

        Args:
            version: The version.

        Returns:
            Identifier of the version.

        Raises:
            SecretNotFound: If there is no such secret or version. It is a `LookupError`.
            AzureAccessDenied: If this identity may not change it.
        """
        return self._set_enabled(version, True)

    async def adisable_version(self, version: str) -> str:
        """Async form of `disable_version`."""
        return await run_sync_in_worker_thread(self._set_enabled, version, False)

    @async_dispatch(adisable_version)
    def disable_version(self, version: str) -> str:
        """Keep a version from being read, until it is enabled. Key Vault deletes no single versions.

        Args:
            version: The version.

        Returns:
            Identifier of the version.

        Raises:
            SecretNotFound: If there is no such secret or version. It is a `LookupError`.
            AzureAccessDenied: If this identity may not change it.
        """
        return self._set_enabled(version, False)
