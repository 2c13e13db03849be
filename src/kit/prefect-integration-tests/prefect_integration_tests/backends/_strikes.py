"""What a server or a proxy in this process does to some requests while a `with` block lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

C = TypeVar("C")


@dataclass(eq=False)
class Strike(Generic[C]):
    """A fault, and which requests it meets."""

    fault: Any
    times: int | None
    """How many; `None` for all."""

    where: Callable[[C], bool] | None
    """Which; all by default."""

    struck: int = 0


S = TypeVar("S", bound=Strike[Any])


class Strikes(Generic[S]):
    """The faults that are in force. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._strikes: list[S] = []

    @contextmanager
    def during(self, strike: S) -> Generator[Callable[[], int], None, None]:
        """Strike while the context lasts; it gives a function that tells how many requests were struck."""
        with self._lock:
            self._strikes.append(strike)
        try:
            yield lambda: strike.struck
        finally:
            with self._lock:
                self._strikes.remove(strike)

    def is_over(self, strike: S) -> bool:
        """Whether its block was left."""
        with self._lock:
            return strike not in self._strikes

    def met_by(self, call: Any) -> S | None:
        """Take the first that meets a request, and count it."""
        with self._lock:
            for strike in self._strikes:
                if strike.times is not None and strike.struck >= strike.times:
                    continue
                if strike.where is None or strike.where(call):
                    strike.struck += 1
                    return strike
        return None
