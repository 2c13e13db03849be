"""Wait for a run to end: the one place that polls Databricks for runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import WaitTimeout, apoll

from .. import _time
from ..errors import DatabricksBadRequest, DatabricksError, DatabricksNotFound, is_passing
from ..settings import DatabricksSettings
from .errors import DatabricksJobRunTimedOut
from .links import url_of
from .requests import ONCE, cancel_run, get_run
from .states import dicts_in, latest_tasks, state_of

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

NOT_FOUND_SECONDS = 30.0
"""How long a run that was just started may be unknown."""

_NOT_FOUND_INTERVAL_SECONDS = 2.0
_SHORTEST_INTERVAL_SECONDS = 0.1
_STOPPING_INTERVAL_SECONDS = 2.0


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

    def check(self) -> None:
        """Refuse what cannot be meant, before anything is started.

        Raises:
            DatabricksBadRequest: If a number is negative.
        """
        for name in ("max_wait_seconds", "poll_frequency_seconds"):
            value = getattr(self, name)
            if value < 0:
                raise DatabricksBadRequest(f"{name} is {value}; it must not be negative.")


@dataclass
class Wait:
    """The wait for one run.

    Attributes:
        credentials: Who asks, and where.
        run_id: The run.
        patience: How to wait.
        is_new: Whether the run was just started, and so may be unknown for some seconds.
        on_first_look: Is told the run as soon as it was read.
    """

    credentials: DatabricksCredentials
    run_id: int
    patience: Patience
    is_new: bool = False
    on_first_look: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    _seen: dict[Any, str] = field(default_factory=dict[Any, str])

    def __post_init__(self) -> None:
        self.run: dict[str, Any] = {"run_id": self.run_id}
        self._logger = run_logger(__name__)
        self._start = self._contact = _time.clock.monotonic()
        self._trouble = ""

    async def until_end(self) -> dict[str, Any]:
        """Wait until the run has ended, and give it.

        429, 5xx, lost connections and garbled answers are outlasted for `contact_seconds` of the settings.

        Raises:
            DatabricksJobRunTimedOut: If it did not end in time.
            DatabricksError: If Databricks refuses to show it, or was not to be reached for too long.
        """
        try:
            return await self._until_end()
        except (DatabricksJobRunTimedOut, DatabricksNotFound):
            raise  # what becomes of the run is settled
        except BaseException as exc:  # cancelled, interrupted, ended by a signal; or what a callback raises
            if self.patience.stop_on_cancel:
                said = ""
                with anyio.CancelScope(shield=True):
                    said = await self.stop("failed" if isinstance(exc, Exception) else "was cancelled")
                if isinstance(exc, DatabricksError):
                    exc.args = (f"{exc} {said}", *exc.args[1:])
            raise

    async def _until_end(self) -> dict[str, Any]:
        interval = max(self.patience.poll_frequency_seconds, _SHORTEST_INTERVAL_SECONDS)
        while True:
            wanted = await self._look(interval)
            if wanted is None:
                return self.run
            left = self.patience.max_wait_seconds - self._elapsed
            if left <= 0:
                return await self._out_of_time()
            await _time.clock.asleep(min(wanted, left))

    @property
    def _elapsed(self) -> float:
        return _time.clock.monotonic() - self._start

    async def _look(self, interval: float) -> float | None:
        """Look once; give the seconds until the next look, `None` when the run has ended."""
        left = self.patience.max_wait_seconds - self._elapsed
        # The next look is the repetition, and a look that hangs must not move the deadline.
        timeout = min(DatabricksSettings().timeout_seconds, max(left, 1.0))
        try:
            run = await get_run(self.credentials, self.run_id, backoff=ONCE, timeout=timeout)
        except DatabricksError as exc:
            return self._after(exc, interval)
        self._contact, self._trouble = _time.clock.monotonic(), ""
        await self._take(run)
        return None if state_of(run).has_ended else interval

    async def _take(self, run: dict[str, Any]) -> None:
        self.run = run
        if self.on_first_look is not None:
            tell, self.on_first_look = self.on_first_look, None
            await tell(run)
        for name, value in (("", run), *((task.get("task_key"), task) for task in latest_tasks(run))):
            state = state_of(value).name
            if self._seen.get(name) != state:
                self._seen[name] = state
                subject = f"Databricks run {self.run_id}"
                self._logger.info("%s: %s", f"Task {name} of {subject}" if name else subject, state)

    def _after(self, exc: DatabricksError, interval: float) -> float:
        verdict = is_passing(exc)
        if isinstance(exc, DatabricksNotFound) and self.is_new and self._elapsed < NOT_FOUND_SECONDS:
            return min(interval, _NOT_FOUND_INTERVAL_SECONDS)
        patience = DatabricksSettings().contact_seconds
        silent = _time.clock.monotonic() - self._contact
        if verdict is False:
            raise exc
        if silent >= patience:
            exc.args = (f"{exc} There was no look at the run for {silent:.0f} seconds. {self._where}".rstrip(),)
            raise exc
        if not self._trouble:
            self._logger.warning("Databricks run %s could not be looked at, will look again: %s", self.run_id, exc)
        self._trouble = str(exc)
        wanted = interval if verdict is True else max(interval, float(verdict))
        return min(wanted, max(patience - silent, _SHORTEST_INTERVAL_SECONDS))

    @property
    def _where(self) -> str:
        return url_of(self.run) or ""

    async def _out_of_time(self) -> dict[str, Any]:
        said = "It goes on."
        if self.patience.stop_on_cancel:
            said = await self.stop("ran out of time")
            state = state_of(self.run)
            if state.has_ended and state.result != "CANCELED":  # it ended while it was to be cancelled
                return self.run
        last = f" The last look failed: {self._trouble}" if self._trouble else ""
        error = DatabricksJobRunTimedOut(
            f"Databricks run {self.run_id} did not end within {self.patience.max_wait_seconds:g} seconds. "
            f"{said}{last} Raise max_wait_seconds if it needs longer. {self._where}".rstrip(),
            subject=f"Databricks run {self.run_id}",
        )
        error.run_id, error.run_url = self.run_id, url_of(self.run)
        raise error

    async def stop(self, why: str) -> str:
        """Cancel the run, and wait until it has ended. What goes wrong is only told: the caller raises the reason.

        Args:
            why: What happened to the wait, for the log.

        Returns:
            A sentence on what has become of the run.
        """
        if state_of(self.run).has_ended:
            return "It has ended."
        seconds = DatabricksSettings().cancel_seconds
        try:
            await cancel_run(self.credentials, self.run_id)
        except Exception as exc:  # noqa: BLE001 - see above
            self._logger.warning("Databricks run %s could not be cancelled and may go on: %s", self.run_id, exc)
            return "It could not be cancelled and may go on."
        self._logger.info("Cancelled Databricks run %s, because the wait for it %s", self.run_id, why)
        try:
            self.run = await apoll(
                self._ended,
                subject=f"Databricks run {self.run_id}",
                interval_seconds=_STOPPING_INTERVAL_SECONDS,
                timeout_seconds=seconds,
                clock=_time.clock,
            )
        except WaitTimeout:
            self._logger.warning("Databricks run %s is still being cancelled after %g s", self.run_id, seconds)
            return "It was told to stop, and is still being cancelled."
        except Exception as exc:  # noqa: BLE001 - see above
            self._logger.warning("Databricks run %s was cancelled, but could not be looked at: %s", self.run_id, exc)
            return "It was cancelled."
        return "It was cancelled." if state_of(self.run).result == "CANCELED" else "It has ended meanwhile."

    async def _ended(self) -> dict[str, Any] | None:
        try:
            run = await get_run(self.credentials, self.run_id, backoff=ONCE)
        except DatabricksError as exc:
            if is_passing(exc) is False:
                raise
            return None
        return run if state_of(run).has_ended else None


def repair_id_of(run: dict[str, Any]) -> int | None:
    """Give the ID of the last repair of a run, read with its history; `None` if there was none."""
    repairs = [each.get("id") for each in dicts_in(run.get("repair_history")) if each.get("type") == "REPAIR"]
    numbers = [each for each in repairs if isinstance(each, int)]
    return numbers[-1] if numbers else None
