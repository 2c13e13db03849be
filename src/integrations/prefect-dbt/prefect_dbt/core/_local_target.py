"""A target of the profile: where it leads, and the child processes that run dbt on it."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .._dbt import DbtProcess
from .._profiles import ResolvedProfiles, read_profiles, resolved_profiles
from .._secret_keys import masked
from ..errors import DbtCancelled, DbtProfileError

if TYPE_CHECKING:
    from .settings import PrefectDbtSettings

__all__ = ["DEFAULT_THREADS", "LocalTarget", "identify_database", "is_file_database", "target_output"]

DEFAULT_THREADS = 4
"""dbt's own number where a profile says none is 1; that would make an orchestrator wait for nothing."""

_FILE_DATABASES = frozenset({"duckdb", "sqlite"})
_LOOK_SECONDS = 0.1
_ENV_VAR = re.compile(r"""env_var\(\s*\\?['"]([^'"\\]+)""")


class LocalTarget:
    """The children that work on one target, and the profile that they read."""

    def __init__(self, settings: PrefectDbtSettings, name: str | None, wanted: int | None) -> None:
        output = target_output(settings, name)
        self.limit = wanted or threads_of(output)
        self.note = ""
        if is_file_database(output):
            if self.limit > 1:
                self.note = (
                    f"{output['type']} lets one process write to {str(output.get('path'))!r} at a time, so nodes run "
                    "one after another."
                )
            self.limit = 1
        self._stack = ExitStack()
        self.profiles: ResolvedProfiles = self._stack.enter_context(
            resolved_profiles(settings.profiles_dir, project_dir=settings.project_dir, target=name)
        )
        self._settings = settings
        self._name = name
        self._free = threading.Condition()
        self._idle: list[DbtProcess] = []
        self._busy: set[DbtProcess] = set()
        self._children: list[DbtProcess] = []
        """All that were started: an exception thrown into a thread may keep one from being given back."""
        self._is_closed = False
        self._idle.append(self._start())  # dbt is imported while the caller goes on

    @property
    def database(self) -> str | None:
        """Where it leads now; see `identify_database`."""
        output = target_output(self._settings, self._name, self.profiles.path)
        return identify_database(output, {**os.environ, **self.profiles.env})

    def _start(self) -> DbtProcess:
        child = DbtProcess(env=self.profiles.env)
        self._children.append(child)
        return child

    @contextmanager
    def lend(self) -> Generator[DbtProcess, None, None]:
        """Lend a child to the calling thread; wait until one is free."""
        child = self._take()
        try:
            yield child
        finally:
            with self._free:
                self._busy.discard(child)
                self._idle.append(child)  # the warmest one is the next one
                self._free.notify()
            if self._is_closed:
                child.close()

    def _take(self) -> DbtProcess:
        with self._free:
            while True:
                if self._is_closed:
                    raise DbtCancelled("The orchestrator's executor was closed.")
                if not self._idle and len(self._busy) < self.limit:
                    self._idle.append(self._start())
                if self._idle and len(self._busy) < self.limit:
                    child = self._idle.pop()
                    self._busy.add(child)
                    return child
                self._free.wait(_LOOK_SECONDS)

    def close(self) -> None:
        with self._free:
            self._is_closed = True
            children = list(self._children)
            self._free.notify_all()
        with self._stack:  # whatever becomes of one child, the others and the profile go
            for child in children:
                self._stack.callback(child.close)


def target_output(
    settings: PrefectDbtSettings, name: str | None, profiles_dir: Path | None = None
) -> Mapping[str, Any]:
    """Read a target of the project's profile, as it is written.

    Args:
        settings: Where project and profiles are.
        name: Name of the target; the profile's own when `None`.
        profiles_dir: Where to read the profile instead.

    Returns:
        The output; empty if the project or profile does not say which one it is.

    Raises:
        DbtProfileError: If the profile has no target of that name.
    """
    import yaml

    try:
        project = _mapping(yaml.safe_load((settings.project_dir / "dbt_project.yml").read_bytes()))
    except (OSError, yaml.YAMLError):
        return {}
    profile = _mapping(read_profiles(profiles_dir or settings.profiles_dir).get(str(project.get("profile"))))
    outputs = _mapping(profile.get("outputs"))
    if name is not None and outputs and name not in outputs:
        raise DbtProfileError(
            f"target {name!r} is not in profiles.yml in {str(settings.profiles_dir)!r}, whose profile "
            f"{project['profile']!r} has {', '.join(sorted(map(repr, outputs)))}."
        )
    return _mapping(outputs.get(name or profile.get("target", "default")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def is_file_database(output: Mapping[str, Any]) -> bool:
    """Say whether a target's database is a file that one process at a time can write to."""
    path = str(output.get("path") or "")
    return output.get("type") in _FILE_DATABASES and not path.startswith(("md:", "motherduck:"))


def identify_database(output: Mapping[str, Any], env: Mapping[str, str]) -> str | None:
    """Hash where a target leads, without its secrets and how many threads go there.

    Args:
        output: The target, as it is in `profiles.yml`.
        env: The variables that it may name by `env_var()`.

    Returns:
        The hash; `None` for a database that lives in the memory of one process.
    """
    where: dict[str, Any] = {key: value for key, value in masked(output).items() if key != "threads"}
    path = str(output.get("path") or "")
    if is_file_database(output):
        if not path or path.startswith(":memory:"):
            return None
        where["path"] = str(Path(path).absolute())
    text = json.dumps(where, sort_keys=True, default=str)
    values = [f"{name}={env.get(name, '')}" for name in sorted(set(_ENV_VAR.findall(text)))]
    return sha256("\0".join([text, *values]).encode("utf-8", "surrogatepass")).hexdigest()


def threads_of(output: Mapping[str, Any]) -> int:
    threads = output.get("threads")
    return threads if isinstance(threads, int) and threads > 0 else DEFAULT_THREADS
