"""Execute a statement on a warehouse: start it, wait for it, and cancel it when nobody waits any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio

from prefect_integration_kit.coroutines import known_before_cancel
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import redact, secrets_in
from prefect_integration_kit.sql_statements import is_plain_read
from prefect_integration_kit.waiting import Backoff

from .. import _time
from .._http import call
from ..errors import DatabricksBadRequest, DatabricksError, is_passing
from ..settings import DatabricksSettings
from .errors import DatabricksStatementCancelled, DatabricksStatementError, DatabricksStatementTimedOut
from .formats import Disposition, Format
from .parameters import to_parameters

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials


PATH = "/2.0/sql/statements"
_SERVER_WAIT = "5s"
"""How long the first request waits for the end: the shortest that there is. Until it answers, nobody knows an id."""

_FIRST_SECONDS, _FACTOR, _LONGEST_SECONDS = 0.25, 1.5, 5.0
_ONCE = Backoff(max_attempts=1)
_SHORTEST_MASKED = 4


@dataclass(frozen=True)
class Request:
    """What is to be executed.

    Attributes:
        statement: The SQL.
        warehouse_id: The warehouse.
        parameters: Values by name.
        catalog: Catalog that names without one are in.
        schema: Schema that names without one are in.
        row_limit: How many rows the result has at most.
        query_tags: Tags that the history of queries shows.
        disposition: How the result comes; `None`: in the answer, and where it is too large for that, by links.
        format: How the result is written.
        timeout_seconds: Seconds until which the statement must have ended; `None`: for ever.
    """

    statement: str
    warehouse_id: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = field(default=None, repr=False)
    catalog: str | None = None
    schema: str | None = None
    row_limit: int | None = None
    query_tags: Mapping[str, str | None] | None = None
    disposition: Disposition | None = None
    format: Format = "JSON_ARRAY"
    timeout_seconds: float | None = None

    def body(self, disposition: str) -> dict[str, Any]:
        """Write it as the API takes it.

        Raises:
            DatabricksBadRequest: If something cannot be meant.
        """
        if not self.statement.strip():
            raise DatabricksBadRequest("The statement is empty.")
        if self.timeout_seconds is not None and not self.timeout_seconds > 0:
            raise DatabricksBadRequest(f"timeout_seconds is {self.timeout_seconds}; it must be more than 0.")
        fields: dict[str, Any] = {
            "statement": self.statement,
            "warehouse_id": self.warehouse_id,
            "parameters": to_parameters(self.parameters) or None,
            "catalog": self.catalog,
            "schema": self.schema,
            "row_limit": self.row_limit,
            "query_tags": [{"key": key, "value": value} for key, value in (self.query_tags or {}).items()] or None,
            "disposition": disposition,
            "format": self.format,
            "wait_timeout": _SERVER_WAIT,
            "on_wait_timeout": "CONTINUE",
        }
        return {name: value for name, value in fields.items() if value is not None}


async def execute(credentials: DatabricksCredentials, request: Request) -> dict[str, Any]:
    """Execute a statement, and give the answer with the first part of its result.

    A statement that only reads is sent again when its answer is lost; another one is not, since it may have been
    executed. When the caller is cancelled, interrupted or out of time, the statement is cancelled.

    Args:
        credentials: Who asks, and where.
        request: What is to be executed.

    Raises:
        DatabricksStatementError: If it failed, was cancelled, or did not end in time.
        DatabricksError: If it was refused, or Databricks did not answer.
    """
    reads = is_plain_read(request.statement)
    try:
        return await _Execution(credentials, request, request.disposition or "INLINE", reads).run()
    except DatabricksError as exc:
        if request.disposition is not None or "Inline byte limit" not in str(exc):
            raise
        if not reads:
            raise DatabricksBadRequest(
                f"{exc} Set disposition to EXTERNAL_LINKS. It is not executed again by itself: it may have written."
            ) from exc
        run_logger(__name__).debug("The result is too large for an answer; it is read by links")
    return await _Execution(credentials, request, "EXTERNAL_LINKS", reads).run()


class _Execution:
    def __init__(self, credentials: DatabricksCredentials, request: Request, disposition: str, reads: bool) -> None:
        self._credentials = credentials
        self._request = request
        self._body = request.body(disposition)
        self._reads = reads
        self._logger = run_logger(__name__)
        self._id: str | None = None

    async def run(self) -> dict[str, Any]:
        try:
            answer = await known_before_cancel(self._post(), self._undo)
            return await self._until_end(answer)
        except DatabricksStatementError:
            raise
        except BaseException as exc:  # cancelled, interrupted, or out of reach
            if self._id is not None:
                said = ""
                with anyio.CancelScope(shield=True):
                    said = await self._cancel(self._id)
                if isinstance(exc, DatabricksError):
                    exc.args = (f"{exc} {said}", *exc.args[1:])
            raise

    async def _post(self) -> dict[str, Any]:
        return await self._call("POST", PATH, json=self._body, repeatable=self._reads)

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        subject = "The SQL statement could not be executed" if self._id is None else self._subject
        try:
            return await call(self._credentials, subject, method, path, **options)
        except DatabricksError as exc:
            exc.args = (self._masked(str(exc)), *exc.args[1:])
            raise

    async def _look(self, left: float | None) -> dict[str, Any]:
        # The next look is the repetition, and a look that hangs must not move the deadline.
        longest = DatabricksSettings().timeout_seconds
        timeout = longest if left is None else min(longest, max(left, 1.0))
        return await self._call("GET", f"{PATH}/{self._id}", backoff=_ONCE, timeout=timeout)

    @property
    def _subject(self) -> str:
        return f"SQL statement {self._id}"

    async def _undo(self, answer: dict[str, Any]) -> None:
        if isinstance(found := answer.get("statement_id"), str) and not _has_ended(answer):
            await self._cancel(found)

    async def _until_end(self, answer: dict[str, Any]) -> dict[str, Any]:
        found = answer.get("statement_id")
        self._id = found if isinstance(found, str) else None
        start = contact = _time.clock.monotonic()
        pause = _FIRST_SECONDS
        if not _has_ended(answer):
            self._logger.info("SQL statement %s goes on: %s", self._id, _state(answer))
        while not _has_ended(answer):
            now, limit = _time.clock.monotonic(), self._request.timeout_seconds
            if limit is not None and now - start >= limit:
                raise await self._timed_out(limit)
            await _time.clock.asleep(pause if limit is None else min(pause, limit - (now - start)))
            pause = min(pause * _FACTOR, _LONGEST_SECONDS)
            try:
                answer = await self._look(None if limit is None else limit - (_time.clock.monotonic() - start))
            except DatabricksError as exc:
                verdict = is_passing(exc)
                silent = _time.clock.monotonic() - contact
                if verdict is False or silent >= DatabricksSettings().contact_seconds:
                    raise
                self._logger.warning("SQL statement %s could not be looked at, will look again: %s", self._id, exc)
                pause = max(pause, 0.0 if verdict is True else min(float(verdict), _LONGEST_SECONDS * 12))
                continue
            contact = _time.clock.monotonic()
        return self._checked(answer)

    async def _timed_out(self, limit: float) -> DatabricksStatementTimedOut:
        said = ""
        with anyio.CancelScope(shield=True):
            said = await self._cancel(cast("str", self._id))
        error = DatabricksStatementTimedOut(
            f"{self._subject} did not end within {limit:g} seconds. {said} Raise timeout_seconds if it needs longer.",
            subject=self._subject,
        )
        error.statement_id = self._id
        return error

    async def _cancel(self, statement_id: str) -> str:
        """Cancel the statement. What goes wrong is only told: the caller is about to raise the reason."""
        try:
            await call(self._credentials, "The cancelling failed", "POST", f"{PATH}/{statement_id}/cancel", json={})
        except Exception as exc:  # noqa: BLE001 - see above
            self._logger.warning("SQL statement %s could not be cancelled and may go on: %s", statement_id, exc)
            return "It could not be cancelled and may go on."
        self._logger.info("Cancelled SQL statement %s, because nobody waits for it", statement_id)
        return "It was cancelled."

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        state = _state(answer)
        if state == "SUCCEEDED":
            return answer
        status = cast("dict[str, Any]", answer.get("status") or {})
        failure = cast("dict[str, Any]", status.get("error") or {})
        said = str(failure.get("message") or "")
        cls: type[DatabricksStatementError] = DatabricksStatementError
        text = f"{self._subject} failed"
        if state == "CANCELED":
            cls, text = DatabricksStatementCancelled, f"{self._subject} was cancelled"
        elif state == "CLOSED":
            text = f"{self._subject} has succeeded, but its result is not kept any more"
        code = failure.get("error_code")
        text += (f" ({code})" if code else "") + (f": {said}" if said else ".")
        error = cls(self._masked(text), subject=self._subject)
        error.statement_id, error.sql_state = self._id, status.get("sql_state")
        error.error_code = code if isinstance(code, str) else None
        return _raise(error)

    def _masked(self, text: str) -> str:
        """Take values out of what Databricks says: it repeats those that it could not use."""
        values = [str(each.get("value") or "") for each in self._body.get("parameters", [])]
        return redact(text, [*secrets_in(self._credentials), *(v for v in values if len(v) >= _SHORTEST_MASKED)])


def _raise(error: DatabricksStatementError) -> Any:
    raise error


def _state(answer: Mapping[str, Any]) -> str:
    return str(cast("Mapping[str, Any]", answer.get("status") or {}).get("state") or "")


def _has_ended(answer: Mapping[str, Any]) -> bool:
    return _state(answer) not in ("PENDING", "RUNNING")
