"""Write an object to the Cloud Storage that the argument describes, and read it back."""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect import flow

from prefect_gcp import GcpCredentials, GcsBucket


@flow
def keep(store: dict[str, Any]) -> bytes:
    """Write an object and read it."""
    credentials = GcpCredentials(project=store["project"], api_endpoints={"storage": store["endpoint"]})
    bucket = GcsBucket(bucket=store["bucket"], bucket_folder="invoices", gcp_credentials=credentials)
    bucket.write_path("may.txt", content=b"paid")
    return bucket.read_path("may.txt")


print(keep(json.loads(sys.argv[1])))
