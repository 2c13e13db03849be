"""The task that queries; users import it from `prefect_gcp.bigquery`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

from ..errors import GcpInvalidRequest
from .configuration import query_configuration
from .jobs import StartedJob, arun_job, run_job
from .queries import TransformedRows, all_rows, check_bytes, data_frame, need_data_frames, query_job
from .sdk import client_of, table_reference
from .storage_reads import read_client

if TYPE_CHECKING:
    import threading

    from google.cloud.bigquery.table import Row

    from ..credentials import GcpCredentials


class _Query:
    """A call of `bigquery_query`: what comes before the job, and after it."""

    def __init__(
        self,
        query: str,
        credentials: GcpCredentials,
        query_params: list[tuple[Any, ...]] | None,
        dry_run_max_bytes: int | None,
        dataset: str | None,
        table: str | None,
        to_dataframe: bool,
        job_config: dict[str, Any] | None,
        project: str | None,
        result_transformer: Callable[[list[Row]], Any] | None,
        location: str,
    ) -> None:
        self._credentials = credentials
        self._to_dataframe = to_dataframe
        self._transformer = result_transformer
        if bool(dataset) != bool(table):
            given, missing = ("dataset", "table") if dataset else ("table", "dataset")
            raise GcpInvalidRequest(f"{given} is given without {missing}; a destination needs both.")
        if result_transformer is not None and not callable(result_transformer):
            raise GcpInvalidRequest("result_transformer is not callable; give a function of the rows.")
        if to_dataframe:
            need_data_frames()  # before anything is paid for
        self._client = client_of(credentials, project, location)
        config = query_configuration(job_config, query_params)
        if dataset and table:
            config.destination = table_reference(self._client, dataset, table)
        self._config, self._query, self._location = config, query, location
        self._max_bytes = dry_run_max_bytes

    def prepare(self) -> StartedJob:
        """Check how much the query would read, and describe its job."""
        job = query_job(self._client, self._query, self._config, location=self._location)
        if self._max_bytes is not None:
            found = check_bytes(self._client, self._query, self._config, self._max_bytes, self._location)
            run_logger(__name__).debug("%s would process %d bytes", job.subject, found)
        return job

    def finish(self, job: Any, subject: str, stop: threading.Event | None = None) -> Any:
        """Make the task's result."""
        if getattr(job, "dry_run", None) is True:
            return []
        if self._to_dataframe:
            return data_frame(job, subject, read_client(self._credentials, self._client))
        rows = all_rows(job, subject, stop)
        if self._transformer is None:
            return rows
        return self._transformer(TransformedRows(rows, job.result))


@task
async def abigquery_query(
    query: str,
    gcp_credentials: GcpCredentials,
    query_params: list[tuple[Any, ...]] | None = None,
    dry_run_max_bytes: int | None = None,
    dataset: str | None = None,
    table: str | None = None,
    to_dataframe: bool = False,
    job_config: dict[str, Any] | None = None,
    project: str | None = None,
    result_transformer: Callable[[list[Row]], Any] | None = None,
    location: str = "US",
) -> Any:
    """Async form of `bigquery_query`. Only the requests take a thread, not the time between them."""

    def begin() -> tuple[_Query, StartedJob]:
        work = _Query(
            query,
            gcp_credentials,
            query_params,
            dry_run_max_bytes,
            dataset,
            table,
            to_dataframe,
            job_config,
            project,
            result_transformer,
            location,
        )
        return work, work.prepare()

    work, job = await run_sync_in_worker_thread(begin)
    done = await arun_job(job)
    return await run_stoppable(lambda stop: work.finish(done, job.subject, stop))


@sync_task(abigquery_query)
def bigquery_query(
    query: str,
    gcp_credentials: GcpCredentials,
    query_params: list[tuple[Any, ...]] | None = None,
    dry_run_max_bytes: int | None = None,
    dataset: str | None = None,
    table: str | None = None,
    to_dataframe: bool = False,
    job_config: dict[str, Any] | None = None,
    project: str | None = None,
    result_transformer: Callable[[list[Row]], Any] | None = None,
    location: str = "US",
) -> Any:
    """Run a query, wait for its end, and read its rows.

    The job has an ID that is made from the task run's and its attempt: a request that is repeated because its answer
    was lost never runs the query twice. A retry of the task runs it again. When the task is cancelled, interrupted or
    out of time, the job is cancelled.

    Args:
        query: GoogleSQL, with `@name` or `?` where values of `query_params` go.
        gcp_credentials: Who we are at Google Cloud.
        query_params: A tuple (name, type, value) for each
            [parameter](https://cloud.google.com/bigquery/docs/parameterized-queries), such as `("limit", "INT64", 5)`;
            the name is `None` for a `?`. A list as the value makes an array of that type.
        dry_run_max_bytes: How many bytes the query may process. A dry run finds out; if there are more, nothing is run.
            Unlimited, and without a dry run, when not given.
        dataset: Data set of a table to write the result to; `table` must be given, too. The rows are returned all the
            same.
        table: The table to write the result to. It must be empty or absent, unless `job_config` has another
            `write_disposition`.
        to_dataframe: Whether a pandas data frame is returned instead of rows; `result_transformer` is not called then.
        job_config: Options of
            [`QueryJobConfig`](https://cloud.google.com/python/docs/reference/bigquery/latest/google.cloud.bigquery.job.QueryJobConfig)
            by name. Those that are objects may be dictionaries: `time_partitioning`, `parquet_options` and so on. It is
            not changed.
        project: The project that the query runs in and that is billed; that of the credentials when not given.
        result_transformer: Called with the list of rows; what it returns is the task's result. The list also has what
            the SDK's `RowIterator` has, such as `to_arrow()`.
        location: Where the data are, such as `EU`.

    Returns:
        One `google.cloud.bigquery.table.Row` for each row, in the query's order; a data frame with `to_dataframe`; what
        `result_transformer` returns.

    Raises:
        BigQueryTooManyBytes: If the query would process more than `dry_run_max_bytes`. It is a `ValueError` and a
            `RuntimeError`.
        GcpInvalidRequest: If the query or an argument is wrong. It is a `ValueError`.
        GcpNotFound: If a table or data set does not exist.
        GcpQuotaExceeded: If a quota is used up.
        ImportError: If the SDK, or what data frames need, is not installed.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.bigquery import bigquery_query

        @flow
        def frequent_words(corpus: str) -> list:
            return bigquery_query(
                "SELECT word, word_count FROM `bigquery-public-data.samples.shakespeare` "
                "WHERE corpus = @corpus AND word_count >= @least ORDER BY word_count DESC",
                GcpCredentials.load("BLOCK_NAME"),
                query_params=[("corpus", "STRING", corpus), ("least", "INT64", 250)],
                dry_run_max_bytes=100_000_000,
            )
        ```
    """
    work = _Query(
        query,
        gcp_credentials,
        query_params,
        dry_run_max_bytes,
        dataset,
        table,
        to_dataframe,
        job_config,
        project,
        result_transformer,
        location,
    )
    job = work.prepare()
    return work.finish(run_job(job), job.subject)
