"""Results as a stream of Arrow batches or data frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any, Literal

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.sql import Statement

from ..errors import gcp_errors
from .jobs import arun_job, run_job
from .queries import need_data_frames
from .statements import database_errors, statement_job
from .storage_reads import REFUSALS, read_client, told

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from ..credentials import GcpCredentials

Form = Literal["arrow", "dataframe"]
_END: Any = object()


class Stream:
    """A statement whose result is read batch by batch; each iteration executes it.

    Args:
        credentials: Who we are.
        connect: Gives the client; called when the stream is read.
        statement: The statement.
        form: What the batches are.
    """

    def __init__(
        self, credentials: GcpCredentials, connect: Callable[[], Client], statement: Statement, form: Form
    ) -> None:
        self._credentials = credentials
        self._connect = connect
        self._statement = statement
        self._form: Form = form
        self._subject = ""

    def _job(self) -> Any:
        if self._form == "dataframe":
            need_data_frames()
        else:
            require_extra("pyarrow", distribution="google-cloud-bigquery", extra="pandas")
        with database_errors():
            job = statement_job(self._connect(), self._statement)
        self._subject = job.subject
        return job

    def _batches(self, job: Any) -> Generator[Any, None, None]:
        with database_errors(), gcp_errors(self._subject):
            storage = read_client(self._credentials, self._connect())
        is_empty = True
        try:
            for batch in self._read(job, storage):
                is_empty = False
                yield batch
        except REFUSALS as exc:
            if storage is None or not is_empty:
                raise
            told(exc, self._subject)
            yield from self._read(job, None)

    def _read(self, job: Any, storage: Any) -> Generator[Any, None, None]:
        with database_errors(), gcp_errors(self._subject):
            rows = job.result()
            read = rows.to_arrow_iterable if self._form == "arrow" else rows.to_dataframe_iterable
            for batch in read(bqstorage_client=storage):
                if len(batch):
                    yield batch

    def read(self) -> Generator[Any, None, None]:
        """Execute the statement and yield its batches."""
        job = self._job()
        with database_errors():
            done = run_job(job)
        yield from self._batches(done)

    async def aread(self) -> AsyncGenerator[Any, None]:
        """Async form of `read`."""
        job = await run_sync_in_worker_thread(self._job)
        with database_errors():
            done = await arun_job(job)
        batches = self._batches(done)
        try:
            while (batch := await run_sync_in_worker_thread(_next, batches)) is not _END:
                yield batch
        finally:
            await run_sync_in_worker_thread(batches.close)


def _next(batches: Generator[Any, None, None]) -> Any:
    return next(batches, _END)
