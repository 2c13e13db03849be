"""Which nodes a selection means, where dbt has a manifest but no project on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import DbtInvocationFailed, error_of
from ._manifest import Manifest

__all__ = ["select_nodes"]

_SCRIPT = Path(__file__).with_name("_selection_script.py")
_TIMEOUT_SECONDS = 300


def select_nodes(
    manifest: Manifest,
    path: Path,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    indirect_selection: str = "eager",
) -> list[str]:
    """Ask dbt which nodes of a manifest a selection means.

    dbt is imported in a process of its own. Without a selection it is not asked.

    Args:
        manifest: The manifest, as it was read.
        path: Its file.
        select: dbt's selectors; everything when empty. Methods that compare with another state are not known here.
        exclude: What to leave out.
        indirect_selection: Which tests come along.

    Returns:
        Unique ids, sorted.

    Raises:
        DbtError: If dbt does not know the selection or cannot read the manifest.
    """
    if not select and not exclude:
        return sorted(manifest.nodes)
    request: Mapping[str, object] = {
        "manifest": str(path),
        "select": list(select),
        "exclude": list(exclude),
        "indirect_selection": indirect_selection,
    }
    try:
        done = subprocess.run(
            [sys.executable, str(_SCRIPT)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError, subprocess.TimeoutExpired) as exc:
        raise DbtInvocationFailed("dbt could not select nodes of the manifest; its process gave no answer.") from exc
    if "error" in answer:
        raise error_of(answer["error"], answer["message"], command="ls")
    return sorted(answer["nodes"])
