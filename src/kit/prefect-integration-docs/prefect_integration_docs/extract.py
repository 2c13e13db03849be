"""Read a source file with griffe, and keep what a page shows of it. Nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import griffe

from prefect_integration_docs import docstrings, fields
from prefect_integration_docs.expressions import annotation, dotted, function_name, literal
from prefect_integration_docs.masking import masked
from prefect_integration_docs.model import (
    Class,
    Constant,
    Deprecation,
    Function,
    ModuleModel,
    Note,
    Parameter,
    Section,
    Signature,
)

# Decorators that turn a function into a task or flow, by the path that they are imported from.
_RUNS = {
    "prefect.task": "task",
    "prefect.tasks.task": "task",
    "prefect_integration_kit.dispatch.sync_task": "task",
    "prefect_integration_kit.dispatch.async_task": "task",
    "prefect.flow": "flow",
    "prefect.flows.flow": "flow",
}
# Attributes by which classes of Prefect and pydantic say what they are.
_TELLING = frozenset(
    {
        *("_block_type_name", "_block_type_slug", "type", "job_configuration", "job_configuration_variables"),
        "model_config",
    }
)
_ENUM = re.compile(r"(?:Enum|Flag)$")
_PROPERTIES = frozenset({"property", "cached_property", "functools.cached_property", "abc.abstractproperty"})
_DEPRECATED = re.compile(r"(?:^|\.)_?deprecated(?:_callable|_class)?$")
_NO_EXTENSIONS = griffe.Extensions()
_CONSTANT = re.compile(r"^[A-Z][A-Z0-9_]*$")
_NOT_A_VALUE = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple", "getLogger", "get_logger"})
_DEFINITION = re.compile(r"^\s*(?:async\s+def|def|class)\s+(?P<name>\w+)")


def read_module(name: str, path: Path, text: str, *, is_package: bool) -> ModuleModel:
    """Read a source file.

    Args:
        name: Dotted path of the module.
        path: The file, for messages.
        text: Its content.
        is_package: Whether it is an `__init__.py`.

    Returns:
        What a page shows of it. A file with a syntax error gives an empty one that is `broken` and says where.
    """
    made = ModuleModel(
        name=name,
        is_package=is_package,
        doc=[],
        functions=[],
        classes=[],
        constants=[],
        imports={},
        stars=[],
        exports=[],
        notes=[],
        broken=False,
    )
    try:
        # Griffe resolves relative imports by the file's name and its parents.
        module = griffe.visit(
            name.rpartition(".")[2], filepath=path, code=text, parent=_parent(name, path), extensions=_NO_EXTENSIONS
        )
    except SyntaxError as exc:
        made["broken"] = True
        made["notes"].append(Note(line=exc.lineno or 1, message=f"not valid Python: {exc.msg}", fatal=True))
        return made
    except ValueError as exc:  # null bytes
        made["broken"] = True
        made["notes"].append(Note(line=1, message=f"not valid Python: {exc}", fatal=True))
        return made
    _Reader(made, text.splitlines()).read(module)
    return made


def _parent(name: str, path: Path) -> griffe.Module | None:
    """Make the empty packages that a module stands in."""
    parent: griffe.Module | None = None
    folder = path.parent
    parts = name.split(".")[:-1]
    for depth, part in enumerate(parts):
        up = len(parts) - depth - (0 if path.name != "__init__.py" else -1)
        base = folder.parents[up - 2] if up >= 2 else folder
        module = griffe.Module(part, filepath=base / "__init__.py", parent=parent)
        parent = module
    return parent


class _Reader:
    """Goes through the members of one module."""

    def __init__(self, made: ModuleModel, lines: list[str]) -> None:
        self._made = made
        self._lines = lines
        self._notes = made["notes"]

    def read(self, module: griffe.Module) -> None:
        """Fill the model."""
        made = self._made
        made["doc"] = self._doc(module)
        made["imports"] = dict(module.imports)
        made["exports"] = _exported(module)
        for name, member in module.members.items():
            if name.endswith("/*"):
                made["stars"].append(name[:-2].replace("/", "."))
            elif member.is_alias or not member.runtime:
                continue
            elif isinstance(member, griffe.Class):
                made["classes"].append(self._class(member))
            elif isinstance(member, griffe.Function):
                if not name.startswith("_"):  # no page shows it
                    made["functions"].append(self._function(member))
            elif isinstance(member, griffe.Attribute) and _is_constant(member, made["exports"]):
                made["constants"].append(self._constant(member))

    def _doc(self, owner: griffe.Object) -> list[Section]:
        # Private names have no page; a private base is only shown through its public members.
        return docstrings.read(owner.docstring, self._notes)

    def _line(self, owner: griffe.Function | griffe.Class | griffe.Attribute) -> int:
        """Find the line of `def` or `class`: griffe gives that of the first decorator."""
        first = owner.lineno or 1
        if not getattr(owner, "decorators", True):
            return first
        for number in range(first, min(len(self._lines), (owner.endlineno or first)) + 1):
            match = _DEFINITION.match(self._lines[number - 1])
            if match is not None and match["name"] == owner.name:
                return number
        return first

    # --- functions -----------------------------------------------------------------------------------------------

    def _function(self, function: griffe.Function) -> Function:
        decorators = list(_decorators(function.decorators))
        badges = [_RUNS[path] for path, _ in decorators if path in _RUNS]
        if any(path in _PROPERTIES for path, _ in decorators):
            badges.append("property")
        badges += [
            f"{label.removesuffix('method')} method"
            for label in ("classmethod", "staticmethod")
            if label in function.labels or any(path == label for path, _ in decorators)
        ]
        overloads = function.overloads or []
        return Function(
            name=function.name,
            line=self._line(function),
            badges=list(dict.fromkeys(badges)),
            signatures=[_signature(each) for each in (overloads or [function])],
            doc=self._doc(function),
            deprecated=_deprecation(decorators),
        )

    def _property(self, attribute: griffe.Attribute) -> Function:
        signature = Signature(
            parameters=[Parameter(name="self", kind="positional or keyword", annotation=None, default=None)],
            returns=annotation(attribute.annotation),
            is_async=False,
        )
        return Function(
            name=attribute.name,
            line=self._line(attribute),
            badges=["property"],
            signatures=[signature],
            doc=self._doc(attribute),
            deprecated=_deprecation(_decorators(getattr(attribute, "decorators", []) or [])),
        )

    # --- classes -------------------------------------------------------------------------------------------------

    def _class(self, owner: griffe.Class) -> Class:
        decorators = list(_decorators(owner.decorators))
        made = Class(
            name=owner.name,
            line=self._line(owner),
            bases=[dotted(base) or "" for base in owner.bases],
            base_texts=[str(base) for base in owner.bases],
            decorators=[path for path, _ in decorators],
            doc=self._doc(owner),
            deprecated=_deprecation(decorators),
            constructor=None,
            methods=[],
            fields=[],
            values={},
        )
        methods = [
            (member.lineno or 0, member.endlineno or 0)
            for member in owner.members.values()
            if isinstance(member, griffe.Function)
        ]
        is_enum = any(_ENUM.search(text) for text in made["base_texts"])
        for name, member in owner.members.items():
            if member.is_alias or not member.runtime:
                continue
            if isinstance(member, griffe.Function):
                if name == "__init__":
                    made["constructor"] = _signature(member)
                elif not name.startswith("_"):
                    made["methods"].append(self._function(member))
            elif isinstance(member, griffe.Attribute):
                if "property" in member.labels:
                    if not name.startswith("_"):
                        made["methods"].append(self._property(member))
                    continue
                line = member.lineno or 0
                is_set_in_a_method = "class-attribute" not in member.labels and any(
                    first <= line <= last for first, last in methods
                )
                if not is_set_in_a_method:
                    self._attribute(made, member, is_enum=is_enum)
        return made

    def _attribute(self, made: Class, attribute: griffe.Attribute, *, is_enum: bool) -> None:
        name, value = attribute.name, attribute.value
        # What a class says of itself by a plain attribute is kept; writing down all others takes its time.
        if value is not None and (is_enum or name in _TELLING):
            made["values"][name] = _value(value)
        # Griffe takes `ClassVar` off the annotation, and tells it by this label.
        is_field = attribute.annotation is not None and "instance-attribute" in attribute.labels
        if is_field and not name.startswith("_") and name != "model_config":
            made["fields"].append(fields.read(attribute, self._doc(attribute)))

    # --- constants -----------------------------------------------------------------------------------------------

    def _constant(self, attribute: griffe.Attribute) -> Constant:
        return Constant(
            name=attribute.name,
            line=attribute.lineno or 1,
            annotation=annotation(attribute.annotation),
            value=masked(str(attribute.value)),
            doc=self._doc(attribute),
        )


def _value(value: Any) -> str:
    """Write down a value: a name by its dotted path, everything else as it stands."""
    return (dotted(value) if isinstance(value, (griffe.ExprName, griffe.ExprAttribute)) else None) or str(value)


def _exported(module: griffe.Module) -> list[str]:
    return [name for name in module.exports or () if isinstance(name, str)]


def _is_constant(attribute: griffe.Attribute, exported: list[str]) -> bool:
    """Say whether a name of a module is there for its users: a constant, a type alias, or listed in `__all__`."""
    name, value = attribute.name, attribute.value
    if name.startswith("_") or value is None:
        return False
    if isinstance(value, griffe.ExprCall) and function_name(value) in _NOT_A_VALUE:
        return False
    is_alias = attribute.annotation is not None and str(attribute.annotation).endswith("TypeAlias")
    documented = attribute.docstring is not None
    return bool(_CONSTANT.match(name)) or is_alias or documented or name in exported


def _signature(function: griffe.Function) -> Signature:
    return Signature(
        parameters=[
            Parameter(
                name=parameter.name,
                kind=_kind(parameter),
                annotation=annotation(parameter.annotation),
                default=_default(parameter),
            )
            for parameter in function.parameters
        ],
        returns=annotation(function.returns),
        is_async="async" in function.labels,
    )


def _kind(parameter: griffe.Parameter) -> str:
    return str(cast("Any", parameter.kind).value) if parameter.kind else "positional or keyword"


def _default(parameter: griffe.Parameter) -> str | None:
    # Griffe gives `*args` and `**kwargs` the defaults `()` and `{}`.
    if parameter.default is None or _kind(parameter).startswith("variadic"):
        return None
    return masked(str(parameter.default))


def _decorators(decorators: Iterable[griffe.Decorator]) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path of each decorator, and the decorator."""
    for decorator in decorators:
        yield decorator.callable_path, decorator.value


def _deprecation(decorators: Iterable[tuple[str, Any]]) -> Deprecation | None:
    """Read what a deprecation decorator says: since when, until when, what to use instead."""
    for path, value in decorators:
        if not _DEPRECATED.search(path):
            continue
        said = Deprecation(since="", removal="", text="")
        if isinstance(value, griffe.ExprCall):
            for argument in value.arguments:
                if not isinstance(argument, griffe.ExprKeyword):
                    said["text"] = said["text"] or literal(argument)
                elif argument.name in ("start_date", "since", "version"):
                    said["since"] = literal(argument.value)
                elif argument.name in ("end_date", "removal", "removed_in"):
                    said["removal"] = literal(argument.value)
                elif argument.name in ("help", "message", "details", "replacement"):
                    said["text"] = literal(argument.value)
        return said
    return None
