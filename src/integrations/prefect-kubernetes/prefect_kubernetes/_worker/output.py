"""Print what the containers of jobs print, while they run."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_integration_kit.logs import Log
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._observer.cluster import Cluster as SeenCluster
from .._observer.watching import PODS, answer_of
from ..errors import KubernetesAccessDenied, KubernetesError, KubernetesNotFound, kube_errors

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

    from .._observer.projections import JobView, PodView
    from .identifiers import JobIdentifier


_FIRST_LOOK_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 3600.0
_MAX_LINE_BYTES = 65_536
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Outputs:
    """The output of a worker's jobs, of so many at a time at most.

    Args:
        limit: How many.
        logger: Told when output cannot be had.
        write: Gets each line.
        clock: Time.
    """

    def __init__(
        self, limit: int, logger: Log, *, write: Callable[[str], None] = _print, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._limit = limit
        self._logger = logger
        self._write = write
        self._clock = clock
        self._count = 0
        self._warned: set[str] = set()

    async def follow(self, api: ApiClient, job: JobIdentifier) -> None:
        """Print the output of a job until it is over. Nothing that fails is raised.

        Args:
            api: Client of the cluster.
            job: The job.
        """
        if self._count >= self._limit:
            self._warn(
                "limit",
                f"The output of {self._limit} jobs is being printed, and that of further ones is not. Raise "
                "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_MAX_STREAMED_JOBS, or set `stream_output` to false.",
            )
            return
        self._count += 1
        try:
            await self._follow(SeenCluster(api), job)
        except KubernetesAccessDenied as exc:
            self._warn(f"denied {job.namespace}", f"The output of jobs cannot be printed: {exc}")
        except Exception as exc:  # noqa: BLE001 - the run does not depend on it
            self._logger.warning("The output of job %s cannot be printed any more: %s", job, exc)
        finally:
            self._count -= 1

    def _warn(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            self._logger.warning("%s", message)

    async def _follow(self, cluster: SeenCluster, job: JobIdentifier) -> None:
        printed: dict[str, Printed] = {}
        pause = _FIRST_LOOK_SECONDS
        while True:
            # A pod takes a moment to start; and a job, to end after its pod.
            await self._clock.asleep(pause)
            seen = await cluster.read_job(job.namespace, job.job_name)
            if seen is None:
                return
            pods = await self._pods_to_print(cluster, seen, printed)
            # While the job goes on, so may its first pod: what there is after that one is seen at the next look.
            for pod in pods if seen.is_over else pods[:1]:
                await self._print_pod(cluster.api, pod, seen.container, printed)
            if seen.is_over and all(printed[pod.uid].is_all for pod in pods):
                return
            pause = _FIRST_LOOK_SECONDS if pods else min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _pods_to_print(self, cluster: SeenCluster, job: JobView, printed: dict[str, Printed]) -> list[PodView]:
        pods = [pod for pod in await cluster.read_pods(job) if pod.has_started]
        pods = [pod for pod in pods if pod.uid not in printed or not printed[pod.uid].is_all]
        return sorted(pods, key=lambda pod: (pod.created_at is None, pod.created_at))

    async def _print_pod(self, api: ApiClient, pod: PodView, container_name: str, printed: dict[str, Printed]) -> None:
        """Print what a pod has printed since the last time, and go on until the stream ends."""
        so_far = printed.setdefault(pod.uid, Printed())
        container = pod.container(container_name)
        if container is None:
            so_far.is_all = True
            return
        try:
            with kube_errors(f"Log of pod {pod.name!r} in namespace {pod.namespace!r}"):
                async with aclosing(_log_lines(api, pod, container.name, so_far.moment)) as lines:
                    is_new = so_far.resume()
                    async for moment, line in lines:
                        if is_new(moment):
                            self._write(line)
        except (KubernetesAccessDenied, KubernetesNotFound):
            so_far.is_all = True
            raise
        except KubernetesError as exc:
            self._logger.debug("The log of pod %s broke off; going on where it did: %s", pod.name, exc)
        else:
            so_far.is_all = container.state == "terminated" or pod.has_ended


@dataclass
class Printed:
    """How much of a pod's log has been printed.

    Attributes:
        moment: Time of the last line, as the log has it; several lines can have the same.
        count: How many lines of that time were printed.
        is_all: Whether there will be no more.
    """

    moment: str = ""
    count: int = 0
    is_all: bool = False

    def resume(self) -> Callable[[str], bool]:
        """Make a function that is told the time of each line of a stream, and says whether the line is a new one."""
        known, to_skip = self.moment, self.count

        def is_new(moment: str) -> bool:
            nonlocal to_skip
            if not moment:
                return True
            if moment < known:
                return False
            if moment == known and to_skip:
                to_skip -= 1
                return False
            self.count = self.count + 1 if moment == self.moment else 1
            self.moment = moment
            return True

        return is_new


async def _log_lines(api: ApiClient, pod: PodView, container: str, since: str) -> AsyncGenerator[tuple[str, str], None]:
    """Read times and lines of a container's log, as they are printed."""
    query = {
        "container": container,
        "follow": "true",
        "timestamps": "true",
        "sinceTime": _since(since),
    }
    path = f"{PODS.path(pod.namespace, pod.name)}/log"
    response = await answer_of(api, path, query, (_CONNECT_SECONDS, _SILENCE_SECONDS))
    try:
        rest = b""
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _split(line)
            if len(rest) > _MAX_LINE_BYTES:
                yield _split(rest)
                rest = b""
        if rest:
            yield _split(rest)
    finally:
        response.close()


def _split(line: bytes) -> tuple[str, str]:
    """Take the time off a line, in a form that can be compared; it is empty where the line has none."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    moment, _, rest = text.partition(" ")
    found = _MOMENT.fullmatch(moment)
    if found is None:
        return "", text
    second, fraction, zone = found.groups()
    return f"{second}.{(fraction or '').ljust(9, '0')}{zone}", rest


def _since(moment: str) -> str:
    """The beginning of the second of a time, as the API takes it."""
    return f"{moment[:19]}{moment[29:]}" if moment else ""
