"""dbt's commands in the text of a shell script: where they are, and what is added to them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath

from prefect_shell import quote

from ..core._command_line import command_of, value_of

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OPERATORS = frozenset("();<>|&")
# What a command is not looked into for: several lines, substitutions, comments, groups.
_NOT_PLAIN = re.compile(r"[\n`]|\$\(|(^|\s)[#{}](\s|$)|\\\s*$")
_POSIX_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "mksh", "sh", "zsh"})


def dbt_arguments(command: str) -> list[str] | None:
    """Get the arguments of a command that does nothing else than run dbt.

    Args:
        command: The text of a command.

    Returns:
        The words behind `dbt`; `None` for other commands, and for text with operators, substitutions or several lines.
    """
    words = _words(command)
    if words is None:
        return None
    while words and _ASSIGNMENT.match(words[0]):
        del words[0]
    if not words or PurePath(words[0]).name.removesuffix(".exe") != "dbt":
        return None
    return words[1:]


def _words(command: str) -> list[str] | None:
    if _NOT_PLAIN.search(command):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return None
    return None if any(word and set(word) <= _OPERATORS for word in words) else words


def with_options(commands: Sequence[str], options: dict[str, str | None], shell: str | None) -> list[str]:
    """Add options to the commands that run dbt, and let the script end at the first of these that fails.

    Other commands are left as they are. The end of a script is that of its last command: without this, a failed
    `dbt run` before a `dbt test` that passes would count as a success.

    Args:
        commands: The commands of the script.
        options: Values by name, such as `--project-dir`; not added where the command gives the option itself.
        shell: The shell that will read them.
    """
    return [_with_options(command, options, shell) for command in commands]


def _with_options(command: str, options: dict[str, str | None], shell: str | None) -> str:
    args = dbt_arguments(command)
    if args is None:
        return command
    text = command.strip()
    if command_of(args):  # `dbt --version` and the like take no options
        for name, value in options.items():
            if value is not None and value_of(name, args, {}) is None:
                text += f" {name} {quote(value, shell)}"
    return f"{text} || exit $?" if _is_posix(shell) else text


def _is_posix(shell: str | None) -> bool:
    if shell is None:
        return os.name != "nt"
    return re.sub(r"[-.\d]+$", "", PurePath(shell).name.lower()) in _POSIX_SHELLS
