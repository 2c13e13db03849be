"""Write an interface as text, one fact a line, and read it again.

What git shows of a changed line reads by itself: the line names the class and the function, and a module's name, which
is not indented, stands in the head of each hunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.interface.facts import (
    KEYWORD_ONLY,
    POSITIONAL_ONLY,
    POSITIONAL_OR_KEYWORD,
    VARIADIC_KEYWORD,
    VARIADIC_POSITIONAL,
    Alias,
    Attribute,
    Class,
    Fact,
    Function,
    Interface,
    Parameter,
)

FILE = "interface.txt"
_HEAD = "# What users of {name} can rely on. `just interface` writes it from the source."
_DISTRIBUTION = "distribution"
_ATTRIBUTE = re.compile(
    r"(?:(?P<word>field|member) )?(?P<name>[\w.]+)(?:: (?P<annotation>.*?))?(?: = (?P<value>.*?))?"
    r"(?P<extra>(?: \{[^{}]*\})*)"
)
_FUNCTION = re.compile(r"(?P<words>(?:[a-z]+ )*)def (?P<name>[\w.]+)(?: -> (?P<returns>.*))?")
_PARAMETER = re.compile(
    r"(?P<owner>[\w.]+)\((?P<star>\*\*|\*, |\*|)(?P<name>\w+)"
    r"(?:: (?P<annotation>.*?))?(?: = (?P<default>.*?))?(?P<only>, /)?\)"
)


class SnapshotError(Exception):
    """A line of a snapshot cannot be read; the message names file and line."""


def path_of(folder: Path) -> Path:
    """Name the snapshot of the package in a folder."""
    return folder / FILE


# --- writing ---------------------------------------------------------------------------------------------------------


def render(interface: Interface) -> str:
    """Write an interface down: names in order, parameters in the order in which they are given."""
    lines = [_HEAD.format(name=interface.name), "", _DISTRIBUTION]
    lines += [f"  {what} = {value}" if value else f"  {what}" for what, value in sorted(interface.distribution.items())]
    for module, facts in sorted(interface.modules.items()):
        lines += ["", module]
        for name, fact in sorted(facts.items(), key=lambda item: (item[0].lower(), item[0])):
            lines += [f"  {line}" for line in _lines(name, fact)]
    return "\n".join(lines) + "\n"


def _lines(name: str, fact: Fact) -> Iterator[str]:
    if isinstance(fact, Alias):
        module, _, origin = (fact.target or f"?.{name}").rpartition(".")
        yield f"from {module} import {name}" if origin == name else f"from {module} import {origin} as {name}"
    elif isinstance(fact, Class):
        yield f"class {name}({', '.join(fact.bases)})"
    elif isinstance(fact, Function):
        yield " ".join((*fact.words, "def", name)) + (f" -> {fact.returns}" if fact.returns else "")
        for parameter in fact.parameters:
            yield f"{name}({_parameter(parameter)})"
    else:
        line = f"{fact.word} {name}".lstrip()
        line += f": {fact.annotation}" if fact.annotation else ""
        line += f" = {fact.value}" if fact.value is not None else ""
        yield line + "".join(f" {{{each}}}" for each in fact.extra)


def _parameter(parameter: Parameter) -> str:
    stars = {VARIADIC_POSITIONAL: "*", VARIADIC_KEYWORD: "**", KEYWORD_ONLY: "*, "}
    text = stars.get(parameter.kind, "") + parameter.name
    text += f": {parameter.annotation}" if parameter.annotation else ""
    text += f" = {parameter.default}" if parameter.default is not None else ""
    return f"{text}, /" if parameter.kind == POSITIONAL_ONLY else text


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(text: str, where: str = FILE) -> Interface:
    """Read an interface that `render` has written.

    Args:
        text: The snapshot.
        where: What to call the file in messages.

    Raises:
        SnapshotError: If a line cannot be read.
    """
    lines = text.splitlines()
    name = lines[0].split()[4] if lines and lines[0].startswith("# What users of") else ""
    interface = Interface(name)
    facts: dict[str, Fact] | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith("  "):
            facts = None if line == _DISTRIBUTION else interface.modules.setdefault(line.strip(), {})
        elif facts is None:
            what, _, value = line.strip().partition(" = ")
            interface.distribution[what] = value
        elif not _read(line.strip(), facts):
            raise SnapshotError(f"{where}:{number}: cannot be read: {line.strip()!r}; run `just interface`")
    return interface


def _read(line: str, facts: dict[str, Fact]) -> bool:
    head, _, rest = line.partition(" ")
    if head == "class":
        name, _, bases = rest[:-1].partition("(")
        facts[name] = Class(tuple(bases.split(", ")) if bases else ())
        return True
    if head == "from" and " import " in rest:
        module, _, names = rest.partition(" import ")
        origin, _, name = names.partition(" as ")
        facts[name or origin] = Alias("" if module == "?" else f"{module}.{origin}")
        return True
    if (match := _PARAMETER.fullmatch(line)) is not None and isinstance(owner := facts.get(match["owner"]), Function):
        kinds = {"*": VARIADIC_POSITIONAL, "**": VARIADIC_KEYWORD, "*, ": KEYWORD_ONLY}
        kind = POSITIONAL_ONLY if match["only"] else kinds.get(match["star"], POSITIONAL_OR_KEYWORD)
        parameter = Parameter(match["name"], kind, match["annotation"], match["default"])
        facts[match["owner"]] = Function(owner.words, owner.returns, (*owner.parameters, parameter))
        return True
    if (match := _FUNCTION.fullmatch(line)) is not None:
        facts[match["name"]] = Function(tuple(match["words"].split()), match["returns"])
        return True
    if (match := _ATTRIBUTE.fullmatch(line)) is not None:
        extra = tuple(re.findall(r"\{([^{}]*)\}", match["extra"]))
        facts[match["name"]] = Attribute(match["word"] or "", match["annotation"], match["value"], extra)
        return True
    return False
