"""Inputs of steps as YAML and templates give them: checked, and brought to the type that Docker wants."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import SecretStr

from prefect_docker.errors import DockerInvalidRequest

_WORDS = {
    "true": True,
    "yes": True,
    "1": True,
    "on": True,
    "false": False,
    "no": False,
    "0": False,
    "off": False,
    "": False,
}
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[^a-z])(?:pass(?:wd|word|phrase)?|pwd|secret|token|credentials?|pat|(?:api|access|private|secret)_?key)"
    r"(?:[^a-z]|$)|apikey"
)
_SECRET_VALUE = re.compile(r"://[^/\s:@]+:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Docker keeps these out of the image's history: https://docs.docker.com/build/building/variables/#pre-defined-build-arguments
_PREDEFINED = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}


def truth(field: str, value: Any) -> bool:
    """Read a truth value; a template such as `{{ $NO_CACHE }}` gives it as a word.

    Args:
        field: The input's name.
        value: Its value.

    Raises:
        DockerInvalidRequest: If it is none.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    known = _WORDS.get(str(value).strip().lower())
    if known is None:
        raise DockerInvalidRequest(f"{field} is {value!r}. Write true or false.")
    return known


def text(field: str, value: Any) -> str:
    """Read a text; whole numbers are written out.

    Args:
        field: The input's name.
        value: Its value, which is not quoted in messages.

    Raises:
        DockerInvalidRequest: If it is none. Numbers with a point are not written out: YAML has cut `1.10` to `1.1`.
    """
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DockerInvalidRequest(f"{field} must be a text, and is a {type(value).__name__}. Put it in quotes.")
    return value


def texts(field: str, value: Any) -> dict[str, str]:
    """Read a mapping of texts.

    Args:
        field: The input's name.
        value: Its value.

    Raises:
        DockerInvalidRequest: If it is no mapping, or a value of it is no text.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DockerInvalidRequest(
            f"{field} must be a mapping such as {{NAME: value}}, and is a {type(value).__name__}."
        )
    items = cast("Mapping[Any, Any]", value)
    return {str(name): text(f"{field}.{name}", item) for name, item in items.items()}


def listed(value: Any) -> list[Any]:
    """Make a list of one thing or several."""
    if value is None:
        return []
    return list(cast("Iterable[Any]", value)) if isinstance(value, list | tuple | set) else [value]


def is_secret(name: str, value: str) -> bool:
    """Say whether a build argument looks like a secret, by its name or its value."""
    if name.upper() in _PREDEFINED:
        return False
    return bool(value) and (
        _SECRET_NAME.search(name.replace("-", "_")) is not None or _SECRET_VALUE.search(value) is not None
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Propose a name for one that is not known, as a sentence; empty when none is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {found[0]!r}?" if found else ""
