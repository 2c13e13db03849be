"""Compare types as they are written: whether one takes whatever another takes."""

from __future__ import annotations

import ast
import string
from functools import lru_cache

_SAME = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "FrozenSet": "frozenset", "Type": "type"}
_TRANSPARENT = frozenset({"Annotated", "ClassVar", "Final", "Required", "NotRequired", "ReadOnly"})
_UNKNOWN = frozenset({"Any", "Self", *string.ascii_uppercase})  # single letters are type variables
_SEQUENCES = frozenset({"Sequence", "Collection", "Iterable", "Container", "Reversible"})
# What each type is, too. Only what every reader of Python takes for granted; the rest must be the same text.
_ALSO: dict[str, frozenset[str]] = {
    "bool": frozenset({"int", "float", "complex"}),
    "int": frozenset({"float", "complex"}),
    "float": frozenset({"complex"}),
    "list": _SEQUENCES | {"MutableSequence"},
    "tuple": _SEQUENCES,
    "Sequence": frozenset({"Collection", "Iterable", "Container", "Reversible"}),
    "set": frozenset({"AbstractSet", "MutableSet", "Collection", "Iterable", "Container"}),
    "frozenset": frozenset({"AbstractSet", "Collection", "Iterable", "Container"}),
    "dict": frozenset({"Mapping", "MutableMapping", "Collection", "Iterable", "Container"}),
    "MutableMapping": frozenset({"Mapping"}),
    "Collection": frozenset({"Iterable", "Container"}),
    "Path": frozenset({"PurePath", "PathLike"}),
    "Coroutine": frozenset({"Awaitable"}),
    "Generator": frozenset({"Iterator", "Iterable"}),
    "Iterator": frozenset({"Iterable"}),
    "AsyncGenerator": frozenset({"AsyncIterator", "AsyncIterable"}),
    "AsyncIterator": frozenset({"AsyncIterable"}),
}


def is_covered(narrow: str | None, wide: str | None) -> bool:
    """Say whether every value of one type is a value of another, as far as the texts tell.

    A type that is not said, `Any` and type variables cover everything and are covered by everything.

    Args:
        narrow: The type that should be the narrower one.
        wide: The other.
    """
    small, large = _parts(narrow), _parts(wide)
    if small & _UNKNOWN or large & _UNKNOWN or "object" in large:
        return True
    return all(any(_is_a(each, other) for other in large) for each in small)


def _is_a(narrow: str, wide: str) -> bool:
    if narrow == wide:
        return True
    head, arguments = _split(narrow)
    if head == "Literal":
        value = type(ast.literal_eval(arguments)).__name__ if _is_literal(arguments) else ""
        return value == wide or wide in _ALSO.get(value, ())
    wide_head, wide_arguments = _split(wide)
    if wide_head != head and wide_head not in _ALSO.get(head, ()):
        return False
    if not wide_arguments or not arguments:
        return True
    ours, theirs = _listed(arguments), _listed(wide_arguments)
    return len(ours) == len(theirs) and all(is_covered(one, other) for one, other in zip(ours, theirs, strict=True))


def _split(text: str) -> tuple[str, str]:
    head, _, rest = text.partition("[")
    return head, rest[:-1]


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


@lru_cache(maxsize=4096)
def _listed(arguments: str) -> list[str]:
    try:
        node = ast.parse(f"({arguments},)", mode="eval").body
    except SyntaxError:
        return [arguments]
    return [ast.unparse(each) for each in node.elts] if isinstance(node, ast.Tuple) else [arguments]


@lru_cache(maxsize=8192)
def _parts(text: str | None) -> frozenset[str]:
    """List what a union is made of, each in one way of writing."""
    if text is None:
        return frozenset({"Any"})
    try:
        return frozenset(_of(ast.parse(text.strip(), mode="eval").body))
    except SyntaxError:
        return frozenset({" ".join(text.split())})


def _of(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant):
        return set(_parts(node.value)) if isinstance(node.value, str) else {repr(node.value)}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _of(node.left) | _of(node.right)
    if not isinstance(node, ast.Subscript):
        return {_name(node)}
    head = _name(node.value)
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if head == "Union":
        return set[str]().union(*map(_of, arguments))
    if head == "Optional":
        return _of(arguments[0]) | {"None"}
    if head in _TRANSPARENT:
        return _of(arguments[0])
    if head == "Literal":
        return {f"Literal[{ast.unparse(each)}]" for each in arguments}
    return {f"{head}[{', '.join(map(_argument, arguments))}]"}


def _argument(node: ast.expr) -> str:
    if isinstance(node, ast.List):  # the parameters of a Callable
        return f"[{', '.join(map(_argument, node.elts))}]"
    return " | ".join(sorted(_of(node)))


def _name(node: ast.expr) -> str:
    """Write a name without the module before it: a reader writes `Path` for `pathlib.Path`."""
    if isinstance(node, ast.Attribute):
        return _SAME.get(node.attr, node.attr)
    return _SAME.get(node.id, node.id) if isinstance(node, ast.Name) else ast.unparse(node)
