"""Names that a module gives by its `__getattr__`, found in its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_HAS_GETATTR = re.compile(r"^def __getattr__\(", re.MULTILINE)
_SAME_NAME = re.compile(r"\b(?P<name>[A-Za-z]\w*) as (?P=name)\b")


def redundant(source: str) -> frozenset[str]:
    """Name what is imported as itself, `from x import y as y`: by convention, for others to import from here."""
    return frozenset(match["name"] for match in _SAME_NAME.finditer(source))


def names(source: str, package: str) -> dict[str, list[str]]:
    """Find the names that a module gives when asked for them.

    Found are the keys of a table of the module that `__getattr__` looks the name up in, and names that it compares
    with, unless it then does nothing but raise.

    Args:
        source: The module.
        package: Dotted path of the package that its relative imports start from.

    Returns:
        Each name with the dotted paths where it may be defined, best first.
    """
    if not _HAS_GETATTR.search(source):
        return {}
    tree = ast.parse(source)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
    parameter = function.args.args[0].arg
    tables = {name: table for node in tree.body for name, table in _table(node)}
    found: dict[str, list[str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and _is_name(node.left, parameter):
            for other in node.comparators:
                for name, value in _compared(other, tables):
                    found.setdefault(name, []).extend(_paths(name, value, package))
    for node in ast.walk(function):
        if isinstance(node, ast.If) and all(isinstance(each, ast.Raise) for each in node.body):
            for name in _told_apart(node.test, parameter):
                found.pop(name, None)
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            module = absolute("." * node.level + (node.module or ""), package)
            for alias in node.names:
                if alias.name in found:
                    found[alias.name].insert(0, f"{module}.{alias.name}")
    return found


def absolute(module: str, package: str) -> str:
    """Write a relative module path, such as `..settings`, in full."""
    level = len(module) - len(module.lstrip("."))
    if not level:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [module[level:]])])


def _table(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    for target in targets:
        if isinstance(target, ast.Name) and isinstance(value, (ast.Dict, ast.Set, ast.List, ast.Tuple, ast.Call)):
            yield target.id, value


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _compared(node: ast.expr, tables: dict[str, ast.expr]) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, None
        return
    if isinstance(node, ast.Name):
        node = tables.get(node.id, node)
    if isinstance(node, ast.Call) and node.args:  # frozenset({…})
        node = node.args[0]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from ((k.value, v) for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str))
    elif isinstance(node, (ast.Set, ast.List, ast.Tuple)):
        yield from ((e.value, None) for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))


def _told_apart(test: ast.expr, parameter: str) -> Iterator[str]:
    """Name what `name == "x"` says when true: of such a name, the module only says that it is gone."""
    if isinstance(test, ast.Compare) and _is_name(test.left, parameter) and isinstance(test.ops[0], ast.Eq):
        other = test.comparators[0]
        if isinstance(other, ast.Constant) and isinstance(other.value, str):
            yield other.value


def _paths(name: str, value: ast.expr | None, package: str) -> Iterator[str]:
    """Guess where a name is from what the table says: a module, relative or not, or a module and a name."""
    texts = [value] if not isinstance(value, ast.Tuple) else value.elts
    said = [node.value for node in texts if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if len(said) == 2:
        yield f"{absolute(said[0], package)}.{said[1]}"
    elif len(said) == 1:
        module = said[0]
        yield f"{absolute(module, package)}.{name}"
        if not module.startswith("."):
            yield f"{package}.{module}.{name}"
