"""Prefect's own `git_clone` step, taught blocks whose token has to be asked for.

In YAML, the step gets the fields that a block was saved with, as a dictionary, and looks for a token among them. A
block that gets its tokens elsewhere, such as that of a GitHub App, has none there. Prefect's storage does take a block
in place of the dictionary, and asks it when it pulls: so the block is put together again from its fields.

This touches a class of Prefect that no other module of ours does. Where Prefect should change it, a block in YAML is
refused as Prefect refuses it, and nothing else happens.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.blocks.core import Block

_STORAGE = "prefect.runner.storage"

_known: dict[frozenset[str], Callable[..., Block]] = {}


def teach_git_clone(fields: Sequence[str], block: Callable[..., Block]) -> None:
    """Let the step put a block together when it gets a dictionary that has all of some fields.

    Prefect's module is not loaded for it; it is taught when something else loads it.

    Args:
        fields: Names that no other block of credentials has together.
        block: Makes the block of all that the dictionary has. It has `format_git_credentials`.
    """
    is_first = not _known
    _known[frozenset(fields)] = block
    if not is_first:
        return
    if (loaded := sys.modules.get(_STORAGE)) is not None:
        _teach(loaded)
    else:
        sys.meta_path.insert(0, _WhenLoaded())


def as_block(credentials: Any) -> Any:
    """Put a block together from its fields; what is no such dictionary stays as it is."""
    if isinstance(credentials, Mapping):
        for fields, block in _known.items():
            if fields <= set(credentials):  # pyright: ignore[reportUnknownArgumentType]
                return block(**credentials)
    return credentials  # pyright: ignore[reportUnknownVariableType]


class _WhenLoaded(MetaPathFinder):
    """Waits for Prefect's module to be loaded, without loading it."""

    def __init__(self) -> None:
        self._is_asking = False

    def find_spec(self, fullname: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if fullname != _STORAGE or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_asking = False
        if spec is not None and spec.loader is not None:
            _after_loading(spec.loader, self._teach)
        return spec

    def _teach(self, module: ModuleType) -> None:
        _teach(module)
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)


def _after_loading(loader: Loader, then: Callable[[ModuleType], None]) -> None:
    load = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        load(module)
        then(module)

    loader.exec_module = exec_module


def _teach(storage: ModuleType) -> None:
    repository: Any = getattr(storage, "GitRepository", None)
    if repository is None:
        return
    plain = repository.__init__

    @functools.wraps(plain)
    def init(self: Any, url: str, credentials: Any = None, *args: Any, **options: Any) -> None:
        plain(self, url, as_block(credentials), *args, **options)

    repository.__init__ = init
