"""Requests to Secret Manager: with a deadline, repeated when it helps, never doing anything twice.

An attempt whose answer is lost may have succeeded. So a repeated request first looks, or takes the refusal for what it
is: what was just created exists, what was just deleted is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_gcp import _stand_ins
from prefect_gcp._identity import account_of, project_of
from prefect_gcp._sdk_logs import silent_sdk
from prefect_gcp._secret_names import LATEST, SecretName
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import (
    GcpAlreadyExists,
    GcpChecksumMismatch,
    GcpError,
    GcpInvalidRequest,
    GcpNotFound,
    GcpPreconditionFailed,
    gcp_errors,
    is_transient,
)
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, retry

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretVersion
    from typing_extensions import Self

MAX_BYTES = 65_536
"""Largest value of a secret: https://cloud.google.com/secret-manager/quotas"""

# Google refuses the tokens of a machine whose clock is further off than minutes.
_CLOCK_SKEW = timedelta(minutes=5)

T = TypeVar("T")

_clock = SYSTEM_CLOCK


@dataclass(frozen=True)
class SecretStore:
    """What one identity does with secrets."""

    client: Any
    """`SecretManagerServiceClient`."""
    project: Callable[[], str]
    timeout_seconds: float
    account: str = ""

    @classmethod
    def open(cls, credentials: GcpCredentials, timeout_seconds: float = 60, project: str | None = None) -> Self:
        """Take the client of a credentials block.

        Args:
            credentials: Who we are.
            timeout_seconds: Seconds for each operation, repeated attempts included.
            project: Project of secrets whose name does not say one; that of the credentials by default.

        Raises:
            GcpInvalidRequest: If there is no time at all.
        """
        if not timeout_seconds > 0:
            raise GcpInvalidRequest(f"timeout is {timeout_seconds!r}; it must be a number of seconds above 0.")

        return cls(
            credentials.get_secret_manager_client(),
            lambda: project or project_of(credentials),
            timeout_seconds,
            account_of(credentials),
        )

    def name(self, given: str) -> SecretName:
        """Read the name of a secret, short or full.

        Args:
            given: The name.
        """
        return SecretName.parse(given, self.project)

    # Secrets

    def create(
        self,
        name: SecretName,
        *,
        labels: Mapping[str, str] | None = None,
        replica_locations: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """Create a secret without a value, and return its full name.

        Args:
            name: The secret.
            labels: Labels.
            replica_locations: Where the values are kept; Google chooses by default.
            options: Further fields of a `Secret`.

        Raises:
            GcpAlreadyExists: If there is one.
        """
        secret = _new_secret(name, labels, replica_locations, options)
        request = {"parent": name.parent, "secret_id": name.secret_id, "secret": secret}
        begin = datetime.now(timezone.utc)

        def was_ours(exc: GcpError, timeout: float) -> str | None:
            if not isinstance(exc, GcpAlreadyExists):
                return None
            found = self._ask("get_secret", {"name": name.path}, timeout)
            return str(found.name) if found.create_time >= begin - _CLOCK_SKEW else None

        return self._do(
            name.subject,
            lambda timeout: _name(self._ask("create_secret", request, timeout), name.path),
            settled=was_ours,
        )

    def delete(self, name: SecretName) -> str:
        """Delete a secret and all of its versions, and return its full name.

        Args:
            name: The secret.

        Raises:
            GcpNotFound: If there is none.
        """

        def delete(timeout: float) -> str:
            self._ask("delete_secret", {"name": name.path}, timeout)
            return name.path

        return self._do(
            name.subject,
            delete,
            settled=lambda exc, _: name.path if isinstance(exc, GcpNotFound) else None,
        )

    # Versions

    def add(self, name: SecretName, value: bytes) -> str:
        """Store a value as the latest version, and return the full name of the version.

        Args:
            name: The secret.
            value: The value.

        Raises:
            GcpNotFound: If there is no such secret.
            GcpInvalidRequest: If the value is empty or too large.
        """
        _check_size(name, value)
        request = {"parent": name.path, "payload": {"data": value, "data_crc32c": _crc32c(value)}}

        def is_there(timeout: float) -> str | None:
            latest = {"name": name.version_path(LATEST)}
            try:
                with gcp_errors(name.subject):
                    found = self._ask("access_secret_version", latest, timeout)
            except GcpError:  # there is none, or this identity may only write
                return None
            return str(found.name) if found.payload.data == value else None

        return self._do(
            name.subject,
            lambda timeout: _name(self._ask("add_secret_version", request, timeout), name.path),
            look=is_there,
            secrets=[value],
        )

    def write(
        self,
        name: SecretName,
        value: bytes,
        *,
        labels: Mapping[str, str] | None = None,
        replica_locations: Sequence[str] | None = None,
    ) -> str:
        """Store a value, and create the secret where there is none; return the full name of the version.

        Args:
            name: The secret.
            value: The value.
            labels: Labels of a new secret.
            replica_locations: Where the values of a new secret are kept.
        """
        try:
            return self.add(name, value)
        except GcpNotFound:
            with suppress(GcpAlreadyExists):  # somebody else created it in the meantime
                self.create(name, labels=labels, replica_locations=replica_locations)
            return self.add(name, value)

    def access(self, name: SecretName, version: str) -> bytes:
        """Read a value, and compare it with its checksum.

        Args:
            name: The secret.
            version: A number, `latest` or an alias.

        Raises:
            GcpNotFound: If there is no such secret or version.
            GcpPreconditionFailed: If the version is disabled or destroyed.
        """
        subject = name.version_subject(version)
        request = {"name": name.version_path(version)}

        def access(timeout: float) -> bytes:
            payload = self._ask("access_secret_version", request, timeout).payload
            value = bytes(payload.data)
            if not self._is_stand_in and "data_crc32c" in payload and payload.data_crc32c != _crc32c(value):
                raise GcpChecksumMismatch(
                    f"{subject}: what arrived does not fit its checksum. {GcpChecksumMismatch.remedy}", subject=subject
                )
            return value

        return self._do(subject, access)

    def versions(self, name: SecretName) -> list[SecretVersion]:
        """List the versions of a secret, newest first, as the SDK describes them.

        Args:
            name: The secret.

        Raises:
            GcpNotFound: If there is no such secret.
        """
        request = {"parent": name.path}
        return self._do(
            name.subject,
            lambda timeout: list(self._ask("list_secret_versions", request, timeout)),
        )

    def set_state(self, name: SecretName, version: str, state: str) -> str:
        """Enable, disable or destroy a version, and return its full name.

        Args:
            name: The secret.
            version: Number of the version.
            state: `enable`, `disable` or `destroy`.

        Raises:
            GcpNotFound: If there is no such secret or version.
            GcpPreconditionFailed: If the version is destroyed already.
        """
        path = name.version_path(version)

        def is_done(exc: GcpError, timeout: float) -> str | None:
            if state != "destroy" or not isinstance(exc, GcpPreconditionFailed):
                return None
            found = self._ask("get_secret_version", {"name": path}, timeout)
            return str(found.name) if found.state.name == "DESTROYED" else None

        return self._do(
            name.version_subject(version),
            lambda timeout: _name(self._ask(f"{state}_secret_version", {"name": path}, timeout), path),
            settled=is_done,
        )

    # How requests are made

    @property
    def _is_stand_in(self) -> bool:
        """Whether a test has put something in the place of the SDK's client."""
        return _stand_ins.is_stand_in(self.client, _stand_ins.SECRET_MANAGER)

    def _ask(self, method: str, request: Mapping[str, Any], timeout: float) -> Any:
        """Make a request, once."""
        return _stand_ins.ask_by_request(
            self.client, _stand_ins.SECRET_MANAGER, method, request, retry=None, timeout=timeout
        )

    def _do(
        self,
        subject: str,
        call: Callable[[float], T],
        *,
        look: Callable[[float], T | None] | None = None,
        settled: Callable[[GcpError, float], T | None] | None = None,
        secrets: Iterable[bytes] = (),
    ) -> T:
        """Make a request until it succeeds, fails for good, or the time is up.

        Args:
            subject: What it is about.
            call: One attempt, given the seconds that are left.
            look: Before another attempt: the result, if the last one has succeeded after all.
            settled: After another attempt was refused: the result, if that is because an earlier one has succeeded.
            secrets: Values that the request carries.
        """
        end = _clock.monotonic() + self.timeout_seconds
        is_repeated = False

        def left() -> float:
            return max(end - _clock.monotonic(), 0.001)

        def attempt() -> T:
            nonlocal is_repeated
            was_repeated, is_repeated = is_repeated, True
            with gcp_errors(subject, account=self.account, secrets=secrets), silent_sdk():
                if was_repeated and look is not None and (done := look(left())) is not None:
                    return done
                try:
                    with gcp_errors(subject, account=self.account, secrets=secrets):
                        return call(left())
                except GcpError as exc:
                    if was_repeated and settled is not None and (done := settled(exc, left())) is not None:
                        return done
                    raise

        return retry(
            attempt,
            is_transient=lambda exc: isinstance(exc, GcpChecksumMismatch) or is_transient(exc),
            backoff=Backoff(deadline_seconds=self.timeout_seconds),
            clock=_clock,
        )


def _name(answer: Any, asked: str) -> str:
    """The name that an answer has; what was asked for where there is none, as in the answer of a stand-in."""
    name = getattr(answer, "name", None)
    return name if isinstance(name, str) else asked


def _new_secret(
    name: SecretName,
    labels: Mapping[str, str] | None,
    replica_locations: Sequence[str] | None,
    options: Mapping[str, Any] | None,
) -> Any:
    from google.cloud.secretmanager_v1 import Secret

    fields: dict[str, Any] = dict(options or {})
    if labels:
        fields["labels"] = dict(labels)
    if isinstance(replica_locations, str):
        raise GcpInvalidRequest(
            f"{name.subject}: replica_locations is {replica_locations!r}; it must be a list, such as ['europe-west3'].",
            subject=name.subject,
        )
    if replica_locations:
        fields["replication"] = {"user_managed": {"replicas": [{"location": place} for place in replica_locations]}}
    elif "/locations/" not in name.parent:  # a regional secret has one place
        fields.setdefault("replication", {"automatic": {}})
    try:
        return Secret(fields)
    except (ValueError, TypeError) as exc:
        raise GcpInvalidRequest(f"{name.subject}: {exc}", subject=name.subject) from exc


def _check_size(name: SecretName, value: bytes) -> None:
    if not value:
        problem = "is empty, which Secret Manager does not store"
    elif len(value) > MAX_BYTES:
        problem = f"has {len(value)} bytes; Secret Manager takes up to {MAX_BYTES}"
    else:
        return
    raise GcpInvalidRequest(f"{name.subject}: the value {problem}.", subject=name.subject)


def _crc32c(value: bytes) -> int:
    import google_crc32c

    sdk: Any = google_crc32c
    return int(sdk.value(value))
