"""What a target is: a function of one or more texts, with seeds, that raises when a property does not hold."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

SEPARATOR = "\x1e"
"""Stands between the texts of an input; no seed holds it."""


@dataclass(frozen=True)
class Target:
    """A parser, and what must hold of it.

    Attributes:
        name: `module.function`, as the command line takes it.
        check: The function. It takes as many texts as it has parameters.
        seeds: Inputs to begin with: a text, or as many as there are parameters.
    """

    name: str
    check: Callable[..., None]
    seeds: tuple[str | tuple[str, ...], ...]

    @property
    def arity(self) -> int:
        """How many texts it takes."""
        return len(inspect.signature(self.check).parameters)

    def run(self, text: str) -> None:
        """Check one input.

        Args:
            text: The texts, joined by `SEPARATOR`; missing ones are empty.
        """
        parts = text.split(SEPARATOR, self.arity - 1)
        self.check(*parts, *[""] * (self.arity - len(parts)))

    def corpus(self) -> list[str]:
        """The seeds as `run` takes them."""
        return [seed if isinstance(seed, str) else SEPARATOR.join(seed) for seed in self.seeds]


def target(*seeds: str | tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a target.

    Args:
        seeds: Inputs to begin with, good ones and bad ones.
    """

    def mark(check: Callable[..., None]) -> Callable[..., None]:
        check.__dict__["seeds"] = seeds
        return check

    return mark


@contextmanager
def refusing(*errors: type[BaseException]) -> Iterator[None]:
    """Let a parser refuse its input by these errors: whatever else is raised is a finding."""
    try:
        yield
    except errors:
        return


def refusal(parse: Callable[[], object], *errors: type[BaseException]) -> BaseException | None:
    """Call a parser, and return how it refuses its input; `None` if it takes it."""
    try:
        parse()
    except errors as exc:
        return exc
    return None


def module_names() -> list[str]:
    """Names of the modules with targets."""
    from . import targets

    return sorted(info.name for info in pkgutil.iter_modules(targets.__path__))


def targets_in(module: ModuleType) -> list[Target]:
    """List the targets of a module, in its order."""
    short = module.__name__.rpartition(".")[2]
    return [
        Target(f"{short}.{name}", member, tuple(member.__dict__["seeds"]))
        for name, member in vars(module).items()
        if callable(member) and "seeds" in getattr(member, "__dict__", ()) and member.__module__ == module.__name__
    ]


def load(module: str) -> list[Target]:
    """Import a module of targets.

    Args:
        module: Its short name.
    """
    return targets_in(importlib.import_module(f"fuzz.targets.{module}"))


def chosen(names: Sequence[str]) -> list[str]:
    """Find targets by name, by module, or all.

    Raises:
        LookupError: If there is none of a name; the message lists those that are.
    """
    known = [each.name for module in module_names() for each in load(module)]
    found = [name for name in known if not names or name in names or name.partition(".")[0] in names]
    unknown = [name for name in names if name not in known and name not in {each.partition(".")[0] for each in known}]
    if unknown:
        raise LookupError(f"There is no target {', '.join(unknown)}. There are: {', '.join(known)}.")
    return found
