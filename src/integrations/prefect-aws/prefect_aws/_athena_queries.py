"""Queries of Athena: start or take over, look, stop, read the rows page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.run_keys import RunKey
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._athena_values import converter
from ._remote_work import RemoteWork, persist
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, AwsJobFailed, aws_errors

_SUCCEEDED = "SUCCEEDED"
_FAILED = frozenset({"FAILED", "CANCELLED"})
_PAGE_ROWS = 1000  # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html

# https://docs.aws.amazon.com/athena/latest/APIReference/API_AthenaError.html
_CATEGORIES = {1: "an error of Athena", 2: "an error of the query or its data", 3: "an error"}

Structure = Mapping[str, Any]
Row = tuple[Any, ...]


def _part(value: Structure, name: str) -> Structure:
    return cast("Structure", value.get(name) or {})


def _parts(value: Structure, name: str) -> list[Structure]:
    return cast("list[Structure]", value.get(name) or [])


@dataclass(frozen=True)
class QueryExecution:
    """A query that has ended with success.

    Attributes:
        query_execution_id: ID of the execution.
        state: `SUCCEEDED`.
        statement_type: `DML` for queries and inserts, `DDL` for definitions, `UTILITY` for `SHOW`, `EXPLAIN` and such.
        workgroup: The workgroup that it ran in.
        output_location: Where its result lies in S3; `None` where Athena manages the results.
        bytes_scanned: Bytes of data that it read, which is what Athena bills.
        execution_ms: Milliseconds that the engine worked.
        reused: Whether the result of an earlier query was taken.
    """

    query_execution_id: str
    state: str
    statement_type: str
    workgroup: str
    output_location: str | None
    bytes_scanned: int
    execution_ms: int
    reused: bool


def describe(execution: Structure) -> QueryExecution:
    """Read what GetQueryExecution says about a query."""
    statistics = _part(execution, "Statistics")
    return QueryExecution(
        query_execution_id=str(execution["QueryExecutionId"]),
        state=str(_part(execution, "Status")["State"]),
        statement_type=str(execution.get("StatementType") or ""),
        workgroup=str(execution.get("WorkGroup") or ""),
        output_location=_part(execution, "ResultConfiguration").get("OutputLocation"),
        bytes_scanned=int(statistics.get("DataScannedInBytes") or 0),
        execution_ms=int(statistics.get("EngineExecutionTimeInMillis") or 0),
        reused=bool(_part(statistics, "ResultReuseInformation").get("ReusedPreviousResult")),
    )


class Query(RemoteWork[QueryExecution]):
    """One query.

    Args:
        credentials: Who we are at AWS.
        request: Arguments of StartQueryExecution, without the token.
        key: What makes the token: the same for each try of a task run.
        clock: Time.
    """

    def __init__(
        self,
        credentials: AwsCredentials,
        request: Mapping[str, Any],
        key: RunKey,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._credentials = credentials
        self._request = request
        self._key = key
        self._clock = clock
        self._seen: Structure = {}
        self.query_id = ""

    @property
    def _client(self) -> Any:
        return self._credentials.get_client("athena")

    @property
    def subject(self) -> str:
        """The query by its ID once there is one; its text may hold what is nobody's business."""
        return f"Athena query {self.query_id}" if self.query_id else subject_of(self._request)

    @property
    def _state(self) -> str:
        return str(_part(self._seen, "Status").get("State") or "")

    @property
    def is_started(self) -> bool:
        """Whether it is under way, as far as is known."""
        return bool(self.query_id) and self._state not in (_SUCCEEDED, *_FAILED)

    def start(self) -> None:
        """Start it, or take over what an earlier try of the same task run started.

        Athena gives a token that it knows its earlier query back, however that ended: after one that failed, the next
        token is for a new one.
        """
        tokens = list(self._key.names())
        for token in tokens:
            self.query_id, self._seen = self._start(token), {}
            if token != tokens[-1]:
                self.look()
            if self._state not in _FAILED:
                break
        run_logger(__name__).info("Started %s", self.subject)

    def _start(self, token: str) -> str:
        client = self._client
        with aws_errors(subject_of(self._request), secrets=self._request.get("ExecutionParameters", ())):
            return str(client.start_query_execution(**self._request, ClientRequestToken=token)["QueryExecutionId"])

    def look(self) -> bool:
        """Ask for its state."""
        client = self._client
        with aws_errors(self.subject):
            self._seen = client.get_query_execution(QueryExecutionId=self.query_id)["QueryExecution"]
        run_logger(__name__).debug("%s is %s", self.subject, self._state)
        return self._state in (_SUCCEEDED, *_FAILED)

    def result(self) -> QueryExecution:
        """What it cost and where its result is, or why it failed."""
        check_success(self._seen)
        execution = describe(self._seen)
        run_logger(__name__).info(
            "%s succeeded: %d bytes scanned in %d ms%s",
            self.subject,
            execution.bytes_scanned,
            execution.execution_ms,
            ", with the result of an earlier query" if execution.reused else "",
        )
        return execution

    def stop(self, reason: str) -> None:
        """Stop it. Athena keeps no reason."""
        client = self._client
        with aws_errors(self.subject):
            client.stop_query_execution(QueryExecutionId=self.query_id)


def subject_of(request: Mapping[str, Any]) -> str:
    """Name a query that has no ID yet."""
    database = _part(request, "QueryExecutionContext").get("Database")
    where = f", database {database!r}" if database else ""
    return f"Athena query (workgroup {request.get('WorkGroup', 'primary')!r}{where})"


def check_success(execution: Structure) -> None:
    """Raise what went wrong with a query.

    Args:
        execution: GetQueryExecution's `QueryExecution`.

    Raises:
        AwsJobFailed: If the query failed or was cancelled.
    """
    status = _part(execution, "Status")
    state = str(status["State"])
    if state not in _FAILED:
        return
    subject = f"Athena query {execution['QueryExecutionId']}"
    error = _part(status, "AthenaError")
    reason = str(status.get("StateChangeReason") or error.get("ErrorMessage") or "Athena gives no reason")
    text = f"{subject} ended as {state}: {reason.strip().rstrip('.')}."
    if error:
        kind = _CATEGORIES.get(int(error.get("ErrorCategory") or 3), "an error")
        text += f" It is {kind} (type {error.get('ErrorType', 'unknown')})."
        text += " Athena says that it may succeed when it is tried again." if error.get("Retryable") else ""
    raise AwsJobFailed(text, subject=subject, code=state)


@dataclass(frozen=True)
class QueryColumn:
    """A column of a result.

    Attributes:
        name: Its name in the query.
        type: Athena's name of its type, such as `bigint` or `timestamp with time zone`.
    """

    name: str
    type: str


class QueryRows:
    """The rows of a finished query, in order, read a thousand at a time: `for row in rows`, `async for row in rows`.

    Each loop reads from the start. At most one page is in memory.

    Attributes:
        query_execution_id: The query.
    """

    def __init__(self, query_execution_id: str, aws_credentials: AwsCredentials, clock: Clock = SYSTEM_CLOCK) -> None:
        """Describe the rows; nothing is read yet.

        Args:
            query_execution_id: ID of the query.
            aws_credentials: Who we are at AWS.
            clock: Time.
        """
        self.query_execution_id = query_execution_id
        self._credentials = aws_credentials
        self._clock = clock
        self._columns: tuple[QueryColumn, ...] | None = None

    def __repr__(self) -> str:
        return f"<rows of Athena query {self.query_execution_id}>"

    @property
    def columns(self) -> tuple[QueryColumn, ...]:
        """Names and types of the columns; they are asked for when no row was read yet."""
        if self._columns is None:
            next(self._pages(), None)
        return self._columns or ()

    def __iter__(self) -> Iterator[Row]:
        for page in self._pages():
            yield from page

    async def __aiter__(self) -> AsyncIterator[Row]:
        pages = self._pages()
        while (page := await run_sync_in_worker_thread(next, pages, None)) is not None:
            for row in page:
                yield row

    def _pages(self) -> Iterator[list[Row]]:
        subject = f"Athena query {self.query_execution_id}"
        client = self._credentials.get_client("athena")

        def ask() -> Structure:
            with aws_errors(subject):
                return client.get_query_execution(QueryExecutionId=self.query_execution_id)["QueryExecution"]

        execution = persist(ask, self._clock)
        check_success(execution)
        if _part(execution, "Status")["State"] != _SUCCEEDED:
            raise AwsInvalidRequest(
                f"{subject} has not ended. Wait for it before you read its rows.", subject=subject, code="NotReady"
            )
        has_header = execution.get("StatementType") == "DML"
        token: str | None = ""
        converters: list[Callable[[str], Any]] = []
        while token is not None:
            answer = self._page(client, subject, token)
            result = _part(answer, "ResultSet")
            rows = _parts(result, "Rows")
            if token == "":
                self._columns = tuple(
                    QueryColumn(str(info.get("Name") or info.get("Label") or ""), str(info["Type"]))
                    for info in _parts(_part(result, "ResultSetMetadata"), "ColumnInfo")
                )
                converters = [converter(column.type) for column in self._columns]
                rows = rows[1:] if has_header and rows and _is_header(rows[0], self._columns) else rows
            yield [_values(row, converters) for row in rows]
            token = answer.get("NextToken")

    def _page(self, client: Any, subject: str, token: str) -> Structure:
        request: dict[str, Any] = {"QueryExecutionId": self.query_execution_id, "MaxResults": _PAGE_ROWS}
        if token:
            request["NextToken"] = token

        def ask() -> Structure:
            with aws_errors(f"Rows of {subject}"):
                return client.get_query_results(**request)

        return persist(ask, self._clock)


def _is_header(row: Structure, columns: tuple[QueryColumn, ...]) -> bool:
    """The first row of a query repeats the names of its columns; that of other statements does not."""
    return [value.get("VarCharValue") for value in _parts(row, "Data")] == [column.name for column in columns]


def _values(row: Structure, converters: list[Callable[[str], Any]]) -> Row:
    """A value that is not there is NULL; an empty text is one that is there."""
    texts = [cast("str | None", value.get("VarCharValue")) for value in _parts(row, "Data")]
    texts += [None] * (len(converters) - len(texts))
    return tuple(None if text is None else convert(text) for text, convert in zip(texts, converters, strict=False))
