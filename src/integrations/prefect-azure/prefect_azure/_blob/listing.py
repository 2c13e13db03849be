"""What a listing shows: blobs, and what only marks a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from prefect_integration_kit.transfer import RemoteObject

MARKER = "hdi_isfolder"
"""Metadata of the empty blobs that stand for folders.

Accounts with a hierarchical namespace show each directory as such a blob
(https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues), and Hadoop makes them everywhere.
"""

_MOST_CHARACTERS = 1024
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # XML has none, and so no listing


def checked_key(key: str) -> str:
    """Refuse what cannot be the name of a blob.

    The service takes names with `.` and `..` between slashes for other names, as in any address
    (https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).

    Raises:
        ValueError: Naming the key.
    """
    if not 1 <= len(key) <= _MOST_CHARACTERS:
        raise ValueError(f"Blob name {key!r} has {len(key)} characters; it must have 1 to {_MOST_CHARACTERS}.")
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise ValueError(f"Blob name {key!r} has '.' or '..' between slashes, which Azure does not keep. Rename it.")
    if _CONTROLS.search(key):
        raise ValueError(f"Blob name {key!r} has a control character, which Azure does not take. Rename it.")
    return key


def is_marked(metadata: Mapping[str, str] | None) -> bool:
    """Say whether metadata is that of a folder."""
    return any(name.lower() == MARKER and str(value).lower() == "true" for name, value in (metadata or {}).items())


def is_folder(blob: Any) -> bool:
    """Say whether a blob of a listing only marks a folder: by its metadata, or as an empty one with `/` at its end."""
    return is_marked(blob.metadata) or (not blob.size and str(blob.name).endswith("/"))


def remote_object(blob: Any) -> RemoteObject:
    """Describe a blob of a listing. Its ETag and its checksum are the MD5 in hexadecimal, where the service has it."""
    md5 = blob.content_settings.content_md5
    checksum = bytes(md5).hex() if md5 else None
    return RemoteObject(str(blob.name), blob.size or 0, blob.last_modified, checksum, checksum)
