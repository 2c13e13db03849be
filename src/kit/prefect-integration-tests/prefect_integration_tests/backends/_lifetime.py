"""How backends come and go: started at a free port, stopped when a `with` block is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from .processes import LocalServer, ServerError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Stopped(ABC):
    """A base of what is stopped when its `with` block is left."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class _OneProcess(Protocol):
    @property
    def process(self) -> LocalServer: ...

    def stop(self) -> None: ...


S = TypeVar("S", bound=_OneProcess)
_ATTEMPTS = 3


def started(make: Callable[[], S]) -> S:
    """Start a backend of one process, and do so anew when it does not come up.

    Args:
        make: Describes the backend, at ports that are free at that moment.

    Raises:
        ServerError: If it does not start; nothing of it is left.
    """
    attempt = 1
    while True:
        backend = make()
        try:
            backend.process.start()
        except ServerError:  # the likely cause is a port taken in the meantime
            backend.stop()
            if attempt == _ATTEMPTS:
                raise
        except BaseException:
            backend.stop()
            raise
        else:
            return backend
        attempt += 1
