"""Move a folder or a file to or from a bucket in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), direction (up, down), what (folder, file), endpoint, bucket, local path.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from _folder import THREADS, bare, measure_move, transfer


def by_client(key: dict, name: str, direction: str, what: str) -> Callable[[str, Path], None]:
    """Use Google's client alone."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from requests.adapters import HTTPAdapter

    client = storage.Client(project=key["project_id"], credentials=AnonymousCredentials())
    client._http.mount("http://", HTTPAdapter(pool_maxsize=THREADS))  # noqa: SLF001
    bucket = client.bucket(name)

    def put(key: str, path: Path) -> None:
        bucket.blob(key).upload_from_filename(str(path))

    def get(key: str, path: Path) -> None:
        bucket.blob(key).download_to_filename(str(path))

    def keys(prefix: str) -> Iterator[str]:
        return (blob.name for blob in client.list_blobs(name, prefix=prefix))

    return lambda remote, local: bare(direction, what, remote, local, put=put, get=get, keys=keys)


def main() -> None:
    way, direction, what, endpoint, bucket, local = sys.argv[1:]
    os.environ["STORAGE_EMULATOR_HOST"] = endpoint
    key = json.loads(os.environ["BENCH_KEY"])
    if way == "bare":
        move = by_client(key, bucket, direction, what)
    else:
        from prefect_gcp import GcpCredentials, GcsBucket

        gcs = GcsBucket(bucket=bucket, gcp_credentials=GcpCredentials(service_account_info=key))
        move = transfer(gcs, way, direction, what)
    print(json.dumps(measure_move(move, direction, what, Path(local))))


if __name__ == "__main__":
    main()
