"""Compute pools: whether one takes jobs, and what to do until it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prefect.logging import get_logger

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ....errors import SnowflakeAccessDenied, SnowflakeError
from . import outcomes, statements
from .constants import READY_POOL_STATES, SUSPENDED_POOL_STATES, TERMINAL_POOL_FAILURE_STATES
from .errors import SPCSJobFailed, SPCSWaitTimeout
from .looks import Looks
from .views import PoolView

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

    from .connection import Session

_logger = get_logger("prefect_snowflake.spcs")


class ComputePools:
    """The compute pools that a session sees.

    Args:
        session: Sends statements.
        interval_seconds: Most seconds between two looks.
        clock: Time.
    """

    def __init__(self, session: Session, *, interval_seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._session = session
        self._interval_seconds = interval_seconds
        self._clock = clock

    async def ready(self, name: str, timeout_seconds: float, is_wanted: Callable[[], bool], logger: Log) -> bool:
        """Wait until a compute pool takes jobs; one that is suspended is resumed.

        Args:
            name: The pool.
            timeout_seconds: How long to wait at most.
            is_wanted: Says whether anybody wants it still.
            logger: Told what is waited for.

        Returns:
            Whether it is wanted still.

        Raises:
            SPCSJobFailed: If it will never take any.
            SPCSWaitTimeout: If it takes too long.
            SnowflakeError: If Snowflake refuses, or does not answer.
        """
        looks, said = Looks(timeout_seconds, self._interval_seconds, self._clock), ""
        while is_wanted():
            pool = await self._look(name, logger)
            if pool is None or pool.state in READY_POOL_STATES:
                return is_wanted()
            if pool.state in TERMINAL_POOL_FAILURE_STATES:
                said_of_it = f"{pool.message.rstrip('.')}. " if pool.message else ""
                message = f"Compute pool {name!r} is {pool.state}. {said_of_it}Name another one in `compute_pool`."
                raise SPCSJobFailed(message, subject=name)
            if pool.state in SUSPENDED_POOL_STATES and not await self._resume(pool):
                return is_wanted()
            if looks.are_over:
                raise SPCSWaitTimeout(outcomes.pool_late(pool, timeout_seconds), subject=name)
            if pool.state != said:
                logger.info("Compute pool '%s' is %s; waiting until it takes jobs...", name, pool.state)
                said = pool.state
            await looks.pause()
        return False

    async def _look(self, name: str, logger: Log) -> PoolView | None:
        """Look at a compute pool; `None` when the role may not: Snowflake says of the job what is wrong then."""
        try:
            rows = await self._session.rows(statements.describe_pool(name), f"Compute pool {name!r}")
        except SnowflakeAccessDenied as exc:
            logger.debug("Compute pool '%s' cannot be looked at: %s", name, exc)
            return None
        return PoolView.of(rows[0]) if rows else None

    async def _resume(self, pool: PoolView) -> bool:
        """Resume a compute pool; whether it is to be waited for. One that the job itself resumes need not be."""
        try:
            await self._session.rows(statements.resume_pool(pool.name), f"Compute pool {pool.name!r}")
        except SnowflakeAccessDenied as exc:
            if not pool.is_auto_resumed:
                message = (
                    f"Compute pool {pool.name!r} is {pool.state}, and the role may not resume it: grant it OPERATE on "
                    "the pool, or set AUTO_RESUME."
                )
                raise SnowflakeAccessDenied(message, subject=pool.name) from exc
            return False
        except SnowflakeError:
            # It may be on its way down, or another run has resumed it in the meantime.
            now = await self._look(pool.name, _logger)
            if pool.state == "SUSPENDED" and now is not None and now.state == pool.state:
                raise
        return True
