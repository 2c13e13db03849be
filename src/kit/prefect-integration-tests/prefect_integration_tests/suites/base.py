"""What all suites share: async tests without configuration, and no silent overrides."""

from __future__ import annotations

import inspect
from abc import ABC
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Suite(ABC):  # noqa: B024 - the suites below bring the abstract members
    """Base of the conformance suites.

    A package inherits a suite, implements its abstract fixtures and methods, and sets class
    attributes where its service differs. It does not change the tests: a test that is redefined
    must be marked `@pytest.mark.xfail(strict=True, reason="…")`, so that a gap is seen and its end
    is noticed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Mark coroutine tests, so that they also run with pytest-asyncio in strict mode."""
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(member):
                setattr(cls, name, pytest.mark.asyncio(member))

    def test_nothing_is_overridden_in_silence(self) -> None:
        """A redefined suite test says why, and fails when the reason is gone."""
        silent = [name for name, member in _overrides(type(self)) if not _is_strict_xfail(member)]
        assert not silent, (
            f"{type(self).__name__} redefines {', '.join(sorted(set(silent)))} of its suite. Set a "
            "class attribute of the suite instead, or mark the test `@pytest.mark.xfail(strict=True, reason='…')`."
        )


def _overrides(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield each test of a suite that a class further down defines anew."""
    lineage = cls.__mro__
    for index, lower in enumerate(lineage):
        inherited = {
            name
            for upper in lineage[index + 1 :]
            if issubclass(upper, Suite)
            for name in vars(upper)
            if name.startswith("test_")
        }
        for name, member in vars(lower).items():
            if name in inherited:
                yield name, member


def _is_strict_xfail(member: Any) -> bool:
    marks: list[pytest.Mark] = getattr(member, "pytestmark", [])
    return any(
        mark.name == "xfail" and mark.kwargs.get("strict") is True and mark.kwargs.get("reason") for mark in marks
    )
