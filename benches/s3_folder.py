"""How fast files go to S3 and come back, beside the published package and bare boto3."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benches import folders, harness
from benches.harness import Case, Sample
from prefect_integration_tests.backends.s3 import SeaweedFS

ABOUT = (
    "`upload_from_folder` and `download_folder_to_path` of a folder, `upload_from_path` and `download_object_to_path`"
    " of a file, against a local SeaweedFS, directly and through a proxy that adds 50 ms to each round trip. Each"
    " upload goes to a new bucket. Imports and the making of the client are not part of the times: one small file is"
    " moved first. Bare boto3 uses 32 threads, one for each file, as ours does."
)

BIG_BYTES = 1_000_000_000
BARE = "bare boto3"
_VARIANTS = folders.variants("boto3", "PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER", client_async=True)


class _Store(folders.Store):
    def __init__(self, stack: ExitStack, wanted: Sequence[Case]) -> None:
        self.server = stack.enter_context(SeaweedFS.start())
        self.client: Any = self.server.client()
        super().__init__(stack, self.server.port, wanted, BIG_BYTES)

    def address(self, *, slow: bool) -> str:
        return self.proxy.url if slow else self.server.endpoint_url

    def new_bucket(self) -> str:
        return self.server.new_bucket("bench")

    def put(self, bucket: str, key: str, path: Path) -> None:
        self.client.upload_file(str(path), bucket, key)

    def sizes_in(self, bucket: str) -> list[int]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="data/")
        return [item["Size"] for page in pages for item in page.get("Contents", [])]

    def delete(self, bucket: str) -> None:
        self.server.delete_bucket(bucket)


def _beside_bare(samples: Mapping[Case, Sequence[Sample]]) -> str:
    """Say how fast ours on boto3 is beside bare boto3."""
    lines = ["Beside bare boto3 (1 is as fast, more is faster):", ""]
    for case, runs in samples.items():
        bare = next((c for c in samples if c.what == case.what and c.variant == BARE), None)
        if bare is None or not case.variant.startswith("ours, boto3") or any(run.failure for run in runs):
            continue
        pairs = zip(samples[bare], runs, strict=True)
        ratios = [theirs.values["wall_s"] / own.values["wall_s"] for theirs, own in pairs]
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        lines.append(f"- {case.what}, {case.variant}: **{middle:.2f}** ({low:.2f}-{high:.2f})")
    return "\n".join(lines) if len(lines) > 2 else ""


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = folders.cases("s3_folder", _VARIANTS, "1 GB", only)
    with ExitStack() as stack:
        store = _Store(stack, cases)
        keys = (
            ("BENCH_ACCESS_KEY", store.server.access_key),
            ("BENCH_SECRET_KEY", store.server.secret_key),
            ("BENCH_REGION", store.server.region),
        )
        samples = folders.measure("s3_folder", store, cases, rounds, environ=keys)
    return harness.save("s3_folder", ABOUT, samples, folders.METRICS, note=_beside_bare(samples), keep=only is None)
