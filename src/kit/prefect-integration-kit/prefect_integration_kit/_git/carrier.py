"""Hand git a configuration that nobody else reads: not in arguments, not in the environment, not on disk.

On Linux it is a file in memory that git and its children inherit; git is told to include it. Elsewhere it goes through
the environment of git (`GIT_CONFIG_COUNT`, https://git-scm.com/docs/git-config#ENVIRONMENT).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Setting = tuple[str, str]
"""Name and value, as `git config` writes them: `http.https://host/.proxy`."""

_NAME = re.compile(
    r"^(?P<section>[A-Za-z0-9-]+)(?:\.(?P<subsection>.*))?\.(?P<variable>[A-Za-z][A-Za-z0-9-]*)$", re.DOTALL
)
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t"}


@dataclass(frozen=True)
class Carried:
    """How a configuration reaches a process.

    Attributes:
        arguments: Options of git, before its command.
        env: Variables for its environment.
        descriptors: What it must inherit.
    """

    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    descriptors: tuple[int, ...] = ()


def written(settings: Iterable[Setting]) -> str:
    """Write settings as a configuration file of git.

    Raises:
        ValueError: If a name is none.
    """
    lines: list[str] = []
    for name, value in settings:
        parts = _NAME.match(name)
        if parts is None or "\0" in value:
            raise ValueError(f"{name!r} cannot be set in a configuration of git.")
        subsection = parts["subsection"]
        head = parts["section"] if subsection is None else f'{parts["section"]} "{_escaped(subsection)}"'
        lines.append(f'[{head}]\n\t{parts["variable"]} = "{_escaped(value)}"\n')
    return "".join(lines)


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


@contextlib.contextmanager
def carry(settings: Iterable[Setting], *, in_memory: bool = True) -> Generator[Carried, None, None]:
    """Make settings reach the git processes that are started meanwhile.

    Args:
        settings: Those that come later win, or add to a list; an empty value empties it.
        in_memory: Whether to use a file in memory where the system has such.
    """
    settings = list(settings)
    descriptor = _memory_file(written(settings)) if in_memory else None
    if descriptor is None:
        yield Carried(env=_as_env(settings))
        return
    try:
        yield Carried(("-c", f"include.path=/proc/self/fd/{descriptor}"), {}, (descriptor,))
    finally:
        os.close(descriptor)


def _memory_file(text: str) -> int | None:
    create = getattr(os, "memfd_create", None)
    if create is None:
        return None
    try:
        descriptor: int = create("git-config")
    except OSError:
        return None
    os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    if not Path(f"/proc/self/fd/{descriptor}").exists():  # no /proc
        os.close(descriptor)
        return None
    return descriptor


def _as_env(settings: list[Setting]) -> dict[str, str]:
    start = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(start) if start.isdigit() else 0
    env = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, first):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return env
