"""The conformance suites of the Blob Storage block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.suites import FolderSuite, ObjectStoreSuite
from prefect_integration_tests.suites.object_store import ODD_KEYS

if TYPE_CHECKING:
    from prefect_azure.blob_storage import AzureBlobStorageContainer
    from prefect_integration_tests.faces import Call


class _OfContainers:
    """What both suites are told about the block."""

    folder_field: ClassVar[str] = "base_folder"
    list_method: ClassVar[str] = "list_blobs"
    many_files: ClassVar[int] = 60
    odd_paths: ClassVar[dict[str, str]] = {
        name: key
        for name, key in ODD_KEYS.items()
        if name != "backslash"  # which Azure takes for a slash
    }
    refused_paths = frozenset({"dot"})
    upward_keys = ("/abs/evil.txt", "..\\..\\evil.txt")  # Azure keeps no name with `..` between slashes
    large_bytes: ClassVar[int] = 48 * 2**20
    memory_limit_bytes: ClassVar[int] = 32 * 2**20

    @pytest.fixture
    def store(self, container: AzureBlobStorageContainer) -> AzureBlobStorageContainer:
        return container

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind

    async def listed(self, call: Call, store: Any, folder: str = "") -> list[str]:
        """Without a folder the method lists the whole container, as published; the suite means the block's folder."""
        return sorted(await call(store, self.list_method, folder))


class TestContainer(_OfContainers, ObjectStoreSuite):
    """The whole block, with the engine that users of the extra `fast` get."""

    target_argument = "to_container"
    replacing: ClassVar[dict[str, Any]] = {"overwrite": True}

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is large need not be so large."""
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_PART_MEBIBYTES", "2")


class TestFoldersByTheClient(_OfContainers, FolderSuite):
    """Folders with the engine that everybody has."""

    @pytest.fixture(autouse=True)
    def without_native_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_NATIVE_TRANSFER", "false")
