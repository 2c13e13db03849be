"""Shared access signatures: URLs by which others read and write blobs for a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from prefect_azure._blob.objects import AzureBlobs
from prefect_azure._blob.options import blob_errors
from prefect_azure.errors import AzureCredentialsError

PERMISSIONS = "racwdxyltmeopi"
"""Letters of what a signature may allow, in the order that the service wants them
(https://learn.microsoft.com/rest/api/storageservices/create-service-sas#permissions-for-a-directory-container-or-blob)."""

DELEGATION_SECONDS = 604_800
"""The longest that a signature without an account key holds: seven days
(https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas)."""

_SKEW = timedelta(minutes=5)


def check_permissions(permissions: str) -> str:
    """Put the letters in the order that the service wants.

    Raises:
        ValueError: If there is none, or one that is not known.
    """
    unknown = sorted(set(permissions) - set(PERMISSIONS))
    if unknown or not permissions:
        raise ValueError(
            f"permissions is {permissions!r}; give letters of {PERMISSIONS!r}, such as 'r' to read, 'cw' to write, "
            "'d' to delete."
        )
    return "".join(letter for letter in PERMISSIONS if letter in permissions)


def sas_url(
    blobs: AzureBlobs, key: str, permissions: str, expires_in_seconds: int, parameters: Mapping[str, Any]
) -> str:
    """Sign the URL of one blob.

    With an account key this machine signs and no request is made. Otherwise the service hands out a key for the
    identity, for as long as the URL is to hold.
    """
    from azure.storage.blob import generate_blob_sas

    letters = check_permissions(permissions)
    if expires_in_seconds < 1:
        raise ValueError(f"expires_in_seconds is {expires_in_seconds}; it must be at least 1.")
    now = datetime.now(timezone.utc)
    make: Any = generate_blob_sas
    signature = make(
        account_name=str(blobs.service.account_name),
        container_name=blobs.container,
        blob_name=key,
        **{
            "permission": letters,
            "expiry": now + timedelta(seconds=expires_in_seconds),
            **_signer(blobs, now, expires_in_seconds),
            **parameters,
        },
    )
    return f"{_plain_url(blobs, key)}?{signature}"


def _plain_url(blobs: AzureBlobs, key: str) -> str:
    return str(blobs.blob(key).url).partition("?")[0]


def _signer(blobs: AzureBlobs, now: datetime, expires_in_seconds: int) -> dict[str, Any]:
    """Find out what signs: the account's key, or one that the service hands out for a token."""
    credential: Any = blobs.service.credential
    key = getattr(credential, "account_key", None)
    if isinstance(key, str):
        return {"account_key": key}
    if not hasattr(credential, "get_token"):
        raise AzureCredentialsError(
            f"Container {blobs.container!r}: URLs are signed by an account key or for an identity of Microsoft Entra "
            "ID, not by a shared access signature. Give the credentials block one of these.",
            subject=f"Container {blobs.container!r}",
        )
    if expires_in_seconds > DELEGATION_SECONDS:
        raise ValueError(
            f"expires_in_seconds is {expires_in_seconds}; without an account key a URL holds for at most "
            f"{DELEGATION_SECONDS} seconds (seven days)."
        )
    with blob_errors(f"A signing key of storage account {blobs.service.account_name!r}", identity=blobs.identity):
        found = blobs.service.get_user_delegation_key(
            now - _SKEW, now + timedelta(seconds=min(expires_in_seconds + 60, DELEGATION_SECONDS))
        )
    return {"user_delegation_key": found}
