"""Find the command that arguments name, and add what it accepts, by dbt's own tree of commands.

dbt's commands are click's: every command lists its options, so nothing here knows a flag or a version by heart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple


class Resolved(NamedTuple):
    """Arguments that are ready for dbt."""

    args: list[str]
    command: str
    """Words of the command, such as `source freshness`; empty if the arguments name none."""

    given: dict[str, Any]
    """Values by name of parameter, as written; with those that were added."""


def resolve(root: Any, args: Sequence[str], kwargs: Collection[str] = (), inject: Mapping[str, Any] = {}) -> Resolved:
    """Find the command and add parameters right behind it.

    A parameter is added where the command accepts it and neither `args` (before or behind the command) nor `kwargs`
    give it. Arguments that dbt cannot parse are handed on as they are: dbt says what is wrong with them.

    Args:
        root: dbt's outermost click group.
        args: Arguments as in a shell.
        kwargs: Names of parameters that are given otherwise.
        inject: Values by name of parameter.
    """
    rest = list(args)
    if rest and rest[0] == "dbt":
        del rest[0]
    done: list[str] = []
    words: list[str] = []
    given: dict[str, Any] = {}
    command, context = root, _context(root, "dbt", None)
    while True:
        parsed = _parse(command, context, rest)
        if parsed is None:
            return Resolved([*done, *rest], " ".join(words), given)
        values, left = parsed
        given |= values
        if not hasattr(command, "commands"):
            break
        if not left:
            return Resolved([*done, *rest], " ".join(words), given)
        flags = rest[: len(rest) - len(left)]
        found = command.get_command(context, left[0])
        if found is None and " " in left[0].strip():  # several words in one argument
            left = [*left[0].split(), *left[1:]]
            found = command.get_command(context, left[0])
        if found is None:
            return Resolved([*done, *flags, *left], " ".join(words), given)
        done += [*flags, left[0]]
        words.append(left[0])
        command, context, rest = found, _context(found, left[0], context), left[1:]
    options: list[str] = []
    for name, value in inject.items():
        written = None if name in given or name in kwargs else _written(command, name, value)
        if written is not None:
            options += written
            given[name] = value
    return Resolved([*done, *options, *rest], " ".join(words), given)


def _context(command: Any, name: str, parent: Any) -> Any:
    settings = getattr(command, "context_settings", {})
    return command.context_class(command, info_name=name, parent=parent, **settings)


def _parse(command: Any, context: Any, args: list[str]) -> tuple[dict[str, Any], list[str]] | None:
    """Parameters that are given, and what a group leaves to its command."""
    import click

    try:
        values, left, order = command.make_parser(context).parse_args(list(args))
    except click.ClickException:
        return None
    names = [param.name for param in order if isinstance(param, click.Option) and param.name]
    return {name: values.get(name) for name in names}, left


def _written(command: Any, name: str, value: Any) -> list[str] | None:
    """The words that give `value`, or nothing if the command does not know the parameter."""
    for param in command.params:
        if param.name != name or not getattr(param, "opts", None) or not param.opts[0].startswith("-"):
            continue
        option = max(param.opts, key=len)
        if not getattr(param, "is_flag", False):
            if isinstance(value, (list, tuple)):
                return [option, *value] if value else None  # pyright: ignore[reportUnknownVariableType]
            return [f"{option}={value}"]
        if value:
            return [option]
        return [max(param.secondary_opts, key=len)] if param.secondary_opts else None
    return None
