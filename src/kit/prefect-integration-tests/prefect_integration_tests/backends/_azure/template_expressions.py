"""The expression language of Azure Resource Manager's templates: `[concat(parameters('name'), '-x')]`.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?![\w.]))
      | '(?P<text>(?:[^']|'')*)'
      | (?P<name>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*(?=\())?)
      | (?P<mark>[()\[\],.])
    )""",
    re.VERBOSE,
)

Function = Callable[..., Any]


class TemplateError(ValueError):
    """An expression that cannot be read, or a function that cannot do it."""


class LazyArguments:
    """Arguments of `if`, each of which is only evaluated when it is needed."""

    def __init__(self, acts: list[Callable[[], Any]]) -> None:
        """Keep what gives the arguments."""
        self._acts = acts

    def __getitem__(self, index: int) -> Any:
        return self._acts[index]()

    def __len__(self) -> int:
        return len(self._acts)


def evaluate(value: Any, functions: Mapping[str, Function]) -> Any:
    """Replace the expressions in a value, however deep.

    Args:
        value: Any JSON.
        functions: By their names in lower case.

    Raises:
        TemplateError: Of one that cannot be evaluated.
    """
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        return {str(evaluate(key, functions)): evaluate(each, functions) for key, each in pairs.items()}
    if isinstance(value, list):
        return [evaluate(each, functions) for each in cast("list[Any]", value)]
    if not isinstance(value, str) or not is_expression(value):
        return value[1:] if isinstance(value, str) and value.startswith("[[") and value.endswith("]") else value
    return _Reader(value[1:-1], functions).read()


def is_expression(text: str) -> bool:
    """Say whether a text is an expression: `[...]`, but not `[[...]`."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


class _Reader:
    """Reads and evaluates one expression from left to right."""

    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self._text = text
        self._functions = functions
        self._at = 0
        self._token: tuple[str, str] | None = None
        self._next()

    def _next(self) -> tuple[str, str]:
        """Move on; gives the token that was passed."""
        passed = self._token or ("", "")
        if not self._text[self._at :].strip():
            self._token = None
            return passed
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.end() == self._at:
            raise self._problem()
        self._at = found.end()
        kind = cast("str", found.lastgroup)
        text = found[kind].replace("''", "'") if kind == "text" else found[kind]
        self._token = (kind, text)
        return passed

    def _problem(self) -> TemplateError:
        return TemplateError(f"Unable to parse language expression '{self._text}' at position '{self._at}'.")

    def _expect(self, mark: str) -> None:
        if self._token != ("mark", mark):
            raise self._problem()
        self._next()

    def read(self) -> Any:
        value = self._value()()
        if self._token is not None:
            raise self._problem()
        return value

    def _value(self) -> Callable[[], Any]:
        """Read one value, with what is picked out of it; evaluated when called."""
        kind, text = self._next()
        if kind == "number":
            act: Callable[[], Any] = lambda: int(text)  # noqa: E731
        elif kind == "text":
            act = lambda: text  # noqa: E731
        elif kind == "name":
            act = self._call(text)
        else:
            raise self._problem()
        while self._token in (("mark", "."), ("mark", "[")):
            act = self._picked(act)
        return act

    def _picked(self, of: Callable[[], Any]) -> Callable[[], Any]:
        _, mark = self._next()
        if mark == ".":
            kind, name = self._next()
            if kind != "name":
                raise self._problem()
            return lambda: _pick(of(), name)
        index = self._value()
        self._expect("]")
        return lambda: _pick(of(), index())

    def _call(self, name: str) -> Callable[[], Any]:
        function = self._functions.get(name.lower())
        if function is None:
            raise TemplateError(f"The template function '{name}' is not valid.")
        self._expect("(")
        arguments: list[Callable[[], Any]] = []
        while self._token != ("mark", ")"):
            arguments.append(self._value())
            if self._token == ("mark", ","):
                self._next()
            elif self._token != ("mark", ")"):
                raise self._problem()
        self._next()
        if name.lower() in ("if", "tryget"):
            return lambda: function(LazyArguments(arguments))
        return lambda: _called(name, function, [each() for each in arguments])


def _called(name: str, function: Function, arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except TemplateError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError) as exc:
        raise TemplateError(f"Unable to evaluate template language function '{name}': {exc}") from exc


def _pick(value: Any, index: Any) -> Any:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        for key, each in pairs.items():
            if key.lower() == str(index).lower():
                return each
        known = ", ".join(pairs)
        raise TemplateError(
            f"The language expression property '{index}' doesn't exist, available properties are '{known}'."
        )
    if isinstance(value, list) and isinstance(index, int):
        items = cast("list[Any]", value)
        if 0 <= index < len(items):
            return items[index]
        raise TemplateError(f"The language expression property array index '{index}' is out of bounds.")
    raise TemplateError(f"The language expression property '{index}' can't be evaluated.")
