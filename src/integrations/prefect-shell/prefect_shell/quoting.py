"""Quote values for the text of a command.

A command is text that a shell reads, so a file name with a space, or a value from outside, changes its meaning. `quote`
makes one value one word. Where no shell feature is needed, `ShellOperation(args=[...])` and `run_args` need no quoting.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from prefect_shell._dialect import Dialect, dialect_of
from prefect_shell.errors import ShellOptionError

__all__ = ["join", "quote"]


def quote(value: object, shell: str | None = None) -> str:
    """Quote a value so that the shell reads it as one word, whatever it holds.

    Args:
        value: Anything with a text form: a string, number or path.
        shell: The shell that will read it, as given to `ShellOperation(shell=...)`; unset, the platform's default.

    Returns:
        The quoted text, ready to stand in a command.

    Raises:
        ShellOptionError: If the value holds a NUL character, which no command can carry, or if the shell has no quoting
            that holds for every value, such as `cmd`.

    Example:
        ```python
        from prefect_shell import ShellOperation, quote

        name = "it's; rm -rf ~.txt"
        ShellOperation(commands=[f"touch {quote(name)}", f"rm {quote(name)}"]).run()
        ```
    """
    text = str(value)
    if "\0" in text:
        raise ShellOptionError("The value holds a NUL character, which a command cannot carry. Remove it.")
    dialect = dialect_of(shell)
    if dialect is Dialect.POWERSHELL:
        # PowerShell takes the typographic quotes for quotes too (about_Quoting_Rules).
        for mark in "'\u2018\u2019\u201a\u201b":
            text = text.replace(mark, mark * 2)
        return f"'{text}'"
    if dialect in (Dialect.BASH, Dialect.POSIX):
        return shlex.quote(text)
    raise ShellOptionError(
        f"Values cannot be quoted safely for the shell {shell!r}. Pass them by `env`, or use `args`."
    )


def join(args: Iterable[object], shell: str | None = None) -> str:
    """Quote each argument and join them to one command.

    Args:
        args: The program and its arguments.
        shell: The shell that will read it; unset, the platform's default.

    Returns:
        The command. PowerShell gets the call operator `&` in front, without which a quoted program is mere text.

    Raises:
        ShellOptionError: As `quote` does.
    """
    words = " ".join(quote(arg, shell) for arg in args)
    return f"& {words}" if dialect_of(shell) is Dialect.POWERSHELL else words
