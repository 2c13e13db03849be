"""Wait for a run to end: the one place that polls dbt Cloud."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import Backoff, aretry

from . import _time
from ._http import ANSWER_SECONDS, passing, read_object
from ._links import run_url
from .exceptions import DbtCloudGetRunFailed, DbtCloudJobRunTimedOut

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient
    from .credentials import DbtCloudCredentials

NOT_FOUND_SECONDS = 60.0
"""How long a run may be unknown to dbt Cloud: it takes some seconds until a run that was triggered can be read."""

_NOT_FOUND_INTERVAL_SECONDS = 2.0
_SHORTEST_INTERVAL_SECONDS = 0.1
_STOP_BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=4.0, deadline_seconds=20.0, max_attempts=5)


class Status(IntEnum):
    """Status codes of runs, https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Retrieve%20Run."""

    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUCCESS = 10
    FAILED = 20
    CANCELLED = 30


ENDED = frozenset({Status.SUCCESS, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True)
class Patience:
    """How to wait for a run.

    Attributes:
        max_wait_seconds: Seconds until which the run must have ended.
        poll_frequency_seconds: Seconds between two looks.
        stop_on_cancel: Whether the run is cancelled when the wait is cancelled, interrupted or out of time.
    """

    max_wait_seconds: float
    poll_frequency_seconds: float
    stop_on_cancel: bool = True
    names: tuple[str, str] = ("max_wait_seconds", "poll_frequency_seconds")

    def check(self) -> None:
        """Refuse what cannot be meant, before anything is triggered.

        Raises:
            ValueError: If a number is negative.
        """
        for name, value in zip(self.names, (self.max_wait_seconds, self.poll_frequency_seconds), strict=True):
            if value < 0:
                raise ValueError(f"{name} is {value}; it must not be negative.")


async def watch(
    credentials: DbtCloudCredentials, client: DbtCloudAdministrativeClient, run_id: int, patience: Patience
) -> dict[str, Any]:
    """Wait until a run has ended.

    A 404 is taken for a run that is not visible yet for a minute; 429, 5xx, lost connections and garbled answers are
    outlasted until the time is up.

    Args:
        credentials: Whose client it is.
        client: Makes the requests; it is open.
        run_id: The run.
        patience: How to wait.

    Returns:
        The run as it ended.

    Raises:
        DbtCloudJobRunTimedOut: If it did not end in time.
        DbtCloudGetRunFailed: If dbt Cloud refuses to show it.
    """
    patience.check()
    waiting = _Wait(credentials, client, run_id, patience)
    try:
        return await waiting.until_end()
    except Exception:
        raise
    except BaseException:  # cancelled, interrupted, or ended by a signal
        if patience.stop_on_cancel:
            with anyio.CancelScope(shield=True):
                await waiting.stop("was cancelled")
        raise


class _Wait:
    def __init__(
        self, credentials: DbtCloudCredentials, client: DbtCloudAdministrativeClient, run_id: int, patience: Patience
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._run_id = run_id
        self._patience = patience
        self._run: dict[str, Any] = {"id": run_id}
        self._start = _time.clock.monotonic()
        self._trouble = ""
        self._logger = run_logger(__name__)

    @property
    def _elapsed(self) -> float:
        return _time.clock.monotonic() - self._start

    async def until_end(self) -> dict[str, Any]:
        interval = max(self._patience.poll_frequency_seconds, _SHORTEST_INTERVAL_SECONDS)
        while True:
            wanted = await self._look(interval)
            if wanted is None:
                return self._run
            left = self._patience.max_wait_seconds - self._elapsed
            if left <= 0:
                return await self._out_of_time()
            await _time.clock.asleep(min(wanted, left))

    async def _look(self, interval: float) -> float | None:
        """Look once; give the seconds until the next look, `None` when the run has ended."""
        left = self._patience.max_wait_seconds - self._elapsed
        try:
            response = await self._client.send(
                "GET", f"/runs/{self._run_id}/", timeout_seconds=min(ANSWER_SECONDS, max(left, 1.0))
            )
            run = await read_object(response, self._run_id)
        except httpx.HTTPError as exc:
            return self._after(exc, interval)
        self._trouble = ""
        if run.get("status") != self._run.get("status"):
            said = run.get("status_humanized") or run.get("status")
            self._logger.info("dbt Cloud run %s: %s", self._run_id, said)
        self._run = run
        return None if run.get("status") in ENDED else interval

    def _after(self, exc: httpx.HTTPError, interval: float) -> float:
        verdict = passing(exc)
        if isinstance(exc, httpx.HTTPStatusError) and exc.response.status_code == 404:
            if self._elapsed < NOT_FOUND_SECONDS:
                return min(interval, _NOT_FOUND_INTERVAL_SECONDS)
            verdict = False
        if verdict is False:
            error = DbtCloudGetRunFailed(
                f"dbt Cloud run {self._run_id} could not be looked at: {self._client.explain(exc)} {self._url}"
            )
            error.run_id, error.run_url = self._run_id, self._url
            raise error from exc
        said = self._client.explain(exc)
        if not self._trouble:
            self._logger.warning("dbt Cloud run %s could not be looked at, will look again: %s", self._run_id, said)
        self._trouble = said
        return interval if verdict is True else max(interval, float(verdict))

    @property
    def _url(self) -> str:
        return run_url(self._credentials, self._run)

    async def _out_of_time(self) -> dict[str, Any]:
        said = "It goes on."
        if self._patience.stop_on_cancel:
            said = await self.stop("ran out of time")
            if self._run.get("status") in (Status.SUCCESS, Status.FAILED):  # it ended while it was to be cancelled
                return self._run
        last = f" The last look failed: {self._trouble}" if self._trouble else ""
        error = DbtCloudJobRunTimedOut(
            f"dbt Cloud run {self._run_id} did not end within {self._patience.max_wait_seconds:g} seconds. "
            f"{said}{last} {self._url}"
        )
        error.run_id, error.run_url = self._run_id, self._url
        raise error

    async def stop(self, why: str) -> str:
        """Cancel the run. What goes wrong is only told: the caller is about to raise the reason."""

        async def cancel() -> dict[str, Any]:
            return await read_object(await self._client.send("POST", f"/runs/{self._run_id}/cancel/"), self._run_id)

        try:
            run = await aretry(cancel, is_transient=passing, backoff=_STOP_BACKOFF, clock=_time.clock)
        except Exception as exc:  # noqa: BLE001 - see above
            said = self._client.explain(exc)
            self._logger.warning("dbt Cloud run %s could not be cancelled: %s", self._run_id, said)
            return "It could not be cancelled and goes on."
        self._run = {**self._run, **run}
        if self._run.get("status") in (Status.SUCCESS, Status.FAILED):
            return "It has ended meanwhile."
        self._logger.info("Cancelled dbt Cloud run %s, because the wait for it %s", self._run_id, why)
        return "It was cancelled."
