"""What a package has ever published: names and parameters of every release, in one file that only grows.

`InterfaceSuite` of prefect-integration-tests reads it and tests that all of it still works.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import cast

from scripts.interface import snapshot
from scripts.interface.facts import Alias, Attribute, Class, Fact, Function, Interface
from scripts.workspace import ROOT

FILE = "tests/published.txt"
_HEAD = (
    "# Names and parameters of every release. They stay. `python -m scripts.interface published {name}` adds those of"
    "\n# the present version; tests check that each still works."
)

Names = dict[str, dict[str, "list[str] | None"]]


def path_of(folder: Path) -> Path:
    """Name the file of the package in a folder."""
    return folder / FILE


def parse(text: str) -> Names:
    """Read the file, as the suite does that tests what is in it.

    Args:
        text: Its content.
    """
    # By its place: who only makes a release has neither that package nor pytest, which it needs, installed.
    suites = ROOT / "src" / "kit" / "prefect-integration-tests" / "prefect_integration_tests"
    return cast("Callable[[str], Names]", runpy.run_path(str(suites / "published.py"))["parse"])(text)


def with_release(text: str, written: str) -> str:
    """Add to the file what a package offers at its release.

    Args:
        text: The file; empty for a package that has none yet.
        written: The package's `interface.txt`.
    """
    interface = snapshot.parse(written)
    return render(interface.name, merged(parse(text), names_of(interface)))


def render(name: str, names: Names) -> str:
    """Write the file.

    Args:
        name: Name of the distribution.
        names: What it has published.
    """
    lines = [_HEAD.format(name=name)]
    for module, inside in sorted(names.items()):
        lines += ["", module]
        for each, parameters in sorted(inside.items(), key=lambda item: (item[0].lower(), item[0])):
            lines.append(f"  {each}" if parameters is None else f"  {each}({', '.join(parameters)})")
    return "\n".join(lines) + "\n"


def merged(names: Names, more: Names) -> Names:
    """Add names and parameters to what is known; nothing goes."""
    result: Names = {module: dict(inside) for module, inside in names.items()}
    for module, inside in more.items():
        known = result.setdefault(module, {})
        for name, parameters in inside.items():
            before = known.get(name)
            known[name] = before if parameters is None else list(dict.fromkeys([*(before or []), *parameters]))
    return result


def names_of(interface: Interface) -> Names:
    """List the names of an interface, with the parameters that can be given by name."""
    return {module: _names(facts) for module, facts in interface.modules.items()}


def _names(facts: dict[str, Fact]) -> dict[str, list[str] | None]:
    found: dict[str, list[str] | None] = {}
    for name, fact in facts.items():
        last = name.rpartition(".")[2]
        if isinstance(fact, Function) and not last.startswith("_"):
            named = [p.name for p in fact.parameters if not p.is_variadic and p.kind != "positional-only"]
            found[name] = None if "property" in fact.words else named
        elif isinstance(fact, Class):
            found[name] = _construction(name, facts)
        elif isinstance(fact, Alias) or (isinstance(fact, Attribute) and ("." not in name or fact.word == "member")):
            found[name] = None
    return found


def _construction(name: str, facts: dict[str, Fact]) -> list[str] | None:
    init = facts.get(f"{name}.__init__")
    if isinstance(init, Function):
        return [p.name for p in init.parameters if not p.is_variadic and p.kind != "positional-only"]
    fields = [
        each.removeprefix(f"{name}.")
        for each, fact in facts.items()
        if each.rpartition(".")[0] == name and isinstance(fact, Attribute) and fact.word == "field"
    ]
    return fields or None
