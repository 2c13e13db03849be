"""The statements of Snowpark Container Services, taken apart as Snowflake's published reference has them.

See https://docs.snowflake.com/en/sql-reference/commands-snowpark-container-services. Only what the reference shows is
taken; all else is a syntax error, as it would be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

_T = TypeVar("_T")

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | \$\$(?P<dollars>.*?)\$\$
  | '(?P<text>(?:[^'\\]|\\.|'')*)'
  | "(?P<quoted>(?:[^"]|"")+)"
  | (?P<number>\d+)
  | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
  | (?P<mark>[?=(),.;@])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}


class SqlError(Exception):
    """A statement that Snowflake refuses.

    Attributes:
        code: Snowflake's number of the error.
        state: The SQLSTATE.
    """

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.state = state


def _syntax(text: str) -> SqlError:
    return SqlError(1003, "42000", f"SQL compilation error:\nsyntax error near {text!r}.")


@dataclass(frozen=True)
class Token:
    """A piece of a statement: `kind` is `word`, `quoted`, `text`, `number` or `mark`."""

    kind: str
    value: str


def tokens_of(text: str, bindings: Sequence[str] = ()) -> list[Token]:
    """Take a statement to pieces; each `?` becomes the text that is bound to it.

    Raises:
        SqlError: If there are characters that belong to nothing, or values are missing.
    """
    found: list[Token] = []
    values = iter(bindings)
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _syntax(text[place : place + 20])
        place = match.end()
        kind, value = str(match.lastgroup), str(match.group(str(match.lastgroup)))
        if kind == "space":
            continue
        if kind == "dollars":
            kind = "text"
        elif kind == "text":
            value = re.sub(
                r"\\(.)|''", lambda hit: "'" if hit[1] is None else _ESCAPES.get(hit[1], hit[1]), value, flags=re.DOTALL
            )
        elif kind == "quoted":
            value = value.replace('""', '"')
        elif (kind, value) == ("mark", "?"):
            kind, value = "text", next(values, "\0")
            if value == "\0":
                raise SqlError(2049, "42601", "SQL compilation error: error line 1\nBind variable ? not set.")
        found.append(Token(kind, value))
    while found and found[-1] == Token("mark", ";"):
        found.pop()
    return found


@dataclass(frozen=True)
class Command:
    """A statement that was understood.

    Attributes:
        kind: Its name, such as `EXECUTE JOB SERVICE`.
        name: The object, its parts as Snowflake keeps them.
        options: What else it says.
    """

    kind: str
    name: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def is_done(self) -> bool:
        return self._place >= len(self._tokens)

    def peek(self) -> Token:
        return Token("end", "end of statement") if self.is_done else self._tokens[self._place]

    def next(self) -> Token:
        token = self.peek()
        self._place += 1
        return token

    def try_words(self, *words: str) -> bool:
        ahead = self._tokens[self._place : self._place + len(words)]
        if [(token.kind, token.value.upper()) for token in ahead] != [("word", word) for word in words]:
            return False
        self._place += len(words)
        return True

    def words(self, *words: str) -> None:
        if not self.try_words(*words):
            raise _syntax(self.peek().value)

    def mark(self, mark: str) -> None:
        if self.next() != Token("mark", mark):
            raise _syntax(self._tokens[min(self._place, len(self._tokens)) - 1].value)

    def text(self) -> str:
        token = self.next()
        if token.kind != "text":
            raise _syntax(token.value)
        return token.value

    def number(self) -> int:
        token = self.next()
        if token.kind != "number" and not token.value.isdigit():
            raise _syntax(token.value)
        return int(token.value)

    def truth(self) -> bool:
        if self.try_words("TRUE"):
            return True
        self.words("FALSE")
        return False

    def identifier(self, *, plain: bool = False) -> str:
        """One name; services, pools and their schemas take no quotation marks."""
        if (inner := self._from_literal()) is not None:
            return inner.done(inner.identifier(plain=plain))
        token = self.next()
        if token.kind == "word":
            return token.value.upper()
        if token.kind != "quoted":
            raise _syntax(token.value)
        if plain:
            raise SqlError(
                1008, "22023", f'SQL compilation error:\ninvalid value ["{token.value}"]: quoted names are unsupported.'
            )
        return token.value

    def name(self, *, plain: bool = True) -> tuple[str, ...]:
        if (inner := self._from_literal()) is not None:
            return inner.done(inner.name(plain=plain))
        parts = [self.identifier(plain=plain)]
        while self.peek() == Token("mark", "."):
            self.next()
            parts.append(self.identifier(plain=plain))
        return tuple(parts)

    def _from_literal(self) -> _Reader | None:
        """What stands in `IDENTIFIER('…')`: https://docs.snowflake.com/en/sql-reference/identifier-literal."""
        ahead = self._tokens[self._place : self._place + 2]
        if [(token.kind, token.value.upper()) for token in ahead] != [("word", "IDENTIFIER"), ("mark", "(")]:
            return None
        self._place += 2
        inner = _Reader(tokens_of(self.text()))
        self.mark(")")
        return inner

    def done(self, found: _T) -> _T:
        """What was found, if nothing follows it."""
        if not self.is_done:
            raise _syntax(self.peek().value)
        return found


def command_of(text: str, bindings: Sequence[str] = ()) -> Command:
    """Understand a statement.

    Raises:
        SqlError: If it is none of those that are known here.
    """
    read = _Reader(tokens_of(text, bindings))
    for words, rest in _COMMANDS:
        if read.try_words(*words):
            return read.done(rest(read))
    raise _syntax(read.peek().value)


def _execute_job(read: _Reader) -> Command:
    read.words("IN", "COMPUTE", "POOL")
    options: dict[str, Any] = {"COMPUTE_POOL": read.identifier(plain=True)}
    name: tuple[str, ...] = ()
    while not read.is_done:
        if read.try_words("NAME"):
            read.mark("=")
            name = read.name()
        elif read.try_words("ASYNC"):
            read.mark("=")
            options["ASYNC"] = read.truth()
        elif read.try_words("REPLICAS"):
            read.mark("=")
            options["REPLICAS"] = read.number()
        elif read.try_words("QUERY_WAREHOUSE"):
            read.mark("=")
            options["QUERY_WAREHOUSE"] = read.identifier()
        elif read.try_words("COMMENT"):
            read.mark("=")
            options["COMMENT"] = read.text()
        elif read.try_words("EXTERNAL_ACCESS_INTEGRATIONS"):
            read.mark("=")
            options["EXTERNAL_ACCESS_INTEGRATIONS"] = _identifiers(read)
        else:
            read.words("FROM", "SPECIFICATION")
            options["SPECIFICATION"] = read.text()
    if not name or "SPECIFICATION" not in options:
        raise _syntax("end of statement")
    return Command("EXECUTE JOB SERVICE", name, options)


def _identifiers(read: _Reader) -> list[str]:
    read.mark("(")
    found = [read.identifier()]
    while read.peek() == Token("mark", ","):
        read.next()
        found.append(read.identifier())
    read.mark(")")
    return found


def _show_jobs(read: _Reader) -> Command:
    read.words("IN", "SCHEMA")
    name, options = read.name(), dict[str, Any]()
    if read.try_words("LIMIT"):
        options["LIMIT"] = read.number()
        if read.try_words("FROM"):
            options["FROM"] = read.text()
    return Command("SHOW JOB SERVICES", name, options)


def _alter_pool(read: _Reader) -> Command:
    name = read.name()
    for action in ("RESUME", "SUSPEND"):
        if read.try_words(action):
            return Command(f"ALTER COMPUTE POOL {action}", name)
    raise _syntax(read.peek().value)


def _drop(read: _Reader) -> Command:
    is_lenient = read.try_words("IF", "EXISTS")
    return Command("DROP SERVICE", read.name(), {"IF EXISTS": is_lenient, "FORCE": read.try_words("FORCE")})


def _logs(read: _Reader) -> Command:
    read.mark("(")
    arguments: list[Any] = [read.text()]
    while read.peek() == Token("mark", ","):
        read.next()
        token = read.peek()
        if token.kind == "word":
            arguments.append(read.truth())
        elif token.kind == "number":
            arguments.append(read.number())
        else:
            arguments.append(read.text())
    read.mark(")")
    if not 3 <= len(arguments) <= 6:
        raise _syntax(")")
    name = _Reader(tokens_of(str(arguments[0]))).name()
    return Command("SYSTEM$GET_SERVICE_LOGS", name, {"ARGUMENTS": arguments[1:]})


def _client_versions(read: _Reader) -> Command:
    read.mark("(")
    read.mark(")")
    return Command("SYSTEM$CLIENT_VERSION_INFO")


def _create_secret(read: _Reader) -> Command:
    name = read.name(plain=False)
    read.words("TYPE")
    read.mark("=")
    read.words("GENERIC_STRING")
    read.words("SECRET_STRING")
    read.mark("=")
    return Command("CREATE SECRET", name, {"SECRET_STRING": read.text()})


_COMMANDS: tuple[tuple[tuple[str, ...], Callable[[_Reader], Command]], ...] = (
    (("COMMIT",), lambda _: Command("COMMIT")),  # the connector's own, when a connection is left
    (("ROLLBACK",), lambda _: Command("ROLLBACK")),
    (("EXECUTE", "JOB", "SERVICE"), _execute_job),
    (("DESCRIBE", "COMPUTE", "POOL"), lambda read: Command("DESCRIBE COMPUTE POOL", read.name())),
    (("ALTER", "COMPUTE", "POOL"), _alter_pool),
    (("SHOW", "JOB", "SERVICES"), _show_jobs),
    (("DESCRIBE", "SERVICE"), lambda read: Command("DESCRIBE SERVICE", read.name())),
    (
        ("SHOW", "SERVICE", "CONTAINERS", "IN", "SERVICE"),
        lambda read: Command("SHOW SERVICE CONTAINERS", read.name()),
    ),
    (("CALL", "SYSTEM$GET_SERVICE_LOGS"), _logs),
    (("SELECT", "SYSTEM$GET_SERVICE_LOGS"), _logs),
    (("SELECT", "SYSTEM$CLIENT_VERSION_INFO"), _client_versions),
    (("DROP", "SERVICE"), _drop),
    (("CREATE", "SECRET"), _create_secret),
)
