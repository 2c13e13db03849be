"""Move a folder or a file to or from a bucket, and take the time: what the probes of object stores share."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

THREADS = 32


def transfer(
    block: Any, way: str, direction: str, what: str, *, upload_options: dict[str, Any] | None = None
) -> Callable[[str, Path], None]:
    """Move folders or files by a block's method for it: between a folder of the bucket and a path.

    Args:
        block: The block.
        way: `sync` or `async`.
        direction: `up` or `down`.
        what: `folder` or `file`.
        upload_options: Further keyword arguments of an upload.
    """
    options = upload_options or {} if direction == "up" else {}

    def move(remote: str, local: Path) -> None:
        name, arguments = {
            ("up", "folder"): ("upload_from_folder", (local, remote)),
            ("up", "file"): ("upload_from_path", (local, f"{remote}/{local.name}")),
            ("down", "folder"): ("download_folder_to_path", (remote, local)),
            ("down", "file"): ("download_object_to_path", (f"{remote}/big.bin", local / "big.bin")),
        }[direction, what]
        if way == "sync":
            getattr(block, name)(*arguments, **options)
            return
        # Where the async face has no name of its own, the sync one gives a coroutine on a running event loop.
        method = getattr(block, f"a{name}", None) or getattr(block, name)

        async def call() -> None:
            await method(*arguments, **options)

        asyncio.run(call())

    return move


def bare(
    direction: str,
    what: str,
    remote: str,
    local: Path,
    *,
    put: Callable[[str, Path], Any],
    get: Callable[[str, Path], Any],
    keys: Callable[[str], Iterable[str]],
) -> None:
    """Move a folder or a file by a vendor's client alone, with as many threads as the package has.

    Args:
        direction: `up` or `down`.
        what: `folder` or `file`.
        remote: Folder in the bucket.
        local: Folder, or file to upload.
        put: Uploads a file under a key.
        get: Downloads a key to a file.
        keys: Lists the keys below a prefix.
    """
    if what == "file":
        if direction == "up":
            put(f"{remote}/{local.name}", local)
        else:
            get(f"{remote}/big.bin", local / "big.bin")
        return
    with ThreadPoolExecutor(THREADS) as pool:
        calls = []
        if direction == "up":
            files = [path for path in local.rglob("*") if path.is_file()]
            calls += [pool.submit(put, f"{remote}/{path.relative_to(local).as_posix()}", path) for path in files]
        else:
            for key in keys(f"{remote}/"):
                path = local / key.removeprefix(f"{remote}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                calls.append(pool.submit(get, key, path))
        for call in calls:
            call.result()


def measure_move(move: Callable[[str, Path], None], direction: str, what: str, local: Path) -> dict[str, float]:
    """Move one small file, then what is to be measured; return wall and CPU seconds of the latter.

    Args:
        move: Moves what is below a folder of the bucket to or from a path.
        direction: `up` or `down`.
        what: `folder` or `file`.
        local: Folder, or file to upload.
    """
    # The first transfer imports the SDK and makes the client; `warm-up/` holds one small file.
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "big.bin")
        if direction == "up":
            small.write_bytes(b"x")
        move("warm-up", small if (direction, what) == ("up", "file") else Path(folder))

    wall, cpu = time.perf_counter(), time.process_time()
    move("data", local)
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
