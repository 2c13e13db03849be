"""Describe what griffe has found: functions, values, and classes with all that they have."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

import griffe

from prefect_integration_docs import fields
from prefect_integration_docs.expressions import annotation, dotted
from scripts.interface.facts import COMPUTED, POSITIONS, Attribute, Class, Fact, Function, Parameter

Found = griffe.Object
Finder = Callable[[str], "griffe.Object | None"]

_RUNS = {
    "prefect.task": "task",
    "prefect.tasks.task": "task",
    "prefect_integration_kit.dispatch.sync_task": "task",
    "prefect_integration_kit.dispatch.async_task": "task",
    "prefect.flow": "flow",
    "prefect.flows.flow": "flow",
    "prefect_integration_kit.flow_faces.async_flow": "flow",
}
# Methods that pydantic calls, under names that nobody else uses.
_INTERNAL = re.compile(
    r"(?:^|\.)(?:field_|model_|root_)?(?:validator|serializer)$|(?:^|\.)fixture$|\.setter$|\.deleter$"
)
_DATACLASS = re.compile(r"(?:^|\.)dataclass$")
_ENUM = re.compile(r"(?:Enum|Flag)$")
_SETTINGS = re.compile(r"(?:^|\.)\w*BaseSettings$")
_BLOCKS = re.compile(r"^prefect\.(?:blocks|filesystems)\.(?!abstract\.JobRun$)")
# What has no fields, although it is annotated: all else that classes of other packages hand down is pydantic's.
_PLAIN = re.compile(
    r"^(?:abc\.|typing\.(?:Protocol|Generic)|collections\.|contextlib\.|threading\.|io\.|logging\.|object$|type$)"
    r"|(?:Error|Exception|Warning|Worker|TaskRunner|Future|JobRun|Suite|Handler|Thread|Protocol)$|^[a-zA-Z]+$"
)
_PROTOCOL = frozenset(
    f"__{name}__"
    for name in (
        *("init", "call", "enter", "exit", "aenter", "aexit", "iter", "aiter", "next", "anext", "await"),
        *("getitem", "setitem", "delitem", "len", "contains"),
    )
)
_CALLED = frozenset({"__init__", "__call__"})
_SLUGS = ("_block_type_name", "_block_type_slug")
_PREFIX = re.compile(r"env_prefix['\"]?\s*[=:]\s*['\"](?P<prefix>[^'\"]*)['\"]")
_SETTINGS_PATH = re.compile(r"^(?:[\w.]*\.)?build_settings_config\((?P<path>\([^()]*\))")
_KIT = "prefect_integration_kit."
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_MAX_TEXT = 100


class Describer:
    """Describes what one package offers.

    Args:
        find: Finds what a dotted path leads to in the workspace.
        homes: The public place of each thing of the package, by the place where it is defined.
        top: Name of the package.
    """

    def __init__(self, find: Finder, homes: dict[str, str], top: str) -> None:
        self._find = find
        self._homes = homes
        self._top = top

    def describe(self, name: str, found: Found) -> Iterator[tuple[str, Fact, griffe.Object]]:
        """Yield a thing and all that belongs to it: name, fact, and what griffe says of it.

        Args:
            name: The name under which it is offered.
            found: A class, function or attribute.
        """
        if isinstance(found, griffe.Class):
            yield from self._class(name, found)
        elif isinstance(found, griffe.Function):
            yield name, self._function(found), found
        elif isinstance(found, griffe.Attribute):
            yield name, Attribute("", _text(annotation(found.annotation)), self._constant(found.value)), found

    # --- functions -----------------------------------------------------------------------------------------------

    def _function(self, function: griffe.Function, *, is_method: bool = False) -> Function:
        decorators = [decorator.callable_path for decorator in function.decorators]
        words = ["async"] if "async" in function.labels else []
        words += [_RUNS[path] for path in decorators if path in _RUNS]
        if function.name in _PROTOCOL and function.name not in _CALLED:
            return Function(tuple(words))  # Python gives the parameters
        words += [word for word in ("classmethod", "staticmethod") if word in function.labels or word in decorators]
        parameters = list(function.parameters)
        if is_method and "staticmethod" not in words:
            parameters = parameters[1:]
        returns = None if function.name == "__init__" else _text(annotation(function.returns))
        return Function(tuple(words), returns, tuple(map(self._parameter, parameters)))

    def _parameter(self, parameter: griffe.Parameter) -> Parameter:
        kind = str(cast("Any", parameter.kind).value) if parameter.kind else "positional or keyword"
        # Griffe gives `*args` and `**kwargs` the defaults `()` and `{}`.
        has_default = parameter.default is not None and not kind.startswith("variadic")
        default = self._default(parameter.default) if has_default else None
        return Parameter(parameter.name, kind, _text(annotation(parameter.annotation)), default)

    def _default(self, value: Any) -> str:
        """Write a default down: a constant by what it is."""
        if (path := dotted(value)) is not None and (constant := self._constant_at(path)) is not None:
            value = constant
        return _text(str(value)) or COMPUTED

    def _constant_at(self, path: str) -> str | None:
        """Write down the constant of a module, if there is one at a dotted path; a member of a class is none."""
        found = self._find(path)
        if not isinstance(found, griffe.Attribute) or not isinstance(found.parent, griffe.Module):
            return None
        return str(found.value) if _is_literal(found.value) else None

    def _constant(self, value: Any) -> str | None:
        if value is None:
            return None
        return _text(str(value)) if _is_literal(value) and len(str(value)) <= _MAX_TEXT else COMPUTED

    # --- classes -------------------------------------------------------------------------------------------------

    def _class(self, name: str, owner: griffe.Class) -> Iterator[tuple[str, Fact, griffe.Object]]:
        lineage = self._lineage(owner)
        outer = {path for each in lineage for path in self._outer(each)}
        yield name, Class(tuple(dict.fromkeys(self._bases(owner)))), owner
        is_enum = any(map(_ENUM.search, outer))
        decorators = [decorator.callable_path for each in lineage for decorator in each.decorators]
        has_fields = any(map(_DATACLASS.search, decorators)) or not all(map(_PLAIN.search, outer))
        prefix = self._prefix(lineage) if any(map(_SETTINGS.search, outer)) else None
        # What stands with a public base of this package is described there.
        shown = [each for each in lineage if each is owner or each.path not in self._homes]
        seen: set[str] = set()
        for each in shown:
            for below, member in each.members.items():
                if below in seen or member.is_alias or not member.runtime or not _is_member(below):
                    continue
                for part, fact, source in self._member(below, member, each, is_enum, has_fields, prefix):
                    seen.add(below)
                    yield f"{name}.{part}", fact, source
        if positions := tuple(_positions(lineage)):
            yield f"{name}.{POSITIONS}", Attribute("", None, repr(positions)), owner
        if any(map(_BLOCKS.search, outer)):
            yield from self._slugs(name, owner, lineage)

    def _member(
        self, name: str, member: Any, owner: griffe.Class, is_enum: bool, has_fields: bool, prefix: str | None
    ) -> Iterator[tuple[str, Fact, griffe.Object]]:
        if isinstance(member, griffe.Class):
            yield from self._class(name, member)
        elif isinstance(member, griffe.Function):
            if not any(_INTERNAL.search(decorator.callable_path) for decorator in member.decorators):
                yield name, self._function(member, is_method=True), member
        elif isinstance(member, griffe.Attribute) and name not in ("model_config", *_SLUGS):
            if "property" in member.labels:
                yield name, Function(("property",), _text(annotation(member.annotation))), member
            elif _is_set_in_a_method(member, owner):
                yield name, Attribute("", _text(annotation(member.annotation))), member
            elif is_enum and member.value is not None:
                yield name, Attribute("member", None, _text(str(member.value))), member
            elif has_fields and member.annotation is not None and "instance-attribute" in member.labels:
                yield name, self._field(member, prefix), member
            else:
                yield name, Attribute("", _text(annotation(member.annotation)), self._constant(member.value)), member

    def _field(self, member: griffe.Attribute, prefix: str | None) -> Attribute:
        said = fields.read(member, [])
        aliases = [alias for alias in said["aliases"] if alias != member.name]
        extra = [f"alias {alias}" for alias in aliases]
        if prefix is not None:
            extra = [f"env {each.upper()}" for each in aliases or [f"{prefix}{member.name}"]]
        default = said["default"]
        if default is not None and _NAME.fullmatch(default):
            default = self._constant_at(f"{member.module.path}.{default}") or default
        owner = member.parent
        is_partial = isinstance(owner, griffe.Class) and str(owner.keywords.get("total")) == "False"
        if is_partial and not said["annotation"].startswith("Required["):
            said["annotation"] = f"NotRequired[{said['annotation']}]"
        return Attribute("field", self._type(member, said["annotation"]), _text(default), tuple(extra))

    def _type(self, member: griffe.Attribute, text: str) -> str | None:
        """Write a type down; a private name for one by what it stands for."""
        alias = self._find(f"{member.module.path}.{text}") if text.startswith("_") and _NAME.fullmatch(text) else None
        if isinstance(alias, griffe.Attribute) and alias.value is not None:
            value: Any = alias.value
            is_annotated = str(getattr(value, "left", "")).endswith("Annotated")
            text = str(value.slice.elements[0] if is_annotated else value)
        return _text(text)

    def _lineage(self, owner: griffe.Class) -> list[griffe.Class]:
        try:
            above = owner.mro()
        except ValueError:  # what Python itself would refuse
            above = []
        return [owner, *(each for each in above if each is not owner)]

    def _outer(self, owner: griffe.Class) -> Iterator[str]:
        """Yield the bases of a class that are not of the workspace."""
        for base in owner.bases:
            path = dotted(base) or ""
            if path and not isinstance(self._find(path), griffe.Class):
                yield path

    def _bases(self, owner: griffe.Class) -> Iterator[str]:
        """Yield the public bases of a class; a private one, or one of the kit's, gives way to its own bases."""
        for base in owner.bases:
            path = dotted(base) or ""
            found = self._find(path) if path else None
            if not isinstance(found, griffe.Class):
                if path not in ("", "object", "typing.Generic", "typing.Protocol", "abc.ABC"):
                    yield path
            elif found.path in self._homes:
                yield self._homes[found.path]
            elif not found.path.startswith((f"{self._top}.", _KIT)) and "._" not in found.path:
                yield found.path
            else:
                yield from self._bases(found)

    def _prefix(self, lineage: list[griffe.Class]) -> str | None:
        for each in lineage:
            config = each.members.get("model_config")
            text = str(config.value) if isinstance(config, griffe.Attribute) and config.value is not None else ""
            if (match := _SETTINGS_PATH.match(text)) is not None:
                return f"PREFECT_{'_'.join((*ast.literal_eval(match['path']), '')).upper()}"
            if (match := _PREFIX.search(text)) is not None:
                return match["prefix"].upper()
        return None

    def _slugs(
        self, name: str, owner: griffe.Class, lineage: list[griffe.Class]
    ) -> Iterator[tuple[str, Fact, griffe.Object]]:
        """Yield what Prefect stores a block under, also where the class leaves it to Prefect."""
        said: dict[str, tuple[str, griffe.Object]] = {}
        for key in _SLUGS:
            for each in lineage:
                member = each.members.get(key)
                if isinstance(member, griffe.Attribute) and _is_literal(member.value):
                    said.setdefault(key, (str(ast.literal_eval(str(member.value))), member))
        type_name, source = said.get(_SLUGS[0], (owner.name, owner))
        slug, origin = said.get(_SLUGS[1], (re.sub(r"[^a-z0-9]+", "-", type_name.lower()).strip("-"), source))
        yield f"{name}.{_SLUGS[0]}", Attribute("", None, repr(type_name)), source
        yield f"{name}.{_SLUGS[1]}", Attribute("", None, repr(slug)), origin


def _positions(lineage: list[griffe.Class]) -> Iterator[str]:
    """Name the fields that a dataclass or named tuple takes by position, in their order."""
    order: dict[str, bool] = {}  # whether it is given by position; one that is defined anew keeps its place
    for each in reversed(lineage):
        options = [str(decorator.value) for decorator in each.decorators if _DATACLASS.search(decorator.callable_path)]
        if not options and not any((dotted(base) or "").endswith("NamedTuple") for base in each.bases):
            continue
        by_position = not any("kw_only=True" in "".join(text.split()) for text in options)
        for name, member in each.members.items():
            if not isinstance(member, griffe.Attribute) or member.annotation is None:
                continue
            if str(member.annotation).endswith("KW_ONLY"):
                by_position = False
            elif "instance-attribute" in member.labels and not _is_set_in_a_method(member, each):
                text = "".join(str(member.value).split())
                if "init=False" not in text:
                    order.setdefault(name, by_position and "kw_only=True" not in text)
    yield from (name for name, by_position in order.items() if by_position)


def _is_member(name: str) -> bool:
    return not name.startswith("_") or name in _PROTOCOL


def _is_set_in_a_method(member: griffe.Attribute, owner: griffe.Class) -> bool:
    if "class-attribute" in member.labels:
        return False
    line = member.lineno or 0
    methods = (each for each in owner.members.values() if isinstance(each, griffe.Function))
    return any((each.lineno or 0) <= line <= (each.endlineno or 0) for each in methods)


def _is_literal(value: Any) -> bool:
    if value is None:
        return False
    try:
        ast.literal_eval(str(value))
    except (ValueError, SyntaxError, MemoryError):
        return False
    return True


def _text(text: str | None) -> str | None:
    """Write an expression in one line; what is long is computed."""
    if not text:
        return None
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT * 3 else COMPUTED
