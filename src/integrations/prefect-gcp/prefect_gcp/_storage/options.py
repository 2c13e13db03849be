"""What a caller may ask of Google's client beyond what to move, and how its failures are named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prefect_gcp.errors import GcpChecksumMismatch, GcpError, GcpNotFound, GcpObjectNotFound, gcp_errors
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.sql import whole_number
from prefect_integration_kit.waiting import Backoff, retry

T = TypeVar("T")

CHUNK_STEP_BYTES = 256 * 1024
"""A chunk is a multiple of it (https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload)."""

MULTIPART_BYTES = 8 * 1024 * 1024
"""Up to this size an object goes in one request: where Google's client begins a resumable upload."""

UPLOAD_CHUNK_BYTES = 16 * 1024 * 1024
"""Chunk of a resumable upload; the client's own default of 100 MiB would be held in memory by each thread."""

AGAIN = Backoff(initial_seconds=0.2, maximum_seconds=5, deadline_seconds=60, max_attempts=3)
"""How often content that does not fit its checksum is moved again."""

_OF_BLOB = {"chunk_size", "encryption_key", "kms_key_name", "generation"}


@dataclass(frozen=True)
class TransferOptions:
    """Options of an object and of the client's method that moves it.

    Attributes:
        blob: Keywords of `google.cloud.storage.Blob`.
        method: Keywords of its method.
    """

    blob: Mapping[str, Any] = field(default_factory=dict[str, Any])
    method: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> TransferOptions:
        """Sort keywords.

        Args:
            options: Keywords of the client's method, and `chunk_size`, `encryption_key`, `kms_key_name` and
                `generation` of the object.

        Raises:
            ValueError: If `chunk_size` or `encryption_key` is not one.
        """
        blob = {name: value for name, value in options.items() if name in _OF_BLOB and value is not None}
        if "chunk_size" in blob:
            blob["chunk_size"] = _chunk_size(blob["chunk_size"])
        if "encryption_key" in blob:
            blob["encryption_key"] = _encryption_key(blob["encryption_key"])
        return cls(blob, {name: value for name, value in options.items() if name not in _OF_BLOB})

    @property
    def only_sdk(self) -> bool:
        """Whether something is asked for that only Google's client can do."""
        return bool(self.blob or self.method)


NO_OPTIONS = TransferOptions()


def _chunk_size(value: Any) -> int:
    size = whole_number(value)
    if size is None or size <= 0 or size % CHUNK_STEP_BYTES:
        raise ValueError(
            f"chunk_size is {value!r}; it must be a positive multiple of {CHUNK_STEP_BYTES} bytes (256 KiB)."
        )
    return size


def _encryption_key(value: Any) -> bytes:
    """Read a customer's own key: 32 bytes, or these in base64 (RFC 4648)."""
    raw = value.encode() if isinstance(value, str) else value
    if isinstance(raw, bytes) and len(raw) == 44:
        try:
            raw = base64.b64decode(raw, validate=True)
        except binascii.Error:
            raw = b""
    if not isinstance(raw, bytes) or len(raw) != 32:
        raise ValueError(
            "encryption_key is not an AES-256 key: give its 32 bytes, or these in base64. "
            "To use a key of Cloud KMS, give kms_key_name."
        )
    return raw


def usual_retry(seconds: float) -> Any:
    """Build the client's own retry policy with another deadline and a quicker begin; `None` for a single try."""
    if not seconds:
        return None
    from google.cloud.storage.retry import DEFAULT_RETRY

    policy: Any = DEFAULT_RETRY
    return policy.with_deadline(seconds).with_delay(initial=0.25, maximum=30, multiplier=2)


class Corrupted(Exception):
    """What arrived does not fit the object's checksum."""


def is_corruption(error: BaseException) -> bool:
    """Say whether content did not fit its checksum, as we or Google's client found out."""
    # Its class has moved from one library to another with version 3 of the client.
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, Corrupted) or "DataCorruption" in names or _is_refused_checksum(error)


def _is_refused_checksum(error: BaseException) -> bool:
    """Say whether Cloud Storage refused an upload for its checksum: a plain 400, told from others by its text."""
    response: Any = getattr(error, "response", None)
    if getattr(response, "status_code", None) != 400:
        return False
    text = str(error).lower()
    return "match" in text and ("crc32c" in text or "md5" in text)


def once_more(attempt: Callable[[], T]) -> T:
    """Call until nothing is corrupted, or the tries are used up. The call must be safe to repeat."""
    return retry(attempt, is_transient=is_corruption, backoff=AGAIN)


@contextmanager
def object_errors(subject: str, secrets: tuple[Any, ...] = ()) -> Generator[None, None, None]:
    """Raise failures of Google's client as this package's errors.

    Args:
        subject: URL of the object.
        secrets: Values that the request carries.
    """
    with gcp_errors(subject, not_found=GcpObjectNotFound, secrets=secrets):
        try:
            yield
        except GcpError:
            raise  # it has its name already
        except Exception as exc:
            if not is_corruption(exc):
                raise
            raise combined(GcpChecksumMismatch, type(exc))(
                f"{subject}: the content does not fit its checksum, and did not in further tries. "
                f"{GcpChecksumMismatch.remedy}",
                subject=subject,
            ) from exc


def as_kind(error: GcpNotFound, kind: type[GcpNotFound], message: str) -> GcpNotFound:
    """Make another kind of "not found" of one, with its attributes and its SDK class."""
    sdk = error.__cause__
    made = combined(kind, type(sdk))(message) if sdk is not None else kind(message)
    vars(made).update(vars(error))
    return made
