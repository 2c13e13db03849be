"""What was built of what, kept in the user's Prefect home from one deploy to the next.

A record is one small file, named after a digest of all that goes into an image. It says which image came out; the image
itself is the engine's, and is looked for before a record is believed. Records hold no secrets.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

_FOLDER = "docker-builds"
_MAX_RECORDS = 500


@dataclass
class BuildRecord:
    """One build that succeeded."""

    image_id: str
    bases: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    """For each base image its ID after the build, `None` when the engine had it not."""
    tags: dict[str, str] = field(default_factory=dict[str, str])
    """For each repository the tag that the build made up for it."""


def digest_of(parts: Mapping[str, Any]) -> str | None:
    """Make one digest of values of any depth.

    Args:
        parts: The values. A secret counts by what it holds.

    Returns:
        Hexadecimal SHA-256; `None` when a value, such as an open file, cannot be told from another.
    """
    try:
        written = json.dumps(parts, sort_keys=True, default=_plain)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return {"secret": value.get_secret_value()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(cast("set[Any]", value), key=repr)
    raise TypeError(type(value).__name__)


def read_record(key: str) -> BuildRecord | None:
    """Find the record of a build; `None` when there is none that can be read.

    Args:
        key: The digest of what goes into the image.
    """
    try:
        found: dict[str, Any] = json.loads(_path(key).read_text(encoding="utf-8"))
        return BuildRecord(str(found["image_id"]), dict(found["bases"]), dict(found["tags"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(key: str, record: BuildRecord) -> None:
    """Keep a record, if the Prefect home can be written to. Of very many the oldest go.

    Args:
        key: The digest of what went into the image.
        record: The record.
    """
    with suppress(OSError):
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(record), file)
            Path(name).replace(path)  # another process sees the old one or the new one
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _prune(path.parent)


def _path(key: str) -> Path:
    from prefect.settings import PREFECT_HOME

    return Path(PREFECT_HOME.value()) / _FOLDER / f"{key}.json"


def _prune(folder: Path) -> None:
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in paths[:-_MAX_RECORDS]:
        path.unlink(missing_ok=True)
