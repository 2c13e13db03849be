"""What is known of an interface: its names, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

POSITIONAL_ONLY = "positional-only"
POSITIONAL_OR_KEYWORD = "positional or keyword"
VARIADIC_POSITIONAL = "variadic positional"
KEYWORD_ONLY = "keyword-only"
VARIADIC_KEYWORD = "variadic keyword"
COMPUTED = "…"
"""Stands for a value that only running the code would tell."""
POSITIONS = "__match_args__"
"""Attribute of a class that names, in their order, the fields which it takes by position."""

_MAX_HOPS = 20


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function.

    Attributes:
        name: Its name.
        kind: That of `inspect.Parameter`, in words.
        annotation: Its type as the source says it, or None.
        default: Its default as the source says it, or None when one must be given.
    """

    name: str
    kind: str = POSITIONAL_OR_KEYWORD
    annotation: str | None = None
    default: str | None = None

    @property
    def is_variadic(self) -> bool:
        """Whether it is `*args` or `**kwargs`."""
        return self.kind in (VARIADIC_POSITIONAL, VARIADIC_KEYWORD)

    @property
    def is_positional(self) -> bool:
        """Whether it can be given by its position."""
        return self.kind in (POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Function:
    """A function, method or property.

    Attributes:
        words: What it is besides a function: `async`, `task`, `flow`, `property`, `classmethod`, `staticmethod`.
        returns: The type of what it returns, or None.
        parameters: Without `self` and `cls`.
    """

    words: tuple[str, ...] = ()
    returns: str | None = None
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Class:
    """A class.

    Attributes:
        bases: Dotted paths of the public classes that it inherits from, past private ones in between.
    """

    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """A value of a module or class.

    Attributes:
        word: `field` when the constructor takes it, `member` in an enumeration, else empty.
        annotation: Its type, or None.
        value: The value or default as the source says it; `…` for one that is computed; None when there is none.
        extra: What else tells how it is given: `alias schema`, `env PREFECT_ACME_TOKEN`.
    """

    word: str = ""
    annotation: str | None = None
    value: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alias:
    """Another place of something.

    Attributes:
        target: Dotted path of the place where it is described, or of another package's name; empty if unknown.
    """

    target: str


Fact = Function | Class | Attribute | Alias


@dataclass
class Interface:
    """The interface of a distribution.

    Attributes:
        name: Name of the distribution.
        distribution: What its metadata offer, such as `extra fast`, with what each leads to, or an empty text.
        modules: Names of each public module, `S3Bucket` or `S3Bucket.read_path`, with what they are.
    """

    name: str
    distribution: dict[str, str] = field(default_factory=dict[str, str])
    modules: dict[str, dict[str, Fact]] = field(default_factory=dict[str, dict[str, Fact]])

    @cached_property
    def names(self) -> dict[str, Fact]:
        """Every fact by its dotted path."""
        return {f"{module}.{name}": fact for module, facts in self.modules.items() for name, fact in facts.items()}

    def top_level(self) -> Iterator[tuple[str, str]]:
        """Yield module and name of everything that can be imported, without members of classes."""
        for module, facts in self.modules.items():
            for name in facts:
                if "." not in name:
                    yield module, name

    def final(self, path: str) -> tuple[str, Fact]:
        """Follow a name to the place where it is described.

        Args:
            path: Dotted path of a fact.

        Returns:
            The last place, and the fact there; an `Alias` when it is in another package.
        """
        fact = self.names[path]
        for _ in range(_MAX_HOPS):
            if not isinstance(fact, Alias) or fact.target not in self.names:
                break
            path, fact = fact.target, self.names[fact.target]
        return path, fact

    @cached_property
    def _own_members(self) -> dict[str, dict[str, Fact]]:
        found: dict[str, dict[str, Fact]] = {}
        for path, fact in self.names.items():
            owner, _, name = path.rpartition(".")
            if isinstance(self.names.get(owner), Class):
                found.setdefault(owner, {})[name] = fact
        return found

    def lineage(self, path: str) -> list[str]:
        """List a class and what it inherits from; other packages' classes end their line."""
        order: dict[str, None] = {}
        waiting = [path]
        while waiting:
            each = waiting.pop(0)
            if each in self.names:
                each, fact = self.final(each)
                if each not in order and isinstance(fact, Class):
                    waiting += fact.bases
            order.setdefault(each)
        return list(order)

    def members(self, path: str) -> dict[str, tuple[str, Fact]]:
        """List the members of a class, inherited ones too, each with the class that has it."""
        found: dict[str, tuple[str, Fact]] = {}
        for owner in self.lineage(path):
            for name, fact in self._own_members.get(owner, {}).items():
                found.setdefault(name, (owner, fact))
        return found
