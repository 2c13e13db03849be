"""What a key vault keeps: secrets, their versions, and those that are deleted but can be recovered.

It answers and refuses as the REST API does: https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/operation-groups
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

MAX_BYTES = 25_600
"""Largest value: https://learn.microsoft.com/en-us/azure/key-vault/secrets/about-secrets"""

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_DAY = 86_400
_PAGE = 25
_NOT_FOUND = (
    "A secret with (name/id) {} was not found in this key vault. If you recently deleted this secret you may be able "
    "to recover it using the correct recovery command. For help resolving this issue, please see "
    "https://go.microsoft.com/fwlink/?linkid=2125182"
)


class VaultRefused(Exception):
    """The answer is an error."""

    def __init__(self, status: int, code: str, message: str, inner: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": code, "message": message}}
        if inner:
            self.body["error"]["innererror"] = {"code": inner}
        self.retry_after = retry_after


@dataclass
class _Version:
    id: str
    value: str
    content_type: str | None
    tags: dict[str, str] | None
    attributes: Json


@dataclass
class _Secret:
    versions: list[_Version] = field(default_factory=list[_Version])
    deleted_at: int | None = None
    looks_left: int = 0
    """How many looks find neither the secret nor the deleted one, while it is on its way."""


class VaultStore:
    """The secrets of one vault.

    Attributes:
        has_soft_delete: Whether deleted secrets can be recovered.
        is_purge_protected: Whether nobody may purge them.
        slow_looks: How many looks a deletion or a recovery takes to be complete.
        page_size: How many items a page of a list has.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            self.has_soft_delete = True
            self.is_purge_protected = False
            self.slow_looks = 0
            self.page_size = _PAGE
            self._secrets: dict[str, _Secret] = {}
            self._deleted: dict[str, _Secret] = {}

    def names(self) -> list[str]:
        """Names of the secrets that are not deleted."""
        with self.lock:
            return sorted(self._secrets)

    def deleted_names(self) -> list[str]:
        """Names of those that are deleted and can be recovered."""
        with self.lock:
            return sorted(self._deleted)

    def values(self, name: str) -> list[str]:
        """Values of all versions of a secret, oldest first, as they are stored."""
        with self.lock:
            return [version.value for version in self._secrets[name].versions]

    # Secrets

    def set(self, base: str, name: str, body: Json, now: float) -> Json:
        """Store a value as the latest version."""
        if not _NAME.fullmatch(name):
            raise VaultRefused(
                400,
                "BadParameter",
                f"The request URI contains an invalid name: {name}",
            )
        value = body.get("value")
        if not isinstance(value, str) or len(value.encode()) > MAX_BYTES:
            raise VaultRefused(400, "BadParameter", "Property  has invalid value\r\n")
        self._refuse_deleted(name)
        given: Json = body.get("attributes") or {}
        stamp = int(now)
        level = "Recoverable" if self.is_purge_protected else "Recoverable+Purgeable"
        attributes: Json = {
            "enabled": given.get("enabled", True),
            **{key: given[key] for key in ("nbf", "exp") if given.get(key) is not None},
            "created": stamp,
            "updated": stamp,
            "recoveryLevel": level if self.has_soft_delete else "Purgeable",
            "recoverableDays": 90 if self.has_soft_delete else 0,
        }
        version = _Version(secrets.token_hex(16), value, body.get("contentType"), body.get("tags"), attributes)
        self._secrets.setdefault(name, _Secret()).versions.append(version)
        return _bundle(base, name, version)

    def get(self, base: str, name: str, version: str) -> Json:
        """Read a version, or the latest."""
        found = self._version(name, version)
        if not found.attributes["enabled"]:
            raise VaultRefused(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
        return _bundle(base, name, found)

    def update(self, base: str, name: str, version: str, body: Json, now: float) -> Json:
        """Change what is said about a version, but not its value."""
        found = self._version(name, version)
        found.attributes.update(body.get("attributes") or {})
        found.attributes["updated"] = int(now)
        if "contentType" in body:
            found.content_type = body["contentType"]
        if "tags" in body:
            found.tags = body["tags"]
        answer = _bundle(base, name, found)
        answer.pop("value")
        return answer

    def delete(self, base: str, name: str, now: float) -> Json:
        """Delete a secret with all of its versions."""
        secret = self._find(name)
        latest = secret.versions[-1]
        del self._secrets[name]
        answer = _bundle(base, name, latest)
        answer.pop("value")
        if self.has_soft_delete:
            secret.deleted_at, secret.looks_left = int(now), self.slow_looks
            self._deleted[name] = secret
            answer.update(_deletion(base, name, secret))
        return answer

    # Deleted secrets

    def get_deleted(self, base: str, name: str) -> Json:
        """Describe a deleted secret."""
        secret = self._find_deleted(name)
        answer = _bundle(base, name, secret.versions[-1])
        answer.pop("value")
        return {**answer, **_deletion(base, name, secret)}

    def recover(self, base: str, name: str) -> Json:
        """Bring a deleted secret back."""
        secret = self._find_deleted(name)
        del self._deleted[name]
        secret.deleted_at, secret.looks_left = None, self.slow_looks
        self._secrets[name] = secret
        answer = _bundle(base, name, secret.versions[-1])
        answer.pop("value")
        return answer

    def purge(self, name: str) -> None:
        """Delete a deleted secret for good."""
        self._find_deleted(name)
        if self.is_purge_protected:
            raise VaultRefused(
                403,
                "Forbidden",
                'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault '
                "service will automatically purge it after the retention period has passed.",
                "ForbiddenByPolicy",
            )
        del self._deleted[name]

    # Lists

    def versions(self, base: str, name: str) -> list[Json]:
        """Items of all versions; none for a secret that does not exist."""
        secret = self._secrets.get(name)
        return [_item(base, f"{name}/{version.id}", version) for version in (secret.versions if secret else [])]

    def items(self, base: str) -> list[Json]:
        """Items of all secrets."""
        return [_item(base, name, secret.versions[-1]) for name, secret in sorted(self._secrets.items())]

    def deleted_items(self, base: str) -> list[Json]:
        """Items of all deleted secrets."""
        return [
            {**_item(base, name, secret.versions[-1]), **_deletion(base, name, secret)}
            for name, secret in sorted(self._deleted.items())
        ]

    # How things are found

    def _find(self, name: str) -> _Secret:
        secret = self._secrets.get(name)
        if secret is None or _is_on_its_way(secret):
            raise VaultRefused(404, "SecretNotFound", _NOT_FOUND.format(name))
        return secret

    def _find_deleted(self, name: str) -> _Secret:
        secret = self._deleted.get(name)
        if secret is None or _is_on_its_way(secret):
            raise VaultRefused(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return secret

    def _version(self, name: str, version: str) -> _Version:
        secret = self._find(name)
        if not version:
            return secret.versions[-1]
        for one in secret.versions:
            if one.id == version:
                return one
        raise VaultRefused(404, "SecretNotFound", _NOT_FOUND.format(f"{name}/{version}"))

    def _refuse_deleted(self, name: str) -> None:
        secret = self._deleted.get(name)
        if secret is None:
            return
        if _is_on_its_way(secret):
            raise VaultRefused(409, "Conflict", f"Secret {name} is currently being deleted.", "ObjectIsBeingDeleted")
        raise VaultRefused(
            409,
            "Conflict",
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged.",
            "ObjectIsDeletedButRecoverable",
        )


def _is_on_its_way(secret: _Secret) -> bool:
    if secret.looks_left <= 0:
        return False
    secret.looks_left -= 1
    return True


def _bundle(base: str, name: str, version: _Version) -> Json:
    return {"value": version.value, **_item(base, f"{name}/{version.id}", version)}


def _item(base: str, path: str, version: _Version) -> Json:
    answer: Json = {"id": f"{base}/secrets/{path}", "attributes": dict(version.attributes)}
    if version.content_type is not None:
        answer["contentType"] = version.content_type
    if version.tags is not None:
        answer["tags"] = dict(version.tags)
    return answer


def _deletion(base: str, name: str, secret: _Secret) -> Json:
    deleted_at = secret.deleted_at or 0
    return {
        "recoveryId": f"{base}/deletedsecrets/{name}",
        "deletedDate": deleted_at,
        "scheduledPurgeDate": deleted_at + 90 * _DAY,
    }
