"""URLs by which others read and write objects of a Cloud Storage block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from prefect_gcp._storage.folders import GcsFolders
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread


class GcsBucketUrls:
    """A base of `GcsBucket`: URLs that are signed."""

    if TYPE_CHECKING:

        def _objects(self) -> GcsFolders: ...

        def _key(self, path: str) -> str: ...

    def _signed_url(
        self, path: str, method: Literal["GET", "PUT"], expires_in_seconds: int, parameters: dict[str, Any]
    ) -> str:
        return self._objects().sign(self._key(path), method, expires_in_seconds, parameters)

    async def asigned_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Async form of `signed_url`."""
        return await run_sync_in_worker_thread(self._signed_url, path, method, expires_in_seconds, parameters)

    @async_dispatch(asigned_url)
    def signed_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Sign a URL by which anyone who has it can read or write one object for a time.

        A service account's key signs on this machine. For an identity without a key, such as the account of a virtual
        machine, Google signs; it must have the role Service Account Token Creator on itself.

        Args:
            path: Key of the object, relative to `bucket_folder`. It need not exist.
            method: `GET` to read, `PUT` to write.
            expires_in_seconds: How long the URL holds, at most seven days.
            **parameters: Further keywords of
                [`Blob.generate_signed_url`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_generate_signed_url),
                such as `response_disposition` or `content_type`.

        Returns:
            The URL. Treat it as a secret.

        Raises:
            ValueError: If `expires_in_seconds` or `method` is out of range.
            GcpCredentialsError: If the credentials cannot sign, as those of a person cannot.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            link = gcs_bucket.signed_url("reports/today.pdf", expires_in_seconds=600)
            ```
        """
        return self._signed_url(path, method, expires_in_seconds, parameters)
