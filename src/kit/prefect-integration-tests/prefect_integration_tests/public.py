"""What a package publishes: its modules, names, functions and classes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def import_quietly(name: str) -> ModuleType:
    """Import a module without its warnings: old paths may say that they are deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def modules_of(package: str, *, private: bool = False) -> list[str]:
    """List the package and all modules below it by dotted name.

    Args:
        package: Name of the import package.
        private: Also list modules with a name, or in a package, that starts with `_`.
    """
    root = import_quietly(package)
    below = pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}.")
    names = [package, *(info.name for info in below)]
    return [name for name in names if private or not any(p.startswith("_") for p in name.split("."))]


def exported_names(module: ModuleType) -> list[str]:
    """List the public names of a module: `__all__`, else what it defines itself without a leading `_`."""
    declared: list[str] | None = getattr(module, "__all__", None)
    if declared is not None:
        return list(declared)
    return [
        name
        for name, member in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(member) or callable(member))
        and getattr(plain(member), "__module__", None) == module.__name__
    ]


def plain(member: Any) -> Any:
    """Unwrap a task, flow, class method, static method or decorator down to the function that was written."""
    member = _unbound(member)
    if inspect.isclass(member):
        return cast("Any", member)
    member = getattr(member, "fn", member)
    return inspect.unwrap(member) if callable(member) else member


def _unbound(member: Any) -> Any:
    """Take the function out of a class method or static method."""
    return getattr(member, "__func__", member)


@dataclass(frozen=True)
class Operation:
    """A public function or method.

    Attributes:
        path: Dotted path, such as `prefect_acme.storage.AcmeBucket.read_path`.
        member: What stands under that path: function, dispatched function, task, class method.
        owner: The class or module that defines it.
    """

    path: str
    member: Any
    owner: Any

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition(".")[2]

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function as it was written."""
        return plain(self.member)

    @property
    def aio(self) -> Any:
        """The async twin that the operation dispatches to, `None` if it does not dispatch."""
        return getattr(_unbound(self.member), "aio", None)

    @property
    def doc(self) -> str:
        """The docstring, cleaned; empty if there is none."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @cached_property
    def parameters(self) -> list[inspect.Parameter]:
        """The parameters a caller gives, so without `self` and `cls`."""
        found = list(inspect.signature(self.function).parameters.values())
        is_method = inspect.isclass(self.owner) and not isinstance(vars(self.owner).get(self.name), staticmethod)
        return found[1:] if is_method else found


@dataclass(frozen=True)
class PublicClass:
    """A public class.

    Attributes:
        path: Dotted path.
        cls: The class.
    """

    path: str
    cls: type

    @property
    def doc(self) -> str:
        """Its own docstring, cleaned; empty if there is none."""
        return inspect.cleandoc(vars(self.cls).get("__doc__") or "")

    def operations(self) -> Iterator[Operation]:
        """Yield the public methods that the class itself defines, validators and serializers aside."""
        hooks = _pydantic_hooks(self.cls)
        for name, member in vars(self.cls).items():
            if name.startswith("_") or name in hooks or isinstance(member, property):
                continue
            if isinstance(member, classmethod | staticmethod) or (
                callable(member) and isinstance(plain(member), FunctionType)
            ):
                yield Operation(f"{self.path}.{name}", member, self.cls)

    def properties(self) -> Iterator[tuple[str, property]]:
        """Yield path and object of each public property that the class itself defines."""
        for name, member in vars(self.cls).items():
            if isinstance(member, property) and not name.startswith("_"):
                yield f"{self.path}.{name}", member

    def own_fields(self) -> Iterator[tuple[str, Any]]:
        """Yield path and `FieldInfo` of each public pydantic field that the class itself declares."""
        fields: dict[str, Any] = getattr(self.cls, "__pydantic_fields__", {})
        declared: dict[str, Any] = inspect.get_annotations(self.cls)
        for name, field in fields.items():
            if name in declared and not name.startswith("_"):
                yield f"{self.path}.{name}", field


_DECORATORS = (
    "validators",
    "field_validators",
    "root_validators",
    "model_validators",
    "field_serializers",
    "model_serializers",
)


def _pydantic_hooks(cls: type) -> set[str]:
    """Name the members that pydantic or Prefect call, never a user."""
    hooks = {"model_post_init", "block_initialization"}
    decorators = vars(cls).get("__pydantic_decorators__")
    for kind in _DECORATORS:
        hooks |= set(getattr(decorators, kind, {}))
    return hooks


@dataclass(frozen=True)
class Package:
    """All that a package publishes.

    Attributes:
        name: Name of the import package.
        optional_modules: Dotted names of modules that need an extra and are left out.
    """

    name: str
    optional_modules: frozenset[str] = frozenset()

    @cached_property
    def modules(self) -> list[ModuleType]:
        """The public modules, imported."""
        names = (name for name in modules_of(self.name) if name not in self.optional_modules)
        return [import_quietly(name) for name in names]

    @cached_property
    def _members(self) -> list[tuple[str, Any, ModuleType]]:
        """Path, object and module of each public name, once, where it is defined."""
        found: dict[int, tuple[str, Any, ModuleType]] = {}
        for module in self.modules:
            for name in exported_names(module):
                member = getattr(module, name, None)
                home: str = getattr(plain(member), "__module__", None) or ""
                if home.partition(".")[0] != self.name or inspect.ismodule(member):
                    continue
                found.setdefault(id(member), (f"{home}.{name}", member, sys.modules[home]))
        return list(found.values())

    def classes(self) -> list[PublicClass]:
        """List the public classes."""
        return [PublicClass(path, member) for path, member, _ in self._members if inspect.isclass(member)]

    def functions(self) -> list[Operation]:
        """List the public functions, tasks and flows."""
        return [
            Operation(path, member, module)
            for path, member, module in self._members
            if not inspect.isclass(member)
            and callable(member)
            and callable(plain(member))
            and isinstance(plain(member), FunctionType)
        ]

    def operations(self) -> list[Operation]:
        """List all public functions and methods."""
        return [*self.functions(), *(op for cls in self.classes() for op in cls.operations())]
