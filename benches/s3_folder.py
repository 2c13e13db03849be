"""How fast files go to S3 and come back, beside the published package and bare boto3."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Metric, Sample
from prefect_integration_tests.backends.faults import FaultProxy
from prefect_integration_tests.backends.s3 import SeaweedFS

ABOUT = (
    "`upload_from_folder` and `download_folder_to_path` of a folder, `upload_from_path` and `download_object_to_path`"
    " of a file, against a local SeaweedFS, directly and through a proxy that adds 50 ms to each round trip. Each"
    " upload goes to a new bucket. Imports and the making of the client are not part of the times: one small file is"
    " moved first. Bare boto3 uses 32 threads, one for each file, as ours does."
)
METRICS = (Metric("wall_s", "seconds"), Metric("cpu_s", "CPU s"), Metric("peak_mib", "peak MiB", 0))

FILES, FILE_BYTES, BIG_BYTES = 1_000, 10_000, 1_000_000_000
BARE = "bare boto3"
_BOTO3 = (("PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER", "false"),)
# Variant: environment, way of the probe, variables.
_VARIANTS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    BASELINE: (BASELINE, "sync", ()),
    "published, async": (BASELINE, "async", ()),
    "ours, boto3": ("ours", "sync", _BOTO3),
    "ours, boto3, async": ("ours", "async", _BOTO3),
    "ours, native": ("ours", "sync", ()),
    "ours, native, async": ("ours", "async", ()),
    BARE: ("ours", "bare", ()),
}
_SIZES = {"1,000 files of 10 KB": "folder", "1 GB in one file": "file"}
_LATENCIES = {"0 ms": 0.0, "50 ms": 0.05}


class _Store:
    """The server, the proxy in front of it, and the files to move."""

    def __init__(self, stack: ExitStack, sizes: set[str]) -> None:
        self.server = stack.enter_context(SeaweedFS.start())
        self.proxy = stack.enter_context(FaultProxy("127.0.0.1", self.server.port, own_process=True))
        self.proxy.latency_seconds = _LATENCIES["50 ms"]
        self.client: Any = self.server.client()
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.sources = {what: self._make(what) for what in sizes}
        self.filled = {what: self._fill(what) for what in sizes}

    def _make(self, what: str) -> Path:
        if what == "file":
            path = self.folder / "big.bin"
            block = os.urandom(1_000_000)
            with path.open("wb") as file:
                for _ in range(BIG_BYTES // len(block)):
                    file.write(block)
            return path
        folder = self.folder / "small"
        for number in range(FILES):
            path = folder / f"{number % 10}" / f"{number:04}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(FILE_BYTES))
        return folder

    def _fill(self, what: str) -> str:
        """Put the files into a bucket to download from."""
        bucket, source = self.server.new_bucket("bench"), self.sources[what]
        for path in [source] if what == "file" else sorted(source.rglob("*.bin")):
            name = path.name if what == "file" else path.relative_to(source).as_posix()
            self.client.upload_file(str(path), bucket, f"data/{name}")
        self.client.put_object(Bucket=bucket, Key="warm-up/big.bin", Body=b"x")
        return bucket

    def _sizes_in(self, bucket: str) -> list[int]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="data/")
        return [item["Size"] for page in pages for item in page.get("Contents", [])]

    @contextmanager
    def around(self, case: Case) -> Generator[tuple[str, ...]]:
        """Give a run an empty bucket or folder, and check what is in it afterwards."""
        _, direction, what = case.arguments
        url = self.proxy.url if case.what.endswith("50 ms") else self.server.endpoint_url
        if direction == "up":
            bucket = self.server.new_bucket("bench")
            yield url, bucket, str(self.sources[what])
            self._check(case, self._sizes_in(bucket))
            self.server.delete_bucket(bucket)
        else:
            target = Path(tempfile.mkdtemp(dir=self.folder))
            yield url, self.filled[what], str(target)
            self._check(case, [path.stat().st_size for path in target.rglob("*") if path.is_file()])
            shutil.rmtree(target)

    def _check(self, case: Case, sizes: list[int]) -> None:
        expected = [BIG_BYTES] if case.arguments[2] == "file" else [FILE_BYTES] * FILES
        if sizes != expected:
            raise BenchError(f"{case.what} · {case.variant}: {len(sizes)} files of {sum(sizes)} bytes arrived")


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
    cases = [
        Case(f"{size}, {direction}, {latency}", variant, environment, (way, direction, what), environ)
        for latency in _LATENCIES
        for size, what in _SIZES.items()
        for direction in ("up", "down")
        for variant, (environment, way, environ) in _VARIANTS.items()
    ]
    cases = [case for case in cases if only is None or only in f"{case.what}, {case.variant}"]
    if not cases:
        raise BenchError(f"no case of s3_folder holds {only!r}")
    with ExitStack() as stack:
        store = _Store(stack, {case.arguments[2] for case in cases})
        server = store.server
        keys = (
            ("BENCH_ACCESS_KEY", server.access_key),
            ("BENCH_SECRET_KEY", server.secret_key),
            ("BENCH_REGION", server.region),
        )
        cases = [
            Case(case.what, case.variant, case.environment, case.arguments, (*case.environ, *keys)) for case in cases
        ]
        samples = harness.alternate(
            cases, "s3_folder", rounds or 3, timeout_seconds=400, warm_up=False, around=store.around
        )
    return harness.save("s3_folder", ABOUT, samples, METRICS, note=_beside_bare(samples), keep=only is None)
