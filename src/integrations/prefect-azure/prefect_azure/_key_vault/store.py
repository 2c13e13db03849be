"""Requests to a key vault: with a deadline, repeated when it helps, never doing anything twice.

An attempt whose answer is lost may have succeeded. So a repeated request first looks, or takes the refusal for what it
is: what was just deleted is gone, what was just recovered is no longer among the deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_azure._clients import secret_client
from prefect_azure._identity import describe
from prefect_azure._key_vault.names import SecretName, vault_address
from prefect_azure.errors import (
    AzureAccessDenied,
    AzureConflict,
    AzureError,
    AzureInvalidRequest,
    AzureNotFound,
    AzureWaitTimeout,
    SecretNotFound,
    azure_errors,
    is_transient,
)
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, WaitTimeout, poll, retry

if TYPE_CHECKING:
    from typing_extensions import Self

    from prefect_azure.credentials import AzureIdentityFields

# Entra ID refuses machines whose clock is further off than minutes.
_CLOCK_SKEW = timedelta(minutes=5)
# What a vault says of a secret that is on its way into the deleted ones, out of them, or away for good.
_PASSING = ("ObjectIsBeingDeleted", "ObjectIsBeingRecovered", "ObjectIsBeingPurged")
_ADVICE = {
    "SecretDisabled": "Let it be read by enable_version.",
    "ForbiddenByFirewall": "Let this network in on the vault's page for networking, or run the flow in one that is.",
    "purge protection is enabled": "Nobody can purge it; recover_secret brings it back until it is gone.",
    "ObjectIsDeletedButRecoverable": "Bring it back with recover_secret, or free its name with purge_secret.",
}
"""What helps, by the inner code of an answer or by its words."""
_ANSWER_SECONDS = 30.0
_LOOK_SECONDS = 2.0
"""Between two looks at a secret that is being deleted or recovered; the SDK's own interval."""

_SETTLE_SECONDS = 15.0
"""For how long it is looked whether a request whose answer was lost has deleted or recovered a secret."""

T = TypeVar("T")

_clock = SYSTEM_CLOCK


@dataclass(frozen=True)
class SecretStore:
    """What one identity does with the secrets of one vault."""

    client: Any
    """`azure.keyvault.secrets.SecretClient`."""
    vault_url: str
    timeout_seconds: float
    identity: str = ""

    @classmethod
    def open(cls, credentials: AzureIdentityFields, vault_url: str, timeout_seconds: float = 60) -> Self:
        """Take the shared client of an identity for a vault.

        Args:
            credentials: Who we are.
            vault_url: Address of the vault, or its name.
            timeout_seconds: Seconds for each operation, repeated attempts included.

        Raises:
            AzureInvalidRequest: If there is no time at all, or `vault_url` is no address of a vault.
            ImportError: If the extra `key-vault` is not installed.
        """
        if not timeout_seconds > 0:
            raise AzureInvalidRequest(f"timeout_seconds is {timeout_seconds!r}; it must be a number above 0.")
        address = vault_address(vault_url, credentials.cloud)
        return cls(secret_client(credentials, address), address, timeout_seconds, describe(credentials))

    # Values

    def get(self, name: SecretName, version: str | None) -> Any:
        """Read a version.

        Args:
            name: The secret.
            version: Which one; the latest if `None`.

        Returns:
            `azure.keyvault.secrets.KeyVaultSecret`.

        Raises:
            SecretNotFound: If there is no such secret or version.
            AzureAccessDenied: If the version is disabled, or this identity may not read it.
        """
        return self._do(
            name.version_subject(version), lambda options: self.client.get_secret(name.name, version, **options)
        )

    def set(self, name: SecretName, value: str, properties: Mapping[str, Any]) -> Any:
        """Store a value as the latest version, and make the secret where there is none.

        Args:
            name: The secret.
            value: The text.
            properties: `content_type`, `tags`, `expires_on`, `not_before`, `enabled`, as far as they are given.

        Returns:
            `azure.keyvault.secrets.SecretProperties` of the new version.

        Raises:
            AzureConflict: If a deleted secret of this name can still be recovered.
        """
        begin = datetime.now(timezone.utc)

        def is_there(options: Mapping[str, Any]) -> Any:
            try:
                with self._errors(name.subject, [value]):
                    found = self.client.get_secret(name.name, **options)
            except AzureError:  # there is none, or this identity may only write
                return None
            is_ours = found.value == value and found.properties.created_on >= begin - _CLOCK_SKEW
            return found.properties if is_ours else None

        return self._do(
            name.subject,
            lambda options: self.client.set_secret(name.name, value, **properties, **options).properties,
            look=is_there,
            secrets=[value],
        )

    def versions(self, name: SecretName) -> list[Any]:
        """List the versions of a secret, newest first, as the SDK describes them.

        Args:
            name: The secret.

        Raises:
            SecretNotFound: If there is no such secret.
        """
        found: list[Any] = self._do(
            name.subject, lambda options: list(self.client.list_properties_of_secret_versions(name.name, **options))
        )
        if not found:  # which is how Key Vault says it
            raise SecretNotFound(
                f"{name.subject}: there is none of this name in {self.vault_url}. {SecretNotFound.remedy}",
                subject=name.subject,
            )
        return sorted(found, key=lambda version: version.created_on, reverse=True)

    def update(self, name: SecretName, version: str, properties: Mapping[str, Any]) -> Any:
        """Change what is said about a version: to do so twice changes nothing.

        Args:
            name: The secret.
            version: Which one.
            properties: As in `set`.

        Raises:
            SecretNotFound: If there is no such secret or version.
        """
        return self._do(
            name.version_subject(version),
            lambda options: self.client.update_secret_properties(name.name, version, **properties, **options),
        )

    def list(self) -> list[Any]:
        """List the secrets of the vault by name, as the SDK describes them, those that are deleted left out."""
        found: list[Any] = self._do(
            f"Key vault {self.vault_url!r}", lambda options: list(self.client.list_properties_of_secrets(**options))
        )
        return sorted(found, key=lambda secret: secret.name)

    # Deletion

    def delete(self, name: SecretName) -> str:
        """Delete a secret and all of its versions, and wait until that is done.

        Args:
            name: The secret.

        Returns:
            Identifier by which it can be recovered; empty where the vault has no soft delete.

        Raises:
            SecretNotFound: If there is no such secret.
            AzureWaitTimeout: If that takes longer than the timeout.
        """

        def look(options: Mapping[str, Any]) -> object:
            return self.client.get_deleted_secret(name.name, **options)

        def was_deleted(exc: AzureError, _: Mapping[str, Any]) -> str | None:
            is_ours = isinstance(exc, AzureNotFound) and self._appears(name, look, _SETTLE_SECONDS)
            return f"{self.vault_url}/deletedsecrets/{name.name}" if is_ours else None

        recovery_id = self._do(
            name.subject,
            lambda options: str(self.client.begin_delete_secret(name.name, **options).result().recovery_id or ""),
            settled=was_deleted,
        )
        if recovery_id:
            self._await(name, "deleted", look)
        return recovery_id

    def recover(self, name: SecretName) -> str:
        """Bring a deleted secret back with all of its versions, and wait until it can be used.

        Args:
            name: The secret.

        Returns:
            Identifier of the secret.

        Raises:
            SecretNotFound: If no secret of this name is deleted and recoverable.
            AzureWaitTimeout: If that takes longer than the timeout.
        """

        def look(options: Mapping[str, Any]) -> object:
            return self.client.get_secret(name.name, **options)

        def was_recovered(exc: AzureError, _: Mapping[str, Any]) -> str | None:
            is_ours = isinstance(exc, AzureNotFound) and self._appears(name, look, _SETTLE_SECONDS)
            return name.id if is_ours else None

        self._do(
            f"Deleted secret {name.given!r}",
            lambda options: str(self.client.begin_recover_deleted_secret(name.name, **options).result().id),
            settled=was_recovered,
        )
        self._await(name, "recovered", look)
        return name.id

    def purge(self, name: SecretName) -> None:
        """Delete a deleted secret for good.

        Args:
            name: The secret.

        Raises:
            SecretNotFound: If no secret of this name is deleted and recoverable.
            AzureAccessDenied: If the vault has purge protection, or this identity may not.
        """

        def purge(options: Mapping[str, Any]) -> bool:
            self.client.purge_deleted_secret(name.name, **options)
            return True

        self._do(
            f"Deleted secret {name.given!r}",
            purge,
            settled=lambda exc, _: True if isinstance(exc, AzureNotFound) else None,
        )

    def _await(self, name: SecretName, state: str, look: Callable[[Mapping[str, Any]], object]) -> None:
        if not self._appears(name, look, self.timeout_seconds):
            raise AzureWaitTimeout(
                f"{name.subject} is still not {state} after {self.timeout_seconds:g} seconds. Key Vault has begun; "
                "look at the vault, or give it more time.",
                subject=name.subject,
            )

    def _appears(self, name: SecretName, look: Callable[[Mapping[str, Any]], object], seconds: float) -> bool:
        def is_there() -> bool | None:
            try:
                self._do(name.subject, look)
            except AzureNotFound:
                return None
            except AzureAccessDenied:  # as far as this identity may know
                return True
            return True

        try:
            return poll(
                is_there,
                subject=name.subject,
                interval_seconds=_LOOK_SECONDS,
                timeout_seconds=min(seconds, self.timeout_seconds),
                clock=_clock,
            )
        except WaitTimeout:
            return False

    # How requests are made

    @contextmanager
    def _errors(self, subject: str, secrets: Iterable[str] = ()) -> Generator[None, None, None]:
        try:
            with azure_errors(subject, identity=self.identity, not_found=SecretNotFound, secrets=secrets):
                yield
        except AzureError as exc:
            _advise(exc)
            raise

    def _do(
        self,
        subject: str,
        call: Callable[[Mapping[str, Any]], T],
        *,
        look: Callable[[Mapping[str, Any]], T | None] | None = None,
        settled: Callable[[AzureError, Mapping[str, Any]], T | None] | None = None,
        secrets: Iterable[str] = (),
    ) -> T:
        """Make a request until it succeeds, fails for good, or the time is up.

        Args:
            subject: What it is about.
            call: One attempt, given options of the SDK.
            look: Before another attempt: the result, if the last one has succeeded after all.
            settled: After another attempt was refused: the result, if that is because an earlier one has succeeded.
            secrets: Values that the request carries.
        """
        end = _clock.monotonic() + self.timeout_seconds
        is_repeated = False

        def options() -> dict[str, Any]:
            left = max(end - _clock.monotonic(), 0.001)
            # Repeating is done here: by the SDK, it would not see what its last attempt did.
            return {"retry_total": 0, "connection_timeout": min(10.0, left), "read_timeout": min(_ANSWER_SECONDS, left)}

        def attempt() -> T:
            nonlocal is_repeated
            was_repeated, is_repeated = is_repeated, True
            if was_repeated and look is not None and (done := look(options())) is not None:
                return done
            try:
                with self._errors(subject, secrets):
                    return self._checked(subject, lambda: call(options()))
            except AzureError as exc:
                if was_repeated and settled is not None:
                    with suppress(AzureError), self._errors(subject, secrets):
                        if (done := settled(exc, options())) is not None:
                            return done
                raise

        return retry(
            attempt, is_transient=_passes, backoff=Backoff(deadline_seconds=self.timeout_seconds), clock=_clock
        )

    def _checked(self, subject: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except ValueError as exc:
            if "challenge resource" not in str(exc):
                raise
            raise AzureInvalidRequest(
                f"{subject}: {self.vault_url} asks for tokens of another service, so none is sent there. Correct "
                "vault_url; where it is the address of a private link or a proxy, give the vault's own address there "
                "and this one in the credentials' `endpoints`, as 'keyvault'.",
                subject=subject,
            ) from exc


def _advise(exc: AzureError) -> None:
    """Say what helps where a role does not, and a vault's own words say nothing."""
    said = f"{_inner_codes(exc)} {exc}"
    for sign, advice in _ADVICE.items():
        if sign in said and advice not in said:
            exc.args = (f"{str(exc).partition(' Grant ')[0]} {advice}",)
            return


def _passes(exc: Exception) -> bool | float:
    if isinstance(exc, AzureConflict) and any(code in _inner_codes(exc) for code in _PASSING):
        return True
    return is_transient(exc)


def _inner_codes(exc: AzureError) -> str:
    """What the answer says beside its code; the SDK keeps it as a mapping."""
    return repr(getattr(getattr(exc, "error", None), "innererror", ""))
