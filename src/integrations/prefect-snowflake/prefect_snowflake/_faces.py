"""Two faces of one operation whose names were published: `fetch_all` blocks, `fetch_all_async` is awaited.

The sync name never dispatches: it blocks inside an async flow, too, as it always did.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def paired(async_face: Callable[P, Coroutine[Any, Any, R]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a sync operation know its async face, as its attribute `aio`.

    Args:
        async_face: It takes the same parameters.
    """

    def decorate(sync_face: Callable[P, R]) -> Callable[P, R]:
        setattr(sync_face, "aio", async_face)  # noqa: B010 - functions have no such attribute for a type checker
        return sync_face

    return decorate
