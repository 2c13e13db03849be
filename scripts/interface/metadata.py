"""What a `pyproject.toml` offers: extras, entry points and commands."""

from __future__ import annotations

from typing import Any

from packaging.utils import canonicalize_name


def offered(metadata: dict[str, Any]) -> dict[str, str]:
    """List what can be asked for by name, with what each entry leads to.

    Args:
        metadata: The file, read.
    """
    project = metadata["project"]
    found = {f"extra {canonicalize_name(name)}": "" for name in project.get("optional-dependencies", {})}
    found |= {f"command {name}": str(value) for name, value in project.get("scripts", {}).items()}
    for group, entries in project.get("entry-points", {}).items():
        found |= {f"entry point {group}: {name}": str(value) for name, value in entries.items()}
    return found
