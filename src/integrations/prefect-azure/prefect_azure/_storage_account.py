"""Which storage account a block is about, and how it signs requests: no SDK, no network."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, urlsplit

from prefect_integration_kit.endpoints import is_loopback

from ._endpoints import CLOUDS, endpoint_for
from .errors import AzureCredentialsError

if TYPE_CHECKING:
    from .credentials import AzureBlobStorageCredentials

# https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string
_KNOWN = (
    "AccountKey",
    "AccountName",
    "BlobEndpoint",
    "BlobSecondaryEndpoint",
    "DefaultEndpointsProtocol",
    "DfsEndpoint",
    "EndpointSuffix",
    "SharedAccessSignature",
    "UseDevelopmentStorage",
)
# The emulator's account, the same everywhere: https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite#connection-strings
_EMULATOR = {
    "AccountName": "devstoreaccount1",
    "AccountKey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "BlobEndpoint": "http://127.0.0.1:10000/devstoreaccount1",
}
_SUBJECT = "Connection string of the Azure Blob Storage credentials"


@dataclass(frozen=True)
class StorageAccount:
    """One account.

    Attributes:
        name: Of the account; empty when the address is a custom domain.
        blob_url: Address of its blobs, without a slash at the end.
        dfs_url: Address of its hierarchical namespace.
        kind: How requests are signed.
        key: The account's key, in base64.
        sas: The shared access signature, without a question mark.
    """

    name: str
    blob_url: str
    dfs_url: str
    kind: Literal["key", "sas", "token", "anonymous"]
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)


def storage_account(block: AzureBlobStorageCredentials, *, checks_key: bool = True) -> StorageAccount:
    """Read the account out of a block.

    Args:
        block: Who we are.
        checks_key: Whether a key that is none is refused.

    Raises:
        AzureCredentialsError: If the connection string or the key is malformed. The message holds neither.
    """
    if block.connection_string is not None:
        account = _of_connection_string(block.connection_string.get_secret_value(), CLOUDS[block.cloud].storage_suffix)
    else:
        account = _of_address(block)
    if account.kind == "key" and checks_key:
        _check_key(account.key)
    return _at_endpoints(block, account)


def parse_connection_string(text: str) -> dict[str, str]:
    """Take a connection string apart; names in the spelling of the documentation.

    Raises:
        AzureCredentialsError: If it is none. The message names parts by name or position, never by value.
    """
    spelling = {name.lower(): name for name in _KNOWN}
    parts: dict[str, str] = {}
    for position, part in enumerate(filter(None, (part.strip() for part in text.strip().strip("\"'").split(";"))), 1):
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z]+", name.strip()):
            raise _malformed(f"part {position} is not of the form Name=value")
        parts[spelling.get(name.strip().lower(), name.strip())] = value.strip()
    if not parts:
        raise _malformed("it is empty")
    return parts


def _malformed(what: str) -> AzureCredentialsError:
    return AzureCredentialsError(
        f'{_SUBJECT}: {what}. Copy the whole string from the storage account\'s page "Access keys"; it begins with '
        "DefaultEndpointsProtocol=https;AccountName=.",
        subject=_SUBJECT,
    )


def _of_connection_string(text: str, suffix: str) -> StorageAccount:
    parts = parse_connection_string(text)
    if parts.get("UseDevelopmentStorage", "").lower() == "true":
        parts = {**_EMULATOR, **parts}
    name, key = parts.get("AccountName", ""), parts.get("AccountKey", "")
    sas = parts.get("SharedAccessSignature", "").lstrip("?")
    protocol = parts.get("DefaultEndpointsProtocol") or "https"
    suffix = parts.get("EndpointSuffix") or suffix
    blob = parts.get("BlobEndpoint") or (f"{protocol}://{name}.blob.{suffix}" if name else "")
    if not blob:
        raise _malformed("it has neither AccountName nor BlobEndpoint")
    name = name or _account_of(blob)
    dfs = parts.get("DfsEndpoint") or _dfs_of(blob)
    if bool(key) is bool(sas) and key:
        sas = ""  # the SDK prefers the key, too
    if not key and not sas:
        raise _malformed("it has neither AccountKey nor SharedAccessSignature")
    return StorageAccount(name, _without_slash(blob), _without_slash(dfs), "key" if key else "sas", key, sas)


def _of_address(block: AzureBlobStorageCredentials) -> StorageAccount:
    url = _without_slash((block.account_url or "").strip())
    if "://" not in url:
        url = f"https://{url}"
    kind = block.identity_kind
    name = _account_of(url)
    if kind == "key":
        key = block.account_key.get_secret_value().strip() if block.account_key else ""
        if not name:
            raise AzureCredentialsError(
                "account_url names no storage account, which a signature with account_key needs. Use "
                "https://ACCOUNT.blob.core.windows.net, or a connection_string with AccountName and BlobEndpoint.",
            )
        return StorageAccount(name, url, _dfs_of(url), "key", key=key)
    if kind == "sas":
        sas = block.sas_token.get_secret_value().strip().lstrip("?") if block.sas_token else ""
        return StorageAccount(name, url, _dfs_of(url), "sas", sas=sas)
    return StorageAccount(name, url, _dfs_of(url), "anonymous" if kind == "anonymous" else "token")


def _at_endpoints(block: AzureBlobStorageCredentials, account: StorageAccount) -> StorageAccount:
    """The account at the addresses that the block gives; by address or on this machine, its name is in the path."""
    urls: dict[str, str] = {"blob": account.blob_url, "dfs": account.dfs_url}
    for service in urls:
        endpoint = endpoint_for(block.endpoints, service)
        if endpoint is not None:
            urls[service] = f"{endpoint.url}/{account.name}" if _has_no_name(endpoint.host) else endpoint.url
    return StorageAccount(account.name, urls["blob"], urls["dfs"], account.kind, account.key, account.sas)


def _has_no_name(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    return is_loopback(host) or ":" in host or re.fullmatch(r"[\d.]+", host) is not None


def _account_of(url: str) -> str:
    """`account` of `https://account.blob.…` and of `http://127.0.0.1:10000/account`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if path := parts.path.strip("/"):
        return path.split("/")[0]
    name, dot, rest = host.partition(".")
    if dot and re.search(r"(^|\.)(?:blob|dfs)\.", f".{rest}."):
        return name.removesuffix("-secondary")
    return ""


def _dfs_of(url: str) -> str:
    return re.sub(r"^([^/]*//[^/]*?)\.blob\.", r"\1.dfs.", url)


def _without_slash(url: str) -> str:
    return url.rstrip("/")


def _check_key(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise AzureCredentialsError(
            "The account key of the Azure Blob Storage credentials is not in base64. Copy the whole key from the "
            'storage account\'s page "Access keys", the equals signs at its end included.'
        ) from None


def split_sas(account_url: str) -> tuple[str, str]:
    """The address and the shared access signature of an account's SAS URL; the signature is empty if there is none."""
    address, _, query = account_url.partition("?")
    if query and any(name == "sig" for name, _ in parse_qsl(query)):
        return address, query
    return account_url, ""
