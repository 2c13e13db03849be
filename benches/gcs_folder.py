"""How fast files go to Cloud Storage and come back, beside the published package and Google's bare client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benches import folders, harness, pairs
from benches.harness import Case
from prefect_integration_tests.backends.gcs import FakeGcs
from prefect_integration_tests.backends.google_identity import GoogleIdentity

ABOUT = (
    "`upload_from_folder` and `download_folder_to_path` of a folder, `upload_from_path` and `download_object_to_path`"
    " of a file, against a local fake-gcs-server, which keeps objects in memory, directly and through a proxy that adds"
    " 50 ms to each round trip. Each upload goes to a new bucket. Imports and the making of the client are not part of"
    " the times: one small file is moved first. Google's bare client uses 32 threads, one for each file, as ours does."
)

BIG_BYTES = 200_000_000
_PACKAGE = "prefect-gcp"
_VARIANTS = folders.variants("client", "PREFECT_INTEGRATIONS_GCP_GCS_NATIVE_TRANSFER")


class _Store(folders.Store):
    def __init__(self, stack: ExitStack, wanted: Sequence[Case]) -> None:
        self.server = stack.enter_context(FakeGcs.start())
        self.client: Any = self.server.client()
        super().__init__(stack, self.server.port, wanted, BIG_BYTES)

    def address(self, *, slow: bool) -> str:
        return self.proxy.url if slow else self.server.endpoint

    def new_bucket(self) -> str:
        return self.server.new_bucket("bench")

    def put(self, bucket: str, key: str, path: Path) -> None:
        self.client.bucket(bucket).blob(key).upload_from_filename(str(path))

    def sizes_in(self, bucket: str) -> list[int]:
        return [blob.size for blob in self.client.list_blobs(bucket, prefix="data/")]

    def delete(self, bucket: str) -> None:
        for blob in list(self.client.list_blobs(bucket)):
            blob.delete()


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = folders.cases("gcs_folder", _VARIANTS, "200 MB", only)
    built = pairs.pair("gcp", (_PACKAGE,), extras=("", "fast"))
    with ExitStack() as stack:
        identity = stack.enter_context(GoogleIdentity())
        key = (("BENCH_KEY", json.dumps(identity.service_account_info())),)
        samples = folders.measure("gcs_folder", _Store(stack, cases), cases, rounds, environ=key, built=built)
    measured_on = pairs.compared(built, (_PACKAGE,), under=("google-cloud-storage",))
    return harness.save("gcs_folder", ABOUT, samples, folders.METRICS, keep=only is None, measured_on=measured_on)
