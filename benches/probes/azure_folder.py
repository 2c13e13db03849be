"""Move a folder or a file to or from a container in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), direction (up, down), what (folder, file), connection string, container, local path.
"""

import asyncio
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 32


def clocks() -> tuple[float, float]:
    """Wall and CPU seconds."""
    return time.perf_counter(), time.process_time()


def bare(container, direction: str, what: str, remote: str, local: Path) -> None:
    """Use Azure's client alone, with as many threads as the package has."""

    def put(key: str, path: Path) -> None:
        with path.open("rb") as file:
            container.get_blob_client(key).upload_blob(file, overwrite=True)

    def get(key: str, path: Path) -> None:
        with path.open("wb") as file:
            container.get_blob_client(key).download_blob().readinto(file)

    if what == "file":
        if direction == "up":
            put(f"{remote}/{local.name}", local)
        else:
            get(f"{remote}/big.bin", local / "big.bin")
        return
    calls = []
    with ThreadPoolExecutor(THREADS) as pool:
        if direction == "up":
            files = [path for path in local.rglob("*") if path.is_file()]
            calls += [pool.submit(put, f"{remote}/{path.relative_to(local).as_posix()}", path) for path in files]
        else:
            for blob in container.list_blobs(f"{remote}/"):
                path = local / blob.name.removeprefix(f"{remote}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                calls.append(pool.submit(get, blob.name, path))
        for call in calls:
            call.result()


def transfer(block, way: str, direction: str, what: str, remote: str, local: Path) -> None:
    """Move a folder or a file by the block's method for it."""
    name, arguments, options = {
        ("up", "folder"): ("upload_from_folder", (local, remote), {"overwrite": True}),
        ("up", "file"): ("upload_from_path", (local, f"{remote}/{local.name}"), {"overwrite": True}),
        ("down", "folder"): ("download_folder_to_path", (remote, local), {}),
        ("down", "file"): ("download_object_to_path", (f"{remote}/big.bin", local / "big.bin"), {}),
    }[direction, what]
    method = getattr(block, name)
    if way == "async":

        async def run() -> None:
            await method(*arguments, **options)

        asyncio.run(run())
    else:
        method(*arguments, **options)


def main() -> None:
    way, direction, what, connection_string, name, local = sys.argv[1:]
    if way == "bare":
        from azure.storage.blob import ContainerClient

        container = ContainerClient.from_connection_string(connection_string, name)

        def move(remote: str, path: Path) -> None:
            bare(container, direction, what, remote, path)
    else:
        from prefect_azure import AzureBlobStorageContainer, AzureBlobStorageCredentials

        credentials = AzureBlobStorageCredentials(connection_string=connection_string)
        block = AzureBlobStorageContainer(container_name=name, credentials=credentials)

        def move(remote: str, path: Path) -> None:
            transfer(block, way, direction, what, remote, path)

    # The first transfer imports the SDK and makes the client; `warm-up/` holds one small file.
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "big.bin")
        if direction == "up":
            small.write_bytes(b"x")
        move("warm-up", small if (direction, what) == ("up", "file") else Path(folder))

    begin = clocks()
    move("data", Path(local))
    end = clocks()
    print(json.dumps({"wall_s": end[0] - begin[0], "cpu_s": end[1] - begin[1]}))


if __name__ == "__main__":
    main()
