"""Watch jobs and pods where there are some, and look after the runs that they are for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .._clients import open_api
from ..errors import KubernetesAccessDenied
from . import names
from .cluster import Cluster
from .events import EventSender
from .health import HealthMonitor, KubernetesObserverHealth, combined
from .keeper import Keeper
from .places import Place, Places
from .projections import job_view, pod_view
from .raw import Raw
from .records import Record, Records
from .rounds import Rounds
from .sweep import sweep, unfinished
from .times import calendar
from .watching import JOBS, PODS, Listener, Resource, Watch

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.events.clients import EventsClient

    from ..settings import KubernetesObserverSettings

KEPT_AT_ONCE = 20
"""How many jobs are looked after at a time."""

_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=60.0)
_JOBS_FIRST_SECONDS = 120.0
_DRAIN_SECONDS = 3.0
_CENSUS_AT_ONCE = 2_500
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Observation:
    """One run of the observer, in one event loop.

    Args:
        settings: How to observe.
        prefect: Gives the client of the Prefect API.
        events_client: Gives the client that sends events.
        places: Where workers of this process have jobs.
        logger: Told what happens.
        clock: Time.
    """

    def __init__(
        self,
        settings: KubernetesObserverSettings,
        *,
        prefect: Callable[[], PrefectClient],
        events_client: Callable[[], EventsClient | None],
        places: Places,
        logger: logging.Logger,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._prefect = prefect
        self._places = places
        self._logger = logger
        self._clock = clock
        self._now = calendar(clock)
        self.sender = EventSender(events_client, logger, clock) if settings.replicate_pod_events else None
        self._pods_known: dict[tuple[str, str], asyncio.Event] = {}
        self.keeper = Keeper(
            settings, prefect, logger, events=self.sender, clock=clock, are_pods_known=self._are_pods_known
        )
        self.records = Records(self._changed)
        self.rounds = Rounds(self._keep, self._finish, logger, concurrency=KEPT_AT_ONCE, clock=clock)
        self._monitors: dict[Place, list[HealthMonitor]] = {}
        self._found: dict[Record, None] = {}
        self._censuses: set[asyncio.Task[None]] = set()
        self._counting = asyncio.Lock()
        self._startup = asyncio.Semaphore(settings.startup_event_concurrency)
        self._clusters: dict[str, Cluster] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        filters: Any = settings.additional_label_filters or {}
        self._selector = names.selector(filters)

    @property
    def health(self) -> KubernetesObserverHealth:
        """How it is now. Any thread may ask."""
        monitors = [monitor for few in list(self._monitors.values()) for monitor in few]
        return combined([monitor.health for monitor in monitors]) if monitors else KubernetesObserverHealth("starting")

    async def run(self) -> None:
        """Observe until cancelled."""
        try:
            async with self._stack, anyio.create_task_group() as group:
                group.start_soon(self.rounds.run)
                if self.sender is not None:
                    group.start_soon(self.sender.run)
                group.start_soon(self._sweep)
                async with aclosing(self._new_places()) as new_places:
                    async for place in new_places:
                        group.start_soon(self._observe, place)
        finally:
            self._monitors.clear()
            if self.sender is not None:
                with anyio.move_on_after(_DRAIN_SECONDS, shield=True):
                    await self.sender.drain()

    async def _new_places(self) -> AsyncGenerator[Place, None]:
        """Give all places to observe that are known, and then those that become known, for ever."""
        loop, namespaces = asyncio.get_running_loop(), self._namespaces()
        come: asyncio.Queue[Place] = asyncio.Queue()
        seen: set[Place] = set()

        def hear(place: Place) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(come.put_nowait, place)

        forget = self._places.listen(hear)
        try:
            for place in [*self._places.known(), *(Place(name) for name in sorted(namespaces))] or [Place("")]:
                come.put_nowait(place)
            while True:
                place = await come.get()
                if place not in seen and (not namespaces or place.namespace in namespaces):
                    seen.add(place)
                    yield place
        finally:
            forget()

    def _namespaces(self) -> set[str]:
        given: Any = self._settings.namespaces
        return {given} if isinstance(given, str) else set(given or ())

    # Watches

    async def _observe(self, place: Place) -> None:
        cluster = await self._open(place)
        denied = await self._watch(cluster, place)
        if denied is None:
            return
        own = await anyio.to_thread.run_sync(own_namespace)
        self._logger.warning(
            "The observer may not watch all namespaces, and watches %r only. Name others in "
            "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES. %s",
            own,
            denied,
        )
        self._monitors.pop(place, None)
        await self._watch(cluster, Place(own, place.cluster, place.cluster_config))

    async def _open(self, place: Place) -> Cluster:
        """Open the client of a place's cluster, which all its places share. What fails is tried again."""
        monitor = HealthMonitor(f"jobs and pods in {place}", self._logger, self._clock)
        self._monitors[place] = [monitor]
        failures = 0
        while True:
            async with self._opening:
                if place.cluster in self._clusters:
                    return self._clusters[place.cluster]
                try:
                    api = await self._stack.enter_async_context(open_api(place.cluster_config))
                except Exception as exc:
                    failures += 1
                    self._logger.debug("The cluster of %s cannot be reached.", place, exc_info=True)
                    monitor.failed(f"{type(exc).__name__}: {exc}", is_lasting=failures == 1)
                else:
                    return self._clusters.setdefault(place.cluster, Cluster(api, place.cluster))
            await self._clock.asleep(_BACKOFF.delay(failures))

    async def _watch(self, cluster: Cluster, place: Place) -> KubernetesAccessDenied | None:
        """Watch the jobs and pods of a place for ever; return only when we may not, and have to go elsewhere."""
        denials: list[KubernetesAccessDenied] = []

        async def watch(watch: Watch) -> None:
            await watch.run()
            group.cancel_scope.cancel()

        def on_denied(exc: KubernetesAccessDenied) -> bool:
            if place.namespace:
                jobs_known.set()  # what we may see of the pods is worth something
                pods_known.set()
                return True
            denials.append(exc)
            return False

        jobs_known, pods_known = asyncio.Event(), asyncio.Event()
        self._pods_known[place.cluster, place.namespace] = pods_known
        made = partial(self._made, cluster, place, on_denied)
        jobs = made(JOBS, self._see_job, partial(self.records.miss_jobs, cluster, place.namespace), jobs_known)
        pods = made(PODS, self._see_pod, partial(self.records.miss_pods, cluster, place.namespace), pods_known)
        self._monitors[place] = [monitor for monitor, _ in (jobs, pods)]
        async with anyio.create_task_group() as group:
            group.start_soon(watch, jobs[1])
            # Thousands of finished pods need not be kept while it is found out that their jobs are done with.
            waiting = asyncio.create_task(jobs_known.wait())
            await asyncio.wait({waiting}, timeout=_JOBS_FIRST_SECONDS)
            waiting.cancel()
            group.start_soon(watch, pods[1])
        return denials[0] if denials else None

    def _made(
        self,
        cluster: Cluster,
        place: Place,
        on_denied: Callable[[KubernetesAccessDenied], bool],
        resource: Resource,
        see: Callable[..., None],
        missed: Callable[[set[str]], None],
        known: asyncio.Event,
    ) -> tuple[HealthMonitor, Watch]:
        def complete(uids: set[str]) -> None:
            missed(uids)
            self._start_census(known)

        monitor = HealthMonitor(f"{resource.plural} in {place}", self._logger, self._clock)
        watch = Watch(
            cluster.api,
            resource,
            place.namespace,
            self._selector,
            Listener(
                listed=partial(see, cluster, "LISTED"),
                complete=complete,
                changed=partial(see, cluster),
            ),
            monitor,
            logger=self._logger,
            page_size=self._settings.page_size,
            timeout_seconds=self._settings.watch_timeout_seconds,
            clock=self._clock,
            on_denied=on_denied,
        )
        return monitor, watch

    def _see_job(self, cluster: Cluster, change: str, raw: Raw) -> None:
        if (job := job_view(raw)) is not None:
            self.records.see_job(cluster, job, is_listed=change == "LISTED", is_deleted=change == "DELETED")

    def _see_pod(self, cluster: Cluster, change: str, raw: Raw) -> None:
        if (pod := pod_view(raw)) is not None:
            self.records.see_pod(cluster, pod, is_listed=change == "LISTED", is_deleted=change == "DELETED")

    # Records

    def _changed(self, record: Record) -> None:
        if record.is_over_at_sight:
            self.rounds.hold(record)
            self._found[record] = None
            if len(self._found) >= _CENSUS_AT_ONCE:
                self._start_census()
        else:
            self._found.pop(record, None)
            self.keeper.replicate(record)
            self.rounds.free(record)

    def _start_census(self, known: asyncio.Event | None = None) -> None:
        found = list(self._found)
        self._found.clear()
        task = asyncio.create_task(self._take_census(found, known))
        self._censuses.add(task)
        task.add_done_callback(self._censuses.discard)

    async def _take_census(self, found: list[Record], known: asyncio.Event | None) -> None:
        """Find out which of the jobs that were found over have runs that are not; forget the others."""
        failures = 0
        async with self._counting:  # one after the other: how much is asked at a time is for the settings to say
            while found:
                try:
                    ids = [record.flow_run_id for record in found]
                    open_runs = await unfinished(self._prefect(), ids, self._settings.startup_event_concurrency)
                except Exception as exc:  # noqa: BLE001 - whatever it is, there is nothing else to do than to try again
                    failures += 1
                    self._logger.debug("The runs of finished jobs cannot be read at present: %s", exc)
                    await self._clock.asleep(_BACKOFF.delay(failures))
                    continue
                for record in found:
                    self._count(record, record.flow_run_id in open_runs)
                break
        if known is not None:
            known.set()

    def _count(self, record: Record, is_open: bool) -> None:
        record.is_new = False
        if is_open:
            self.rounds.free(record)
        elif self.records.get(record.uid) is record:
            self.rounds.drop(record)
            self.records.finish(record)

    async def _keep(self, record: Record) -> float | None:
        if record.is_found and record.is_new:
            async with self._startup:
                record.is_new = False
                return await self.keeper.keep(record)
        record.is_new = False
        return await self.keeper.keep(record)

    def _are_pods_known(self, record: Record) -> bool:
        """Say whether the pods of a job's place have been listed, or cannot be."""
        cluster = record.cluster.key
        known = [self._pods_known.get((cluster, place)) for place in (record.namespace, "")]
        return any(event.is_set() for event in known if event is not None)

    def _finish(self, record: Record) -> None:
        self.records.finish(record)

    async def _sweep(self) -> None:
        is_told = False
        while True:
            await self._clock.asleep(self._settings.sweep_interval_seconds)
            try:
                await sweep(
                    self.records,
                    self.keeper,
                    self._prefect(),
                    now=self._now(),
                    grace_seconds=self._settings.cancellation_grace_seconds,
                    mark=self.rounds.mark,
                )
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the observer does
                level = logging.DEBUG if is_told else logging.WARNING
                self._logger.log(level, "Cannot look for jobs of cancelled runs at present; trying on: %s", exc)
                is_told = True
            else:
                is_told = False


def own_namespace() -> str:
    """The namespace of the pod that this process runs in; `default` outside of a cluster."""
    try:
        return _NAMESPACE_FILE.read_text("utf-8").strip() or "default"
    except OSError:
        return "default"
