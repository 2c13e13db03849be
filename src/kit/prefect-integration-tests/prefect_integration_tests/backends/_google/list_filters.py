"""The filter language of Google's list methods, as far as services here speak it: https://google.aip.dev/160.

`state!="JOB_STATE_FAILED" OR display_name="my_job"`, `labels.team:*`, `NOT (a=1 AND b=2)`. `OR` binds tighter than
`AND`, and two terms side by side are both meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

Predicate = Callable[[Mapping[str, str]], bool]
"""Says whether a thing is meant, by its fields: `display_name`, `labels.team`."""

_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"(?:\\.|[^"\\])*")|(?P<operator>!=|<=|>=|=|<|>|:)|(?P<bracket>[()])|(?P<word>[^\s"=!<>:()]+))'
)


class BadFilter(Exception):
    """A filter cannot be read, or names a field that has none."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def read_filter(text: str, fields: Mapping[str, str]) -> Predicate:
    """Read a filter.

    Args:
        text: The filter; an empty one means everything.
        fields: The fields that may be named, each with the operators that it has, separated by spaces; a name that ends
            in `.` stands for a map.

    Raises:
        BadFilter: If it is none.
    """
    parser = _Parser(_tokens(text), fields)
    return parser.everything()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadFilter(f"Invalid filter at {text[position:]!r}.")
        kind = str(match.lastgroup)
        said = match[kind]
        if kind == "quoted":
            said = re.sub(r"\\(.)", r"\1", said[1:-1])
        tokens.append(_Token(kind, said))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], fields: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._fields = fields

    def everything(self) -> Predicate:
        if not self._tokens:
            return lambda _: True
        found = self._all()
        if self._tokens:
            raise BadFilter(f"Invalid filter at {self._tokens[0].text!r}.")
        return found

    def _is_next(self, kind: str, *texts: str) -> bool:
        return bool(self._tokens) and self._tokens[0].kind == kind and (not texts or self._tokens[0].text in texts)

    def _take(self, *kinds: str) -> _Token:
        if not self._tokens or self._tokens[0].kind not in kinds:
            raise BadFilter(
                "Invalid filter: it ends too early."
                if not self._tokens
                else f"Invalid filter at {self._tokens[0].text!r}."
            )
        return self._tokens.pop(0)

    def _all(self) -> Predicate:
        terms = [self._any()]
        while self._tokens and not self._is_next("bracket", ")"):
            if self._is_next("word", "AND"):
                self._tokens.pop(0)
            terms.append(self._any())
        return lambda item: all(term(item) for term in terms)

    def _any(self) -> Predicate:
        terms = [self._one()]
        while self._is_next("word", "OR"):
            self._tokens.pop(0)
            terms.append(self._one())
        return lambda item: any(term(item) for term in terms)

    def _one(self) -> Predicate:
        if self._is_next("word", "NOT"):
            self._tokens.pop(0)
            inner = self._one()
            return lambda item: not inner(item)
        if self._is_next("bracket", "("):
            self._tokens.pop(0)
            inner = self._all()
            if not self._is_next("bracket", ")"):
                raise BadFilter("Invalid filter: a bracket is not closed.")
            self._tokens.pop(0)
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        field = self._take("word").text
        operator = self._take("operator").text
        value = self._take("word", "quoted").text
        known = self._fields.get(field) or self._fields.get(f"{field.partition('.')[0]}.")
        if known is None or (field not in self._fields and not field.partition(".")[2]):
            raise BadFilter(f"Invalid filter: the field {field!r} cannot be filtered by.")
        if operator not in known.split():
            raise BadFilter(f"Invalid filter: the field {field!r} has no operator {operator!r}.")
        return _compared(field, operator, value)


def _compared(field: str, operator: str, value: str) -> Predicate:
    if operator == ":" and value == "*":
        return lambda item: field in item
    if operator == ":":
        return lambda item: fnmatchcase(item.get(field, ""), value)
    by: dict[str, Callable[[str], bool]] = {
        "=": lambda found: found == value,
        "!=": lambda found: found != value,
        "<": lambda found: found < value,
        "<=": lambda found: found <= value,
        ">": lambda found: found > value,
        ">=": lambda found: found >= value,
    }
    return lambda item: by[operator](item.get(field, ""))
