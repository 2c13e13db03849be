"""What a caller may ask of Azure's client beyond what to move, and how its failures are named."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prefect_azure.errors import AzureChecksumMismatch, AzureError, AzureNotFound, BlobNotFound, azure_errors
from prefect_integration_kit.redact import Secret
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.waiting import Backoff, retry

T = TypeVar("T")

MOST_BLOCKS = 50_000
"""Blocks of one blob, https://learn.microsoft.com/azure/storage/blobs/scalability-targets."""

AGAIN = Backoff(initial_seconds=0.2, maximum_seconds=5, deadline_seconds=60, max_attempts=3)
"""How often content that does not fit its checksum is moved again."""


@dataclass(frozen=True)
class TransferOptions:
    """Options of the client's method that moves a blob.

    Attributes:
        method: Keywords of `BlobClient.upload_blob` or `download_blob`.
        overwrite: Whether an upload replaces a blob that is there.
    """

    method: Mapping[str, Any] = field(default_factory=dict[str, Any])
    overwrite: bool = False

    @classmethod
    def of_download(cls, options: Mapping[str, Any]) -> TransferOptions:
        """Read the keywords of a download.

        Raises:
            TypeError: If a text encoding is asked for; files hold bytes.
        """
        if options.get("encoding") is not None:
            raise TypeError("encoding is not supported: blobs are downloaded as bytes. Decode them afterwards.")
        return cls({name: value for name, value in options.items() if name != "encoding"})

    @classmethod
    def of_upload(cls, options: Mapping[str, Any]) -> TransferOptions:
        """Read the keywords of an upload.

        Raises:
            TypeError: If `overwrite` is not a boolean.
        """
        rest = dict(options)
        overwrite = rest.pop("overwrite", False)
        if not isinstance(overwrite, bool):
            raise TypeError(f"overwrite is {overwrite!r}; give True or False.")
        return cls(rest, overwrite)

    @property
    def only_sdk(self) -> bool:
        """Whether something is asked for that only Azure's client can do."""
        return bool(self.method)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What of the options must not be repeated in messages: a customer's own key."""
        key = getattr(self.method.get("cpk"), "key_value", None)
        return () if key is None else (key,)


NO_OPTIONS = TransferOptions()
REPLACE = TransferOptions(overwrite=True)


class Corrupted(Exception):
    """What arrived does not fit the blob's checksum."""


def is_corruption(error: BaseException) -> bool:
    """Say whether content did not fit its checksum, as we, Azure's client or the service found out."""
    if isinstance(error, Corrupted):
        return True
    code = getattr(error, "error_code", None)
    if str(getattr(code, "value", code)) in ("Md5Mismatch", "Crc64Mismatch"):
        return True
    return type(error).__module__ == "azure.core.exceptions" and "MD5 mismatch" in str(error)


def once_more(attempt: Callable[[], T]) -> T:
    """Call until nothing is corrupted, or the tries are used up. The call must be safe to repeat."""
    return retry(attempt, is_transient=is_corruption, backoff=AGAIN)


@contextmanager
def blob_errors(
    subject: str, *, identity: str = "", not_found: type[AzureNotFound] = BlobNotFound, secrets: tuple[Secret, ...] = ()
) -> Generator[None, None, None]:
    """Raise failures of Azure's client as this package's errors.

    Args:
        subject: Which blob or container.
        identity: Who asks.
        not_found: What a plain "not found" means.
        secrets: Values that the request carries.
    """
    with azure_errors(subject, identity=identity, not_found=not_found, secrets=secrets):
        try:
            yield
        except AzureError:
            raise  # it has its name already
        except Exception as exc:
            if not is_corruption(exc):
                raise
            raise combined(AzureChecksumMismatch, type(exc))(
                f"{subject}: the content does not fit its checksum, and did not in further tries. "
                f"{AzureChecksumMismatch.remedy}",
                subject=subject,
            ) from exc
