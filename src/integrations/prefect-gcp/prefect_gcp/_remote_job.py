"""A job of one of Google's REST APIs, from the first look to its end: told about, cancelled, its failure explained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from prefect_integration_kit.logs import run_logger

from ._remote_work import FAILURES, Api, RemoteWork
from .errors import GcpError, GcpInvalidRequest, GcpJobFailed, GcpNotFound, GcpPreconditionFailed

R = TypeVar("R")
Json = dict[str, Any]

MAX_NAMED = 5
"""How many failed tasks the message of a failure names."""


class RemoteJob(RemoteWork[R]):
    """One job. A service gives the words: names, states, methods.

    Args:
        api: The API.
        name: Full name, of a job that was started before.

    Attributes:
        kind: What it is, such as `Dataproc batch`.
        methods: Where its methods are in the API, such as `projects.locations.batches`.
        succeeded: State of a job that has ended well.
        failed: States of a job that has ended otherwise.
        stopping: States of a job that is being cancelled and needs not be cancelled again.
    """

    kind: str
    methods: str
    succeeded: str = "SUCCEEDED"
    failed: frozenset[str] = frozenset({"FAILED", "CANCELLED"})
    stopping: frozenset[str] = frozenset()

    def __init__(self, api: Api, *, name: str = "") -> None:
        self._api = api
        self._seen: Json = {}
        self._said = ""
        self.name = name

    @property
    def is_started(self) -> bool:
        """Whether it is under way, as far as is known."""
        return bool(self.name) and self.state not in (self.succeeded, *self.failed)

    @property
    @abstractmethod
    def state(self) -> str:
        """Its state as last seen; empty when it was not seen yet."""

    @property
    @abstractmethod
    def news(self) -> str:
        """The state, and what is known beside it."""

    @abstractmethod
    def why(self) -> str:
        """How a job that has failed has ended, the rest of a sentence about it, and where to read more."""

    def get(self, name: str) -> Json:
        """Read a job.

        Args:
            name: Full name.
        """
        subject = f"{self.kind} {name.rpartition('/')[2]!r}"
        return self._api.call(f"{self.methods}.get", subject=subject, name=name)

    def cancel(self) -> None:
        """Ask for its end, once."""
        self._api.call(f"{self.methods}.cancel", subject=self.subject, name=self.name, body={})

    def look(self) -> bool:
        """Read it, and tell what is new."""
        self._seen = self.get(self.name)
        news = self.news
        if news != self._said:
            self._said = news
            run_logger(__name__).info("%s is %s", self.subject, news)
        return self.state in (self.succeeded, *self.failed)

    def result(self) -> R:
        """The job at its end."""
        if self.state == self.succeeded:
            return self.seen()
        raise GcpJobFailed(f"{self.subject} ended as {self.state}{self.why()}", subject=self.subject, status=self.state)

    def stop(self, reason: str) -> None:
        """Cancel it. One that has ended meanwhile stays as it is."""
        del reason  # the services take none
        try:
            self.cancel()
        except (GcpNotFound, GcpPreconditionFailed, GcpInvalidRequest):
            self._seen = self.get(self.name)
            if self.is_started and self.state not in self.stopping:
                raise

    def list_tasks(self, call: Callable[[], list[Json]]) -> list[Json]:
        """List tasks, to explain a failure; without the right to list them, none.

        Args:
            call: The request.
        """
        try:
            return FAILURES.persist(call)
        except GcpError as exc:
            run_logger(__name__).warning("Could not list the failed tasks of %s: %s", self.subject, exc)
            return []
