"""What a Dataproc driver wrote last, out of Cloud Storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.logs import run_logger

from ._clients import storage_client
from .errors import GcpError, gcp_errors

if TYPE_CHECKING:
    from .credentials import GcpCredentials

_URI = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<key>.+)")
# Nobody should wait long for a detail of an error.
_IMPATIENT: dict[str, Any] = {"retry": None, "timeout": 10}
_PART = re.compile(r"\.\d+$")


def last_lines(credentials: GcpCredentials, uri: str, *, lines: int, size_bytes: int) -> str:
    """Read the end of the driver's output. Without the right to read it, a warning is logged and there is nothing.

    Dataproc writes it in parts, `driveroutput.000000000` and so on.

    Args:
        credentials: Who reads.
        uri: `gs://bucket/…/driveroutput`, as the batch names it.
        lines: How many lines at most.
        size_bytes: How much is read at most.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        return ""
    try:
        with gcp_errors(f"Driver output {uri}"):
            found: list[Any] = list(
                storage_client(credentials).list_blobs(match["bucket"], prefix=match["key"], **_IMPATIENT)
            )
            parts = [blob for blob in found if blob.name == match["key"] or _PART.search(blob.name)]
            if not parts:
                return ""
            blob = max(parts, key=lambda each: each.name)
            start = max(0, int(blob.size or 0) - size_bytes)
            content: bytes = blob.download_as_bytes(start=start, **_IMPATIENT) if blob.size else b""
    except GcpError as exc:
        run_logger(__name__).warning("The driver's output could not be read: %s", exc)
        return ""
    return "\n".join(content.decode("utf-8", "replace").splitlines()[-lines:])
