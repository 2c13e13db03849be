"""URLs by which others read and write objects of an S3 bucket block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from prefect_aws._s3_folders import S3Folders
from prefect_aws._s3_objects import Credentials
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread


class S3BucketUrls:
    """A base of `S3Bucket`: URLs that are signed."""

    if TYPE_CHECKING:
        bucket_name: str
        credentials: Credentials

        def _key(self, path: str) -> str: ...

    def _presigned_url(
        self, path: str, method: Literal["GET", "PUT"], expires_in_seconds: int, parameters: dict[str, Any]
    ) -> str:
        # Version 4 is the only signature that every region and encryption takes; boto3 signs URLs by an older one.
        objects = S3Folders.open(self.credentials, self.bucket_name, signature_version="s3v4")
        return objects.presign(self._key(path), method, expires_in_seconds, parameters)

    async def apresigned_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Async form of `presigned_url`."""
        return await run_sync_in_worker_thread(self._presigned_url, path, method, expires_in_seconds, parameters)

    @async_dispatch(apresigned_url)
    def presigned_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Sign a URL by which anyone who has it can read or write one object for a time.

        Args:
            path: Key of the object, relative to `bucket_folder`. It need not exist.
            method: `GET` to read, `PUT` to write.
            expires_in_seconds: How long the URL holds, at most seven days; never longer than the credentials.
            **parameters: Further parameters of GetObject or PutObject, such as `ResponseContentType`.

        Returns:
            The URL. Treat it as a secret.

        Raises:
            ValueError: If `expires_in_seconds` or `method` is out of range.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            link = s3_bucket.presigned_url("reports/today.pdf", expires_in_seconds=600)
            ```
        """
        return self._presigned_url(path, method, expires_in_seconds, parameters)
