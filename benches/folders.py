"""What the benches of object stores share: the files to move, the store behind a slow line, the cases, the check."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Environment, Metric, Sample
from prefect_integration_tests.backends.faults import FaultProxy

METRICS = (Metric("wall_s", "seconds"), Metric("cpu_s", "CPU s"), Metric("peak_mib", "peak MiB", 0))

FILES, FILE_BYTES = 1_000, 10_000
_BLOCK_BYTES = 1_000_000
_LATENCIES = {"0 ms": 0.0, "50 ms": 0.05}

Variant = tuple[str, str, tuple[tuple[str, str], ...]]
"""How a transfer is made: environment, way of the probe, variables."""


def variants(client: str, native_setting: str, *, client_async: bool = False) -> dict[str, Variant]:
    """Name the ways to transfer.

    Args:
        client: What the vendor's own client is called, such as `boto3`.
        native_setting: Environment variable that turns ours to the vendor's client when it is `false`.
        client_async: Whether to measure the async face with the vendor's client, too.
    """
    by_client = ((native_setting, "false"),)
    return {
        BASELINE: (BASELINE, "sync", ()),
        "published, async": (BASELINE, "async", ()),
        f"ours, {client}": ("ours", "sync", by_client),
        **({f"ours, {client}, async": ("ours", "async", by_client)} if client_async else {}),
        "ours, native": ("ours", "sync", ()),
        "ours, native, async": ("ours", "async", ()),
        f"bare {client}": ("ours", "bare", ()),
    }


def cases(bench: str, ways: Mapping[str, Variant], big: str, only: str | None) -> list[Case]:
    """List what is measured.

    Args:
        bench: Name of the bench.
        ways: What `variants` returns.
        big: How large the one file is, such as `1 GB`.
        only: A text that the cases to measure have in their name; all, when it is `None`.

    Raises:
        BenchError: If no case has it.
    """
    every = [
        Case(f"{size}, {direction}, {latency}", variant, environment, (way, direction, what), environ)
        for latency in _LATENCIES
        for size, what in {"1,000 files of 10 KB": "folder", f"{big} in one file": "file"}.items()
        for direction in ("up", "down")
        for variant, (environment, way, environ) in ways.items()
    ]
    wanted = [case for case in every if only is None or only in f"{case.what}, {case.variant}"]
    if not wanted:
        raise BenchError(f"no case of {bench} holds {only!r}")
    return wanted


class Store(ABC):
    """A server, a proxy in front of it that adds 50 ms to each round trip, and the files to move.

    Args:
        stack: Ends what is started here.
        port: Port of the server, which runs already.
        wanted: The cases to measure.
        big_bytes: Size of the one large file.
    """

    def __init__(self, stack: ExitStack, port: int, wanted: Sequence[Case], big_bytes: int) -> None:
        self.proxy = stack.enter_context(FaultProxy("127.0.0.1", port, own_process=True))
        self.proxy.latency_seconds = _LATENCIES["50 ms"]
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._sizes = {"folder": [FILE_BYTES] * FILES, "file": [big_bytes]}
        kinds = {case.arguments[2] for case in wanted}
        self._sources = {what: self._make(what) for what in kinds}
        self._filled = {what: self._fill(what) for what in kinds}

    @abstractmethod
    def address(self, *, slow: bool) -> str:
        """Say where the probe finds the server, by way of the proxy if it is to be slow."""

    @abstractmethod
    def new_bucket(self) -> str:
        """Make an empty bucket, and return its name."""

    @abstractmethod
    def put(self, bucket: str, key: str, path: Path) -> None:
        """Store a file."""

    @abstractmethod
    def sizes_in(self, bucket: str) -> list[int]:
        """List the sizes of all objects whose key begins with `data/`."""

    @abstractmethod
    def delete(self, bucket: str) -> None:
        """Delete what a bucket holds, and itself if that is possible."""

    def _make(self, what: str) -> Path:
        if what == "file":
            path = self._folder / "big.bin"
            with path.open("wb") as file:
                for _ in range(self._sizes["file"][0] // _BLOCK_BYTES):
                    file.write(os.urandom(_BLOCK_BYTES))
            return path
        folder = self._folder / "small"
        for number in range(FILES):
            path = folder / f"{number % 10}" / f"{number:04}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(FILE_BYTES))
        return folder

    def _fill(self, what: str) -> str:
        """Put the files into a bucket to download from, and one small file that probes warm up with."""
        bucket, source = self.new_bucket(), self._sources[what]
        for path in [source] if what == "file" else sorted(source.rglob("*.bin")):
            self.put(bucket, f"data/{path.name if what == 'file' else path.relative_to(source).as_posix()}", path)
        warm_up = self._folder / "warm-up.bin"
        warm_up.write_bytes(b"x")
        self.put(bucket, "warm-up/big.bin", warm_up)
        return bucket

    @contextmanager
    def around(self, case: Case) -> Generator[tuple[str, ...]]:
        """Give a run an empty bucket or folder, and check what is in it afterwards."""
        _, direction, what = case.arguments
        address = self.address(slow=case.what.endswith("50 ms"))
        if direction == "up":
            bucket = self.new_bucket()
            yield address, bucket, str(self._sources[what])
            self._check(case, self.sizes_in(bucket))
            self.delete(bucket)
        else:
            target = Path(tempfile.mkdtemp(dir=self._folder))
            yield address, self._filled[what], str(target)
            self._check(case, [path.stat().st_size for path in target.rglob("*") if path.is_file()])
            shutil.rmtree(target)

    def _check(self, case: Case, sizes: list[int]) -> None:
        if sizes != self._sizes[case.arguments[2]]:
            raise BenchError(f"{case.what} · {case.variant}: {len(sizes)} files of {sum(sizes)} bytes arrived")


def measure(
    bench: str,
    store: Store,
    wanted: Sequence[Case],
    rounds: int | None,
    *,
    environ: tuple[tuple[str, str], ...] = (),
    built: Mapping[str, Environment] | None = None,
) -> dict[Case, list[Sample]]:
    """Measure all cases by turns.

    Args:
        bench: Name of the bench, and of its probe.
        store: Where files go to and come from.
        wanted: What to measure.
        rounds: How often.
        environ: Further variables for the probe.
        built: The environments by name; those of `harness.environments` when not given.
    """
    told = [replace(case, environ=(*case.environ, *environ)) for case in wanted]
    return harness.alternate(
        told, bench, rounds or 3, timeout_seconds=400, warm_up=False, around=store.around, built=built
    )
