"""Statements on their way: submitted, watched, and cancelled by their ID when nobody waits any more.

A statement is handed to Snowflake to run by itself, so that its ID is known at once; then its status is asked until it
has ended. Statements that change the session, or move files, cannot run so: they run in a thread, and are cancelled by
the ID of their request.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import Redactor, secrets_in
from prefect_integration_kit.sql import FetchStopped, whole_number

from ._query_tags import query_url, run_tag, tagged
from .errors import (
    SnowflakeError,
    SnowflakeInvalidRequest,
    SnowflakeQueryTimeout,
    is_broken_answer,
    snowflake_errors,
)
from .settings import SnowflakeSettings

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    from .credentials import SnowflakeCredentials

R = TypeVar("R")

_COMMENT = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|//[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
# Of the session, of its transaction, of files; and those whose answer is there at once.
_DIRECT = re.compile(
    r"(?:use|set|unset|begin|start|commit|rollback|put|get|list|ls|remove|rm|show|describe|desc|explain|"
    r"alter\s+session)\b",
    re.IGNORECASE,
)
_DIRECT_OPTIONS = ("num_statements", "file_stream", "_describe_only", "_no_results", "_is_put_get", "_bind_stage")
_FIRST_LOOK_SECONDS = 0.01
_NO_DATA_SECONDS = 60.0
_JOIN_SECONDS = 0.05
_SUBMISSION_SECONDS = 1.0
_TRIES = 3


@dataclass(frozen=True)
class Surroundings:
    """What a statement runs in.

    Attributes:
        account: Identifier of the account, for addresses.
        poll_seconds: The most seconds between two looks.
        session_parameters: Parameters of the session.
        redactor: Masks secrets.
        tag: Query tag of the run that waits; taken by the caller's thread.
    """

    account: str
    poll_seconds: float
    session_parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    redactor: Redactor = field(default_factory=lambda: Redactor(()), repr=False)
    tag: str | None = field(default_factory=lambda: run_tag() if SnowflakeSettings().query_tag_enabled else None)

    @classmethod
    def of(cls, credentials: SnowflakeCredentials, poll_seconds: float) -> Surroundings:
        """Describe what a statement runs in that these credentials log in for, and the caller waits for."""
        if not isinstance(credentials, BaseModel):  # a stub that a test gives in place of the block
            return cls(str(credentials.account), poll_seconds if isinstance(poll_seconds, int | float) else 1)
        return cls(
            account=credentials.account,
            poll_seconds=poll_seconds,
            session_parameters=credentials.session_parameters,
            redactor=Redactor(secrets_in(credentials)),
        )


def open_cursor(connection: SnowflakeConnection, cursor_type: Any) -> SnowflakeCursor:
    """Open a cursor.

    Args:
        connection: The connection.
        cursor_type: Its class; `SnowflakeCursor` when `None`.
    """
    with snowflake_errors("A cursor"):
        cursor = connection.cursor() if cursor_type is None else connection.cursor(cursor_type)
    if is_stub(cursor):
        with suppress(AttributeError, TypeError):
            cast("Any", cursor).connection = connection
    return cursor


def is_stub(cursor: object) -> bool:
    """Say whether a test has put something in the place of the connector's cursor."""
    from snowflake.connector import cursor as _cursors

    cursors: Any = _cursors  # the base is not in all releases
    return not isinstance(cursor, getattr(cursors, "SnowflakeCursorBase", cursors.SnowflakeCursor))


def first_words(operation: str) -> str:
    """Give a statement without the white space and the comments before it."""
    return operation[cast("re.Match[str]", _COMMENT.match(operation)).end() :]


def runs_directly(operation: str, options: Mapping[str, Any]) -> bool:
    """Say whether a statement cannot be handed over to run by itself.

    Args:
        operation: The statement.
        options: Options of the cursor's `execute`.
    """
    if any(options.get(name) is not None for name in _DIRECT_OPTIONS):
        return True
    return _DIRECT.match(first_words(operation)) is not None


def check_operation(operation: object) -> str:
    """Refuse an empty statement.

    Args:
        operation: The statement.

    Raises:
        SnowflakeInvalidRequest: If it is none.
    """
    if not isinstance(operation, str) or not first_words(operation).strip("; \t\r\n"):
        raise SnowflakeInvalidRequest(f"The operation is {operation!r}; give a statement of SQL.")
    return operation


def execute(
    cursor: SnowflakeCursor,
    operation: str,
    parameters: Any,
    options: Mapping[str, Any],
    surroundings: Surroundings,
    stop: threading.Event,
    *,
    wants_rows: bool = True,
) -> None:
    """Execute a statement, and wait for its end.

    Args:
        cursor: Gets the rows.
        operation: The statement.
        parameters: Values for its placeholders.
        options: Options of the cursor's `execute`; `timeout` is in seconds.
        surroundings: What it runs in.
        stop: When it is set, the statement is cancelled.
        wants_rows: Whether the cursor must give rows afterwards.

    Raises:
        SnowflakeError: If the statement fails.
        FetchStopped: If `stop` was set.
    """
    operation = check_operation(operation)
    if is_stub(cursor):
        _execute_stubbed(cursor, operation, parameters, options, surroundings, stop, wants_rows=wants_rows)
        return
    untyped: Any = cursor
    given = tagged(options, surroundings.tag, surroundings.session_parameters)
    deadline = _deadline(given.pop("timeout", None))
    has_id = _name_request(given)
    if runs_directly(operation, given):
        call = _Direct(cursor, operation, surroundings, has_id=has_id)
        _run_directly(call, lambda: untyped.execute(operation, parameters, **given), stop, deadline)
        return
    given["_exec_async"] = True
    submission = _Direct(cursor, operation, surroundings, is_submission=True, has_id=has_id)
    try:
        submission.run(lambda: untyped.execute(operation, parameters, **given), stop, deadline)
        query_id = _known_id(cursor)
        _wait_for_query(cursor.connection, query_id, surroundings, stop, deadline)
    except BaseException as exc:
        # Wherever an interruption strikes: what was handed over and has not ended is cancelled.
        why = _reason_to_cancel(exc)
        if why is not None and cursor.sfqid is not None and not submission.was_aborted:
            _bounded(partial(cursor.abort_query, cursor.sfqid), f"Query {cursor.sfqid}", why)
        raise
    if wants_rows:
        with snowflake_errors(f"Query {query_id}"):
            cursor.get_results_from_sfqid(query_id)


def _execute_stubbed(
    cursor: Any,
    operation: str,
    parameters: Any,
    options: Mapping[str, Any],
    surroundings: Surroundings,
    stop: threading.Event,
    *,
    wants_rows: bool,
) -> None:
    """Execute a statement by no more than the connector's documented calls, which is what stubs have."""
    if runs_directly(operation, options):
        cursor.execute(operation, parameters, **options)
        return
    answer: Any = cursor.execute_async(operation, parameters, **options)
    query_id = cursor.sfqid if answer is cursor else answer["queryId"]
    look: Any = getattr(cursor.connection, "get_query_status", None)
    for seconds in _pace(surroundings.poll_seconds):
        if look is None or cursor.connection.is_still_running(look(query_id)) is not True:
            break
        if stop.wait(seconds):
            raise FetchStopped
    if wants_rows:
        cursor.get_results_from_sfqid(query_id)


def execute_many(
    cursor: SnowflakeCursor,
    operation: str,
    sequence: Sequence[Any],
    surroundings: Surroundings,
    stop: threading.Event,
) -> None:
    """Execute a statement for each set of parameters.

    Args:
        cursor: A cursor.
        operation: The statement.
        sequence: The sets; those of an INSERT are sent together.
        surroundings: What it runs in.
        stop: When it is set, the statement under way is cancelled.

    Raises:
        SnowflakeError: If one fails.
        FetchStopped: If `stop` was set.
    """
    if is_stub(cursor):
        cursor.executemany(operation, sequence)
        return
    given = tagged({}, surroundings.tag, surroundings.session_parameters)
    call = _Direct(cursor, operation, surroundings)
    _run_directly(call, lambda: cursor.executemany(operation, sequence, **given), stop, None)


def _name_request(options: dict[str, Any]) -> bool:
    """Give the request of a statement an ID, by which Snowflake knows it again; say whether it has one.

    Args:
        options: Options of the cursor's `execute`, which are changed.
    """
    try:
        from snowflake.connector._utils import REQUEST_ID_STATEMENT_PARAM_NAME as NAME
    except ImportError:  # the connector does not take IDs of others
        return False
    options["_statement_params"] = {NAME: str(uuid.uuid4()), **(options.get("_statement_params") or {})}
    return True


def _deadline(timeout: Any) -> float | None:
    if timeout is None:
        return None
    seconds = timeout if isinstance(timeout, float) else whole_number(timeout)
    if seconds is None or seconds < 0:
        raise SnowflakeInvalidRequest(f"timeout is {timeout!r}; it must be a number of seconds.")
    return time.monotonic() + seconds if seconds else None


def _run_directly(call: _Direct, work: Callable[[], Any], stop: threading.Event, deadline: float | None) -> None:
    call.run(work, stop, deadline)
    cursor = call.cursor
    if cursor.sfqid:
        url = query_url(call.surroundings.account, cursor.sfqid)
        run_logger(__name__).debug("Executed query %s: %s", cursor.sfqid, url)


class _Direct:
    """A call of the cursor that blocks: it is made in a thread, and this one waits.

    Args:
        cursor: The cursor.
        operation: The statement.
        surroundings: What it runs in.
        is_submission: Whether it is answered at once.
        has_id: Whether its request has an ID of ours, so that it can be sent again without being done twice.
    """

    def __init__(
        self,
        cursor: SnowflakeCursor,
        operation: str,
        surroundings: Surroundings,
        *,
        is_submission: bool = False,
        has_id: bool = False,
    ) -> None:
        self.cursor = cursor
        self._connection: SnowflakeConnection = cursor.connection
        self._operation = operation
        self.surroundings = surroundings
        self._is_submission = is_submission
        self._tries = _TRIES if has_id else 1
        self.was_aborted = False
        self._subject = "Statement"

    def run(self, call: Callable[[], R], stop: threading.Event, deadline: float | None) -> R:
        results: list[R] = []
        errors: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                results.append(self._repeated(call))
            except BaseException as exc:  # noqa: BLE001 - raised by the thread that waits
                errors.append(exc)
            finally:
                done.set()

        try:
            # An interruption may strike while it starts, when the statement is on its way already.
            threading.Thread(target=work, name="snowflake-statement", daemon=True).start()
            self._wait(done, stop, deadline)
        except BaseException:
            limit = SnowflakeSettings().cancel_timeout_seconds
            if self._is_submission:  # its answer is on the way, with the ID to cancel by
                done.wait(min(_SUBMISSION_SECONDS, limit))
            if not done.is_set():
                self._abort()
                done.wait(limit)
            raise
        if errors:
            with snowflake_errors(self._subject):
                raise self._cleaned(errors[0])
        return results[0]

    def _repeated(self, call: Callable[[], R]) -> R:
        """Call again when the answer broke off, which the connector does not do by itself."""
        for _ in range(self._tries - 1):
            try:
                return call()
            except Exception as exc:  # noqa: PERF203 - most do not come here
                if not is_broken_answer(exc):
                    raise
        return call()

    def _wait(self, done: threading.Event, stop: threading.Event, deadline: float | None) -> None:
        while not done.wait(_JOIN_SECONDS):
            if stop.is_set():
                raise FetchStopped
            if deadline is not None and time.monotonic() >= deadline:
                raise _timed_out(self._subject)

    def _cleaned(self, exc: BaseException) -> BaseException:
        """Take values out of an error of the connector, which holds the statement as it was sent."""
        if getattr(exc, "query", None) is not None:
            vars(exc)["query"] = self._operation
        message = getattr(exc, "msg", None)
        if isinstance(message, str) and self.surroundings.redactor.found_in(message):
            vars(exc)["msg"] = self.surroundings.redactor.redact(message)
        return exc

    def _abort(self) -> None:
        request_id = getattr(self.cursor, "_request_id", None)
        rest: Any = self._connection.rest
        if request_id is None or rest is None:
            return
        self.was_aborted = True
        # https://github.com/snowflakedb/snowflake-connector-python: how the connector itself cancels on Ctrl-C.
        url = f"/queries/v1/abort-request?requestId={uuid.uuid4()}"
        body = {"sqlText": self._operation, "requestId": str(request_id)}
        _bounded(lambda: rest.request(url, body), f"The statement of request {request_id}", "it was interrupted")


def _known_id(cursor: SnowflakeCursor) -> str:
    if cursor.sfqid is None:
        raise SnowflakeError("Snowflake has given no ID to the statement.")
    return cursor.sfqid


def _reason_to_cancel(exc: BaseException) -> str | None:
    """Say why a query must be cancelled; `None` if it has ended."""
    if isinstance(exc, FetchStopped):
        return "nobody waits for it any more"
    if isinstance(exc, SnowflakeQueryTimeout) and exc.errno is None:  # ours
        return "its time is up"
    return None if isinstance(exc, SnowflakeError) else "the run was interrupted"


def _wait_for_query(
    connection: SnowflakeConnection,
    query_id: str,
    surroundings: Surroundings,
    stop: threading.Event,
    deadline: float | None,
) -> None:
    """Wait for the end of a query that runs by itself."""
    run_logger(__name__).info("Started query %s: %s", query_id, query_url(surroundings.account, query_id))
    from snowflake.connector.constants import QueryStatus

    subject = f"Query {query_id}"
    unknown_until = time.monotonic() + _NO_DATA_SECONDS
    for seconds in _pace(surroundings.poll_seconds):
        with snowflake_errors(subject):
            status = connection.get_query_status(query_id)
            if not connection.is_still_running(status):
                if connection.is_an_error(status):
                    connection.get_query_status_throw_if_error(query_id)
                return
        if status is not QueryStatus.NO_DATA:
            unknown_until = time.monotonic() + _NO_DATA_SECONDS
        elif time.monotonic() >= unknown_until:
            raise SnowflakeError(f"{subject}: Snowflake has said nothing of it for {_NO_DATA_SECONDS:g} s.")
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise _timed_out(subject)
        if stop.wait(seconds if left is None else min(seconds, left)):
            raise FetchStopped


def _timed_out(subject: str) -> SnowflakeQueryTimeout:
    return SnowflakeQueryTimeout(
        f"{subject}: it has not ended within its timeout and was cancelled. {SnowflakeQueryTimeout.remedy}"
    )


def _pace(most: float) -> Iterator[float]:
    """Look often at first, so that short queries end at once, then ever more seldom."""
    seconds = min(_FIRST_LOOK_SECONDS, most)
    while True:
        yield seconds
        seconds = min(seconds * 1.5, most)


def _bounded(abort: Callable[[], Any], subject: str, why: str) -> None:
    """Cancel a query; what goes wrong is only told, since the caller is about to raise the reason."""
    said: list[Any] = []

    def work() -> None:
        try:
            said.append(abort())
        except Exception as exc:  # noqa: BLE001 - whatever the connector raises
            said.append(exc)

    thread = threading.Thread(target=work, name="snowflake-cancel", daemon=True)
    thread.start()
    thread.join(SnowflakeSettings().cancel_timeout_seconds)
    logger = run_logger(__name__)
    if not said:
        logger.warning("%s could not be cancelled in time. It may run on.", subject)
    elif isinstance(said[0], Exception) or said[0] is False:
        logger.warning("%s could not be cancelled (%s). It may run on.", subject, type(said[0]).__name__)
    else:
        logger.info("Cancelled %s, because %s", subject[0].lower() + subject[1:], why)
