"""What one operation over HTTP does when the line or the server fails."""

from __future__ import annotations

import inspect
import time
import uuid
from abc import abstractmethod
from typing import Any, ClassVar

import pytest

from prefect_integration_tests.backends.http_edge import EDGE_FAULTS, EdgeCall, EdgeFault, HttpEdge, Refusal
from prefect_integration_tests.leaks import LeakWatch

from .base import Suite

LASTING: tuple[EdgeFault, ...] = ("reset", "time-out", "503")
"""Faults that are also tried without an end: one of each way to fail."""


class HttpFaultSuite(Suite):
    """An operation that changes something meets each fault of `http_edge` once, and some for good.

    A fault that passes is not seen: the operation succeeds and is done once. Where an operation cannot be repeated
    without harm and may have been done (`unsure`), it fails and has been done at most once. A fault that lasts ends, in
    time, in the package's own error, which names what was wanted.

    Attributes:
        error: What a failure raises.
        named: What the message of a failure contains, as a regular expression.
        unsure: Faults after which the operation is not repeated, since it may have been done.
        reported: Faults that are told at once although nothing was done.
        secret: A secret that the operation uses; no error and no log may hold it.
        lasting_seconds: By when a lasting fault must be told, with the settings that `edge` has made.
    """

    error: ClassVar[type[Exception] | tuple[type[Exception], ...]]
    named: ClassVar[str] = ""
    unsure: ClassVar[frozenset[EdgeFault]] = frozenset()
    reported: ClassVar[frozenset[EdgeFault]] = frozenset()
    secret: ClassVar[str | None] = None
    lasting_seconds: ClassVar[float] = 20.0

    @pytest.fixture
    @abstractmethod
    def edge(self) -> Any:
        """An edge before the service, with time-outs, pauses and deadlines of the package made short."""

    @abstractmethod
    def change(self, edge: HttpEdge, key: str) -> Any:
        """Do the operation, or return an awaitable that does.

        Args:
            edge: Where it goes.
            key: A new name for what it changes.
        """

    @abstractmethod
    def changes(self, edge: HttpEdge, key: str) -> int:
        """Count how often the operation was done, by asking the service itself.

        Args:
            edge: The edge, whose `calls` may help where the service does not tell.
            key: The name given to `change`.
        """

    def strikes(self, call: EdgeCall) -> bool:
        """Say whether a request may be struck: all, unless a package knows better.

        Args:
            call: The request.
        """
        return True

    def refusal(self, fault: EdgeFault) -> Refusal | None:
        """Give the service's own form of a refusal.

        Args:
            fault: `429`, `500` or `503`.
        """
        return None

    async def _changed(self, edge: HttpEdge, key: str) -> None:
        result = self.change(edge, key)
        if inspect.isawaitable(result):
            await result

    @pytest.mark.parametrize("fault", EDGE_FAULTS)
    async def test_a_fault_that_passes(self, edge: HttpEdge, fault: EdgeFault) -> None:
        """It is survived, and what was wanted is done once; or told, and done at most once."""
        key = f"key{uuid.uuid4().hex[:12]}"
        told = self.unsure | self.reported
        with edge.fault(fault, where=self.strikes, refusal=self.refusal(fault)) as struck:
            if fault in told:
                with pytest.raises(self.error, match=self.named):
                    await self._changed(edge, key)
            else:
                await self._changed(edge, key)
            assert struck() == 1, "the fault did not strike, so nothing was tried"
        assert self.changes(edge, key) <= 1 if fault in told else self.changes(edge, key) == 1

    @pytest.mark.parametrize("fault", LASTING)
    async def test_a_fault_that_lasts(self, edge: HttpEdge, fault: EdgeFault) -> None:
        """It is told in time, by an error that names what was wanted and no secret; nothing was done."""
        key = f"key{uuid.uuid4().hex[:12]}"
        watch = LeakWatch(self.secret) if self.secret else None
        started = time.monotonic()
        with edge.fault(fault, times=None, where=self.strikes, refusal=self.refusal(fault)) as struck:
            with pytest.raises(self.error, match=self.named) as failure:
                await self._changed(edge, key)
            assert struck() > 0
        assert time.monotonic() - started < self.lasting_seconds
        if watch is not None:
            watch.add_error(failure.value)
            watch.check()
        assert self.changes(edge, key) == 0
