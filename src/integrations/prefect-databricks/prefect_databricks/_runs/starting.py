"""Start a run exactly once, or find the one that an earlier attempt of the same Prefect run has started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit.coroutines import known_before_cancel
from prefect_integration_kit.logs import run_logger

from .._http import send
from ..errors import DatabricksBadRequest, DatabricksError, DatabricksNotFound, is_passing
from .requests import get_run, repair_run
from .resuming import Attempt, current_attempt
from .states import SKIPPED, state_of
from .waiting import Patience, Wait, repair_id_of

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

Post = Callable[[str], Awaitable[dict[str, Any]]]
"""Starts a run with an idempotency token."""

_CLOCK_SLACK_SECONDS = 120.0


class Start:
    """The start of one run.

    Attributes:
        how: What was done in the end, such as `Started`.
        is_new: Whether the run was just started.
    """

    def __init__(
        self,
        credentials: DatabricksCredentials,
        post: Post,
        request: Mapping[str, Any],
        *,
        patience: Patience,
        token: str | None = None,
        repairs: bool = False,
    ) -> None:
        """Describe it; nothing is sent.

        Args:
            credentials: Who asks, and where.
            post: Starts a run.
            request: What is asked for, as JSON has it.
            patience: Whether the run is cancelled if the caller is, before he gets hold of it.
            token: The caller's own idempotency token.
            repairs: Whether a retry repairs the run that failed.
        """
        self._credentials = credentials
        self._post = post
        self._patience = patience
        self._token = token
        self._repairs = repairs
        self._attempt: Attempt = current_attempt(request)
        self._last: int | None = None
        self.how = "Started"
        self.is_new = True

    async def run_id(self) -> int:
        """Start the run, and give its ID.

        A request that fails for a reason that passes is repeated: the token makes it safe. When Prefect retries, a run
        of an earlier attempt that goes on or has succeeded is taken over; one that has failed is repaired, if that is
        wanted, else left behind.

        Raises:
            DatabricksError: If it was refused, or Databricks did not answer.
        """
        try:
            run_id = await (
                self._found() if self._attempt.is_retry else self._started(self._token or self._attempt.key)
            )
        except Exception:
            raise
        except BaseException:  # cancelled or interrupted while it was looked at
            if self._last is not None and self._patience.stop_on_cancel:
                with anyio.CancelScope(shield=True):
                    await Wait(self._credentials, self._last, self._patience).stop("was cancelled")
            raise
        self._attempt.uses(run_id)
        return run_id

    async def _found(self) -> int:
        """Find the run of an earlier attempt, or start one."""
        since = await self._server_time()
        for token in [self._token] if self._token else self._attempt.tokens():
            try:
                run_id = await self._started(token)
            except DatabricksBadRequest as exc:
                if self._token or "delete" not in str(exc):
                    raise
                continue  # the run of this token was deleted
            if not self._attempt.has_used(run_id) and await self._is_new(run_id, since):
                break
            if await self._takes_over(run_id) or self._token:
                self.is_new = False
                break
        else:
            raise DatabricksBadRequest("No run was started: all runs of earlier attempts have failed.")
        return run_id

    async def _started(self, token: str) -> int:
        async def undo(answer: dict[str, Any]) -> None:
            if self._patience.stop_on_cancel:
                await Wait(self._credentials, _run_id(answer), self._patience).stop("was cancelled")

        self._last = None
        self._last = _run_id(await known_before_cancel(_coroutine(self._post, token), undo))
        return self._last

    async def _server_time(self) -> float:
        """Seconds since the epoch by Databricks's clock; by ours, well before, if that is not to be had."""
        try:
            response = await send(self._credentials, "GET", "/2.1/jobs/runs/list", params={"limit": 1})
            moment = parsedate_to_datetime(response.headers["Date"])
        except (DatabricksError, KeyError, ValueError, TypeError):
            return datetime.now(timezone.utc).timestamp() - _CLOCK_SLACK_SECONDS
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()

    async def _is_new(self, run_id: int, since: float) -> bool:
        try:
            start = (await get_run(self._credentials, run_id)).get("start_time")
        except DatabricksNotFound:
            return True  # it cannot be read yet
        return isinstance(start, int) and start / 1000 >= since

    async def _takes_over(self, run_id: int) -> bool:
        """Take a run of an earlier attempt over; say no if it has failed, and is not to be repaired."""
        run = await get_run(self._credentials, run_id, with_history=self._repairs)
        state = state_of(run)
        if not state.has_ended or state.is_success:
            self.how = "Took over"
            return True
        if not self._repairs or state.life_cycle == SKIPPED:
            return False
        try:
            await repair_run(self._credentials, run_id, repair_id_of(run))
        except DatabricksError as exc:
            # The answer to an earlier request may have been lost: it is under way then.
            if not state_of(await get_run(self._credentials, run_id)).has_ended:
                self.how = "Repaired"
                return True
            if is_passing(exc) is not False:
                raise
            run_logger(__name__).warning("Databricks run %s cannot be repaired, a new one is started: %s", run_id, exc)
            return False
        self.how = "Repaired"
        return True


async def _coroutine(post: Post, token: str) -> dict[str, Any]:
    return await post(token)


def _run_id(answer: Mapping[str, Any]) -> int:
    run_id = answer.get("run_id")
    if not isinstance(run_id, int):
        raise DatabricksError(f"Databricks gave no run_id: {dict(answer)}")
    return run_id
