"""The little that must be known of dbt's arguments before dbt has read them.

dbt itself resolves its command line, in its own process. Here only a few options with a value are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

# https://docs.getdbt.com/reference/dbt-commands
_COMMANDS = frozenset(
    {"build", "clean", "clone", "compile", "debug", "deps", "docs", "init", "list", "ls", "parse", "retry", "run"}
    | {"run-operation", "seed", "show", "snapshot", "source", "test"}
)
_GROUPS = frozenset({"docs", "source"})

_SHORT = {"--target": "-t"}

# Options that may stand in front of the command and have a value, which may be a word such as `test`.
_WITH_VALUE = frozenset(
    {"--defer-state", "--event-time-end", "--event-time-start", "--indirect-selection", "--log-file-max-bytes"}
    | {"--log-format", "--log-format-file", "--log-level", "--log-level-file", "--log-path", "--profile"}
    | {"--partial-parse-file-diff", "--partial-parse-file-path", "--printer-width", "--profiles-dir", "--project-dir"}
    | {"--record-timing-info", "--selector", "--state", "--target", "--target-path", "--vars", "--warn-error-options"}
    | {"--threads", "-r", "-t"}
)

_LISTS = frozenset({"select", "exclude", "resource_types", "exclude_resource_types"})
_YAML = frozenset({"vars", "warn_error_options"})


def command_of(args: Sequence[str]) -> str:
    """Name the command of arguments, such as `build` or `source freshness`; empty if none is seen."""
    skips = False
    for position, arg in enumerate(args):
        if skips:
            skips = False
            continue
        skips = arg in _WITH_VALUE
        words = arg.split()
        if not words or words[0] not in _COMMANDS:
            continue
        if words[0] in _GROUPS and len(words) == 1:
            words += [word for word in args[position + 1 : position + 2] if not word.startswith("-")]
        return " ".join(words)
    return ""


def value_of(option: str, args: Sequence[str], kwargs: Mapping[str, Any]) -> Any:
    """Return the value of an option: a keyword argument, else the last one on the command line, else `None`.

    Args:
        option: Its long name, such as `--project-dir`.
        args: The command line.
        kwargs: Keyword arguments of `invoke`.
    """
    given = kwargs.get(option.lstrip("-").replace("-", "_"))
    if given is not None:
        return given
    names = {option, _SHORT.get(option, "")} - {""}
    value = None
    for position, arg in enumerate(args):
        if arg in names and position + 1 < len(args):
            value = args[position + 1]
        elif arg.startswith(f"{option}="):
            value = arg.partition("=")[2]
    return value


def without(option: str, args: Sequence[str]) -> list[str]:
    """Return arguments without an option and its value.

    Args:
        option: Its long name, such as `--profiles-dir`.
        args: The command line.
    """
    kept: list[str] = []
    skips = False
    for arg in args:
        if skips:
            skips = False
        elif arg == option:
            skips = True
        elif not arg.startswith(f"{option}="):
            kept.append(arg)
    return kept


def plain_kwargs(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Make keyword arguments fit for another process: members of `EventLevel` and others by their values."""
    return {name: _plain(name, value.value if isinstance(value, Enum) else value) for name, value in kwargs.items()}


def _plain(name: str, value: Any) -> Any:
    """Read a text as dbt reads its command line, which it does not where it is given by name."""
    if not isinstance(value, str):
        return value
    if name in _LISTS:  # of a text dbt would take each letter for a selector, and then find nothing to do
        return [value]
    if name == "threads" and value.isdecimal():
        return int(value)
    if name in _YAML:
        import yaml

        with suppress(yaml.YAMLError):  # dbt says what is wrong with it
            return yaml.safe_load(value)
    return value
