"""Dataproc Serverless by its REST API: batches, whose states pass as a test says.

https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .discovery import Method
from .errors import ApiError, Json, already_exists, failed_precondition, invalid_argument, not_found
from .operations import Operation
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer

BATCHES = "dataproc.projects.locations.batches"
_ID = re.compile(r"[a-z][a-z0-9-]{2,61}[a-z0-9]")
_WORKLOADS = ("pysparkBatch", "sparkBatch", "sparkSqlBatch", "sparkRBatch", "pysparkNotebookBatch")
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class BatchScript:
    """What becomes of batches. See `Dataproc.play`."""

    seconds: float | None = 0.0
    """How long they run; `None`: until cancelled, or `Dataproc.end`."""

    message: str = ""
    """Why they fail; they succeed without one."""

    output_uri: str = ""
    """Where the driver's output is; a place in a bucket of Dataproc's when not given."""


@dataclass
class _Batch:
    data: Json
    request_id: str
    operation: Operation
    script: BatchScript
    states: list[str] = field(default_factory=list[str])


class Dataproc(Service):
    """Dataproc Serverless."""

    api, version = "dataproc", "v1"

    def __init__(self, server: RestServer) -> None:
        """Start with nothing."""
        super().__init__(server)
        self._batches: dict[str, _Batch] = {}
        self._script = BatchScript()

    def reset(self) -> None:
        """Forget everything."""
        self._batches.clear()
        self._script = BatchScript()

    # What tests do

    def play(self, script: BatchScript) -> None:
        """Say what becomes of batches from now on."""
        self._script = script

    @property
    def batches(self) -> list[Json]:
        """All batches, the oldest first."""
        return [batch.data for batch in self._batches.values()]

    def end(self, name: str, state: str = "SUCCEEDED", message: str = "") -> None:
        """End a batch.

        Args:
            name: Its full name.
            state: `SUCCEEDED`, `FAILED` or `CANCELLED`.
            message: What Dataproc says of it.
        """
        with self.server.changed:
            self._become(self._batches[name], state, message)

    # The API

    def knows(self, method: Method, params: Mapping[str, str]) -> bool:
        """Operations of other APIs are not ours."""
        name = params.get("name", "")
        return "/operations" not in name or self.server.operations.is_of(name, self.api)

    @answers(f"{BATCHES}.create")
    def create(self, request: ApiRequest) -> Json:
        """Start a batch; the operation ends when it has ended."""
        batch_id = request.params.get("batchId") or uuid.uuid4().hex
        if not _ID.fullmatch(batch_id):
            raise invalid_argument(
                f"Batch id '{batch_id}' must conform to pattern '[a-z0-9][a-z0-9\\-]{{2,61}}[a-z0-9]'"
            )
        name = f"{request.parent}/batches/{batch_id}"
        request_id = request.params.get("requestId", "")
        if name in self._batches:
            known = self._batches[name]
            if request_id and known.request_id == request_id:
                return known.operation.data
            raise already_exists(f"Already exists: Failed to create batch: Batch {name}")
        given = [each for each in _WORKLOADS if request.body.get(each)]
        if len(given) != 1:
            raise invalid_argument("Batch config must be set.", ("batch", "one workload is needed"))
        self._check(request.body)
        project, location = request.parent.split("/")[1], request.parent.split("/")[3]
        unique = str(uuid.uuid4())
        operation = self.server.operations.new(
            self.api,
            request.parent,
            {"@type": "type.googleapis.com/google.cloud.dataproc.v1.BatchOperationMetadata", "batch": name},
            name=f"projects/{project}/regions/{location}/operations/{uuid.uuid4()}",
        )
        now = self.server.clock.text()
        data: Json = {
            **request.body,
            "name": name,
            "uuid": unique,
            "createTime": now,
            "creator": request.email,
            "operation": operation.name,
            "runtimeConfig": {"version": "2.2", **request.body.get("runtimeConfig", {})},
        }
        batch = _Batch(data, request_id, operation, self._script)
        self._batches[name] = batch
        self._become(batch, "PENDING")
        # Nobody sees a batch end in the request that creates it.
        self.server.clock.later(0.01, lambda: self._begin(batch))
        return operation.data

    def _check(self, body: Json) -> None:
        script = body.get("pysparkBatch", {}).get("mainPythonFileUri", "")
        if "pysparkBatch" in body and not script.endswith(".py"):
            raise invalid_argument("Main python file must be a .py file.", ("batch.pyspark_batch", "not a .py file"))

    def _begin(self, batch: _Batch) -> None:
        with self.server.changed:
            if batch.data["state"] != "PENDING":
                return
            location = batch.data["name"].split("/")[3]
            default = (
                f"gs://dataproc-staging-{location}/google-cloud-dataproc-metainfo/{batch.data['uuid']}/driveroutput"
            )
            batch.data["runtimeInfo"] = {"outputUri": batch.script.output_uri or default}
            self._become(batch, "RUNNING")
        if batch.script.seconds is not None:
            self.server.clock.later(batch.script.seconds, lambda: self._finish(batch))

    def _finish(self, batch: _Batch) -> None:
        with self.server.changed:
            self._become(batch, "FAILED" if batch.script.message else "SUCCEEDED", batch.script.message)

    def _become(self, batch: _Batch, state: str, message: str = "") -> None:
        data, now = batch.data, self.server.clock.text()
        if data.get("state") in _ENDED:
            return
        if "state" in data:
            history = {"state": data["state"], "stateStartTime": data["stateTime"]}
            data.setdefault("stateHistory", []).append(history)
        data.update({"state": state, "stateTime": now})
        data.pop("stateMessage", None)
        if message:
            data["stateMessage"] = message
        if state in _ENDED:
            error = ApiError(500, message or f"Batch was {state}.", status="ABORTED") if state != "SUCCEEDED" else None
            response = {"@type": "type.googleapis.com/google.cloud.dataproc.v1.Batch", **data}
            self.server.operations.finish(batch.operation, response, error)
        self.server.changed.notify_all()

    @answers(f"{BATCHES}.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a batch."""
        return self._batch(request.name).data

    @answers(f"{BATCHES}.list")
    def list(self, request: ApiRequest) -> Json:
        """Give a page of the batches of a region, the newest first."""
        found = [batch.data for name, batch in self._batches.items() if name.startswith(f"{request.parent}/")]
        return page(reversed(found), request.params, "batches")

    @answers(f"{BATCHES}.delete")
    def delete(self, request: ApiRequest) -> Json:
        """Delete a batch that has ended."""
        batch = self._batch(request.name)
        if batch.data["state"] not in _ENDED:
            raise failed_precondition(f"Batch '{request.name}' is not in terminal state.")
        del self._batches[request.name]
        return {}

    def _batch(self, name: str) -> _Batch:
        if name not in self._batches:
            raise not_found(f"Not found: Batch {name}")
        return self._batches[name]

    # Operations

    @answers("dataproc.projects.regions.operations.get")
    def get_operation(self, request: ApiRequest) -> Json:
        """Give an operation."""
        return self.server.operations.get(request)

    @answers("dataproc.projects.regions.operations.cancel")
    def cancel(self, request: ApiRequest) -> Json:
        """Cancel the batch of an operation."""
        operation = self.server.operations.of(request.name)
        batch = next(each for each in self._batches.values() if each.operation is operation)
        if batch.data["state"] in _ENDED:
            raise failed_precondition(f"Operation '{operation.name}' has ended.")
        if batch.data["state"] != "CANCELLING":
            self._become(batch, "CANCELLING")
            self.server.clock.later(0.01, lambda: self.end(batch.data["name"], "CANCELLED"))
        return {}
