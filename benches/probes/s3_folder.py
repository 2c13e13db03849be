"""Move a folder or a file to or from a bucket in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), direction (up, down), what (folder, file), endpoint, bucket, local path.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from _folder import THREADS, bare, measure_move, transfer


def by_boto3(options: dict, bucket: str, direction: str, what: str) -> Callable[[str, Path], None]:
    """Use boto3 alone; of a folder, each file has one thread."""
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    client = boto3.client("s3", config=Config(max_pool_connections=THREADS), **options)
    config = None if what == "file" else TransferConfig(use_threads=False)

    def put(key: str, path: Path) -> None:
        client.upload_file(str(path), bucket, key, Config=config)

    def get(key: str, path: Path) -> None:
        client.download_file(bucket, key, str(path), Config=config)

    def keys(prefix: str) -> Iterator[str]:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))

    return lambda remote, local: bare(direction, what, remote, local, put=put, get=get, keys=keys)


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


def main() -> None:
    way, direction, what, endpoint, bucket, local = sys.argv[1:]
    options = {
        "endpoint_url": endpoint,
        "aws_access_key_id": os.environ["BENCH_ACCESS_KEY"],
        "aws_secret_access_key": os.environ["BENCH_SECRET_KEY"],
        "region_name": os.environ["BENCH_REGION"],
    }
    if way == "bare":
        move = by_boto3(options, bucket, direction, what)
    else:
        move = transfer(block(bucket, options), way, direction, what)
    print(json.dumps(measure_move(move, direction, what, Path(local))))


if __name__ == "__main__":
    main()
