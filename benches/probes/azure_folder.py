"""Move a folder or a file to or from a container in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), direction (up, down), what (folder, file), connection string, container, local path.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from _folder import bare, measure_move, transfer


def by_client(connection_string: str, name: str, direction: str, what: str) -> Callable[[str, Path], None]:
    """Use Azure's client alone."""
    from azure.storage.blob import ContainerClient

    container = ContainerClient.from_connection_string(connection_string, name)

    def put(key: str, path: Path) -> None:
        with path.open("rb") as file:
            container.get_blob_client(key).upload_blob(file, overwrite=True)

    def get(key: str, path: Path) -> None:
        with path.open("wb") as file:
            container.get_blob_client(key).download_blob().readinto(file)

    def keys(prefix: str) -> Iterator[str]:
        return (blob.name for blob in container.list_blobs(prefix))

    return lambda remote, local: bare(direction, what, remote, local, put=put, get=get, keys=keys)


def main() -> None:
    way, direction, what, connection_string, name, local = sys.argv[1:]
    if way == "bare":
        move = by_client(connection_string, name, direction, what)
    else:
        from prefect_azure import AzureBlobStorageContainer, AzureBlobStorageCredentials

        credentials = AzureBlobStorageCredentials(connection_string=connection_string)
        block = AzureBlobStorageContainer(container_name=name, credentials=credentials)
        move = transfer(block, way, direction, what, upload_options={"overwrite": True})
    print(json.dumps(measure_move(move, direction, what, Path(local))))


if __name__ == "__main__":
    main()
