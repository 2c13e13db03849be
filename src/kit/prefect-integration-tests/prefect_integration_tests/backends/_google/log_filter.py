"""The filter language of Cloud Logging: https://cloud.google.com/logging/docs/view/logging-query-language."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from .errors import Json, invalid_argument

Test = Callable[[Json], bool]

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")

_TOKEN = re.compile(
    r"""\s*(?:(?P<comment>--[^\n]*)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<operator><=|>=|!=|=~|!~|=|<|>|:|\(|\)|,)
    |(?P<minus>-(?=[\w"(]))
    |(?P<dot>\.)
    |(?P<word>[^\s"'()=<>!:,.~][^\s"'()=<>!:,~.]*(?:\.\d[^\s"'()=<>!:,~]*)?))""",
    re.VERBOSE,
)
_COMPARISONS = frozenset({"=", "!=", ">", ">=", "<", "<=", ":", "=~", "!~"})


def log_filter(text: str) -> Test:
    """Read a filter.

    Args:
        text: Empty for one that lets everything through.

    Returns:
        Whether an entry passes.

    Raises:
        ApiError: 400, of a filter that cannot be parsed.
    """
    parser = _Parser(text)
    if not parser.tokens:
        return lambda entry: True
    test = parser.disjunction()
    if parser.tokens:
        raise parser.unparseable()
    return test


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.unparseable()
            kind = found.lastgroup or ""
            if kind != "comment":
                self.tokens.append((kind, found[kind]))
            at = found.end()

    def unparseable(self) -> Exception:
        said = f"Unparseable filter: syntax error in {self._text!r}"
        return invalid_argument(said, ("filter", said))

    def _peek(self, *wanted: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] != "string" and self.tokens[0][1] in wanted

    def _take(self) -> tuple[str, str]:
        if not self.tokens:
            raise self.unparseable()
        return self.tokens.pop(0)

    # "The NOT operator has the highest precedence, followed by OR and AND in that order."

    def disjunction(self) -> Test:
        tests = [self._alternatives()]
        while self.tokens and not self._peek(")"):
            if self._peek("AND"):
                self._take()
            tests.append(self._alternatives())
        return _all(tests)

    def _alternatives(self) -> Test:
        tests = [self._negation()]
        while self._peek("OR"):
            self._take()
            tests.append(self._negation())
        return _any(tests)

    def _negation(self) -> Test:
        if self._peek("NOT", "-"):
            self._take()
            return _not(self._negation())
        if self._peek("("):
            self._take()
            test = self.disjunction()
            self._expect(")")
            return test
        return self._comparison()

    def _expect(self, wanted: str) -> None:
        if not self._peek(wanted):
            raise self.unparseable()
        self._take()

    def _comparison(self) -> Test:
        path = [self._operand()]
        while self.tokens and self.tokens[0] == ("dot", "."):
            self._take()
            path.append(self._operand())
        if not (self.tokens and self.tokens[0][0] == "operator" and self.tokens[0][1] in _COMPARISONS):
            return _anywhere(".".join(path))
        operator = self._take()[1]
        if self._peek("("):
            return self._list(path, operator)
        return _compare(path, operator, self._value())

    def _value(self) -> str:
        value = self._operand()
        while self.tokens and self.tokens[0] == ("dot", "."):
            self._take()
            value += f".{self._operand()}"
        return value

    def _list(self, path: list[str], operator: str) -> Test:
        self._take()
        tests, is_any = [_compare(path, operator, self._value())], True
        while not self._peek(")"):
            is_any = self._take()[1] == "OR"
            tests.append(_compare(path, operator, self._value()))
        self._take()
        return _any(tests) if is_any else _all(tests)

    def _operand(self) -> str:
        kind, text = self._take()
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind != "word":
            raise self.unparseable()
        return text


def _all(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda entry: all(test(entry) for test in tests)


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda entry: any(test(entry) for test in tests)


def _not(test: Test) -> Test:
    return lambda entry: not test(entry)


def _anywhere(text: str) -> Test:
    return lambda entry: any(text.lower() in value.lower() for value in _texts(entry))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in cast("Json", value).values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in cast("list[Any]", value) for text in _texts(each)]
    return [str(value)]


def _find(entry: Json, path: list[str]) -> Any:
    value: Any = entry
    for key in path:
        if not isinstance(value, dict):
            return None
        fields = cast("Json", value)
        camel = re.sub(r"_(\w)", lambda found: found[1].upper(), key)
        value = fields.get(key, fields.get(camel))
    return value


def _compare(path: list[str], operator: str, wanted: str) -> Test:
    def test(entry: Json) -> bool:
        found = _find(entry, path)
        if found is None and path == ["severity"]:
            found = SEVERITIES[0]
        if operator == ":":
            if wanted == "*":
                return found is not None
            return any(wanted.lower() in text.lower() for text in _texts(found)) if found is not None else False
        if operator in ("=~", "!~"):
            return (found is not None and re.search(wanted, str(found)) is not None) is (operator == "=~")
        if operator == "!=":
            return not (found is not None and _key(path, found) == _key(path, wanted))
        if found is None:
            return False
        left, right = _key(path, found), _key(path, wanted)
        return {
            "=": left == right,
            ">": left > right,
            ">=": left >= right,
            "<": left < right,
            "<=": left <= right,
        }[operator]

    return test


def _key(path: list[str], value: Any) -> tuple[int, Any]:
    """Make values of one field comparable: severities by rank, times, numbers, and text without regard to case."""
    text = str(value)
    if path == ["severity"] and text.upper() in SEVERITIES:
        return 0, SEVERITIES.index(text.upper())
    if path[-1] in ("timestamp", "receiveTimestamp", "receive_timestamp"):
        try:
            return 1, datetime.fromisoformat(_whole(text)).timestamp()
        except ValueError as exc:
            raise invalid_argument(f"Unparseable filter: invalid timestamp {text!r}", ("filter", str(exc))) from exc
    try:
        return 2, float(text)
    except ValueError:
        return 3, text.lower()


def _whole(text: str) -> str:
    """Write a time as Python 3.10 reads it: at most microseconds, and an offset."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?)?([Zz]|[+-]\d\d:\d\d)?", text)
    if found is None:
        return text
    fraction = (found[3] or "").ljust(6, "0")[:6]
    offset = "+00:00" if found[4] in (None, "Z", "z") else found[4]
    return f"{found[1]}T{found[2] or '00:00:00'}.{fraction}{offset}"
