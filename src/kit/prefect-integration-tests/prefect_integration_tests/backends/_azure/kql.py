"""As much of the Kusto query language as it takes to look for log lines.

`Table | where Column == 'x' and Other startswith "y" | order by TimeGenerated asc | project A, B | take 10`, with the
operators `where`, `order by`/`sort by`, `project`, `take`/`limit`, `top`, `count`, `distinct`.

https://learn.microsoft.com/kusto/query
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from .arm_errors import Json

_TEXT = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|@\"[^\"]*\"|@'[^']*'"
_SPLIT = re.compile(rf"(?:{_TEXT})|//[^\n]*|\|")
_CONDITION = re.compile(
    rf"\s*(?P<column>\w+)\s*(?P<operator>==|!=|=~|!~|<=|>=|<|>|\w+~?|!\w+)\s*"
    rf"(?P<value>{_TEXT}|-?\d+(?:\.\d+)?|(?:datetime|ago|now)\s*\([^()]*\)|\((?:[^()\"']|{_TEXT})*\))\s*",
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class QueryError(ValueError):
    """A query that cannot be read."""


def run(query: str, table: Callable[[str], list[Json] | None], now: float) -> tuple[list[str], list[list[Any]]]:
    """Run a query.

    Args:
        query: The query.
        table: Gives the rows of a table, `None` when there is none of that name.
        now: Seconds since the epoch.

    Returns:
        Names of the columns, and the rows.

    Raises:
        QueryError: If it cannot be read.
    """
    name, *steps = _pieces(query)
    rows = table(name)
    if rows is None:
        raise QueryError(f"'where' operator: Failed to resolve table or column expression named '{name}'")
    columns = list(dict.fromkeys(key for row in rows for key in row)) or ["TimeGenerated", "Log_s"]
    for step in steps:
        rows, columns = _step(step, rows, columns, now)
    return columns, [[row.get(column) for column in columns] for row in rows]


def _pieces(query: str) -> list[str]:
    pieces, start = list[str](), 0
    text = query
    for found in _SPLIT.finditer(query):
        if found[0] == "|":
            pieces.append(text[start : found.start()].strip())
            start = found.end()
        elif found[0].startswith("//"):
            text = text[: found.start()] + " " * len(found[0]) + text[found.end() :]
    return [*pieces, text[start:].strip().rstrip(";")]


def _step(step: str, rows: list[Json], columns: list[str], now: float) -> tuple[list[Json], list[str]]:
    word, _, rest = step.partition(" ")
    rest = rest.strip()
    if word == "where":
        test = _read_where(rest, now)
        return [row for row in rows if test(row)], columns
    if word in ("order", "sort"):
        return _sorted(rows, rest.removeprefix("by").strip()), columns
    if word in ("take", "limit"):
        return rows[: int(rest)], columns
    if word == "top":
        count, _, order = rest.partition(" by ")
        return _sorted(rows, order)[: int(count)], columns
    if word == "project":
        pairs = [each.split("=") for each in rest.split(",")]
        names = [(pair[0].strip(), pair[-1].strip()) for pair in pairs]
        return [{new: row.get(old) for new, old in names} for row in rows], [new for new, _ in names]
    if word == "distinct":
        names = [each.strip() for each in rest.split(",")]
        found = dict.fromkeys(tuple(row.get(name) for name in names) for row in rows)
        return [dict(zip(names, each, strict=True)) for each in found], names
    if word == "count":
        return [{"Count": len(rows)}], ["Count"]
    raise QueryError(f"Query could not be parsed at '{word}': the local server does not know this operator")


def _sorted(rows: list[Json], order: str) -> list[Json]:
    for part in reversed(order.split(",")):
        column, _, way = part.strip().partition(" ")
        rows = sorted(
            rows, key=lambda row: (row.get(column) is not None, row.get(column)), reverse=way.strip() != "asc"
        )
    return rows


def _read_where(text: str, now: float) -> Callable[[Json], bool]:
    either: list[list[Callable[[Json], bool]]] = [[]]
    at = 0
    while True:
        found = _CONDITION.match(text, at)
        if found is None:
            raise QueryError(f"Query could not be parsed at '{text[at:].strip()}'")
        either[-1].append(_condition(found["column"], found["operator"], _value(found["value"], now)))
        at = found.end()
        if at >= len(text):
            return lambda row: any(all(test(row) for test in tests) for tests in either)
        word = re.match(r"(and|or)\b", text[at:])
        if word is None:
            raise QueryError(f"Query could not be parsed at '{text[at:].strip()}'")
        if word[1] == "or":
            either.append([])
        at += word.end()


def _value(text: str, now: float) -> Any:
    if text[0] == "(":
        return [_value(each[0], now) for each in re.finditer(rf"{_TEXT}|-?\d+(?:\.\d+)?", text)]
    if text[0] == "@":
        return text[2:-1]
    if text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text[0].isdigit() or text[0] == "-":
        return float(text)
    kind, _, inside = text.partition("(")
    inside = inside.rstrip(")").strip().strip("\"'")
    if kind.strip() == "datetime":
        return _time(inside)
    if kind.strip() == "ago":
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", inside)
        if found is None:
            raise QueryError(f"Query could not be parsed at '{text}'")
        now -= float(found[1]) * _UNITS[found[2]]
    return datetime.fromtimestamp(now, timezone.utc)


def _time(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00")))
    except ValueError:
        raise QueryError(f"Query could not be parsed at 'datetime({text})'") from None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "startswith": lambda left, right: left.lower().startswith(right.lower()),
    "startswith_cs": lambda left, right: left.startswith(right),
    "endswith": lambda left, right: left.lower().endswith(right.lower()),
    "contains": lambda left, right: right.lower() in left.lower(),
    "contains_cs": lambda left, right: right in left,
    "has": lambda left, right: re.search(rf"(?<![^\W_]){re.escape(right)}(?![^\W_])", left, re.IGNORECASE) is not None,
    "=~": lambda left, right: left.lower() == right.lower(),
}


def _condition(column: str, operator: str, wanted: Any) -> Callable[[Json], bool]:
    def value_of(row: Json) -> Any:
        value = row.get(column)
        return _time(value) if isinstance(wanted, datetime) and isinstance(value, str) else value

    if operator in ("in", "in~"):
        return lambda row: value_of(row) in wanted
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "==": lambda left, right: left == right,
        "!=": lambda left, right: left != right,
        "<": lambda left, right: left < right,
        "<=": lambda left, right: left <= right,
        ">": lambda left, right: left > right,
        ">=": lambda left, right: left >= right,
    }
    if operator in compare:
        test = compare[operator]
        return lambda row: value_of(row) is not None and test(value_of(row), wanted)
    is_not = operator.startswith("!")
    known = _TESTS.get({"!~": "=~"}.get(operator, operator.removeprefix("!")))
    if known is None:
        raise QueryError(f"Query could not be parsed at '{operator}': the local server does not know this operator")
    return lambda row: known(str(row.get(column) or ""), str(wanted)) != is_not
