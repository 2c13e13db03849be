"""Secrets in Google Cloud's Secret Manager: a block for one secret, tasks for any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect.blocks.abstract import SecretBlock
from pydantic import Field, field_validator

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpInvalidRequest, GcpNotFound
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.secret_values import parsed

if TYPE_CHECKING:
    from prefect_gcp._secret_names import SecretName
    from prefect_gcp._secret_store import SecretStore
    from prefect_gcp._secret_tasks import (
        acreate_secret,
        adelete_secret,
        adelete_secret_version,
        aread_secret,
        aupdate_secret,
        create_secret,
        delete_secret,
        delete_secret_version,
        read_secret,
        update_secret,
    )

__all__ = [
    "GcpCredentials",
    "GcpSecret",
    "GcpSecretVersion",
    "acreate_secret",
    "adelete_secret",
    "adelete_secret_version",
    "aread_secret",
    "aupdate_secret",
    "create_secret",
    "delete_secret",
    "delete_secret_version",
    "read_secret",
    "update_secret",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "acreate_secret": "._secret_tasks",
        "adelete_secret": "._secret_tasks",
        "adelete_secret_version": "._secret_tasks",
        "aread_secret": "._secret_tasks",
        "aupdate_secret": "._secret_tasks",
        "create_secret": "._secret_tasks",
        "delete_secret": "._secret_tasks",
        "delete_secret_version": "._secret_tasks",
        "read_secret": "._secret_tasks",
        "update_secret": "._secret_tasks",
    },
)


@dataclass(frozen=True)
class GcpSecretVersion:
    """One version of a secret, without its value.

    Attributes:
        number: Its number; the first version is 1.
        path: Its full name, `projects/NUMBER/secrets/NAME/versions/3`.
        state: Only an enabled version can be read. A disabled one can be enabled again.
        created_at: When it was written.
        destroyed_at: When it was destroyed; `None` if it was not.
    """

    number: int
    path: str
    state: Literal["ENABLED", "DISABLED", "DESTROYED"]
    created_at: datetime
    destroyed_at: datetime | None = None


class GcpSecret(QuickKey, SecretBlock):
    """A secret in Google Cloud's Secret Manager.

    Attributes:
        gcp_credentials: Credentials to authenticate with.
        secret_name: Name of the secret, short or full.
        secret_version: The version to read.
        labels: Labels of a secret that `write_secret` creates.
        replica_locations: Regions that keep the values of a secret that `write_secret` creates.

    Example:
        Replace a token, then look at the one before:

        ```python
        from prefect_gcp import GcpSecret

        courier_token = GcpSecret.load("BLOCK_NAME")
        courier_token.write_secret(b"token of June")
        assert courier_token.read_secret() == b"token of June"

        former = courier_token.list_versions()[1]
        courier_token.read_secret(version=former.number)
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "GcpSecret"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"  # pyright: ignore[reportAssignmentType]

    gcp_credentials: GcpCredentials = Field(default=..., description="Credentials to authenticate with.")
    secret_name: str = Field(
        default=...,
        description="Name of the secret in the project of the credentials, or projects/PROJECT/secrets/NAME.",
    )
    secret_version: str = Field(
        default="latest", description="The version to read: a number, an alias, or 'latest' for the newest."
    )
    labels: dict[str, str] | None = Field(
        default=None, description="Labels to give the secret when writing creates it."
    )
    replica_locations: list[str] | None = Field(
        default=None,
        description="Regions that keep the values of a secret which writing creates; Google chooses by default.",
    )

    @field_validator("secret_version", mode="before")
    @classmethod
    def _take_a_number(cls, version: Any) -> Any:
        return str(version) if isinstance(version, int) and not isinstance(version, bool) else version

    def _open(self) -> tuple[SecretStore, SecretName]:
        from prefect_gcp._secret_store import SecretStore

        store = SecretStore.open(self.gcp_credentials)
        return store, store.name(self.secret_name)

    def _read(self, version: str | int | None) -> bytes:
        store, name = self._open()
        value = store.access(name, name.chosen(self.secret_version if version is None else version))
        self.logger.info("Read secret %s", self.secret_name)
        return value

    async def aread_secret(self, version: str | int | None = None) -> bytes:
        """Async form of `read_secret`."""
        return await run_sync_in_worker_thread(self._read, version)

    @async_dispatch(aread_secret)
    def read_secret(self, version: str | int | None = None) -> bytes:
        """Read the secret.

        Args:
            version: Number of the version, `"latest"` or an alias; `secret_version` of the block by default.

        Returns:
            The value.

        Raises:
            GcpNotFound: If there is no such secret or version, or the secret has no version yet. It is a `LookupError`.
            GcpPreconditionFailed: If the version is disabled or destroyed.
            GcpAccessDenied: If this identity may not access the version.
        """
        return self._read(version)

    def _read_json(self, field: str | None, version: str | int | None) -> Any:
        subject = f"Secret {self.secret_name!r}"
        value, fault = parsed(self._read(version))
        if fault:
            raise GcpInvalidRequest(f"{subject} is not JSON ({fault}). Use read_secret.", subject=subject)
        if field is None:
            return value
        if not isinstance(value, dict) or field not in value:
            raise GcpNotFound(f"{subject} has no field {field!r}. Add it or correct the name.", subject=subject)
        return cast("dict[str, Any]", value)[field]

    async def aread_json(self, field: str | None = None, version: str | int | None = None) -> Any:
        """Async form of `read_json`."""
        return await run_sync_in_worker_thread(self._read_json, field, version)

    @async_dispatch(aread_json)
    def read_json(self, field: str | None = None, version: str | int | None = None) -> Any:
        """Read a secret that holds JSON.

        Args:
            field: Name of one field to return; the whole document when not given.
            version: Number of the version, `"latest"` or an alias; `secret_version` of the block by default.

        Returns:
            The document or the field, as Python values.

        Raises:
            GcpNotFound: If there is no such secret, version or field. It is a `LookupError`.
            GcpInvalidRequest: If the secret is not JSON. It is a `ValueError`.

        Example:
            ```python
            from prefect_gcp import GcpSecret

            password = GcpSecret.load("BLOCK_NAME").read_json("password")
            ```
        """
        return self._read_json(field, version)

    def _write(self, secret_data: bytes) -> str:
        from prefect_gcp._secret_values import as_bytes

        store, name = self._open()
        path = store.write(
            name.without_version(),
            as_bytes(name, secret_data),
            labels=self.labels,
            replica_locations=self.replica_locations,
        )
        self.logger.info("Wrote secret %s", self.secret_name)
        return path

    async def awrite_secret(self, secret_data: bytes) -> str:
        """Async form of `write_secret`."""
        return await run_sync_in_worker_thread(self._write, secret_data)

    @async_dispatch(awrite_secret)
    def write_secret(self, secret_data: bytes) -> str:
        """Write a new version of the secret, and create the secret where there is none.

        Args:
            secret_data: The value, up to 64 KiB.

        Returns:
            Full name of the new version, `projects/NUMBER/secrets/NAME/versions/3`.

        Raises:
            GcpInvalidRequest: If the value is empty or too large. It is a `ValueError`.
            GcpAccessDenied: If this identity may not write or create it.
        """
        return self._write(secret_data)

    def _remove(self) -> str:
        store, name = self._open()
        path = store.delete(name.without_version())
        self.logger.info("Deleted secret %s", self.secret_name)
        return path

    async def adelete_secret(self) -> str:
        """Async form of `delete_secret`."""
        return await run_sync_in_worker_thread(self._remove)

    @async_dispatch(adelete_secret)
    def delete_secret(self) -> str:
        """Delete the secret and all of its versions, at once and for good.

        Returns:
            Full name of the secret, `projects/PROJECT/secrets/NAME`.

        Raises:
            GcpNotFound: If there is no such secret. It is a `LookupError`.
            GcpAccessDenied: If this identity may not delete it.
        """
        return self._remove()

    def _list_versions(self) -> list[GcpSecretVersion]:
        store, name = self._open()
        return [
            GcpSecretVersion(
                number=int(found.name.rpartition("/")[2]),
                path=str(found.name),
                state=cast("Any", found.state.name),
                created_at=cast("datetime", found.create_time),
                destroyed_at=cast("datetime", found.destroy_time) if "destroy_time" in found else None,
            )
            for found in store.versions(name)
        ]

    async def alist_versions(self) -> list[GcpSecretVersion]:
        """Async form of `list_versions`."""
        return await run_sync_in_worker_thread(self._list_versions)

    @async_dispatch(alist_versions)
    def list_versions(self) -> list[GcpSecretVersion]:
        """List the versions of the secret, without their values.

        Returns:
            All versions, destroyed ones included, newest first.

        Raises:
            GcpNotFound: If there is no such secret. It is a `LookupError`.
            GcpAccessDenied: If this identity may not list versions.
        """
        return self._list_versions()

    def _set_state(self, version: int, state: str) -> str:
        store, name = self._open()
        path = store.set_state(name, name.numbered(version), state)
        self.logger.info("Version %s of secret %s: %s", version, self.secret_name, state)
        return path

    async def aenable_version(self, version: int) -> str:
        """Async form of `enable_version`."""
        return await run_sync_in_worker_thread(self._set_state, version, "enable")

    @async_dispatch(aenable_version)
    def enable_version(self, version: int) -> str:
        """Let a disabled version be read again.

        Args:
            version: Number of the version.

        Returns:
            Full name of the version.

        Raises:
            GcpNotFound: If there is no such secret or version. It is a `LookupError`.
            GcpPreconditionFailed: If the version is destroyed.
        """
        return self._set_state(version, "enable")

    async def adisable_version(self, version: int) -> str:
        """Async form of `disable_version`."""
        return await run_sync_in_worker_thread(self._set_state, version, "disable")

    @async_dispatch(adisable_version)
    def disable_version(self, version: int) -> str:
        """Keep a version from being read, until it is enabled.

        Args:
            version: Number of the version.

        Returns:
            Full name of the version.

        Raises:
            GcpNotFound: If there is no such secret or version. It is a `LookupError`.
            GcpPreconditionFailed: If the version is destroyed.
        """
        return self._set_state(version, "disable")

    async def adelete_version(self, version: int) -> str:
        """Async form of `delete_version`."""
        return await run_sync_in_worker_thread(self._set_state, version, "destroy")

    @async_dispatch(adelete_version)
    def delete_version(self, version: int) -> str:
        """Destroy the value of a version, for good. The version stays in the list, as destroyed.

        Args:
            version: Number of the version.

        Returns:
            Full name of the version.

        Raises:
            GcpNotFound: If there is no such secret or version. It is a `LookupError`.
            GcpPreconditionFailed: If the version is destroyed already.
        """
        return self._set_state(version, "destroy")
