# ruff: noqa: N802 - methods have the names that they have in the protocol
"""Secret Manager as a gRPC service: it keeps secrets and versions, and refuses what Google refuses.

Requests may name a project by its ID or its number; answers always have the number, as Google's do.
"""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, ClassVar

from .grpc_server import GrpcCall, GrpcRefused, GrpcService

MAX_BYTES = 65_536
"""Largest payload: https://cloud.google.com/secret-manager/quotas#content_limits"""

_SECRET_ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_ALIAS = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,62}")
_LABEL_KEY = re.compile(r"[^\W\d_A-Z](?:[^\WA-Z]|-){0,62}")
_LABEL_VALUE = re.compile(r"(?:[^\WA-Z]|-){0,63}")
_PAGE = 25_000
_ENABLED, _DISABLED, _DESTROYED = 1, 2, 3
_STATES = {_ENABLED: "ENABLED", _DISABLED: "DISABLED", _DESTROYED: "DESTROYED"}


@dataclass
class _Version:
    number: int
    message: Any
    """`SecretVersion`."""
    data: bytes | None


@dataclass
class _Secret:
    message: Any
    """`Secret`."""
    versions: list[_Version] = field(default_factory=list[_Version])


class SecretManager(GrpcService):
    """Secrets and their versions, of any project.

    Attributes:
        damaged: How many of the next payloads arrive with a bit changed, but with the checksum of what was stored.
    """

    name: ClassVar[str] = "google.cloud.secretmanager.v1.SecretManagerService"
    types: ClassVar[str] = "google.cloud.secretmanager_v1.types"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget all secrets."""
        with self._lock:
            self._secrets: dict[str, _Secret] = {}
            self._changes = 0
            self.damaged = 0

    def number_of(self, project: str) -> str:
        """Return the number of a project, which answers name it by.

        Args:
            project: ID or number.
        """
        return project if project.isdigit() else str(10**11 + zlib.crc32(project.encode()))

    # Secrets

    def CreateSecret(self, call: GrpcCall) -> Any:
        """Make a secret without a version."""
        request, types = call.request, _types()
        parent = self._canonical(request.parent)
        if not _SECRET_ID.fullmatch(request.secret_id):
            raise GrpcRefused(
                "INVALID_ARGUMENT",
                f"The provided Secret ID [{request.secret_id}] does not match the expected format "
                "[[a-zA-Z0-9_-]{1,255}].",
            )
        secret = types.Secret(request.secret)
        is_placed = "automatic" in secret.replication or "user_managed" in secret.replication
        if "/locations/" not in parent and not is_placed:
            raise GrpcRefused("INVALID_ARGUMENT", "Secret replication must be specified.")
        if "user_managed" in secret.replication and not secret.replication.user_managed.replicas:
            raise GrpcRefused("INVALID_ARGUMENT", "Secret user-managed replication must have at least one replica.")
        _check_labels(secret.labels)
        with self._lock:
            name = f"{parent}/secrets/{request.secret_id}"
            if self._find(name) is not None:
                raise GrpcRefused("ALREADY_EXISTS", f"Secret [{name}] already exists.")
            secret.name, secret.create_time, secret.etag = name, _now(), self._etag()
            if "ttl" in secret:
                secret.expire_time = _now() + secret.ttl
            self._secrets[name] = _Secret(secret)
            return secret

    def GetSecret(self, call: GrpcCall) -> Any:
        """Describe a secret."""
        with self._lock:
            return self._secret(call.request.name).message

    def UpdateSecret(self, call: GrpcCall) -> Any:
        """Change labels, annotations or aliases."""
        given, types = call.request.secret, _types()
        with self._lock:
            secret = self._secret(given.name)
            _check_etag(given.etag, secret.message)
            changed = types.Secret(secret.message)
            for path in call.request.update_mask.paths:
                if path not in ("labels", "annotations", "version_aliases", "topics", "rotation"):
                    raise GrpcRefused("INVALID_ARGUMENT", f"The field [{path}] cannot be updated.")
                setattr(changed, path, getattr(given, path))
            _check_labels(changed.labels)
            changed.etag = self._etag()
            secret.message = changed
            return changed

    def ListSecrets(self, call: GrpcCall) -> Any:
        """List the secrets of a project, newest first."""
        request, types = call.request, _types()
        with self._lock:
            parent = self._canonical(request.parent)
            found = [
                secret.message
                for name in list(self._secrets)
                if (secret := self._find(name)) is not None and name.rpartition("/secrets/")[0] == parent
            ]
        found = [item for item in reversed(found) if request.filter.removeprefix("name:") in item.name]
        page, token = _page(found, request)
        return types.ListSecretsResponse(secrets=page, next_page_token=token, total_size=len(found))

    def DeleteSecret(self, call: GrpcCall) -> None:
        """Delete a secret and all of its versions."""
        with self._lock:
            secret = self._secret(call.request.name)
            _check_etag(call.request.etag, secret.message)
            del self._secrets[secret.message.name]

    # Versions

    def AddSecretVersion(self, call: GrpcCall) -> Any:
        """Store a payload as the latest version."""
        payload, types = call.request.payload, _types()
        if not payload.data:
            raise GrpcRefused("INVALID_ARGUMENT", "Secret Payload cannot be empty.")
        if len(payload.data) > MAX_BYTES:
            raise GrpcRefused(
                "INVALID_ARGUMENT", f"Secret Payload of {len(payload.data)} bytes is larger than {MAX_BYTES} bytes."
            )
        has_checksum = "data_crc32c" in payload
        if has_checksum and payload.data_crc32c != crc32c(payload.data):
            raise GrpcRefused("INVALID_ARGUMENT", "The data_crc32c of the payload does not match its data.")
        with self._lock:
            secret = self._secret(call.request.parent)
            number = len(secret.versions) + 1
            message = types.SecretVersion(
                name=f"{secret.message.name}/versions/{number}",
                create_time=_now(),
                state=_ENABLED,
                etag=self._etag(),
                client_specified_payload_checksum=has_checksum,
            )
            secret.versions.append(_Version(number, message, bytes(payload.data)))
            return message

    def AccessSecretVersion(self, call: GrpcCall) -> Any:
        """Hand out a payload, with its checksum."""
        types = _types()
        with self._lock:
            version = self._version(call.request.name, with_alias=True)
            if version.message.state != _ENABLED or version.data is None:
                raise _in_state(version.message)
            data, checksum = version.data, crc32c(version.data)
            if self.damaged:
                self.damaged -= 1
                data = bytes([data[0] ^ 1]) + data[1:]
            payload = types.SecretPayload(data=data, data_crc32c=checksum)
            return types.AccessSecretVersionResponse(name=version.message.name, payload=payload)

    def GetSecretVersion(self, call: GrpcCall) -> Any:
        """Describe a version."""
        with self._lock:
            return self._version(call.request.name, with_alias=True).message

    def ListSecretVersions(self, call: GrpcCall) -> Any:
        """List the versions of a secret, newest first."""
        request, types = call.request, _types()
        with self._lock:
            found = [version.message for version in reversed(self._secret(request.parent).versions)]
        if wanted := request.filter.removeprefix("state:"):
            found = [item for item in found if _STATES[item.state] == wanted]
        page, token = _page(found, request)
        return types.ListSecretVersionsResponse(versions=page, next_page_token=token, total_size=len(found))

    def EnableSecretVersion(self, call: GrpcCall) -> Any:
        """Let a version be read."""
        return self._move(call, _ENABLED)

    def DisableSecretVersion(self, call: GrpcCall) -> Any:
        """Let a version not be read."""
        return self._move(call, _DISABLED)

    def DestroySecretVersion(self, call: GrpcCall) -> Any:
        """Delete the payload of a version."""
        return self._move(call, _DESTROYED)

    def _move(self, call: GrpcCall, state: int) -> Any:
        types = _types()
        with self._lock:
            version = self._version(call.request.name, with_alias=False)
            _check_etag(call.request.etag, version.message)
            if version.message.state == _DESTROYED:
                raise GrpcRefused(
                    "FAILED_PRECONDITION", f"Secret Version [{version.message.name}] is in DESTROYED state."
                )
            changed = types.SecretVersion(version.message)
            changed.state, changed.etag = state, self._etag()
            if state == _DESTROYED:
                changed.destroy_time, version.data = _now(), None
            version.message = changed
            return changed

    # Looking things up

    def _canonical(self, name: str) -> str:
        first, project, *rest = name.split("/")
        return "/".join([first, self.number_of(project), *rest])

    def _find(self, name: str) -> _Secret | None:
        secret = self._secrets.get(name)
        if secret is not None and "expire_time" in secret.message and secret.message.expire_time <= _now():
            del self._secrets[name]
            return None
        return secret

    def _secret(self, name: str) -> _Secret:
        name = self._canonical(name)
        if (secret := self._find(name)) is None:
            raise GrpcRefused("NOT_FOUND", f"Secret [{name}] not found.")
        return secret

    def _version(self, name: str, *, with_alias: bool) -> _Version:
        path, _, wanted = self._canonical(name).rpartition("/versions/")
        secret = self._find(path)
        if not re.fullmatch(r"[1-9]\d*", wanted) and not with_alias:
            raise GrpcRefused(
                "INVALID_ARGUMENT",
                rf"The provided Secret Version ID [{wanted}] does not match the expected format [([1-9]\d*)].",
            )
        if wanted == "latest":
            if secret is None or not secret.versions:
                raise GrpcRefused("NOT_FOUND", f"Secret [{path}] not found or has no versions.")
            return secret.versions[-1]
        if secret is not None and _ALIAS.fullmatch(wanted):
            wanted = str(secret.message.version_aliases.get(wanted, wanted))
        for version in secret.versions if secret is not None else []:
            if str(version.number) == wanted:
                return version
        raise GrpcRefused("NOT_FOUND", f"Secret Version [{path}/versions/{wanted}] not found.")

    def _etag(self) -> str:
        self._changes += 1
        return f'"{hashlib.sha256(str(self._changes).encode()).hexdigest()[:14]}"'


def _crc32c_table() -> tuple[int, ...]:
    """Castagnoli's polynomial, reflected: RFC 3720, appendix B.4."""
    table: list[int] = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)


_TABLE = _crc32c_table()


def crc32c(data: bytes) -> int:
    """Compute the checksum that Google's APIs send along, without the SDK's own code.

    Args:
        data: What to sum.
    """
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _types() -> Any:
    from google.cloud.secretmanager_v1 import types

    return types


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _in_state(version: Any) -> GrpcRefused:
    return GrpcRefused("FAILED_PRECONDITION", f"Secret Version [{version.name}] is in {_STATES[version.state]} state.")


def _check_labels(labels: Any) -> None:
    for key, value in dict(labels).items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise GrpcRefused("INVALID_ARGUMENT", f"The label [{key}: {value}] has characters that labels cannot have.")


def _check_etag(given: str, message: Any) -> None:
    # https://google.aip.dev/154
    if given and given != message.etag:
        raise GrpcRefused("ABORTED", f"The etag [{given}] does not match that of [{message.name}].")


def _page(found: list[Any], request: Any) -> tuple[list[Any], str]:
    try:
        start = int(request.page_token or 0)
    except ValueError:
        raise GrpcRefused("INVALID_ARGUMENT", "The page token is invalid.") from None
    end = start + min(request.page_size or _PAGE, _PAGE)
    return found[start:end], str(end) if end < len(found) else ""
