"""Look at the jobs of one worker from time to time: the net below the observer, and all there is without it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import anyio

from prefect_integration_kit.logs import Log
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._clients import open_api
from ..settings import KubernetesSettings
from . import names
from .cluster import Cluster
from .keeper import Keeper
from .places import Place
from .projections import JobView, PodView, job_view, pod_view
from .raw import Raw, parts
from .records import PAST_PODS, Record
from .sweep import sweep
from .times import calendar
from .watching import JOBS, PODS, Resource, pages

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient
    from prefect.client.orchestration import PrefectClient

    from ..credentials import KubernetesClusterConfig


V = TypeVar("V")

MISSING_SECONDS = 10.0
"""How long after its creation a job that is not found may be on its way: answers can be a moment old."""

_SINGLY = 10
"""Up to how many jobs of a namespace are looked at one by one, and not by a list of all."""

_KEPT_AT_ONCE = 10
_NET_SECONDS = 300.0


def _nothing(flow_run_id: UUID) -> None:
    del flow_run_id


@dataclass(eq=False)
class _Watched:
    flow_run_id: UUID
    place: Place
    job_name: str
    added_seconds: float
    record: Record | None = None


class JobWatch:
    """The jobs of one worker whose runs are not known to have ended.

    Args:
        settings: How to observe; read from the environment when not given.
        prefect: Gives the client of the Prefect API.
        logger: Told what was done.
        events_are_coming: Says whether the observer is healthy: then jobs are looked at seldom.
        on_end: Told which run is done with.
        clock: Time.
    """

    def __init__(
        self,
        settings: KubernetesSettings | None = None,
        *,
        prefect: Callable[[], PrefectClient],
        logger: Log,
        events_are_coming: Callable[[], bool],
        on_end: Callable[[UUID], None] = _nothing,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = (settings or KubernetesSettings()).observer
        self._prefect = prefect
        self._logger = logger
        self._events_are_coming = events_are_coming
        self._on_end = on_end
        self._clock = clock
        self._now = calendar(clock)
        self._keeper = Keeper(self._settings, prefect, logger, clock=clock)
        self._watched: dict[UUID, _Watched] = {}
        self._looked_seconds = clock.monotonic()
        self._is_told = False
        self._clients: AsyncExitStack | None = None
        self._clusters: dict[str, Cluster] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, flow_run_id: UUID) -> bool:
        return flow_run_id in self._watched

    def add(
        self,
        flow_run_id: UUID,
        namespace: str,
        job_name: str,
        cluster_config: KubernetesClusterConfig | None = None,
    ) -> None:
        """Watch over a job from now on.

        Args:
            flow_run_id: The run that it is for.
            namespace: Its namespace.
            job_name: Its name.
            cluster_config: How to reach its cluster; `None` for the one that this process is set up for.
        """
        place = Place.of(namespace, cluster_config)
        self._watched[flow_run_id] = _Watched(flow_run_id, place, job_name, self._clock.monotonic())

    def forget(self, flow_run_id: UUID) -> None:
        """Watch over the job of a run no longer."""
        if self._watched.pop(flow_run_id, None) is not None:
            self._on_end(flow_run_id)

    async def watch(self) -> None:
        """Watch for ever. What goes wrong is logged once and tried again."""
        try:
            async with AsyncExitStack() as self._clients:
                await self._repeat()
        finally:
            self._clients = None
            self._clusters.clear()

    async def _repeat(self) -> None:
        while True:
            await self._clock.asleep(self._settings.poll_interval_seconds)
            waited = self._clock.monotonic() - self._looked_seconds
            if not self._watched or (self._events_are_coming() and waited < _NET_SECONDS):
                continue
            try:
                await self.look()
            except Exception as exc:  # noqa: BLE001 - the watch must go on for as long as the worker does
                level = logging.DEBUG if self._is_told else logging.WARNING
                self._logger.log(level, "Cannot look after running jobs at present; trying on: %s", exc)
                self._is_told = True
            else:
                if self._is_told:
                    self._logger.info("Looking after running jobs again.")
                self._is_told = False

    async def look(self) -> None:
        """Look at all jobs, settle the runs of those that have ended, and delete those of runs that are past use.

        Raises:
            KubernetesError: If a cluster could not be looked at; the others have been.
            prefect.exceptions.PrefectHTTPStatusError: If the Prefect API refuses.
        """
        self._looked_seconds = self._clock.monotonic()
        clusters: dict[str, dict[Place, list[_Watched]]] = {}
        for each in self._watched.values():
            clusters.setdefault(each.place.cluster, {}).setdefault(each.place, []).append(each)
        failures: list[Exception] = []
        for groups in clusters.values():
            await self._guarded(failures, partial(self._look_at_cluster, groups, failures))
        if failures:
            raise failures[0]

    async def _guarded(self, failures: list[Exception], work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - raised by the caller, after the others
            failures.append(exc)

    async def _look_at_cluster(self, groups: dict[Place, list[_Watched]], failures: list[Exception]) -> None:
        async with self._opened(next(iter(groups))) as cluster:
            for place, watched in groups.items():
                await self._guarded(failures, partial(self._look_at, cluster, place, watched, failures))

    @asynccontextmanager
    async def _opened(self, place: Place) -> AsyncGenerator[Cluster, None]:
        """The client of a cluster; while `watch` runs, always the same."""
        if self._clients is None:
            async with open_api(place.cluster_config) as api:
                yield Cluster(api, place.cluster)
            return
        if place.cluster not in self._clusters:
            api = await self._clients.enter_async_context(open_api(place.cluster_config))
            self._clusters[place.cluster] = Cluster(api, place.cluster)
        yield self._clusters[place.cluster]

    async def _look_at(
        self, cluster: Cluster, place: Place, watched: list[_Watched], failures: list[Exception]
    ) -> None:
        jobs: dict[str, JobView | None]
        if len(watched) <= _SINGLY:
            jobs = {each.job_name: await cluster.read_job(place.namespace, each.job_name) for each in watched}
        else:
            jobs = {job.name: job async for job in _listed(cluster.api, JOBS, place.namespace, job_view)}
        pods: dict[str, list[PodView]] | None = None
        if len(watched) > _SINGLY:
            pods = {}
            async for pod in _listed(cluster.api, PODS, place.namespace, pod_view):
                pods.setdefault(pod.job_uid, []).append(pod)
        seen: list[_Watched] = []
        for each in watched:
            job = jobs.get(each.job_name)
            if job is None and self._may_be_coming(each):
                continue
            found = pods.get(job.uid, []) if pods is not None and job is not None else None
            if found is None:
                found = await cluster.read_pods(job) if job is not None else []
            _update(each, cluster, job, found)
            seen.append(each)
        records = [each.record for each in seen if each.record is not None]
        await self._guarded(failures, partial(self._sweep, records))
        for start in range(0, len(seen), _KEPT_AT_ONCE):
            async with anyio.create_task_group() as group:
                for each in seen[start : start + _KEPT_AT_ONCE]:
                    group.start_soon(self._guarded, failures, partial(self._keep, each))

    def _may_be_coming(self, watched: _Watched) -> bool:
        return watched.record is None and self._clock.monotonic() - watched.added_seconds < MISSING_SECONDS

    async def _sweep(self, records: list[Record]) -> None:
        await sweep(
            records,
            self._keeper,
            self._prefect(),
            now=self._now(),
            grace_seconds=self._settings.cancellation_grace_seconds,
            mark=lambda _: None,
        )

    async def _keep(self, watched: _Watched) -> None:
        if watched.record is not None and await self._keeper.keep(watched.record) is None:
            current = self._watched.get(watched.flow_run_id)
            if current is watched:
                self.forget(watched.flow_run_id)


def _update(watched: _Watched, cluster: Cluster, job: JobView | None, pods: list[PodView]) -> None:
    """Note how a job and its pods are now."""
    place = watched.place
    if watched.record is None:
        uid = job.uid if job is not None else ""
        watched.record = Record(uid, cluster, place.namespace, watched.job_name, watched.flow_run_id)
    record = watched.record
    record.cluster = cluster
    present = {pod.uid: pod for pod in pods}
    past = {**record.past, **{uid: pod for uid, pod in record.pods.items() if uid not in present}}
    record.past = dict(list(past.items())[-PAST_PODS:])
    record.pods = present
    if job is not None and job.uid == (record.uid or job.uid):
        record.uid, record.job, record.is_missing = job.uid, job, False
    else:
        record.is_missing = True


async def _listed(
    api: ApiClient, resource: Resource, namespace: str, view: Callable[[Raw], V | None]
) -> AsyncGenerator[V, None]:
    async for page in pages(api, resource, namespace, names.selector({}), 500):
        for item in parts(page, "items"):
            found = view(item)
            if found is not None:
                yield found
