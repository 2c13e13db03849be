"""Read the interface of packages from their source, with griffe. Nothing is imported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import griffe

from scripts import workspace
from scripts.interface import lazy, metadata
from scripts.interface.facts import Alias, Interface
from scripts.interface.members import Describer, Found
from scripts.workspace import Package

KIT = "prefect-integration-kit"
_NOT_A_VALUE = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple", "getLogger", "get_logger", "ContextVar"})


@dataclass
class Reading:
    """An interface, and where its facts stand.

    Attributes:
        interface: The facts.
        places: File and line of each dotted path.
    """

    interface: Interface
    places: dict[str, tuple[Path, int]] = field(default_factory=dict[str, tuple[Path, int]])


def published(members: Iterable[Package]) -> list[Package]:
    """List the packages that users install; the template, whose folder has another name, is none."""
    return [member for member in members if member.path.name == member.name]


def read(wanted: Iterable[Package], library: Library) -> list[Reading]:
    """Read the interfaces of packages.

    Args:
        wanted: The packages.
        library: All packages of the workspace, in which bases of classes are looked up.
    """
    return [_Reader(package, library).read() for package in wanted]


def is_public(path: str) -> bool:
    """Whether no component of a dotted path begins with an underscore."""
    return not any(part.startswith("_") for part in path.split("."))


class Library:
    """The packages of a workspace, each read when first asked for."""

    def __init__(self, members: list[Package]) -> None:
        self._members = {member.name: member for member in members}
        self._loaded: dict[str, griffe.Module] = {}
        self._loader = griffe.GriffeLoader(
            extensions=griffe.Extensions(),
            search_paths=[str(member.path) for member in members],
            allow_inspection=False,
            store_source=False,
        )

    def module(self, package: Package) -> griffe.Module:
        """Read a package, and those of the workspace that its classes may inherit from."""
        if package.name in self._loaded:
            return self._loaded[package.name]
        loaded = self._loader.load(package.module, try_relative_path=False)
        if not isinstance(loaded, griffe.Module):
            raise workspace.WorkspaceError(f"{package.path}: there is no package {package.module}")
        self._loaded[package.name] = loaded
        for name in (KIT, *sorted(package.needs)):
            other = self._members.get(name)
            if other is not None and name != package.name and (name == KIT or other.is_integration):
                self.module(other)
        loader: Any = self._loader  # two methods of it lack a type
        loader.expand_exports(loaded)
        loader.expand_wildcards(loaded, external=False)
        return loaded

    def find(self, path: str) -> griffe.Object | None:
        """Find what a dotted path leads to, past imports; None when it is in a package that is not of the workspace."""
        with contextlib.suppress(KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
            found = self._loader.modules_collection.get_member(path)
            return found.final_target if isinstance(found, griffe.Alias) else found
        return None


class _Reader:
    """Reads one package."""

    def __init__(self, package: Package, library: Library) -> None:
        self._package = package
        self._library = library
        self._homes: dict[str, str] = {}  # of what is defined at a dotted path: the public place of it

    def read(self) -> Reading:
        root = self._library.module(self._package)
        modules = {module.path: module for module in _modules(root) if is_public(module.path)}
        offers = {path: dict(self._offers(module)) for path, module in modules.items()}
        self._settle(offers)
        project = workspace.read_toml(self._package.path / "pyproject.toml")
        reading = Reading(Interface(self._package.name, metadata.offered(project)))
        for path, names in offers.items():
            file = _file(modules[path])
            reading.places[path] = file, 1
            facts = reading.interface.modules.setdefault(path, {})
            for name, found in names.items():
                place = f"{path}.{name}"
                if isinstance(found, str):
                    facts[name] = Alias(found)
                elif isinstance(found, griffe.Module):
                    continue
                elif (home := self._homes.get(found.path, found.path)) != place:
                    facts[name] = Alias(home)
                else:
                    describer = Describer(self._library.find, self._homes, root.path)
                    for below, fact, source in describer.describe(name, found):
                        facts[below] = fact
                        reading.places[f"{path}.{below}"] = _file(source), source.lineno or 1
                    continue
                reading.places[place] = file, _line(modules[path].members.get(name))
        return reading

    def _offers(self, module: griffe.Module) -> Iterator[tuple[str, Found | str]]:
        """Yield the public names of a module with what they lead to, a dotted path where that is not known."""
        source = _file(module).read_text(encoding="utf-8")
        package = module.path if module.is_init_module else module.path.rpartition(".")[0]
        exports = {str(name) for name in module.exports or ()}
        late = lazy.names(source, package)
        again = lazy.redundant(source)
        for name in dict.fromkeys((*module.members, *sorted(exports), *late)):
            if name.startswith("_") and (name not in exports or name.startswith("__")):
                continue
            member = module.members.get(name)
            if member is None or (name in late and not member.runtime):
                if name in late or (name in exports and "__getattr__" in module.members):
                    yield name, self._late(late.get(name, []), member)
            elif isinstance(member, griffe.Module):
                continue
            elif isinstance(member, griffe.Alias):
                own = member.target_path.startswith(f"{self._package.module}.")
                is_offered = name in exports or name in again or member.wildcard_imported
                if is_offered or (module.is_init_module and not exports and own and member.runtime):
                    yield name, self._library.find(member.target_path) or member.target_path
            elif member.runtime and (name in exports or not _is_private_value(member)):
                yield name, self._meant(member)

    def _late(self, paths: list[str], member: griffe.Object | griffe.Alias | None) -> Found | str:
        if isinstance(member, griffe.Alias):
            paths = [member.target_path, *paths]
        for path in paths:
            if (found := self._library.find(path)) is not None:
                return found
        return paths[0] if paths else ""

    def _meant(self, member: griffe.Object) -> Found:
        """Find the class or function that `old = new` means by `old`."""
        if isinstance(member, griffe.Attribute) and isinstance(member.value, (griffe.ExprName, griffe.ExprAttribute)):
            found = self._library.find(member.value.canonical_path)
            if isinstance(found, (griffe.Class, griffe.Function)):
                return found
        return member

    def _settle(self, offers: dict[str, dict[str, Found | str]]) -> None:
        """Decide where each thing is described: where it is defined, or else at the deepest place that offers it."""
        top = f"{self._package.module}."
        for path, names in sorted(offers.items(), key=lambda item: (-item[0].count("."), item[0])):
            for name, found in names.items():
                if isinstance(found, (str, griffe.Module)) or not f"{found.path}.".startswith(top):
                    continue
                here, there = f"{path}.{name}", found.path
                if here == there or (there not in self._homes and not _is_offered(there, offers)):
                    self._homes[there] = here


def _is_offered(path: str, offers: dict[str, dict[str, Found | str]]) -> bool:
    module, _, name = path.rpartition(".")
    return name in offers.get(module, {})


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for member in module.members.values():
        if isinstance(member, griffe.Module):
            yield from _modules(member)


def _file(source: griffe.Object) -> Path:
    path = source.filepath
    return path[0] / "__init__.py" if isinstance(path, list) else path


def _line(member: griffe.Object | griffe.Alias | None) -> int:
    """Give the line of a name in its own module."""
    line = member.alias_lineno if isinstance(member, griffe.Alias) else member.lineno if member is not None else None
    return line or 1


def _is_private_value(member: griffe.Object) -> bool:
    """Say whether a name of a module is there for the module itself: a type variable, a logger."""
    value = member.value if isinstance(member, griffe.Attribute) else None
    return isinstance(value, griffe.ExprCall) and str(value.function).rpartition(".")[2] in _NOT_A_VALUE
