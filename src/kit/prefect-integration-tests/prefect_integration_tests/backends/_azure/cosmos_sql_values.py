"""What expressions of Cosmos DB's SQL are worth, for one item."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from .cosmos_sql import ArrayOf, Call, Literal, Member, Name, ObjectOf, Parameter, SqlRefused


class _Undefined:
    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Any = _Undefined()
"""What a property that is not there is worth."""

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})


def kind_of(value: Any) -> int:
    """The rank of a value's type in the order of Cosmos DB: undefined, null, boolean, number, text, array, object."""
    if value is UNDEFINED:
        return 0
    if value is None:
        return 1
    if isinstance(value, bool):
        return 2
    if isinstance(value, int | float):
        return 3
    if isinstance(value, str):
        return 4
    return 5 if isinstance(value, list) else 6


def sort_key(value: Any) -> tuple[int, Any]:
    """Sort values of any type."""
    kind = kind_of(value)
    if kind < 2:
        return kind, 0
    return kind, value if kind < 5 else json.dumps(value, sort_keys=True)


def text_of(value: Any) -> str:
    """Tell values apart."""
    return "undefined" if value is UNDEFINED else json.dumps(value, sort_keys=True)


class Scope:
    """Names and parameters that an expression may use."""

    def __init__(self, names: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.names = names
        self.parameters = parameters

    def value(self, node: Any) -> Any:
        """Evaluate.

        Raises:
            SqlRefused: If a name, parameter or function is not known.
        """
        if isinstance(node, Literal):
            return UNDEFINED if node.is_undefined else node.value
        if isinstance(node, Parameter):
            return self._parameter(node)
        if isinstance(node, Name):
            if node.name not in self.names:
                raise SqlRefused(f"Identifier '{node.name}' could not be resolved.")
            return self.names[node.name]
        if isinstance(node, Member):
            key = self._parameter(node.key) if isinstance(node.key, Parameter) else node.key
            return _member(self.value(node.of), key)
        if isinstance(node, ArrayOf):
            return [value for each in node.members if (value := self.value(each)) is not UNDEFINED]
        if isinstance(node, ObjectOf):
            return {name: value for name, each in node.members if (value := self.value(each)) is not UNDEFINED}
        assert isinstance(node, Call)
        return self._call(node)

    def _parameter(self, node: Parameter) -> Any:
        if node.name not in self.parameters:
            raise SqlRefused(f"The parameter '{node.name}' is not given.")
        return self.parameters[node.name]

    def _call(self, node: Call) -> Any:
        name = node.function
        if name in ("and", "or"):
            return self._logical(name, node.arguments)
        if name in AGGREGATES:
            raise SqlRefused(f"The aggregate '{name}' is only known in SELECT.")
        known = _FUNCTIONS.get(name)
        if known is None:
            raise SqlRefused(f"'{name}' is not a recognized built-in function name.")
        function, fewest, most = known
        if not fewest <= len(node.arguments) <= most:
            raise SqlRefused(f"The {name} function requires {fewest} argument(s).")
        return function(*(self.value(each) for each in node.arguments))

    def _logical(self, name: str, arguments: tuple[Any, ...]) -> Any:
        values = [self.value(each) for each in arguments]
        decisive = name == "or"
        if any(value is decisive for value in values):
            return decisive
        return (not decisive) if all(isinstance(value, bool) for value in values) else UNDEFINED


def names_in(node: Any) -> set[str]:
    """All functions that an expression calls."""
    if isinstance(node, Call):
        return {node.function}.union(*map(names_in, node.arguments))
    if isinstance(node, Member):
        return names_in(node.of)
    if isinstance(node, ArrayOf):
        return set[str]().union(*map(names_in, node.members))
    if isinstance(node, ObjectOf):
        return set[str]().union(*(names_in(each) for _, each in node.members))
    return set()


def _member(of: Any, key: Any) -> Any:
    if isinstance(of, dict) and isinstance(key, str):
        return cast("dict[str, Any]", of).get(key, UNDEFINED)
    if isinstance(of, list) and isinstance(key, int) and 0 <= key < len(cast("list[Any]", of)):
        return cast("list[Any]", of)[key]
    return UNDEFINED


def _equal(left: Any, right: Any) -> Any:
    if UNDEFINED in (left, right) or kind_of(left) != kind_of(right):
        return UNDEFINED
    return left == right


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def function(left: Any, right: Any) -> Any:
        kinds = {kind_of(left), kind_of(right)}
        return compare(left, right) if len(kinds) == 1 and kinds <= {2, 3, 4} else UNDEFINED

    return function


def _numbers(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def function(left: Any, right: Any) -> Any:
        if kind_of(left) != 3 or kind_of(right) != 3:
            return UNDEFINED
        try:
            return compute(left, right)
        except ZeroDivisionError:
            return UNDEFINED

    return function


def _divided(left: Any, right: Any) -> Any:
    result = left / right
    return int(result) if result == int(result) else result


def _of_text(compute: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda text: compute(text) if kind_of(text) == 4 else UNDEFINED


def _of_texts(compute: Callable[[str, str], Any]) -> Callable[..., Any]:
    """A function of two texts; a third argument `true` ignores the case."""

    def function(left: Any, right: Any, ignores_case: Any = False) -> Any:
        if kind_of(left) != 4 or kind_of(right) != 4:
            return UNDEFINED
        return compute(left.lower(), right.lower()) if ignores_case is True else compute(left, right)

    return function


def _like(text: Any, pattern: Any) -> Any:
    if kind_of(text) != 4 or kind_of(pattern) != 4:
        return UNDEFINED
    wild = {"%": ".*", "_": "."}
    expression = "".join(wild.get(character) or re.escape(character) for character in str(pattern))
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _in(value: Any, *values: Any) -> Any:
    return UNDEFINED if value is UNDEFINED else any(_equal(value, each) is True for each in values)


def _array_contains(array: Any, value: Any, is_partial: Any = False) -> Any:
    if not isinstance(array, list):
        return UNDEFINED
    members = cast("list[Any]", array)
    if is_partial is True and isinstance(value, dict):
        wanted = cast("dict[str, Any]", value)
        return any(isinstance(each, dict) and wanted.items() <= each.items() for each in members)
    return any(_equal(each, value) is True for each in members)


def _is(*kinds: int) -> Callable[[Any], bool]:
    return lambda value: kind_of(value) in kinds


def _number(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: compute(value) if kind_of(value) == 3 else UNDEFINED


def _concatenated(*texts: Any) -> Any:
    return "".join(texts) if all(kind_of(text) == 4 for text in texts) else UNDEFINED


def _length(array: Any) -> Any:
    return len(cast("list[Any]", array)) if isinstance(array, list) else UNDEFINED


def _unequal(left: Any, right: Any) -> Any:
    same = _equal(left, right)
    return UNDEFINED if same is UNDEFINED else not same


_UNARY: dict[str, Callable[[Any], Any]] = {
    "not": lambda value: not value if isinstance(value, bool) else UNDEFINED,
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": _is(1),
    "IS_BOOL": _is(2),
    "IS_NUMBER": _is(3),
    "IS_STRING": _is(4),
    "IS_ARRAY": _is(5),
    "IS_OBJECT": _is(6),
    "ABS": _number(abs),
    "CEILING": _number(math.ceil),
    "FLOOR": _number(math.floor),
    "ROUND": _number(round),
    "LOWER": _of_text(str.lower),
    "UPPER": _of_text(str.upper),
    "LENGTH": _of_text(len),
    "ARRAY_LENGTH": _length,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "=": _equal,
    "!=": _unequal,
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "+": _numbers(lambda a, b: a + b),
    "-": _numbers(lambda a, b: a - b),
    "*": _numbers(lambda a, b: a * b),
    "/": _numbers(_divided),
    "%": _numbers(math.fmod),
    "||": _of_texts(lambda a, b: a + b),
    "??": lambda a, b: b if a is UNDEFINED else a,
    "like": _like,
}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    **{name: (function, 1, 1) for name, function in _UNARY.items()},
    **{name: (function, 2, 2) for name, function in _BINARY.items()},
    "in": (_in, 1, 10_000),
    "STARTSWITH": (_of_texts(str.startswith), 2, 3),
    "ENDSWITH": (_of_texts(str.endswith), 2, 3),
    "CONTAINS": (_of_texts(lambda a, b: b in a), 2, 3),
    "CONCAT": (_concatenated, 2, 100),
    "ARRAY_CONTAINS": (_array_contains, 2, 3),
}
"""Functions and operators, with how many arguments they take at least and at most."""


def aggregate(name: str, values: Sequence[Any]) -> Any:
    """Compute an aggregate over the values of its argument.

    Args:
        name: `COUNT` and so on.
        values: One for each item; undefined ones do not count.
    """
    defined = [value for value in values if value is not UNDEFINED]
    if name == "COUNT":
        return len(defined)
    if name in ("MIN", "MAX"):
        return (min if name == "MIN" else max)(defined, key=sort_key) if defined else UNDEFINED
    if any(kind_of(value) != 3 for value in defined):
        return UNDEFINED
    if name == "SUM":
        return sum(defined)
    return _divided(sum(defined), len(defined)) if defined else UNDEFINED
