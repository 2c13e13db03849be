"""Statements of the block: placeholders as in Python's database API, and results that are read on after an error."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.sql import FetchStopped, Statement

from ..errors import GcpError, GcpInvalidRequest, gcp_errors
from .configuration import query_configuration
from .jobs import StartedJob, Unwanted, run_job
from .queries import pages, query_job
from .sdk import BigQueryWrongType

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Row

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OPTIONS = ("job_config", "job_id", "location")


@contextmanager
def database_errors() -> Generator[None, None, None]:
    """Let this package's errors also be those of Python's database API, as a cursor of the SDK raises them."""
    try:
        yield
    except GcpError as exc:
        from google.cloud.bigquery.dbapi import DatabaseError

        error = combined(type(exc), DatabaseError)(str(exc), subject=exc.subject)
        vars(error).update(vars(exc))
        raise error from (exc.__cause__ or exc)


class _Recorder:
    """Stands for the client of the SDK's cursor, which turns placeholders and values into those of BigQuery.

    The cursor would run the query under an ID of its own, and wait where nobody can stop it.
    """

    project = ""
    query_text = ""
    config: Any = None

    def query(self, query: str, job_config: Any = None, **_: Any) -> Any:
        self.query_text, self.config = query, job_config
        raise _RecordedQuery

    query_and_wait = query


class _RecordedQuery(BaseException):
    """The cursor has done its part."""


def statement_job(client: Client, statement: Statement) -> StartedJob:
    """Describe the job of a statement; nothing is sent.

    Args:
        client: Where it runs.
        statement: `%(name)s` or `%s` stand for parameters. Its options are `job_config`, `job_id` and `location`.

    Raises:
        GcpInvalidRequest: If parameters or options do not fit.
    """
    options = dict(statement.options)
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise BigQueryWrongType(
            f"BigQuery: no execution option is called {unknown[0]!r}. Known: {', '.join(_OPTIONS)}."
        )
    config = query_configuration(options.get("job_config"))
    text, config = _with_parameters(statement, config)
    return query_job(client, text, config, location=options.get("location"), job_id=options.get("job_id"))


def _with_parameters(statement: Statement, config: Any) -> tuple[str, Any]:
    from google.cloud.bigquery import dbapi

    operation, parameters = statement.operation, statement.parameters
    if not isinstance(operation, str) or not operation.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GcpInvalidRequest("BigQuery: the operation is empty; give a statement.")
    if not parameters:
        return operation.replace("%%", "%"), config  # as the SDK's cursor does
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Mapping | Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BigQueryWrongType(
            f"BigQuery: parameters is {type(parameters).__name__}; give a dictionary for %(name)s, a sequence for %s."
        )
    recorder = _Recorder()
    connection: Any = dbapi.Connection(client=cast("Client", recorder), prefer_bqstorage_client=False)
    own = list(config.query_parameters)
    try:
        connection.cursor().execute(operation, parameters, job_id="unused", job_config=config)
    except _RecordedQuery:
        pass
    except dbapi.Error as exc:
        given = ", ".join(map(str, parameters)) if isinstance(parameters, Mapping) else f"{len(parameters)} values"
        raise combined(GcpInvalidRequest, type(exc))(
            f"BigQuery: the parameters ({given}) do not fit the placeholders of the statement: {exc}."
        ) from exc
    made = recorder.config
    made.query_parameters = [*own, *made.query_parameters]
    return _plain_marks(recorder.query_text, parameters), made


def _plain_marks(text: str, parameters: Any) -> str:
    """Write @name for @`name`, which means the same and which every emulator understands."""
    names = [name for name in parameters if _IDENTIFIER.fullmatch(name)] if isinstance(parameters, Mapping) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for name in names:  # pyright: ignore[reportUnknownVariableType]
        text = text.replace(f"@`{name}`", f"@{name}")
    return text


class QueryRows:
    """The rows of a query that has ended.

    When a page cannot be read, the next call asks for the rows from there on.
    """

    def __init__(self, client: Client, job: Any, subject: str) -> None:
        """Wrap the job.

        Args:
            client: The job's client.
            job: The job.
            subject: What it is, for errors.
        """
        self._client: Any = client
        self._job = job
        self._subject = subject
        self._taken = 0
        self._pages = pages(job, subject)

    def read(self, size: int | None) -> Sequence[Row]:
        """Read the next page; an empty list at the end."""
        with database_errors():
            try:
                for page in self._pages:
                    self._taken += len(page)
                    if page:
                        return page
            except BaseException:
                self._pages = self._from_here()
                raise
        return []

    def _from_here(self) -> Iterator[list[Row]]:
        if not self._taken:
            yield from pages(self._job, self._subject)
            return
        # Of a job that was not read yet, since the one at hand has kept its first page.
        with gcp_errors(self._subject):
            fresh: Any = self._client.get_job(self._job.job_id, project=self._job.project, location=self._job.location)
        yield from pages(fresh, self._subject, self._taken)

    def close(self) -> None:
        """Let go of the page at hand."""
        self._pages = iter(())


def open_rows(client: Client, statement: Statement, stop: threading.Event) -> QueryRows:
    """Execute a statement and give its rows.

    Args:
        client: Where it runs.
        statement: The statement.
        stop: Ends the job.
    """
    with database_errors():
        work = statement_job(client, statement)
        try:
            job = run_job(work, stop)
        except Unwanted as exc:
            raise FetchStopped from exc
    return QueryRows(client, job, work.subject)


def seq_statements(operation: str, seq_of_parameters: Any) -> list[Statement]:
    """Make a statement for each set of parameters.

    Raises:
        BigQueryWrongType: If it is no sequence of dictionaries or sequences; the message names the place.
    """
    if isinstance(seq_of_parameters, str | bytes | Mapping) or not isinstance(seq_of_parameters, Sequence):
        raise BigQueryWrongType(
            f"BigQuery: seq_of_parameters is {type(cast('Any', seq_of_parameters)).__name__}; give a list of "
            "dictionaries, or of sequences."
        )
    made: list[Statement] = []
    for index, parameters in enumerate(cast("Sequence[Any]", seq_of_parameters)):
        if isinstance(parameters, str | bytes) or not isinstance(parameters, Mapping | Sequence):
            raise BigQueryWrongType(
                f"BigQuery: seq_of_parameters[{index}] is {type(parameters).__name__}; give a dictionary or a sequence."
            )
        made.append(Statement(operation, copy.copy(cast("Any", parameters))))
    return made
