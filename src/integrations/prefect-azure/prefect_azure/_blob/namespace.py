"""Folders as the account has them: directories of a hierarchical namespace, or names with `/` in them.

In an account with a hierarchical namespace (Data Lake Storage) a directory is a thing of its own, which is renamed or
deleted in one step; the extra `data-lake` brings the client for it. Elsewhere each blob is copied and deleted.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from prefect_azure._blob.folders import AzureFolders
from prefect_azure._blob.options import blob_errors
from prefect_azure._blob.retries import retry_policy
from prefect_azure.errors import AzureError, AzureNotFound, BlobExists, BlobNotFound

_LISTED_AT_ONCE = 5000

_hierarchical: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
"""What a client has learned of its account. It cannot change back, and hardly ever changes."""


class Folders:
    """The folders of one container."""

    def __init__(self, blobs: AzureFolders, hierarchical_namespace: bool | None = None) -> None:
        """Look at nothing yet.

        Args:
            blobs: The container.
            hierarchical_namespace: Whether the account has one; the account is asked by default.
        """
        self._blobs = blobs
        self._given = hierarchical_namespace

    @property
    def is_hierarchical(self) -> bool:
        """Whether the account has a hierarchical namespace; an identity that may not ask takes it for flat."""
        if self._given is not None:
            return self._given
        service = self._blobs.service
        if service not in _hierarchical:
            try:
                with blob_errors(f"Storage account {service.account_name!r}", identity=self._blobs.identity):
                    found = bool(service.get_account_information().get("is_hns_enabled"))
            except AzureError as exc:
                if exc.http_status not in (401, 403):
                    raise
                found = False
            _hierarchical[service] = found
        return _hierarchical[service]

    def _file_system(self, container: str | None = None) -> Any:
        from prefect_azure._clients import data_lake_service
        from prefect_azure.settings import BlobSettings

        policy = retry_policy(BlobSettings().retry_seconds)
        service = data_lake_service(self._blobs.credentials, retry_policy=policy)
        return service.get_file_system_client(container or self._blobs.container)

    # Moves

    def move_blob(self, from_key: str, to_container: str, to_key: str, *, overwrite: bool) -> str:
        """Give one blob another name; a copy and a deletion where there is no hierarchical namespace."""
        blobs = self._blobs
        if not self.is_hierarchical:
            return blobs.move(from_key, to_container, to_key, overwrite=overwrite)
        if (blobs.container, from_key) == (to_container, to_key):
            raise ValueError(f"{blobs.subject(from_key)} cannot be moved onto itself.")
        if blobs.head(from_key) is None:
            blobs.require_bucket()
            raise BlobNotFound(f"{blobs.subject(from_key)} does not exist. {BlobNotFound.remedy}")
        self._require_parent(to_container, to_key)
        self._rename(
            self._file_system().get_file_client(quote(from_key)), from_key, to_container, to_key, overwrite=overwrite
        )
        return to_key

    def move_folder(self, prefix: str, to_prefix: str, *, overwrite: bool) -> int | None:
        """Give a folder another name.

        Returns:
            The number of blobs that were moved; `None` where the service did it in one step and does not say.
        """
        blobs = self._blobs
        if to_prefix.startswith(prefix) or not prefix:
            raise ValueError(f"Folder {prefix!r} cannot be moved into itself.")
        if self.is_hierarchical:
            folder, to_folder = prefix.rstrip("/"), to_prefix.rstrip("/")
            self._require_parent(blobs.container, to_folder)
            client = self._file_system().get_directory_client(quote(folder))
            self._rename(client, folder, blobs.container, to_folder, overwrite=overwrite)
            return None
        keys = [item.key for item in blobs.walk(prefix)]
        if not keys:
            raise BlobNotFound(f"Folder {prefix!r} of container {blobs.container!r} holds nothing. Check its name.")
        if not overwrite:
            there = {item.key for item in blobs.walk(to_prefix)}
            taken = next((key for key in keys if to_prefix + key[len(prefix) :] in there), None)
            if taken is not None:
                subject = blobs.subject(to_prefix + taken[len(prefix) :])
                raise BlobExists(f"{subject} exists; nothing was moved. {BlobExists.remedy}", subject=subject)

        def move(key: str) -> None:
            blobs.move(key, blobs.container, to_prefix + key[len(prefix) :], overwrite=overwrite)

        with ThreadPoolExecutor(min(8, blobs.max_concurrency), thread_name_prefix="blob-move") as pool:
            for _ in pool.map(move, keys):
                pass
        self._delete_markers(prefix)
        return len(keys)

    def _rename(self, client: Any, from_key: str, to_container: str, to_key: str, *, overwrite: bool) -> None:
        from azure.core import MatchConditions

        blobs = self._blobs
        unless_there: dict[str, Any] = {} if overwrite else {"match_condition": MatchConditions.IfMissing}
        name = f"{to_container}/{to_key}"  # the client takes this as it is, but unquotes its own path first
        rename: Any = getattr(client, "rename_file", None) or client.rename_directory
        try:
            with blobs.errors(from_key):
                rename(name, **unless_there)
        except AzureError as exc:
            if exc.http_status not in (409, 412) or overwrite:
                raise
            subject = f"Blob {to_key!r} of container {to_container!r}"
            raise BlobExists(f"{subject} exists. {BlobExists.remedy}", subject=subject) from exc

    def _require_parent(self, container: str, key: str) -> None:
        """Make the directory that a renamed thing goes to, if need be."""
        parent = key.rpartition("/")[0]
        if not parent:
            return
        from azure.core import MatchConditions

        try:
            with self._blobs.errors(parent):
                self._file_system(container).get_directory_client(parent).create_directory(
                    match_condition=MatchConditions.IfMissing
                )
        except AzureError as exc:
            if exc.http_status not in (409, 412):
                raise

    # Deletions

    def delete_folder(self, prefix: str) -> int | None:
        """Delete a folder with all that is in it; one that does not exist is no error.

        Returns:
            The number of blobs that were deleted; `None` where the service did it in one step and does not say.
        """
        blobs = self._blobs
        if prefix and self.is_hierarchical:
            folder = prefix.rstrip("/")
            try:
                with blobs.errors(folder):
                    self._file_system().get_directory_client(folder).delete_directory()
            except BlobNotFound:
                return 0
            return None
        count = blobs.delete_many(item.key for item in blobs.walk(prefix))
        self._delete_markers(prefix)
        return count

    def _delete_markers(self, prefix: str) -> None:
        """Delete what only stands for a folder, the deepest first."""
        names = sorted((name for name, is_folder in self._entries(prefix) if is_folder), reverse=True)
        for name in [*names, *([prefix.rstrip("/")] if prefix and self._is_marker(prefix.rstrip("/")) else ())]:
            self._blobs.delete(name)

    def _is_marker(self, key: str) -> bool:
        from prefect_azure._blob.listing import is_folder

        try:
            with self._blobs.errors(key):
                return is_folder(self._blobs.blob(key).get_blob_properties())
        except AzureNotFound:
            return False

    # Listings

    def _entries(self, prefix: str) -> Iterator[tuple[str, bool]]:
        """Walk all below a prefix: names, and whether each only stands for a folder."""
        from prefect_azure._blob.listing import is_folder

        blobs = self._blobs
        with blobs.container_errors(prefix):
            listing = blobs.handle().list_blobs(prefix or None, include=["metadata"], results_per_page=_LISTED_AT_ONCE)
            for blob in listing:
                yield str(blob.name), is_folder(blob)

    def list_folders(self, prefix: str) -> list[str]:
        """List the folders below a prefix, empty directories included, without `/` at their ends, sorted."""
        found = set[str]()
        for name, is_folder in self._entries(prefix):
            parent = name.rstrip("/") if is_folder else name.rpartition("/")[0]
            while len(parent) >= len(prefix) and parent and parent not in found:
                found.add(parent)
                parent = parent.rpartition("/")[0]
        return sorted(found)
