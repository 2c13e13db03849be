"""Take the pages of a guide apart: their fenced blocks, and the marks that say which of them run.

A mark is an MDX comment on a line of its own, directly above the fence that it speaks of, since words behind the
language would become the title of the block on the site:

| mark | above | meaning |
| --- | --- | --- |
| `{/* runnable */}` | Python, YAML, bash | the block runs in the tests |
| `{/* not runnable: reason */}` | Python | it does not, and why |
| `{/* output */}` | text below a runnable block | the block prints exactly that |
| `{/* message */}` | text | an error that the package's tests provoke says exactly that |

In the text, `…` stands for any characters of one line.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import CodeType

PYTHON = frozenset({"py", "python"})
YAML = frozenset({"yaml", "yml"})
SHELL = frozenset({"bash", "sh"})
_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$")
_MARK = re.compile(r"^\s*\{/\*\s*(?P<word>runnable|not runnable|output|message)\b:?\s*(?P<rest>.*?)\s*\*/\}\s*$")


@dataclass(frozen=True)
class Mark:
    """A comment that says something of the block below it.

    Attributes:
        word: `runnable`, `not runnable`, `output` or `message`.
        rest: What follows the word, such as a reason.
        line: Where it stands.
    """

    word: str
    rest: str
    line: int


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide.

    Attributes:
        path: The page.
        heading: The heading above it; empty at the top of the page.
        language: First word behind the fence, in lower case.
        code: The code without its common indentation.
        line: Line of the page on which the code begins.
        mark: The mark above it.
        output: What it must print; `None` if the page does not say.
    """

    path: Path
    heading: str
    language: str
    code: str
    line: int
    mark: Mark | None = None
    output: str | None = None

    @property
    def is_python(self) -> bool:
        """Whether the block is Python."""
        return self.language in PYTHON

    @property
    def is_runnable(self) -> bool:
        """Whether the page says that the block runs."""
        return self.mark is not None and self.mark.word == "runnable"

    @property
    def where(self) -> str:
        """Page and line, as a traceback has them."""
        return f"{self.path}:{self.line}"

    def compile(self) -> CodeType:
        """Compile Python code so that its lines are those of the page; `await` may stand at its top level.

        Raises:
            SyntaxError: If it is not Python; its line is that of the page.
        """
        padded = "\n" * (self.line - 1) + self.code
        return compile(padded, str(self.path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@dataclass
class Page:
    """One page of a guide, taken apart.

    Attributes:
        path: The file.
        name: Its path within the guide, without extension.
        blocks: Its fenced blocks, in order.
        problems: Marks that stand in the wrong place, as `path:line: what`.
    """

    path: Path
    name: str
    blocks: list[Block] = field(default_factory=list["Block"])
    problems: list[str] = field(default_factory=list[str])

    @property
    def runnable(self) -> list[Block]:
        """The blocks that run."""
        return [block for block in self.blocks if block.is_runnable]

    @property
    def messages(self) -> list[Block]:
        """The messages of errors that the page shows."""
        return [block for block in self.blocks if block.mark is not None and block.mark.word == "message"]

    def source(self) -> str:
        """The page's Python, line for line, with all else blank: what `inspect.getsource` looks into."""
        lines: list[str] = []
        for block in self.blocks:
            if block.is_python:
                lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
        return "\n".join(lines) + "\n"


def read_page(path: Path, name: str) -> Page:
    """Take a page apart.

    Args:
        path: The file.
        name: How to call it.
    """
    page = Page(path, name)
    heading, opening, opened = "", None, 0
    marks: dict[int, Mark] = {}
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if opening is None:
            if fence is not None:
                opening, opened = fence, number
            elif (mark := _MARK.match(line)) is not None:
                marks[number] = Mark(mark["word"], mark["rest"], number)
            elif (title := _HEADING.match(line)) is not None:
                heading = title[1].replace("`", "")
        elif fence is not None and fence["mark"].startswith(opening["mark"]) and not fence["info"].strip():
            width = len(opening["indent"])
            code = [text[min(width, len(text) - len(text.lstrip())) :] for text in lines[opened : number - 1]]
            language = (opening["info"].split() or [""])[0].lower()
            above = marks.pop(opened - 1, None)
            _add(page, Block(path, heading, language, "\n".join(code) + "\n", opened + 1, above))
            opening = None
    page.problems += [f"{path}:{mark.line}: there is no block directly below this mark" for mark in marks.values()]
    return page


def _add(page: Page, block: Block) -> None:
    """Put a block on its page, or what it prints to the block above."""
    mark = block.mark
    if mark is not None:
        allowed = {
            "runnable": PYTHON | YAML | SHELL,
            "not runnable": PYTHON,
            "output": frozenset({"text"}),
            "message": frozenset({"text"}),
        }[mark.word]
        if block.language not in allowed:
            page.problems.append(f"{page.path}:{mark.line}: `{mark.word}` fits no block of {block.language or 'text'}")
        if (mark.word == "not runnable") != bool(mark.rest):
            what = "say why: `{/* not runnable: reason */}`" if not mark.rest else f"`{mark.rest}` is too much"
            page.problems.append(f"{page.path}:{mark.line}: {what}")
    if mark is not None and mark.word == "output":
        last = page.blocks[-1] if page.blocks else None
        if last is None or not last.is_runnable:
            page.problems.append(f"{page.path}:{mark.line}: no runnable block stands above this output")
        else:
            page.blocks[-1] = replace(last, output=block.code)
            return
    page.blocks.append(block)


@cache
def find_guide(start: Path, distribution: str) -> Path | None:
    """Find the folder of a package's guide.

    It is `docs/integrations/<distribution>` in a folder above, or else `docs` beside the folder of the tests.

    Args:
        start: The folder of the tests.
        distribution: Name of the package on the index.
    """
    for folder in start.parents:
        if (found := folder / "docs" / "integrations" / distribution).is_dir():
            return found
    own = start.parent / "docs"
    return own if own.is_dir() else None


@cache
def read_guide(folder: Path, more: tuple[str, ...] = ()) -> list[Page]:
    """Take the pages of a guide apart, without those that are generated.

    Args:
        folder: The folder of the guide.
        more: Further pages, relative to the folder.
    """
    own = [path for path in sorted(folder.rglob("*.mdx")) if "api-ref" not in path.relative_to(folder).parts]
    others = [(folder / name).resolve() for name in more]
    return [
        *(read_page(path, path.relative_to(folder).with_suffix("").as_posix()) for path in own),
        *(read_page(path, f"{path.parent.name}/{path.stem}") for path in others),
    ]


def matches(promised: str, said: str) -> bool:
    """Say whether text is what a page promises.

    Args:
        promised: The text of the page, where `…` stands for any characters of one line.
        said: The text itself. Blanks at the ends of lines do not count.
    """
    promised, said = ("\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in (promised, said))
    return re.fullmatch(".*".join(map(re.escape, promised.split("…"))), said) is not None
