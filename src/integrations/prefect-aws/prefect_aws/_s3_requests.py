"""Options of requests that write to S3."""

from typing import Any, Literal

StorageClass = Literal[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "SNOW",
]
"""How S3 keeps an object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html)."""

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
"""Who encrypts an object at rest (https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html)."""


def write_request(
    storage_class: str | None, server_side_encryption: str | None, kms_key_id: str | None
) -> dict[str, Any]:
    """Name the options of a write as S3's API does."""
    if kms_key_id is not None and server_side_encryption not in ("aws:kms", "aws:kms:dsse"):
        raise ValueError(
            f"kms_key_id needs server_side_encryption 'aws:kms' or 'aws:kms:dsse', which is {server_side_encryption!r}."
        )
    return {
        "StorageClass": storage_class,
        "ServerSideEncryption": server_side_encryption,
        "SSEKMSKeyId": kms_key_id,
    }
