"""How fast files go to Blob Storage and come back, beside the published package and Azure's bare client."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Environment, Metric
from prefect_integration_tests.backends.azurite import Azurite
from prefect_integration_tests.backends.faults import FaultProxy
from scripts import workspace

ABOUT = (
    "`upload_from_folder` and `download_folder_to_path` of a folder, `upload_from_path` and `download_object_to_path`"
    " of a file, against a local azurite, which keeps blobs in memory, directly and through a proxy that adds 50 ms to"
    " each round trip. Each upload goes to a new container. Imports and the making of the client are not part of the"
    " times: one small file is moved first. Azure's bare client uses 32 threads, one for each file, as ours does."
)
METRICS = (Metric("wall_s", "seconds"), Metric("cpu_s", "CPU s"), Metric("peak_mib", "peak MiB", 0))

FILES, FILE_BYTES, BIG_BYTES = 1_000, 10_000, 200_000_000
BARE = "bare client"
_PACKAGE = "prefect-azure"
_PUBLISHED = "prefect-azure[blob_storage]>=0.4.13"
_SDK = (("PREFECT_INTEGRATIONS_AZURE_BLOB_NATIVE_TRANSFER", "false"),)
# Variant: environment, way of the probe, variables.
_VARIANTS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    BASELINE: (BASELINE, "sync", ()),
    "published, async": (BASELINE, "async", ()),
    "ours, client": ("ours", "sync", _SDK),
    "ours, native": ("ours", "sync", ()),
    "ours, native, async": ("ours", "async", ()),
    BARE: ("ours", "bare", ()),
}
_SIZES = {"1,000 files of 10 KB": "folder", "200 MB in one file": "file"}
_LATENCIES = {"0 ms": 0.0, "50 ms": 0.05}


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the package itself."""
    resolution = harness.workspace_resolution()
    members = workspace.packages()
    folders = [
        str(workspace.find("prefect-integration-kit", members).path),
        f"{workspace.find(_PACKAGE, members).path}[blob-storage,fast]",
    ]
    reinstall = [f"--reinstall-package={name}" for name in (_PACKAGE, "prefect-integration-kit")]
    return {
        BASELINE: harness.install("azure-published", resolution, _PUBLISHED),
        "ours": harness.install("azure-ours", resolution, *reinstall, *folders),
    }


class _Store:
    """The server, the proxy in front of it, and the files to move."""

    def __init__(self, stack: ExitStack, sizes: set[str]) -> None:
        self.server = stack.enter_context(Azurite.start())
        self.proxy = stack.enter_context(FaultProxy("127.0.0.1", self.server.port, own_process=True))
        self.proxy.latency_seconds = _LATENCIES["50 ms"]
        self.client: Any = self.server.client()
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.sources = {what: self._make(what) for what in sizes}
        self.filled = {what: self._fill(what) for what in sizes}

    def _make(self, what: str) -> Path:
        if what == "file":
            path = self.folder / "big.bin"
            path.write_bytes(os.urandom(BIG_BYTES))
            return path
        folder = self.folder / "small"
        for number in range(FILES):
            path = folder / f"{number % 10}" / f"{number:04}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(FILE_BYTES))
        return folder

    def _fill(self, what: str) -> str:
        """Put the files into a container to download from."""
        name, source = self.server.new_container("bench"), self.sources[what]
        container = self.client.get_container_client(name)
        for path in [source] if what == "file" else sorted(source.rglob("*.bin")):
            relative = path.name if what == "file" else path.relative_to(source).as_posix()
            with path.open("rb") as file:
                container.upload_blob(f"data/{relative}", file)
        container.upload_blob("warm-up/big.bin", b"x")
        return name

    @contextmanager
    def around(self, case: Case) -> Generator[tuple[str, ...]]:
        """Give a run an empty container or folder, and check what is in it afterwards."""
        _, direction, what = case.arguments
        address = self.server.connection_string
        if case.what.endswith("50 ms"):
            address = address.replace(f":{self.server.port}/", f":{self.proxy.port}/")
        if direction == "up":
            name = self.server.new_container("bench")
            yield address, name, str(self.sources[what])
            blobs = list(self.client.get_container_client(name).list_blobs("data/"))
            self._check(case, [blob.size for blob in blobs])
            self.client.delete_container(name)
        else:
            target = Path(tempfile.mkdtemp(dir=self.folder))
            yield address, self.filled[what], str(target)
            self._check(case, [path.stat().st_size for path in target.rglob("*") if path.is_file()])
            shutil.rmtree(target)

    def _check(self, case: Case, sizes: list[int]) -> None:
        expected = [BIG_BYTES] if case.arguments[2] == "file" else [FILE_BYTES] * FILES
        if sizes != expected:
            raise BenchError(f"{case.what} · {case.variant}: {len(sizes)} files of {sum(sizes)} bytes arrived")


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
        raise BenchError(f"no case of azure_folder holds {only!r}")
    built = environments()
    with ExitStack() as stack:
        store = _Store(stack, {case.arguments[2] for case in cases})
        samples = harness.alternate(
            cases, "azure_folder", rounds or 3, timeout_seconds=400, warm_up=False, around=store.around, built=built
        )
    versions = {name: environment.versions() for name, environment in built.items()}
    measured_on = (
        f"azure-storage-blob {versions['ours'].get('azure-storage-blob')}. "
        f"Ours: {_PACKAGE} {versions['ours'].get(_PACKAGE)}. "
        f"Published: {_PACKAGE} {versions[BASELINE].get(_PACKAGE)}."
    )
    return harness.save("azure_folder", ABOUT, samples, METRICS, keep=only is None, measured_on=measured_on)
