"""What the root `pyproject.toml` says of the pages: `[tool.prefect-integration-docs]`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LISTS = ("packages", "search")
_TEXTS = ("docs", "examples", "published", "repository", "branch", "site", "title", "description")


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the file, the key and the remedy."""


@dataclass(frozen=True)
class Configuration:
    """Where sources are and where pages go.

    Attributes:
        root: Folder of the repository.
        packages: Folders of distributions, or patterns such as `src/integrations/*`, relative to `root`.
        search: Folders in which packages without pages are looked for, before `sys.path`.
        docs: Folder of the site, relative to `root`.
        examples: Folder of the examples, relative to `root`; none when empty.
        published: File that lists the addresses of pages that must stay, one a line; none when empty.
        repository: Address of the repository, for links to the source.
        branch: Branch that those links lead to.
        site: Address of the site, for `llms.txt`.
        title: First line of `llms.txt`.
        description: What `llms.txt` says of the site.
        elsewhere: Top-level packages that have a reference on another site, with its address.
    """

    root: Path
    packages: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    docs: str = "docs"
    examples: str = ""
    published: str = ""
    repository: str = ""
    branch: str = "main"
    site: str = ""
    title: str = ""
    description: str = ""
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])


def read(root: Path) -> Configuration:
    """Read the configuration of a repository.

    Args:
        root: Folder that holds the `pyproject.toml`.

    Raises:
        ConfigurationError: If the file is missing, is no TOML, or has a key that is unknown or of a wrong type.
    """
    file = root / "pyproject.toml"
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: there is no such file. Name the repository's folder with --root.") from None
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(f"{file}: {exc}") from exc
    table = cast("dict[str, Any] | None", tool.get("prefect-integration-docs"))
    if table is None:
        raise ConfigurationError(f"{file}: there is no [tool.prefect-integration-docs]. Add it, with `packages`.")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in cast("list[Any]", value)):
            values[key] = tuple(cast("list[str]", value))
        elif key in _TEXTS and isinstance(value, str):
            values[key] = value.rstrip("/") if key in ("docs", "repository", "site") else value
        elif key == "elsewhere" and isinstance(value, dict):
            values[key] = {name: str(url).rstrip("/") for name, url in cast("dict[str, Any]", value).items()}
        elif key in (*_LISTS, *_TEXTS, "elsewhere"):
            kind = "a list of texts" if key in _LISTS else "a text" if key in _TEXTS else "a table"
            raise ConfigurationError(f"{file}: tool.prefect-integration-docs.{key} must be {kind}.")
        else:
            known = ", ".join((*_LISTS, *_TEXTS, "elsewhere"))
            raise ConfigurationError(f"{file}: tool.prefect-integration-docs.{key} is unknown; known are {known}.")
    return Configuration(root=root, **values)
