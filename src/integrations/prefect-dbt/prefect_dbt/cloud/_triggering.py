"""Trigger a job exactly once, whatever happens to the answer."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from prefect_integration_kit.coroutines import known_before_cancel
from prefect_integration_kit.logs import run_logger

from . import _time
from ._http import BACKOFF, had_no_effect, passing, read_data, read_object
from ._shapes import as_dict, dicts_in
from .clients import trigger_fields
from .exceptions import DbtCloudCreateJobFailed, DbtCloudJobRunTriggerFailed

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient
    from .models import TriggerJobRunOptions

_SETTLE_SECONDS = 2.0
"""How long to wait before looking for what a request without an answer may have made."""

_SLACK_SECONDS = 5.0
_EVER = datetime.min.replace(tzinfo=timezone.utc)
_LISTED = 100
_REMEMBERED = 10_000

_NOT_OFFERED = frozenset({400, 404, 405, 409, 422, 501})

_started: ContextVar[list[dict[str, Any]] | None] = ContextVar("dbt_cloud_started", default=None)
_lock = threading.Lock()
_claimed: OrderedDict[tuple[str, int], None] = OrderedDict()
"""Runs and jobs, with the path that lists them, that calls of this process have got: they are not another call's."""


def claim(kind: str, found_id: int) -> None:
    """Remember that a call got a run or job."""
    with _lock:
        _claimed[kind, found_id] = None
        if len(_claimed) > _REMEMBERED:
            _claimed.popitem(last=False)


async def trigger(
    client: DbtCloudAdministrativeClient,
    job_id: int,
    options: TriggerJobRunOptions | None,
    *,
    tried_before_seconds: float | None = None,
) -> dict[str, Any]:
    """Trigger a job.

    When an answer is lost, the run is looked up by its cause and time before the job is triggered again.

    Args:
        client: Makes the requests; it is open.
        job_id: The job.
        options: What the run does differently.
        tried_before_seconds: How long ago somebody tried first, whose answer may have been lost; `None` for never, and
            infinite if the cause is enough to find the run by.

    Returns:
        The run.

    Raises:
        DbtCloudJobRunTriggerFailed: If it was refused, or nobody knows whether a run was started.
    """
    fields = trigger_fields(options)
    runs = client.url_of("/runs/")

    async def post() -> Any:
        return await read_object(await client.send("POST", f"/jobs/{job_id}/run/", json=fields))

    async def find(ago_seconds: float) -> dict[str, Any] | None:
        def is_ours(run: dict[str, Any]) -> bool:
            return cause_of(run) == fields["cause"]

        return await _find(client, runs, runs_query(job_id), is_ours, ago_seconds)

    try:
        run = await _once(runs, post, find, tried_before_seconds, partial(_cancel, client))
    except _InDoubt as exc:
        raise DbtCloudJobRunTriggerFailed(
            f"Whether a run of dbt Cloud job {job_id} was started is not known, so it was not triggered again. "
            f"{client.explain(exc.error)} Looking for the run failed, too: {client.explain(exc.second)}"
        ) from exc.error
    except httpx.HTTPError as exc:
        said = client.explain(exc)
        raise DbtCloudJobRunTriggerFailed(f"dbt Cloud job {job_id} could not be triggered: {said}") from exc
    _note(run)
    return run


async def retry_in_cloud(client: DbtCloudAdministrativeClient, job_id: int, run_id: int) -> dict[str, Any] | None:
    """Let dbt Cloud [retry a run from where it failed](https://docs.getdbt.com/docs/deploy/retry-jobs), once.

    When the answer is lost, a newer run of the job is taken for the one that was asked for.

    Returns:
        The new run; `None` if dbt Cloud does not do it for this run.

    Raises:
        DbtCloudJobRunTriggerFailed: If it fails otherwise, or nobody knows whether a run was started.
    """
    runs = client.url_of("/runs/")

    async def post() -> Any:
        return await read_object(await client.send("POST", f"/runs/{run_id}/retry/"))

    async def find(ago_seconds: float) -> dict[str, Any] | None:
        return await _find(client, runs, runs_query(job_id), lambda run: run["id"] > run_id, ago_seconds)

    try:
        run = await _once(runs, post, find, None, partial(_cancel, client))
    except _InDoubt as exc:
        raise DbtCloudJobRunTriggerFailed(
            f"Whether dbt Cloud run {run_id} was retried is not known, so it is not retried again. "
            f"{client.explain(exc.error)} Looking for the new run failed, too: {client.explain(exc.second)}"
        ) from exc.error
    except httpx.HTTPError as exc:
        if isinstance(exc, httpx.HTTPStatusError) and exc.response.status_code in _NOT_OFFERED:
            return None
        said = client.explain(exc)
        raise DbtCloudJobRunTriggerFailed(f"dbt Cloud run {run_id} could not be retried: {said}") from exc
    _note(run)
    return run


@asynccontextmanager
async def watched_start(client: DbtCloudAdministrativeClient, *, stops: bool) -> AsyncGenerator[None, None]:
    """Cancel what is triggered within, if the caller is cancelled before he gets hold of it.

    Args:
        client: Makes the requests; it is open.
        stops: Whether to do so.
    """
    runs: list[dict[str, Any]] = []
    token = _started.set(runs)
    try:
        yield
    except Exception:
        raise
    except BaseException:
        if stops:
            with anyio.CancelScope(shield=True):
                for run in runs:
                    await _cancel(client, run)
        raise
    finally:
        _started.reset(token)


def _note(run: dict[str, Any]) -> None:
    runs = _started.get()
    if runs is not None:
        runs.append(run)


async def _cancel(client: DbtCloudAdministrativeClient, run: dict[str, Any]) -> None:
    logger = run_logger(__name__)
    try:
        await client.cancel_run(run["id"])
    except Exception as exc:  # noqa: BLE001 - the caller is about to raise the reason
        logger.warning("dbt Cloud run %s could not be cancelled: %s", run["id"], client.explain(exc))
    else:
        logger.info("Cancelled dbt Cloud run %s, because its caller was cancelled", run["id"])


async def _delete(client: DbtCloudAdministrativeClient, job: dict[str, Any]) -> None:
    try:
        await client.delete_job(job["id"])
    except Exception as exc:  # noqa: BLE001 - the caller is about to raise the reason
        said = client.explain(exc)
        run_logger(__name__).warning("dbt Cloud job %s could not be deleted: %s", job["id"], said)


async def create_job(client: DbtCloudAdministrativeClient, fields: dict[str, Any]) -> dict[str, Any]:
    """Create a job, once even if the answer is lost: it is then looked up by its name and time.

    Args:
        client: Makes the requests; it is open.
        fields: The job.

    Raises:
        DbtCloudCreateJobFailed: If it was refused, or nobody knows whether it was made.
    """
    name = fields["name"]
    jobs = client.url_of("/jobs/")

    async def post() -> Any:
        return await read_object(await client.send("POST", "/jobs/", json=fields))

    async def find(ago_seconds: float) -> dict[str, Any] | None:
        query = {"project_id": fields["project_id"], "order_by": "-id", "limit": _LISTED}
        return await _find(client, jobs, query, lambda job: job.get("name") == name, ago_seconds)

    try:
        return await _once(jobs, post, find, None, partial(_delete, client))
    except _InDoubt as exc:
        raise DbtCloudCreateJobFailed(
            f"Whether the dbt Cloud job {name!r} was created is not known, so it was not created again. "
            f"{client.explain(exc.error)} Looking for it failed, too: {client.explain(exc.second)}"
        ) from exc.error
    except httpx.HTTPError as exc:
        said = client.explain(exc)
        raise DbtCloudCreateJobFailed(f"The dbt Cloud job {name!r} could not be created: {said}") from exc


class _InDoubt(Exception):
    """A request may have had an effect, and that could not be found out."""

    @property
    def error(self) -> Exception:
        """Why the request failed."""
        return self.args[0]

    @property
    def second(self) -> Exception:
        """Why its effect could not be found out."""
        return self.args[1]


async def _once(
    kind: str,
    post: Callable[[], Coroutine[Any, Any, dict[str, Any]]],
    find: Callable[[float], Any],
    tried_before_seconds: float | None,
    undo: Callable[[dict[str, Any]], Coroutine[Any, Any, None]],
) -> dict[str, Any]:
    clock = _time.clock
    start = clock.monotonic() - (tried_before_seconds or 0.0)
    began, attempt = clock.monotonic(), 0
    doubt: Exception | None = None if tried_before_seconds is None else httpx.ReadError("An earlier answer was lost")
    while True:
        if doubt is not None:
            try:
                found = await find(clock.monotonic() - start)
            except Exception as exc:
                raise _InDoubt(doubt, exc) from exc
            if found is not None:
                claim(kind, found["id"])
                return found
        try:
            made = await known_before_cancel(post(), undo)
        except httpx.HTTPError as exc:
            attempt += 1
            verdict = passing(exc)
            if verdict is False:
                raise
            if not had_no_effect(exc):
                doubt = exc
            asked = None if verdict is True else float(verdict)
            delay = BACKOFF.next_delay(attempt, clock.monotonic() - began, asked)
            if delay is None:
                if doubt is None:
                    raise
                return await _last_chance(kind, find, clock.monotonic() - start, exc)
            await clock.asleep(max(delay, _SETTLE_SECONDS) if doubt is not None else delay)
            continue
        claim(kind, made["id"])
        return made


async def _last_chance(kind: str, find: Callable[[float], Any], ago_seconds: float, error: Exception) -> dict[str, Any]:
    await _time.clock.asleep(_SETTLE_SECONDS)
    try:
        found = await find(ago_seconds + _SETTLE_SECONDS)
    except Exception as exc:
        raise _InDoubt(error, exc) from exc
    if found is None:
        raise error
    claim(kind, found["id"])
    return found


def runs_query(job_id: int) -> dict[str, Any]:
    """Make the query that lists the newest runs of a job with what triggered them."""
    return {"job_definition_id": job_id, "include_related": ["trigger"], "order_by": "-id", "limit": _LISTED}


def cause_of(run: dict[str, Any]) -> str:
    """Read why a run was triggered; empty where it is not said."""
    cause = as_dict(run.get("trigger")).get("cause")
    return cause if isinstance(cause, str) else ""


async def _find(
    client: DbtCloudAdministrativeClient,
    kind: str,
    query: dict[str, Any],
    is_ours: Callable[[dict[str, Any]], bool],
    ago_seconds: float,
) -> dict[str, Any] | None:
    """Find the oldest thing that was made since `ago_seconds`, by the server's clock, and that no call has got."""
    response = await client.call_endpoint("GET", f"/{kind.rstrip('/').rpartition('/')[2]}/", params=query)
    since = _EVER
    if ago_seconds != math.inf:
        since = _server_time(response) - timedelta(seconds=ago_seconds + _SLACK_SECONDS)
    found = [
        each
        for each in dicts_in(await read_data(response))
        if (kind, each.get("id")) not in _claimed
        and is_ours(each)
        and (made := _time_of(each.get("created_at"))) is not None
        and made >= since
    ]
    return min(found, key=lambda each: each["id"], default=None)


def _server_time(response: httpx.Response) -> datetime:
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return datetime.now(timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _time_of(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
