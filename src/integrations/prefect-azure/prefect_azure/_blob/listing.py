"""What a listing shows: blobs, and what only marks a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

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
    if not isinstance(metadata, Mapping):
        return False
    return any(name.lower() == MARKER and str(value).lower() == "true" for name, value in metadata.items())


def is_folder(blob: Any) -> bool:
    """Say whether a blob of a listing only marks a folder: by its metadata, or as an empty one with `/` at its end."""
    return is_marked(getattr(blob, "metadata", None)) or (not getattr(blob, "size", None) and _name(blob).endswith("/"))


def is_encoded(blob: Any) -> bool:
    """Say whether a blob of a listing has a Content-Encoding, which Azure's client decodes."""
    return bool(getattr(getattr(blob, "content_settings", None), "content_encoding", None))


def _name(blob: Any) -> str:
    """The name of a blob of a listing; tests list what has no more than that, or names alone."""
    name: Any = cast("dict[str, Any]", blob).get("name") if isinstance(blob, dict) else getattr(blob, "name", blob)
    return str(name)


def remote_object(blob: Any) -> RemoteObject:
    """Describe a blob of a listing. Its ETag and its checksum are the MD5 in hexadecimal, where the service has it."""
    md5: Any = getattr(getattr(blob, "content_settings", None), "content_md5", None)
    checksum = bytes(md5).hex() if isinstance(md5, bytes | bytearray) and md5 else None
    size: Any = getattr(blob, "size", None)
    modified: Any = getattr(blob, "last_modified", None)
    return RemoteObject(
        _name(blob),
        size if isinstance(size, int) else 0,
        modified if isinstance(modified, datetime) else None,
        checksum,
        checksum,
    )
