"""How fast files go to Blob Storage and come back, beside the published package and Azure's bare client."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benches import folders, harness, pairs
from benches.harness import Case
from prefect_integration_tests.backends.azurite import Azurite

ABOUT = (
    "`upload_from_folder` and `download_folder_to_path` of a folder, `upload_from_path` and `download_object_to_path`"
    " of a file, against a local azurite, which keeps blobs in memory, directly and through a proxy that adds 50 ms to"
    " each round trip. Each upload goes to a new container. Imports and the making of the client are not part of the"
    " times: one small file is moved first. Azure's bare client uses 32 threads, one for each file, as ours does."
)

BIG_BYTES = 200_000_000
_PACKAGE = "prefect-azure"
_VARIANTS = folders.variants("client", "PREFECT_INTEGRATIONS_AZURE_BLOB_NATIVE_TRANSFER")


class _Store(folders.Store):
    def __init__(self, stack: ExitStack, wanted: Sequence[Case]) -> None:
        self.server = stack.enter_context(Azurite.start())
        self.client: Any = self.server.client()
        super().__init__(stack, self.server.port, wanted, BIG_BYTES)

    def address(self, *, slow: bool) -> str:
        address = self.server.connection_string
        return address.replace(f":{self.server.port}/", f":{self.proxy.port}/") if slow else address

    def new_bucket(self) -> str:
        return self.server.new_container("bench")

    def put(self, bucket: str, key: str, path: Path) -> None:
        with path.open("rb") as file:
            self.client.get_container_client(bucket).upload_blob(key, file)

    def sizes_in(self, bucket: str) -> list[int]:
        return [blob.size for blob in self.client.get_container_client(bucket).list_blobs("data/")]

    def delete(self, bucket: str) -> None:
        self.client.delete_container(bucket)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = folders.cases("azure_folder", _VARIANTS, "200 MB", only)
    built = pairs.pair("azure", (_PACKAGE,), extras=("blob_storage", "blob-storage,fast"))
    with ExitStack() as stack:
        samples = folders.measure("azure_folder", _Store(stack, cases), cases, rounds, built=built)
    measured_on = pairs.compared(built, (_PACKAGE,), under=("azure-storage-blob",))
    return harness.save("azure_folder", ABOUT, samples, folders.METRICS, keep=only is None, measured_on=measured_on)
