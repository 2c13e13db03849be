"""What we talk to: buckets of objects in Acme."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

from prefect import task
from prefect.filesystems import WritableFileSystem
from prefect.logging import get_run_logger
from pydantic import Field, HttpUrl

from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread, sync_task
from prefect_integration_kit.paths import object_key
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

from .credentials import AcmeCredentials
from .errors import acme_errors, is_transient
from .settings import AcmeSettings


class AcmeBucket(WritableFileSystem):
    """Read and write the objects of an Acme bucket.

    Example:
        Load a stored bucket and use it:
        ```python
        from prefect_acme import AcmeBucket

        bucket = AcmeBucket.load("BLOCK_NAME")
        report = bucket.read_path("daily.csv")
        ```
    """

    _block_type_name = "Acme Bucket"
    _logo_url = HttpUrl("https://raw.githubusercontent.com/PrefectHQ/prefect/main/docs/logos/acme.png")
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-acme")
    _clock: ClassVar[Clock] = SYSTEM_CLOCK  # tests set another

    bucket_name: str = Field(description="Name of the bucket.")
    credentials: AcmeCredentials = Field(description="Who reads and writes.")
    bucket_folder: str = Field(default="", description="Folder that all paths are relative to.")

    def _request(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Send one request for one object, and again while it fails for a moment."""
        key = object_key(self.bucket_folder, path)
        url = f"/buckets/{quote(self.bucket_name, safe='')}/{quote(key, safe='')}"

        def attempt() -> bytes:
            with acme_errors(f"acme://{self.bucket_name}/{key}"):
                return client.request(method, url, content=content).raise_for_status().content

        backoff = Backoff(deadline_seconds=AcmeSettings().retry_seconds)
        with self.credentials.get_client() as client:
            return retry(attempt, is_transient=is_transient, backoff=backoff, clock=self._clock)

    def _read(self, path: str) -> bytes:
        return self._request("GET", path)

    def _write(self, path: str, content: bytes) -> str:
        self._request("PUT", path, content)
        return object_key(self.bucket_folder, path)

    async def aread_path(self, path: str) -> bytes:
        """Async form of `read_path`."""
        return await run_sync_in_worker_thread(self._read, path)

    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:
        """Read one object into memory.

        Args:
            path: Key of the object, relative to `bucket_folder`.

        Returns:
            Its content.

        Raises:
            AcmeObjectNotFound: If no object is stored under `path`.
            AcmeAccessDenied: If the token is wrong or may not read.
            AcmeUnavailable: If Acme did not answer until the deadline.
        """
        return self._read(path)

    async def awrite_path(self, path: str, content: bytes) -> str:
        """Async form of `write_path`."""
        return await run_sync_in_worker_thread(self._write, path, content)

    @async_dispatch(awrite_path)
    def write_path(self, path: str, content: bytes) -> str:
        """Write one object; it replaces an older one of the same key.

        Args:
            path: Key of the object, relative to `bucket_folder`.
            content: What to store.

        Returns:
            The whole key, which `read_path` takes as well.

        Raises:
            AcmeAccessDenied: If the token is wrong or may not write.
            AcmeUnavailable: If Acme did not answer until the deadline.
        """
        return self._write(path, content)


@task
async def awrite_acme_object(bucket: AcmeBucket, path: str, content: bytes) -> str:
    """Async form of `write_acme_object`."""
    key = await bucket.awrite_path(path, content)
    get_run_logger().info("Wrote %d bytes to acme://%s/%s", len(content), bucket.bucket_name, key)
    return key


@sync_task(awrite_acme_object)
def write_acme_object(bucket: AcmeBucket, path: str, content: bytes) -> str:
    """Write one object to Acme. To do so twice is harmless, so the task may be retried.

    Args:
        bucket: Where to write.
        path: Key of the object, relative to the folder of `bucket`.
        content: What to store.

    Returns:
        The whole key.

    Raises:
        AcmeError: If the object could not be written.
    """
    key = bucket.write_path(path, content)
    get_run_logger().info("Wrote %d bytes to acme://%s/%s", len(content), bucket.bucket_name, key)
    return key
