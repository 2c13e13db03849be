"""Blocks that have something open, such as a connection: copied, pickled and compared by their fields alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from prefect.blocks.core import Block as _Base
    from typing_extensions import Self
else:
    _Base = object  # a block would be registered

_FIELDS_SET = "__pydantic_fields_set__"
_PRIVATE = "__pydantic_private__"


class LiveBlock(_Base):
    """A base to name before Prefect's own: `class AcmeDatabase(LiveBlock, QuickKey, DatabaseBlock)`.

    What is open stays where it is: `block_initialization` prepares a copy as it does a block that was loaded.
    """

    _live: ClassVar[tuple[str, ...]] = ()
    """Names of private attributes that are of this block in this process alone."""

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the fields."""
        state = super().__getstate__()
        private: dict[str, Any] = state[_PRIVATE] or {}
        return {**state, _PRIVATE: {name: private[name] for name in private if name not in self._live}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Start with nothing open."""
        super().__setstate__(state)
        self.block_initialization()

    def __copy__(self) -> Self:
        """Copy the block; what the copy opens is its own."""
        copied = super().__copy__()
        copied.block_initialization()
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy the block and its fields; what the copy opens is its own."""
        copied = type(self).__new__(type(self))
        copied.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return copied

    def __eq__(self, other: object) -> bool:
        """Whether the fields are equal, whatever either block has open."""
        if type(other) is not type(self):
            return NotImplemented
        theirs = other.__getstate__()
        return all(mine == theirs[part] for part, mine in self.__getstate__().items() if part != _FIELDS_SET)
