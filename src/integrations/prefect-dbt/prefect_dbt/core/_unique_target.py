"""A target folder of its own for an invocation, so that invocations of one project can run at once."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from uuid import uuid4

PARSED = "partial_parse.msgpack"
"""dbt's cache of the parsed project; without it, dbt reads every file anew."""

_ARTIFACTS = ("manifest.json", "run_results.json", "sources.json", "catalog.json", "semantic_manifest.json")


def make_unique_target(target: Path) -> Path:
    """Make a folder under a target path that no other invocation has.

    Args:
        target: The target path. Its cache of the parsed project is copied, so that dbt need not parse anew.
    """
    folder = target / f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    with contextlib.suppress(OSError):
        shutil.copyfile(target / PARSED, folder / PARSED)
    return folder


def publish(folder: Path, target: Path) -> None:
    """Copy the artifacts of an invocation to the target path, where `dbt retry` and others look for the latest.

    Each file is replaced as a whole; of invocations that end at once, the last one counts. The cache of the parsed
    project, which is large, is moved.

    Args:
        folder: The folder of the invocation.
        target: The target path.
    """
    for name in _ARTIFACTS:
        source, part = folder / name, target / f".{name}.{folder.name}"
        if not source.is_file():
            continue
        try:
            shutil.copyfile(source, part)
            part.replace(target / name)
        finally:
            part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (folder / PARSED).replace(target / PARSED)
