"""A hierarchical namespace on top of azurite: directories are the empty marked blobs that such accounts show.

Only what renames, deletes and makes directories is here, as the REST reference says it
(https://learn.microsoft.com/rest/api/storageservices/datalakestoragegen2/path). Listings go through Blob Storage.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ._azurite_messages import Answer, AzuriteRequest, error

if TYPE_CHECKING:
    from .azurite import Azurite

_MARK = {"hdi_isfolder": "true"}


class Directories:
    """The paths of one account."""

    def __init__(self, server: Azurite) -> None:
        """Look at nothing yet."""
        self._server = server

    @cached_property
    def _client(self) -> Any:
        return self._server.client()

    def answer(self, request: AzuriteRequest) -> Answer:
        """Answer a request of Data Lake Storage."""
        if not self._container(request.container).exists():
            return error(404, "FilesystemNotFound", "The specified filesystem does not exist.")
        if request.method == "PUT" and "x-ms-rename-source" in request.headers:
            return self._rename(request)
        if request.method == "PUT" and request.query.get("resource") == "directory":
            return self._make(request)
        if request.method == "DELETE":
            return self._delete(request)
        return error(501, "UnsupportedHttpVerb", f"The front does not play {request.method} {request.query}.")

    def make_parents(self, container: str, key: str) -> None:
        """Make the directories above a path, as an upload does."""
        parts = key.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self._mark(container, "/".join(parts[:depth]))

    def _container(self, name: str) -> Any:
        return self._client.get_container_client(name)

    def _kind(self, container: str, key: str) -> str | None:
        """Say whether a path is a `directory`, a `file`, or not there."""
        blob = self._container(container).get_blob_client(key)
        if not blob.exists():
            return None
        return "directory" if blob.get_blob_properties().metadata.get("hdi_isfolder") == "true" else "file"

    def _mark(self, container: str, key: str) -> None:
        blob = self._container(container).get_blob_client(key)
        if not blob.exists():
            blob.upload_blob(b"", metadata=_MARK)

    def _below(self, container: str, key: str) -> list[str]:
        return list(self._container(container).list_blob_names(name_starts_with=f"{key}/"))

    def _make(self, request: AzuriteRequest) -> Answer:
        kind = self._kind(request.container, request.key)
        if kind is not None and request.headers.get("if-none-match") == "*":
            return error(409, "PathAlreadyExists", "The specified path already exists.")
        if kind == "file":
            return error(409, "PathAlreadyExists", "The specified path is a file.")
        self.make_parents(request.container, f"{request.key}/")
        return 201, [("x-ms-version", "2021-06-08")], b""

    def _rename(self, request: AzuriteRequest) -> Answer:
        container, key = request.container, request.key
        path = unquote(urlsplit(request.headers["x-ms-rename-source"]).path).strip("/")
        from_container, _, from_key = path.partition("/")
        source = self._kind(from_container, from_key)
        if source is None:
            return error(404, "SourcePathNotFound", "The source path for a rename operation does not exist.")
        parent = key.rpartition("/")[0]
        if parent and self._kind(container, parent) != "directory":
            return error(404, "RenameDestinationParentPathNotFound", "The parent directory does not exist.")
        target = self._kind(container, key)
        if target is not None and request.headers.get("if-none-match") == "*":
            return error(409, "PathAlreadyExists", "The specified path already exists.")
        if target == "directory" and self._below(container, key):
            return error(409, "DirectoryNotEmpty", "The directory is not empty.")
        for name in [from_key, *self._below(from_container, from_key)]:
            self._move(from_container, name, container, key + name[len(from_key) :])
        return 201, [("x-ms-version", "2021-06-08")], b""

    def _move(self, from_container: str, from_key: str, container: str, key: str) -> None:
        source = self._container(from_container).get_blob_client(from_key)
        found = source.get_blob_properties()
        self._container(container).get_blob_client(key).upload_blob(
            source.download_blob().readall(),
            overwrite=True,
            metadata=found.metadata,
            content_settings=found.content_settings,
        )
        source.delete_blob()

    def _delete(self, request: AzuriteRequest) -> Answer:
        if self._kind(request.container, request.key) is None:
            return error(404, "PathNotFound", "The specified path does not exist.")
        below = self._below(request.container, request.key)
        if below and request.query.get("recursive") != "true":
            return error(409, "DirectoryNotEmpty", "The recursive query parameter value must be true.")
        for name in [*reversed(below), request.key]:
            self._container(request.container).delete_blob(name)
        return 200, [("x-ms-version", "2021-06-08")], b""
