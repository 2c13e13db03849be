"""Dataproc Serverless batches that are started and waited for: states, the driver's output, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._named_jobs import JobRequest, NamedJob
from ._remote_job import Json
from ._remote_work import Api
from ._schemas import check_body
from .errors import GcpInvalidRequest, GcpPreconditionFailed

if TYPE_CHECKING:
    from .credentials import GcpCredentials

KIND = "Dataproc batch"
# https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches/create
_SHORTEST = 4
WORKLOADS = ("pysparkBatch", "sparkBatch", "sparkSqlBatch", "sparkRBatch", "pysparkNotebookBatch")
_OUTPUT_LINES = 20
_OUTPUT_BYTES = 16_384


@dataclass(frozen=True)
class DataprocBatchResult:
    """A batch as it was last seen.

    Attributes:
        name: Full name, `projects/…/locations/…/batches/…`.
        state: `PENDING`, `RUNNING`, `CANCELLING`, `CANCELLED`, `SUCCEEDED` or `FAILED`.
        state_message: What Dataproc says about it; often empty.
        output_uri: Where the driver's output is, in Cloud Storage; empty before it has started.
        uuid: ID that Dataproc gave it.
        created_at: When it was created, as RFC 3339 text in UTC.
        state_since: When it came into this state, likewise.
    """

    name: str
    state: str
    state_message: str = ""
    output_uri: str = ""
    uuid: str = ""
    created_at: str = ""
    state_since: str = ""

    @property
    def batch_id(self) -> str:
        """Last part of the name."""
        return self.name.rpartition("/")[2]


def batch_work(
    batch: Mapping[str, Any],
    region: str,
    credentials: GcpCredentials,
    batch_id: str | None,
    project: str | None,
    *,
    is_block: bool = False,
) -> DataprocBatchWork:
    """Check what is to be started, and describe it.

    Raises:
        GcpInvalidRequest: Naming the field that is wrong.
    """
    check_body(batch, "Batch", api="dataproc", version="v1", subject=KIND, field="batch")
    given = [name for name in WORKLOADS if batch.get(name)]
    if len(given) != 1:
        there = f"has {' and '.join(given)}" if given else "has no workload"
        raise GcpInvalidRequest(f"{KIND}: batch {there}; give one of {', '.join(WORKLOADS)}.", subject=KIND)
    request = JobRequest.make(
        KIND, credentials, region, project, batch, batch_id, shortest=_SHORTEST, is_block=is_block
    )
    return DataprocBatchWork(credentials, request)


class DataprocBatchWork(NamedJob[DataprocBatchResult]):
    """One batch."""

    kind = KIND
    methods = "projects.locations.batches"
    id_parameter = "batchId"

    def __init__(self, credentials: GcpCredentials, request: JobRequest | None = None, *, name: str = "") -> None:
        super().__init__(Api(credentials, "dataproc", "v1"), request, name=name)
        self._credentials = credentials

    @property
    def state(self) -> str:
        """Its state as last seen."""
        return str(self._seen.get("state") or "")

    @property
    def news(self) -> str:
        """The state, and what Dataproc says about it."""
        return f"{self.state}: {self._message}" if self._message else self.state

    @property
    def _message(self) -> str:
        return str(self._seen.get("stateMessage") or "")

    def seen(self) -> DataprocBatchResult:
        """What the last look saw, failed or not."""
        seen = self._seen
        runtime: Json = seen.get("runtimeInfo") or {}
        return DataprocBatchResult(
            name=self.name,
            state=self.state,
            state_message=self._message,
            output_uri=str(runtime.get("outputUri") or ""),
            uuid=str(seen.get("uuid") or ""),
            created_at=str(seen.get("createTime") or ""),
            state_since=str(seen.get("stateTime") or ""),
        )

    def why(self) -> str:
        """Dataproc's reason, where the driver's output is, and its last lines."""
        found = self.seen()
        where = f" The driver's output is in {found.output_uri}." if found.output_uri else ""
        return f": {found.state_message or 'Dataproc gives no reason.'}{where}{self._last_output(found.output_uri)}"

    def _last_output(self, uri: str) -> str:
        """The last lines of the driver; nothing where they may not be read."""
        from ._driver_output import last_lines

        lines = last_lines(self._credentials, uri, lines=_OUTPUT_LINES, size_bytes=_OUTPUT_BYTES) if uri else ""
        return f" Its last lines:\n{lines}" if lines else ""

    def cancel(self) -> None:
        """Cancel the operation that runs it."""
        operation = str((self._seen or self.get(self.name)).get("operation") or "")
        if not operation:
            raise GcpPreconditionFailed(f"{self.subject}: Dataproc names no operation to cancel.", subject=self.subject)
        where = "regions" if "/regions/" in operation else "locations"
        self._api.call(f"projects.{where}.operations.cancel", subject=self.subject, name=operation)
