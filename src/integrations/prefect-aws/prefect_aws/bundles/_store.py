"""Bundles as objects of one bucket, and what can go wrong with them as this package's errors."""

from __future__ import annotations

import base64
import threading
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_aws._s3_engine import (
    CHUNK_BYTES,
    MULTIPART_BYTES,
    TransferOptions,
    object_errors,
    read_again,
    reading_body,
)
from prefect_aws._s3_objects import S3Objects
from prefect_aws.credentials import AwsCredentials
from prefect_aws.errors import AwsBundleFailed, AwsBundleRefused, AwsError
from prefect_integration_kit.bundles import DIGEST, BundleRefused
from prefect_integration_kit.transfer import copy_stream

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class S3BundleStore:
    """A bucket that holds bundles."""

    objects: S3Objects

    @classmethod
    def open(
        cls,
        bucket: str,
        aws_credentials_block_name: str | None,
        block_class: type[AwsCredentials] = AwsCredentials,
    ) -> Self:
        """Take a client for the credentials of a saved block, or for those that boto3 finds.

        Args:
            bucket: Name of the bucket.
            aws_credentials_block_name: Name of an `AwsCredentials` block.
            block_class: Class of the block; the steps hand theirs over, which a test of a user may have replaced.

        Raises:
            ValueError: If the name of the bucket is not one, or there is no such block.
        """
        # Without `_sync`, loading inside an async flow would give a coroutine.
        load: Any = block_class.load
        credentials = load(aws_credentials_block_name, _sync=True) if aws_credentials_block_name else block_class()
        return cls(S3Objects.open(credentials, bucket))

    def url(self, key: str) -> str:
        """Name an object in messages."""
        return self.objects.url(key)

    def put(self, source: Path, key: str, metadata: Mapping[str, str]) -> None:
        """Store a file, with a SHA-256 that S3 compares with what it received."""
        arguments: dict[str, Any] = {"Metadata": dict(metadata)}
        if source.stat().st_size < MULTIPART_BYTES:
            arguments["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(metadata[DIGEST])).decode()
        elif getattr(self.objects.client.meta.config, "request_checksum_calculation", None) != "when_required":
            arguments["ChecksumAlgorithm"] = "SHA256"  # of each part; some stores do not know it, hence the choice
        self.objects.upload(source, key, TransferOptions(arguments))

    def get(self, key: str, target: Path) -> Mapping[str, str]:
        """Write an object to a file and return the metadata that came with the same answer."""
        if not self.objects.is_sdk:
            self.objects.download(key, target)
            return {}

        def attempt() -> Mapping[str, str]:
            response = self.objects.client.get_object(Bucket=self.objects.bucket, Key=key)
            with closing(response["Body"]) as body, target.open("wb") as file, reading_body():
                copy_stream(body.iter_chunks(CHUNK_BYTES), file, threading.Event())
            return response.get("Metadata", {})

        with object_errors(self.url(key)):
            return read_again(attempt)


@contextmanager
def bundle_errors(work: str, url: str) -> Generator[None, None, None]:
    """Raise failures as `AwsBundleFailed`, with what AWS or Python said as their cause.

    Args:
        work: What cannot be done, such as `Cannot upload`.
        url: URL of the bundle.

    Raises:
        AwsBundleRefused: If the content is refused.
        AwsBundleFailed: If AWS refuses, or cannot be reached.
    """
    try:
        yield
    except BundleRefused as exc:
        raise AwsBundleRefused(str(exc), subject=url) from exc
    except AwsError as exc:
        raise AwsBundleFailed(f"{work} {exc}", subject=url, code=exc.code) from exc
