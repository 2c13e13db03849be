"""Move a folder or a file to or from a bucket in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), direction (up, down), what (folder, file), endpoint, bucket, local path.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 32


def clocks() -> tuple[float, float]:
    """Wall and CPU seconds."""
    return time.perf_counter(), time.process_time()


def bare(client, direction: str, what: str, name: str, remote: str, local: Path) -> None:
    """Use Google's client alone, with as many threads as the package has."""
    bucket = client.bucket(name)
    if what == "file":
        if direction == "up":
            bucket.blob(f"{remote}/{local.name}").upload_from_filename(str(local))
        else:
            bucket.blob(f"{remote}/big.bin").download_to_filename(str(local / "big.bin"))
        return
    calls = []
    with ThreadPoolExecutor(THREADS) as pool:
        if direction == "up":
            for path in local.rglob("*"):
                if path.is_file():
                    blob = bucket.blob(f"{remote}/{path.relative_to(local).as_posix()}")
                    calls.append(pool.submit(blob.upload_from_filename, str(path)))
        else:
            for blob in client.list_blobs(name, prefix=f"{remote}/"):
                path = local / blob.name.removeprefix(f"{remote}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                calls.append(pool.submit(blob.download_to_filename, str(path)))
        for call in calls:
            call.result()


def transfer(gcs, way: str, direction: str, what: str, remote: str, local: Path) -> None:
    """Move a folder or a file by the block's method for it."""
    name, arguments = {
        ("up", "folder"): ("upload_from_folder", (local, remote)),
        ("up", "file"): ("upload_from_path", (local, f"{remote}/{local.name}")),
        ("down", "folder"): ("download_folder_to_path", (remote, local)),
        ("down", "file"): ("download_object_to_path", (f"{remote}/big.bin", local / "big.bin")),
    }[direction, what]
    if way == "async":
        asyncio.run(getattr(gcs, f"a{name}")(*arguments))
    else:
        getattr(gcs, name)(*arguments)


def main() -> None:
    way, direction, what, endpoint, bucket, local = sys.argv[1:]
    os.environ["STORAGE_EMULATOR_HOST"] = endpoint
    key = json.loads(os.environ["BENCH_KEY"])
    if way == "bare":
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage
        from requests.adapters import HTTPAdapter

        client = storage.Client(project=key["project_id"], credentials=AnonymousCredentials())
        client._http.mount("http://", HTTPAdapter(pool_maxsize=THREADS))  # noqa: SLF001

        def move(remote: str, path: Path) -> None:
            bare(client, direction, what, bucket, remote, path)
    else:
        from prefect_gcp import GcpCredentials, GcsBucket

        gcs = GcsBucket(bucket=bucket, gcp_credentials=GcpCredentials(service_account_info=key))

        def move(remote: str, path: Path) -> None:
            transfer(gcs, way, direction, what, remote, path)

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
