"""Look for forbidden constructs in source code, without running it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHELLS = frozenset(
    {
        "os.system",
        "os.popen",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "asyncio.create_subprocess_shell",
        "asyncio.subprocess.create_subprocess_shell",
        "pty.spawn",
    }
)

_PRIVATE = ("prefect._internal", "prefect._experimental")


def source_tree(folder: Path, tests: type) -> Path | None:
    """Find the source tree of an integration: the folder with its `pyproject.toml`.

    Args:
        folder: The folder of its import package.
        tests: A class of its tests. They are in the source tree even when a wheel is tested.

    Returns:
        The folder; `None` if there is none.
    """
    homes = [folder.parent, *Path(inspect.getfile(tests)).resolve().parents]
    return next((home for home in homes if (home / "pyproject.toml").is_file() and (home / folder.name).is_dir()), None)


def _names_by_alias(tree: ast.AST) -> dict[str, str]:
    """Map local names to the dotted names that imports bind them to."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Resolve `a.b.c` to the dotted name it was imported by; empty if it is something else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each absolute import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def shell_calls(source: str) -> list[tuple[int, str]]:
    """Find calls that hand a command line to a shell.

    Args:
        source: Python source code.

    Returns:
        Line number and construct of each.
    """
    tree = ast.parse(source)
    names = _names_by_alias(tree)
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func, names)
        if called in _SHELLS:
            found.append((node.lineno, called))
        for keyword in node.keywords:
            off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if keyword.arg == "shell" and called.startswith(("subprocess.", "asyncio.")) and not off:
                found.append((node.lineno, f"{called}(shell=…)"))
    return found


def private_imports(source: str) -> list[tuple[int, str]]:
    """Find imports of Prefect's private modules.

    Args:
        source: Python source code.

    Returns:
        Line number and dotted name of each.
    """
    return [
        (line, name)
        for line, name in _imports(ast.parse(source))
        if any(f"{name}.".startswith(f"{private}.") for private in _PRIVATE)
    ]


def foreign_imports(source: str, package: str, allowed: frozenset[str]) -> list[tuple[int, str]]:
    """Find imports of other integrations that happen at run time.

    Args:
        source: Python source code.
        package: The integration that the source belongs to.
        allowed: Integrations that it may import.

    Returns:
        Line number and dotted name of each.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = [ast.Pass(lineno=node.lineno, col_offset=0)]
    known = {package, "prefect_integration_kit", *allowed}
    return [
        (line, name)
        for line, name in _imports(tree)
        if name.startswith("prefect_") and name.partition(".")[0] not in known
    ]


def scan(root: Path, find: Callable[[str], list[tuple[int, str]]]) -> list[str]:
    """Look into every Python file below a folder.

    Args:
        root: The folder.
        find: One of the functions above.

    Returns:
        `path:line: construct` of each find.
    """
    return [
        f"{path.relative_to(root.parent)}:{line}: {what}"
        for path in sorted(root.rglob("*.py"))
        for line, what in find(path.read_text(encoding="utf-8"))
    ]
