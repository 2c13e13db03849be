"""Write an object to the S3 store that the argument describes, and read it back."""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect import flow

from prefect_aws import AwsClientParameters, AwsCredentials, S3Bucket


@flow
def keep(store: dict[str, Any]) -> bytes:
    """Write an object and read it."""
    credentials = AwsCredentials(
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
        region_name="us-east-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=store["endpoint_url"]),
    )
    bucket = S3Bucket(bucket_name=store["bucket"], bucket_folder="invoices", credentials=credentials)
    bucket.write_path("may.txt", content=b"paid")
    return bucket.read_path("may.txt")


print(keep(json.loads(sys.argv[1])))
