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


def bare(client, direction: str, what: str, bucket: str, remote: str, local: Path) -> None:
    """Use boto3 alone, with as many threads as the package has."""
    from boto3.s3.transfer import TransferConfig

    if what == "file":
        if direction == "up":
            client.upload_file(str(local), bucket, f"{remote}/{local.name}")
        else:
            client.download_file(bucket, f"{remote}/big.bin", str(local / "big.bin"))
        return
    one = TransferConfig(use_threads=False)
    calls = []
    with ThreadPoolExecutor(THREADS) as pool:
        if direction == "up":
            for path in local.rglob("*"):
                if path.is_file():
                    key = f"{remote}/{path.relative_to(local).as_posix()}"
                    calls.append(pool.submit(client.upload_file, str(path), bucket, key, Config=one))
        else:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{remote}/"):
                for item in page.get("Contents", []):
                    path = local / item["Key"].removeprefix(f"{remote}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    calls.append(pool.submit(client.download_file, bucket, item["Key"], str(path), Config=one))
        for call in calls:
            call.result()


def block(bucket: str, options: dict):
    from prefect_aws import AwsCredentials, S3Bucket
    from prefect_aws.client_parameters import AwsClientParameters

    credentials = AwsCredentials(
        aws_access_key_id=options["aws_access_key_id"],
        aws_secret_access_key=options["aws_secret_access_key"],
        region_name=options["region_name"],
        aws_client_parameters=AwsClientParameters(endpoint_url=options["endpoint_url"]),
    )
    return S3Bucket(bucket_name=bucket, credentials=credentials)


def transfer(s3, way: str, direction: str, what: str, remote: str, local: Path) -> None:
    """Move a folder or a file by the block's method for it."""
    name, arguments = {
        ("up", "folder"): ("upload_from_folder", (local, remote)),
        ("up", "file"): ("upload_from_path", (local, f"{remote}/{local.name}")),
        ("down", "folder"): ("download_folder_to_path", (remote, local)),
        ("down", "file"): ("download_object_to_path", (f"{remote}/big.bin", local / "big.bin")),
    }[direction, what]
    if way == "async":
        asyncio.run(getattr(s3, f"a{name}")(*arguments))
    else:
        getattr(s3, name)(*arguments)


def main() -> None:
    way, direction, what, endpoint, bucket, local = sys.argv[1:]
    options = {
        "endpoint_url": endpoint,
        "aws_access_key_id": os.environ["BENCH_ACCESS_KEY"],
        "aws_secret_access_key": os.environ["BENCH_SECRET_KEY"],
        "region_name": os.environ["BENCH_REGION"],
    }
    if way == "bare":
        import boto3
        from botocore.config import Config

        client = boto3.client("s3", config=Config(max_pool_connections=THREADS), **options)

        def move(remote: str, path: Path) -> None:
            bare(client, direction, what, bucket, remote, path)
    else:
        s3 = block(bucket, options)

        def move(remote: str, path: Path) -> None:
            transfer(s3, way, direction, what, remote, path)

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
