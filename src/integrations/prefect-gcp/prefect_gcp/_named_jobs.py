"""Jobs at Google Cloud whose names we choose, so that starting one again finds it: Dataproc batches, Batch jobs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.run_keys import run_key

from ._identity import project_of
from ._remote_job import Json, RemoteJob
from ._remote_work import Api
from .errors import GcpAlreadyExists, GcpInvalidRequest

if TYPE_CHECKING:
    from .credentials import GcpCredentials

R = TypeVar("R")

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_DIGEST_LABEL = "prefect-request"
LABELS = {"managed-by": "prefect"}
"""On all that we start, so that it can be found and cleaned up."""


def check_region(region: str, subject: str) -> None:
    """Refuse what cannot be a region.

    Raises:
        GcpInvalidRequest: Naming it.
    """
    if not _REGION.fullmatch(region):
        raise GcpInvalidRequest(
            f"{subject}: region is {region!r}; give a region of Google Cloud, such as 'europe-west3'.", subject=subject
        )


@dataclass(frozen=True)
class JobRequest:
    """What is to be started.

    Attributes:
        kind: What it is, such as `Dataproc batch`.
        parent: `projects/p/locations/l`.
        body: The body, with labels.
        names: IDs to try, in order.
        is_named: Whether the caller chose the ID.
        digest: Of the body; a label tells by it whether something of the same name is the same.
    """

    kind: str
    parent: str
    body: Json
    names: tuple[str, ...]
    is_named: bool
    digest: str

    @classmethod
    def make(
        cls,
        kind: str,
        credentials: GcpCredentials,
        region: str,
        project: str | None,
        body: Mapping[str, Any],
        name: str | None,
        *,
        shortest: int = 1,
        is_block: bool = False,
    ) -> JobRequest:
        """Check the arguments, and name the job after the task run where it has no name.

        Args:
            kind: What it is.
            credentials: Whose project it is in, when that is not given.
            region: Where.
            project: In which project.
            body: What is asked for.
            name: The caller's own ID.
            shortest: How many characters an ID must have.
            is_block: Whether one task run may ask for the same more than once.

        Raises:
            GcpInvalidRequest: If an argument is not one.
        """
        subject = f"{kind} {name!r}" if name else kind
        check_region(region, subject)
        most = 63
        if name is not None and not (_NAME.fullmatch(name) and shortest <= len(name) <= most):
            raise GcpInvalidRequest(
                f"{subject}: the ID must have {shortest} to {most} lower-case letters, digits and hyphens, begin with "
                "a letter, and not end with a hyphen.",
                subject=subject,
            )
        parent = f"projects/{project or project_of(credentials)}/locations/{region}"
        key = run_key({"parent": parent, "body": body}, counts_calls=is_block)
        digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:16]
        own: dict[str, str] = body.get("labels") or {}
        labels = {**own, **LABELS, _DIGEST_LABEL: digest}
        names = tuple(key.names()) if name is None else (name,)
        return cls(kind, parent, {**body, "labels": labels}, names, name is not None, digest)

    @property
    def subject(self) -> str:
        """What it is, before it has an ID."""
        return f"{self.kind} {self.names[0]!r}" if self.is_named else f"{self.kind} in {self.parent}"


class NamedJob(RemoteJob[R]):
    """One job: started or taken over, looked at, stopped.

    Args:
        api: The API.
        request: What to start; `None` for a job that was started before.
        name: Full name of such a job.

    Attributes:
        id_parameter: Name of the parameter that has the ID of a new job.
    """

    id_parameter: str

    def __init__(self, api: Api, request: JobRequest | None = None, *, name: str = "") -> None:
        super().__init__(api, name=name)
        self._request = request

    @property
    def subject(self) -> str:
        """The job by ID."""
        if self.name:
            return f"{self.kind} {self.name.rpartition('/')[2]!r}"
        return self._request.subject if self._request is not None else self.kind

    def start(self) -> None:
        """Start it, or take over what an earlier try of the same task run started."""
        assert self._request is not None, "It was started before."  # noqa: S101
        request, logger = self._request, run_logger(__name__)
        for number, job_id in enumerate(request.names, 1):
            name = f"{request.parent}/{self.methods.rpartition('.')[2]}/{job_id}"
            try:
                # By the request's ID Google finds what a lost answer was about. Neither another body nor a later
                # attempt, which must look whether the job has failed, may be answered so.
                request_id = str(uuid5(NAMESPACE_URL, f"{name}#{request.digest}#{len(request.names)}"))
                self._create(request, job_id, request_id)
            except GcpAlreadyExists:
                if not self._adopts(request, name, is_last=number == len(request.names)):
                    continue
                logger.info("Took over %s, which was started before", self.subject)
                return
            self.name = name
            logger.info("Started %s", self.subject)
            return

    def _create(self, request: JobRequest, job_id: str, request_id: str) -> None:
        ids: dict[str, Any] = {self.id_parameter: job_id, "requestId": request_id}
        method = f"{self.methods}.create"
        self._api.call(method, subject=request.subject, parent=request.parent, body=request.body, **ids)

    def _adopts(self, request: JobRequest, name: str, *, is_last: bool) -> bool:
        """Take over the job of that name; `False` when a new one should be started instead."""
        found = self.get(name)
        labels: dict[str, str] = found.get("labels") or {}
        if labels.get(_DIGEST_LABEL) != request.digest:
            subject = f"{self.kind} {name.rpartition('/')[2]!r}"
            raise GcpAlreadyExists(
                f"{subject}: there is one of that ID in {request.parent} that was started otherwise. Give another ID.",
                subject=subject,
            )
        before, self._seen = self._seen, found
        if self.state in self.failed and not is_last and not request.is_named:
            self._seen = before
            return False
        self.name = name
        return True
