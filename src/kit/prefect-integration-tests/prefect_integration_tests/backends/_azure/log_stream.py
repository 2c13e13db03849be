"""The log of a container of Container Apps, as it is streamed.

`az containerapp job logs show` reads it so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .arm_errors import ArmError
from .arm_service import GROUP_PATH, Answer, ArmRequest, Provider, answers
from .container_log import stamp_of
from .job_execution import KIND
from .managed_environments import STREAM_TOKEN, with_token

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .container_apps import ContainerApps
    from .job_execution import ReplicaContainer

_STREAM = (
    GROUP_PATH
    + "/jobs/{jobName}/executions/{jobExecutionName}/replicas/{replicaName}/containers/{containerName}/logstream"
)
_LOOK_SECONDS = 0.02
_DEFAULT_TAIL, _MAX_TAIL = 20, 300


class LogStream(Provider):
    """Streams of logs. They are asked with a token of their own, see `Jobs_GetAuthToken`."""

    namespace = "Microsoft.App"

    def __init__(self, server: ArmServer, apps: ContainerApps) -> None:
        """Stand in a server.

        Args:
            server: Where it stands.
            apps: The jobs.
        """
        super().__init__(server)
        self._apps = apps

    def model(self, name: str) -> type[Any]:
        """There is none."""
        raise LookupError(name)

    def reset(self) -> None:
        """There is nothing of its own to forget."""

    @answers("Jobs_GetAuthToken", "POST", f"{GROUP_PATH}/providers/{KIND}/{{jobName}}/getAuthToken")
    def get_token(self, request: ArmRequest) -> Answer:
        """Give a token for the streams of logs of a job."""
        job = self._apps.get_job(request.subscription, request.group, request.params["jobName"])
        return Answer(with_token(job.view(), self.server))

    @answers("Logs_Stream", "GET", _STREAM, is_management=False)
    def stream(self, request: ArmRequest) -> Answer:
        """Give the last `tailLines` lines of a container, and with `follow` what it writes until it ends."""
        if request.token != STREAM_TOKEN:
            raise ArmError(401, "Unauthorized", "The auth token is invalid.")
        container = self._find(request)
        tail = request.query.get("tailLines", str(_DEFAULT_TAIL))
        if not tail.isdigit() or int(tail) > _MAX_TAIL:
            raise ArmError(400, "BadRequest", f"tailLines must be between 0 and {_MAX_TAIL}.")
        is_text = request.query.get("output", "json") == "text"
        follow = request.query.get("follow", "false").lower() == "true"
        pieces = self._lines(container, int(tail), is_text=is_text, follow=follow)
        return Answer(None, 200, {"Content-Type": "text/plain"}, pieces)

    def _find(self, request: ArmRequest) -> ReplicaContainer:
        job = self._apps.get_job(request.subscription, request.group, request.params["jobName"])
        params = request.params
        for execution in job.executions:
            for replica in execution.replicas:
                if (execution.name, replica.name) == (params["jobExecutionName"], params["replicaName"]):
                    for each in replica.containers:
                        if each.container == params["containerName"]:
                            return each
        raise ArmError(404, "NotFound", f"Could not find a replica '{params['replicaName']}' for this job.")

    def _lines(self, container: ReplicaContainer, tail: int, *, is_text: bool, follow: bool) -> Iterator[bytes]:
        def shown(at: int, line: str) -> bytes:
            stamp = stamp_of(at).replace("Z", "+00:00")
            text = f"{stamp} {line}" if is_text else json.dumps({"TimeStamp": stamp, "Log": line})
            return f"{text}\n".encode()

        now = int(self.server.clock.seconds() * 1e9)
        yield shown(now, f"Connecting to the container '{container.container}'...")
        yield shown(now, f"Successfully Connected to container: '{container.container}'")
        start = max(0, len(container.log.lines) - tail)
        while True:
            with self.server.lock:
                lines, is_over = list(container.log.lines[start:]), container.ended is not None
            for at, line in lines:
                yield shown(at, line)
            start += len(lines)
            if not follow or (is_over and not lines):
                return
            threading.Event().wait(0 if lines else _LOOK_SECONDS)
