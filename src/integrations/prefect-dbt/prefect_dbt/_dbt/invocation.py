"""One call of dbt: its arguments, and what is added to them where the command accepts it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Invocation:
    """What dbt shall do.

    Attributes:
        args: Arguments as in a shell, such as `("source", "freshness", "--select", "source:raw")`. A leading `dbt` and
            flags before the command are allowed.
        kwargs: dbt's parameters by name, as `dbtRunner.invoke` takes them.
        profiles_dir: Folder of `profiles.yml`; like the next ones, it is given to dbt where the command accepts it and
            the arguments do not say it.
        project_dir: Folder of `dbt_project.yml`.
        target_path: Where artifacts go; relative to the project.
        log_level: Least level of events to show.
        inject: More parameters by dbt's name (`state`, `defer`, `favor_state`, `vars`), given in the same way. `True`
            and `False` choose between a flag and its opposite; `None` is left out.
        manifest: File with a pickled `Manifest`, so that dbt does not parse the project.
        want_nodes: Whether `PrefectNode` events are sent.
        include_compiled_code: Whether results bring the SQL that ran.
        want_result: Whether the outcome can give dbt's own result object.
        keep_manifest: Whether the child keeps the parsed project for the next invocation that asks for the same.
    """

    args: tuple[str, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    profiles_dir: Path | str | None = None
    project_dir: Path | str | None = None
    target_path: Path | str | None = None
    log_level: str | None = None
    inject: Mapping[str, Any] = field(default_factory=dict[str, Any])
    manifest: Path | None = None
    want_nodes: bool = True
    include_compiled_code: bool = False
    want_result: bool = True
    keep_manifest: bool = False

    def request(self) -> dict[str, Any]:
        """What the child is sent; `kwargs` are pickled by themselves, as they may hold objects of dbt."""
        known = {
            "profiles_dir": self.profiles_dir,
            "project_dir": self.project_dir,
            "target_path": self.target_path,
            "log_level": self.log_level,
            **self.inject,
        }
        return {
            "args": [str(arg) for arg in self.args],
            "kwargs": pickle.dumps(dict(self.kwargs)),
            "inject": {name: _plain(value) for name, value in known.items() if value is not None},
            "manifest": None if self.manifest is None else str(self.manifest),
            "want_nodes": self.want_nodes,
            "include_compiled_code": self.include_compiled_code,
            "want_result": self.want_result,
            "keep_manifest": self.keep_manifest,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)
