"""What the tests of the observer share: a played cluster with jobs of flow runs, and an observer that watches them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.filters import LogFilter

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes._observer import names
from prefect_kubernetes._observer.observation import Observation
from prefect_kubernetes._observer.places import Places
from prefect_kubernetes.settings import KubernetesObserverSettings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.events import Event
    from prefect.states import State


class FastClock:
    """A clock that runs some times as fast as the machine's."""

    def __init__(self, speed: float = 20) -> None:
        self._speed = speed
        self._ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() * self._speed + self._ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def advance(self, seconds: float) -> None:
        """Let time pass at once; who sleeps does not notice."""
        self._ahead += seconds


async def until(is_so: Callable[[], Any], subject: str = "what the test waits for", timeout_seconds: float = 60) -> Any:
    """Wait until something is so; return what it is."""

    async def look() -> Any:
        found = is_so()
        return (await found if isinstance(found, Awaitable) else found) or None

    return await apoll(look, subject=subject, interval_seconds=0.02, timeout_seconds=timeout_seconds)


EVERYWHERE = "*"
"""What stands for no namespace that is known."""


@flow(name="test-kubernetes-observed")
def observed_flow() -> None: ...


class Sent:
    """Takes the place of the client that sends events, at the network's edge."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures = 0

    async def emit(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        self.events.append(event)

    def names(self) -> list[str]:
        return [event.event.removeprefix("prefect.kubernetes.pod.") for event in self.events]


class Counting:
    """The client of the Prefect API, which counts what is asked of it."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return await found(*args, **kwargs)

        return counted


class Stage:
    """A played cluster, the Prefect API, and jobs that were started for runs."""

    def __init__(self, api: Any, client: PrefectClient) -> None:
        self.api = api
        self.play = api.play
        self.client = client
        self.sent = Sent()
        self.counting = Counting(client)

    async def run_in(self, state: State[Any], job_name: str | None = None, namespace: str = "default") -> UUID:
        """Make a run that is in a state, and started as a job if one is named."""
        flow_run = await self.client.create_flow_run(observed_flow)
        await self.client.set_flow_run_state(flow_run.id, state, force=True)
        if job_name:
            await self.client.update_flow_run(flow_run.id, infrastructure_pid=f"{namespace}:{job_name}")
        return flow_run.id

    def start(
        self,
        run: UUID,
        name: str,
        *,
        namespace: str = "default",
        containers: tuple[str, ...] = ("prefect-job",),
        init: tuple[str, ...] = (),
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> Any:
        """Create the job of a run."""
        own = {names.FLOW_RUN_ID: str(run), "prefect.io/flow-run-name": "brave-bee", **(labels or {})}
        pod = {
            "restartPolicy": spec.pop("restart_policy", "Never"),
            "initContainers": [{"name": each, "image": "flows"} for each in init],
            "containers": [{"name": each, "image": "flows"} for each in containers],
        }
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": own, "annotations": dict(annotations or {})},
            "spec": {
                "backoffLimit": 0,
                "template": {"metadata": {"labels": own}, "spec": {k: v for k, v in pod.items() if v}},
                **spec,
            },
        }
        return self.api.create("jobs", job, namespace)

    async def state_of(self, run: UUID) -> State[Any]:
        state = (await self.client.read_flow_run(run)).state
        assert state is not None
        return state

    async def becomes(self, run: UUID, name: str) -> State[Any]:
        """Wait until a run is in the state of a name."""

        async def look() -> Any:
            state = await self.state_of(run)
            return state if state.name == name else None

        return await until(look, f"the run in {name}")

    async def history_of(self, run: UUID) -> list[str]:
        states = await self.client.read_flow_run_states(run)
        return [str(state.name) for state in sorted(states, key=lambda state: state.timestamp)]

    async def logs_of(self, run: UUID) -> str:
        logs = await self.client.read_logs(LogFilter.model_validate({"flow_run_id": {"any_": [str(run)]}}))
        return "\n".join(log.message for log in logs)

    def jobs(self, namespace: str = "default") -> list[str]:
        """Names of the jobs that are there."""
        return [item["metadata"]["name"] for item in self.api.list("jobs", namespace)]

    def pods(self, namespace: str = "default") -> list[Any]:
        return self.api.list("pods", namespace)

    @contextlib.asynccontextmanager
    async def observing(
        self,
        *places: str,
        clock: Any = None,
        is_listed: bool = True,
        places_known: Any = None,
        timeout_seconds: float = 60,
        **settings: Any,
    ) -> AsyncIterator[Observation]:
        """Observe namespaces, or all."""
        known = Places()
        for place in places or ("default",):
            if place != EVERYWHERE:
                known.add(place)
        observation = Observation(
            KubernetesObserverSettings(**settings),
            prefect=lambda: self.counting,  # type: ignore[return-value]
            events_client=lambda: self.sent,  # type: ignore[return-value]
            places=known if places_known is None else places_known,
            logger=logging.getLogger("prefect_kubernetes.observer"),
            clock=clock or FastClock(),
        )
        task = asyncio.create_task(observation.run())
        try:
            if is_listed:
                await until(lambda: observation.health.is_healthy or task.done(), "the first lists", timeout_seconds)
            yield observation
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
