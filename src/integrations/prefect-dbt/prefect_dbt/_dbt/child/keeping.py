"""A parsed project, kept from one invocation to the next where nothing that it was made of has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_MADE_OF = ("project_dir", "profiles_dir", "profile", "target", "target_path", "vars")
_CHANGES_MANIFEST = ("defer", "state", "defer_state", "favor_state", "empty", "sample")
_UNREAD = frozenset({".git", "__pycache__", "node_modules", ".venv", "venv", "logs"})
_WRITTEN = (".duckdb", ".wal", ".log", ".db")
_PROJECT = "dbt_project.yml"


class _Made(NamedTuple):
    """What a manifest is made of."""

    parameters: tuple[str, ...]
    root: str
    target: str
    files: frozenset[tuple[str, int, int]]


class KeptManifest:
    """At most one manifest."""

    def __init__(self) -> None:
        self._manifest: Any = None
        self._made: _Made | None = None
        self._asked: _Made | None = None

    def take(self, given: Mapping[str, Any]) -> Any:
        """The manifest, if an invocation with these parameters would parse the same; it is no longer kept.

        The files are looked at now, so that one that changes while dbt runs is seen as changed the next time.
        """
        manifest, self._manifest = self._manifest, None
        self._asked = None if any(given.get(name) for name in _CHANGES_MANIFEST) else _made_of(given)
        if manifest is None or self._asked is None or self._asked != self._made:
            return None
        return _as_parsed(manifest)

    def keep(self, manifest: Any, config: Any) -> None:
        """Keep the manifest of the invocation that `take` was asked for."""
        asked = self._asked
        self.forget()
        if manifest is None or asked is None:
            return
        root = str(Path(str(getattr(config, "project_root", ""))).resolve())
        if root == asked.root and (Path(root) / str(getattr(config, "target_path", ""))).resolve() == Path(
            asked.target
        ):
            self._manifest, self._made = manifest, asked

    def forget(self) -> None:
        """Keep nothing."""
        self._manifest, self._made, self._asked = None, None, None


def _made_of(given: Mapping[str, Any]) -> _Made:
    here = Path.cwd()
    named = given.get("project_dir") or os.environ.get("DBT_PROJECT_DIR")
    found = [folder for folder in (here, *here.parents) if (folder / _PROJECT).exists()]
    root = Path(str(named)).resolve() if named else (found[0] if found else here)
    target = (root / str(given.get("target_path") or os.environ.get("DBT_TARGET_PATH") or "target")).resolve()
    folders = (given.get("profiles_dir"), os.environ.get("DBT_PROFILES_DIR"), here, Path.home() / ".dbt")
    profiles = {str(Path(str(folder)) / "profiles.yml") for folder in folders if folder}
    parameters = (str(here), *(repr(given.get(name)) for name in _MADE_OF))
    return _Made(parameters, str(root), str(target), _look(root, target, profiles))


def _look(root: Path, target: Path, profiles: set[str]) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of change of every file of a project, and of the profiles."""
    seen: set[tuple[str, int, int]] = set()
    folders = [str(root)] if root.is_dir() else []
    unread = str(target)
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name not in _UNREAD and entry.path != unread:
                        folders.append(entry.path)
                elif not entry.name.endswith(_WRITTEN) and entry.is_file():
                    state = entry.stat()
                    seen.add((entry.path, state.st_size, state.st_mtime_ns))
    for name in profiles:
        if Path(name).is_file():
            state = Path(name).stat()
            seen.add((name, state.st_size, state.st_mtime_ns))
    return frozenset(seen)


def _as_parsed(manifest: Any) -> Any:
    """Take back what compiling left in the nodes: dbt would not put the ephemeral models into their SQL again."""
    for node in manifest.nodes.values():
        if getattr(node, "compiled", False):
            node.compiled = False
            node.compiled_code = None
            node.extra_ctes = []
            node.extra_ctes_injected = False
            if hasattr(node, "_pre_injected_sql"):
                node._pre_injected_sql = None  # noqa: SLF001 - where dbt keeps it
    return manifest
