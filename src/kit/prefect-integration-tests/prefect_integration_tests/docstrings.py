"""Read Google-style docstrings: sections, documented parameters, examples."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_SECTION = re.compile(r"^(Args|Arguments|Attributes|Parameters):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(?P<name>\w+)\s*(\([^)]*\))?:")
_FENCE = re.compile(
    r"^(?P<indent>[ ]*)(?P<mark>`{3,})(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=mark)`*[ ]*$",
    re.DOTALL | re.MULTILINE,
)


def documented_parameters(doc: str) -> set[str]:
    """Name the parameters that the `Args` and `Attributes` sections of a docstring describe.

    Args:
        doc: A docstring, cleaned of its indentation.
    """
    names: set[str] = set()
    entry_indent: int | None = None
    inside = False
    for line in doc.splitlines():
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if _SECTION.match(line):
            inside, entry_indent = True, None
        elif inside and text and indent == 0:
            inside = False
        elif inside and text:
            entry_indent = indent if entry_indent is None else entry_indent
            match = _ENTRY.match(text)
            if indent == entry_indent and match:
                names.update(part for part in (match["name"],) if part)
    return names


@dataclass(frozen=True)
class Example:
    """A fenced block of code.

    Attributes:
        language: First word behind the fence, such as `python`; empty if there is none.
        flags: The other words, such as `runnable`.
        code: The code without its common indentation.
    """

    language: str
    flags: frozenset[str]
    code: str

    @property
    def runnable(self) -> bool:
        """Whether the author promises that the example runs as it stands."""
        return "runnable" in self.flags


def examples(text: str) -> list[Example]:
    """Find the fenced blocks of a docstring or a Markdown page.

    Args:
        text: A cleaned docstring or the content of a Markdown file.
    """
    found: list[Example] = []
    for match in _FENCE.finditer(text):
        language, *flags = match["info"].split() or [""]
        indent = match["indent"]
        lines = (line.removeprefix(indent) for line in match["code"].splitlines())
        found.append(Example(language.lower(), frozenset(flags), "\n".join(lines) + "\n"))
    return found


def compile_example(example: Example, name: str) -> None:
    """Compile a Python example; `await` may stand at its top level.

    Args:
        example: The example.
        name: Where it stands, for the error.

    Raises:
        SyntaxError: If it is not Python.
    """
    compile(example.code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
