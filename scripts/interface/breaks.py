"""Find what a change of an interface breaks.

The rules are those of `griffe.find_breaking_changes`, except that constants of a module may change. They are applied to
snapshots rather than to two trees of griffe, since a snapshot also tells what griffe does not look at: fields of
models, members of enumerations, block slugs, names given by `__getattr__`, variables of the environment, extras, entry
points and commands. A name that has moved, and still works at its old place, is no break.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from scripts.interface.annotations import is_covered
from scripts.interface.facts import (
    COMPUTED,
    KEYWORD_ONLY,
    POSITIONAL_ONLY,
    POSITIONS,
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

Inherits = Callable[[str, str], bool]


@dataclass(frozen=True)
class Break:
    """Something that worked and does no more.

    Attributes:
        path: Dotted path of the name in the old interface, or what the distribution offered.
        what: What has changed, as the end of a sentence about it.
        remains: Dotted path of what is left of it, where the change is to be seen; empty when nothing is.
    """

    path: str
    what: str
    remains: str = ""


def find(old: Interface, new: Interface, inherits: Inherits = lambda _base, _name: False) -> list[Break]:
    """List what works with the old interface and not with the new one.

    Args:
        old: What users rely on.
        new: What there is now.
        inherits: Says whether a class of another package hands down a name, so that it may go from its subclass; or, of
            a dotted path, whether it inherits from that class.
    """
    return list(dict.fromkeys(_Comparison(old, new, inherits).breaks()))


class _Comparison:
    def __init__(self, old: Interface, new: Interface, inherits: Inherits) -> None:
        self._old = old
        self._new = new
        self._inherits = inherits
        self._done: set[tuple[str, str]] = set()

    def breaks(self) -> Iterator[Break]:
        for what in self._old.distribution:
            if what not in self._new.distribution:
                yield Break(what, "is gone")
        gone = [module for module in self._old.modules if module not in self._new.modules]
        for module in gone:
            yield Break(module, "is gone, and all that could be imported from it")
        for module, name in self._old.top_level():
            if module in gone:
                continue
            path = f"{module}.{name}"
            if path in self._new.names:
                yield from self._pair(path, path)
            elif path not in self._new.modules:
                yield Break(path, "can no longer be imported", module)

    def _pair(self, old_path: str, new_path: str) -> Iterator[Break]:
        """Compare what two names lead to."""
        here, old = self._old.final(old_path)
        there, new = self._new.final(new_path)
        if (here, there) in self._done or isinstance(old, Alias) or isinstance(new, Alias):
            return
        self._done.add((here, there))
        yield from self._facts(here, old, there, new)

    def _facts(self, path: str, old: Fact, place: str, new: Fact) -> Iterator[Break]:
        if isinstance(old, Class) and isinstance(new, Class):
            yield from self._classes(path, old, place, new)
        elif isinstance(old, Function) and isinstance(new, Function):
            yield from _functions(path, old, place, new)
        elif isinstance(old, Attribute) and isinstance(new, Attribute):
            if path.rpartition(".")[0] in self._old.modules:
                # Who reads a constant of a module wants whatever it is; one that is a default is compared as that.
                old = replace(old, value=None)
            yield from _attributes(path, old, place, new)
        elif not _is_read_alike(old, new):
            yield Break(path, f"was {_kind(old)} and is {_kind(new)}", place)

    # --- classes -------------------------------------------------------------------------------------------------

    def _classes(self, path: str, old: Class, place: str, new: Class) -> Iterator[Break]:
        yield from self._bases(path, place)
        before, now = self._old.members(path), self._new.members(place)
        for name, (owner, fact) in before.items():
            if owner != path and owner in self._new.names and name not in now:
                continue  # said of the class that has lost it, or the lost base is said of this one
            if name in now:
                heir, its = now[name]
                if (owner, f"{heir}.{name}") in self._done:
                    continue
                self._done.add((owner, f"{heir}.{name}"))
                yield from self._facts(f"{owner}.{name}", fact, f"{heir}.{name}", its)
            elif name == POSITIONS:
                yield Break(path, "no longer takes its fields by position", place)
            elif not self._is_handed_down(place, name):
                what = "is no longer a member" if isinstance(fact, Attribute) and fact.word == "member" else "is gone"
                yield Break(f"{path}.{name}", what, place)
        for name, (heir, fact) in now.items():
            if name not in before and _is_required(fact):
                yield Break(f"{path}.{name}", "is a new field that must be given", f"{heir}.{name}")

    def _is_handed_down(self, path: str, name: str) -> bool:
        return any(self._inherits(base, name) for base in self._new.lineage(path) if base not in self._new.names)

    def _bases(self, path: str, place: str) -> Iterator[Break]:
        now = self._new.lineage(place)
        outer = {_last(base) for base in now}
        lineage = self._old.lineage(path)[1:]
        # What a class has lost because its base has lost it is said of the base.
        told = {above for base in lineage if base in now for above in self._old.lineage(base)[1:]}
        for base in lineage:
            stays = self._new.final(base)[0] in now if base in self._new.names else _last(base) in outer
            if stays or base in told or base in now:
                continue
            if any(self._inherits(other, base) for other in now if other not in self._new.names):
                continue
            yield Break(path, f"is no longer a {base}", place)


def _is_read_alike(old: Fact, new: Fact) -> bool:
    """Say whether a property took the place of a value, or the reverse; or a value of which nothing is known."""
    if isinstance(old, Attribute) and not old.word:
        return isinstance(new, Function) and "property" in new.words
    return isinstance(new, Attribute) and (
        new.value == COMPUTED or (isinstance(old, Function) and "property" in old.words)
    )


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _is_required(fact: Fact) -> bool:
    if not isinstance(fact, Attribute) or fact.word != "field" or fact.value is not None:
        return False
    return not (fact.annotation or "").startswith("NotRequired[")


def _kind(fact: Fact) -> str:
    if isinstance(fact, Function):
        return "a property" if "property" in fact.words else "a function"
    if isinstance(fact, Class):
        return "a class"
    return f"a {fact.word or 'plain value'}" if isinstance(fact, Attribute) else "an import"


# --- values ----------------------------------------------------------------------------------------------------------


def _attributes(path: str, old: Attribute, place: str, new: Attribute) -> Iterator[Break]:
    owner, _, name = path.rpartition(".")
    if name == POSITIONS:
        before, now = ast.literal_eval(old.value or "()"), ast.literal_eval(new.value or "()")
        if now[: len(before)] != before:
            what = f"takes its fields by position in another order: {', '.join(before)} became {', '.join(now)}"
            yield Break(owner, what, place.rpartition(".")[0])
        return
    if old.word == "field" and new.word != "field":
        yield Break(path, "was a field and is a plain value", place)
        return
    if old.word == "field" and old.value is not None and _is_required(new):
        yield Break(path, f"must now be given; its default was {old.value}", place)
    elif old.value is not None and new.value is not None and not _is_same(old.value, new.value):
        kind = "default" if old.word == "field" else "value"
        yield Break(path, f"has another {kind}: {old.value} became {new.value}", place)
    if not is_covered(old.annotation, new.annotation):
        yield Break(path, f"has a narrower type: {old.annotation} became {new.annotation}", place)
    for each in old.extra:
        if each not in new.extra:
            said = "environment variable" if each.startswith("env ") else "alias"
            yield Break(path, f"is no longer read from the {said} {each.partition(' ')[2]}", place)


def _is_same(old: str, new: str) -> bool:
    """Say whether two expressions are the same but for the way in which they are written; computed ones may be."""
    if old == new or COMPUTED in (old, new):
        return True
    try:
        return ast.dump(ast.parse(old, mode="eval")) == ast.dump(ast.parse(new, mode="eval"))
    except SyntaxError:
        return False


# --- functions -------------------------------------------------------------------------------------------------------


def _functions(path: str, old: Function, place: str, new: Function) -> Iterator[Break]:
    before, now = set(old.words), set(new.words)
    if ("property" in before) != ("property" in now):
        yield Break(path, f"was {_kind(old)} and is {_kind(new)}", place)
        return
    if "async" in before and "async" not in now:
        yield Break(path, "was a coroutine function and is none", place)
    if "async" in now and "async" not in before:
        yield Break(path, "has become a coroutine function", place)
    for word, lost in (("task", "is no longer a task"), ("flow", "is no longer a flow")):
        if word in before and word not in now:
            yield Break(path, lost, place)
    if before & {"classmethod", "staticmethod"} and not now & {"classmethod", "staticmethod"}:
        yield Break(path, "can no longer be called on the class", place)
    if old.returns not in (None, "None") and new.returns is not None and not is_covered(new.returns, old.returns):
        yield Break(path, f"returns a wider type: {old.returns} became {new.returns}", place)
    for name, what in _parameters(old.parameters, new.parameters):
        yield Break(f"{path}({name})", what, place)


def _parameters(old: tuple[Parameter, ...], new: tuple[Parameter, ...]) -> Iterator[tuple[str, str]]:
    """Yield each parameter that breaks a call, and how."""
    now = {parameter.name: parameter for parameter in new if not parameter.is_variadic}
    known = {parameter.name for parameter in old}
    kinds = {parameter.kind for parameter in new}
    places = [parameter.name for parameter in new if parameter.is_positional]
    has_moved = False
    renamed: set[str] = set()
    for index, parameter in enumerate(old):
        name = parameter.name
        if parameter.is_variadic:
            if parameter.kind not in kinds:
                yield f"{'*' if parameter.kind == VARIADIC_POSITIONAL else '**'}{name}", "is gone"
            continue
        there = places[index] if parameter.is_positional and index < len(places) else None
        if parameter.kind == POSITIONAL_ONLY and name not in now and there is not None and there not in known:
            name = there  # nobody can have used the name
        if name not in now:
            by_name = parameter.kind == KEYWORD_ONLY and VARIADIC_KEYWORD in kinds
            by_any = {VARIADIC_POSITIONAL, VARIADIC_KEYWORD} <= kinds
            if not by_name and not by_any:
                if there is not None and there not in known:
                    renamed.add(there)
                    yield name, f"was renamed to `{there}`"
                else:
                    yield name, "is gone"
            continue
        its = now[name]
        yield from ((name, what) for what in _changes(parameter, its))
        if parameter.is_positional and its.is_positional and places.index(name) != index and not has_moved:
            has_moved = True  # those after it have, too
            yield name, f"has moved from position {index + 1} to {places.index(name) + 1}"
    for name, parameter in now.items():
        index = places.index(name) if name in places else -1
        replaced = 0 <= index < len(old) and old[index].kind == POSITIONAL_ONLY and old[index].name not in now
        if name not in known and name not in renamed and parameter.default is None and not replaced:
            yield name, "is new and must be given"


def _changes(old: Parameter, new: Parameter) -> Iterator[str]:
    if old.is_positional and not new.is_positional:
        yield "can no longer be given by position"
    if old.kind != POSITIONAL_ONLY and new.kind == POSITIONAL_ONLY:
        yield "can no longer be given by name"
    if old.default is not None and new.default is None:
        yield f"must now be given; its default was {old.default}"
    elif old.default is not None and new.default is not None and not _is_same(old.default, new.default):
        yield f"has another default: {old.default} became {new.default}"
    if not is_covered(old.annotation, new.annotation):
        yield f"takes a narrower type: {old.annotation} became {new.annotation}"
