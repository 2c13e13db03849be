"""One list of a schema for all who want to know how their jobs are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from . import statements
from .connection import Session
from .views import ServiceView

_FRESH_SECONDS = 1.0


class Listing:
    """Lists the jobs of a schema, at most once a second.

    Args:
        session: Sends statements.
        interval_seconds: How often those who wait look; a list is not taken more often.
        clock: Time.
    """

    def __init__(self, session: Session, *, interval_seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._session = session
        self._clock = clock
        self._fresh_seconds = min(_FRESH_SECONDS, interval_seconds / 2)
        self._taken_seconds = float("-inf")
        self._jobs: Mapping[str, ServiceView] = {}
        self._lock = asyncio.Lock()

    async def jobs(self, database: str, schema: str) -> Mapping[str, ServiceView]:
        """The jobs by name, as they were a second ago at most.

        Raises:
            SnowflakeAccessDenied: If the role may not list them.
            SnowflakeError: If Snowflake refuses, or does not answer.
        """
        async with self._lock:
            began = self._clock.monotonic()
            if began - self._taken_seconds >= self._fresh_seconds:
                self._jobs = await self._listed(database, schema)
                self._taken_seconds = began
            return self._jobs

    async def _listed(self, database: str, schema: str) -> dict[str, ServiceView]:
        found: dict[str, ServiceView] = {}
        after, is_full = "", True
        while is_full:
            statement = statements.show_jobs(database, schema, after)
            rows = await self._session.rows(statement, f"The jobs of schema {f'{database}.{schema}'!r}")
            views = [ServiceView.of(row) for row in rows]
            before = len(found)
            found.update((view.service.name, view) for view in views)
            is_full = len(views) >= statements.PAGE and len(found) > before
            after = views[-1].service.name if views else ""
        return found
