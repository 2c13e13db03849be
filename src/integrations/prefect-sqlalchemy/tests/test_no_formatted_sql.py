"""No statement is put together from values: neither in the package nor in what it shows to users."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import prefect_sqlalchemy
from prefect_integration_tests.docstrings import examples

PACKAGE = Path(prefect_sqlalchemy.__file__).parent
PAGES = [
    PACKAGE.parent / "README.md",
    *sorted((PACKAGE.parents[3] / "docs/integrations/prefect-sqlalchemy").glob("*.mdx")),
]
SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|(CREATE|DROP|ALTER|TRUNCATE)\s+TABLE|KILL|CALL"
    r"|MERGE\s+INTO|REPLACE\s+INTO|WITH\s+\S+\s+AS)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_quoting(node):
    """Whether a name is quoted here."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "quote_identifier"


def formatted_sql(tree):
    """Lines where text that looks like SQL is put together: f-strings, `%`, `+`, `.format`.

    Names that `quote_identifier` gives may stand in f-strings.
    """
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and is_quoting(node.value)]
    quoted = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        parts = None
        if isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in node.values):
            values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            if all(is_quoting(value) or getattr(value, "id", None) in quoted for value in values):
                continue
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            parts = [side.value for side in (node.left, node.right) if isinstance(side, ast.Constant)]
            if len(parts) == 2:
                parts = None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            parts = [node.func.value.value] if isinstance(node.func.value, ast.Constant) else None
        texts = [part for part in parts or [] if isinstance(part, str)]
        if texts and SQL.match(" ".join(texts) + " "):
            yield node.lineno


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_the_package_formats_no_sql(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(formatted_sql(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            for example in examples(ast.get_docstring(node) or ""):
                assert not list(formatted_sql(ast.parse(example.code)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_pages_format_no_sql(path):
    for code in re.findall(r"^ *```python.*?\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        import textwrap

        assert not list(formatted_sql(ast.parse(textwrap.dedent(code))))


@pytest.mark.parametrize(
    "code",
    [
        'c.execute(f"SELECT * FROM {t}")',
        "c.execute(\"DELETE FROM t WHERE a = '%s'\" % a)",
        "c.execute('INSERT INTO ' + t)",
        "c.execute('UPDATE {} SET a = 1'.format(t))",
    ],
)
def test_the_lint_finds_what_it_looks_for(code):
    assert list(formatted_sql(ast.parse(code)))
