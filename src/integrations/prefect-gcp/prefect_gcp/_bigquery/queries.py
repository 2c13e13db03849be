"""Queries: the job, a dry run before it, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.sql import whole_number

from .. import _stand_ins
from ..errors import GcpInvalidRequest, gcp_errors
from .jobs import StartedJob
from .sdk import ask, bigquery_sdk
from .storage_reads import REFUSALS, told

if TYPE_CHECKING:
    import threading

    from google.cloud.bigquery import Client, QueryJob, QueryJobConfig, Row

REQUEST_SECONDS = 120.0
"""How long to wait for the answer to one request; BigQuery answers within seconds, long before a job ends."""


class BigQueryTooManyBytes(GcpInvalidRequest, RuntimeError):
    """A query would process more bytes than it may. It is a `ValueError`."""


def query_job(
    client: Client,
    query: str,
    config: QueryJobConfig,
    *,
    location: str | None = None,
    job_id: str | None = None,
) -> StartedJob:
    """Describe the job of a query; nothing is sent.

    Args:
        client: Where it runs.
        query: GoogleSQL, with `@name` or `?` for parameters.
        config: Its configuration.
        location: Where the data are; found out by BigQuery when not given.
        job_id: Its ID, if the caller has one.

    Raises:
        GcpInvalidRequest: If the query is empty.
    """
    if not isinstance(query, str) or not query.strip():  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise GcpInvalidRequest("BigQuery query: the query is empty.")

    def begin(job_id: str) -> QueryJob:
        return ask(
            client,
            "query",
            query,
            job_config=config,
            job_id=job_id,
            location=location,
            retry=None,
            timeout=REQUEST_SECONDS,
            job_retry=None,
        )

    untyped: Any = config
    request = {"query": query, "configuration": untyped.to_api_repr()}
    return StartedJob(client, "query", begin, request, location=location, job_id=job_id)


def check_bytes(client: Client, query: str, config: QueryJobConfig, maximum: int, location: str | None) -> int:
    """Ask how many bytes a query would process, and refuse too many.

    Args:
        client: Where it would run.
        query: The query.
        config: Its configuration, which is not changed.
        maximum: How many bytes are allowed.
        location: Where the data are.

    Returns:
        The number of bytes.

    Raises:
        BigQueryTooManyBytes: If there are more. It is a `ValueError`.
    """
    allowed = whole_number(maximum)
    if allowed is None or allowed < 0:
        raise GcpInvalidRequest(f"dry_run_max_bytes is {maximum!r}; it must be a number of bytes, 0 or more.")
    untyped: Any = config
    dry: QueryJobConfig = bigquery_sdk().QueryJobConfig.from_api_repr(untyped.to_api_repr())
    dry.dry_run = True
    dry.use_query_cache = False  # a cached result would count as 0 bytes
    with gcp_errors("Dry run of a BigQuery query"):
        job = ask(client, "query", query, job_config=dry, location=location, timeout=REQUEST_SECONDS)
        processed = int(job.total_bytes_processed or 0)
    if processed > allowed:
        raise BigQueryTooManyBytes(
            f"The query would process {processed:,} bytes, which is more than dry_run_max_bytes allows ({allowed:,}). "
            "Select fewer columns or partitions, or raise dry_run_max_bytes."
        )
    return processed


def pages(job: Any, subject: str, start: int = 0) -> Iterator[list[Row]]:
    """Read the rows of a query that has ended, page by page.

    Args:
        job: The job.
        subject: What it is, for errors.
        start: How many rows to leave out.
    """
    with gcp_errors(subject):
        rows = job.result(start_index=start) if start else job.result()
        if not isinstance(rows, bigquery_sdk().table.RowIterator):  # a stub that a test gives in place of the SDK's
            yield list(rows)
            return
        for page in rows.pages:
            yield list(page)


def all_rows(job: Any, subject: str, stop: threading.Event | None = None) -> list[Row]:
    """Read all rows of a query that has ended.

    Args:
        job: The job.
        subject: What it is, for errors.
        stop: Nobody wants the rows any more.
    """
    taken: list[Row] = []
    for page in pages(job, subject):
        taken += page
        if stop is not None and stop.is_set():
            break
    return taken


class TransformedRows(list["Row"]):
    """Rows for a `result_transformer`: a list that also has what the SDK's iterator of rows has, such as `to_arrow`."""

    def __init__(self, rows: Sequence[Row], again: Callable[[], Any]) -> None:
        """Wrap the rows.

        Args:
            rows: The rows.
            again: Makes the SDK's iterator.
        """
        super().__init__(rows)
        self._again = again

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._again(), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def data_frame(job: Any, subject: str, storage: Any = None) -> Any:
    """Read all rows of a query that has ended, as a pandas data frame.

    Args:
        job: The job.
        subject: What it is, for errors.
        storage: Client of the Storage Read API, if one is to be used.
    """
    need_data_frames()
    if storage is not None:
        try:
            with gcp_errors(subject):
                return job.result().to_dataframe(bqstorage_client=storage)
        except REFUSALS as exc:
            told(exc, subject)
    with gcp_errors(subject):
        read = job.result().to_dataframe
        return read(**_stand_ins.fitting(read, {"create_bqstorage_client": False}))


def need_data_frames() -> None:
    """Import what the SDK makes data frames with.

    Raises:
        ImportError: If one of them is not installed; the message is the command that installs it.
    """
    for module in ("pandas", "pyarrow", "db_dtypes"):
        require_extra(module, distribution="google-cloud-bigquery", extra="pandas")
