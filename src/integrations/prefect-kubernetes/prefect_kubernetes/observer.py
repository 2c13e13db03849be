"""What happens to the jobs and pods of flow runs, and what is done about it.

While a worker runs, the observer watches the jobs and pods that carry the label `prefect.io/flow-run-id`, in the
namespaces that the worker uses. It sends changes of a pod's phase to Prefect as events named
`prefect.kubernetes.pod.<phase>`, says `InfrastructurePending` of runs whose pod cannot start, gives a run its final
state when its job is over and the run itself has not reported one, and deletes jobs that nobody needs any more.

The observer can run by itself, too, next to any number of workers that have
`PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED=false`:

```bash
python -m prefect_kubernetes.observer
```

Then it watches the namespaces in `PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES`, or else the whole cluster. It
needs to list, watch and get jobs and pods, get pods' logs (`pods/log`) and events, and delete jobs and pods.

`configure`, `initialize_clients` and `cleanup_fn` have the form of handlers of [kopf](https://docs.kopf.dev), which is
not needed: an operator of your own that is written with kopf can call them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Any

from prefect.logging import get_logger

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .diagnostics import diagnose_k8s_pod
from .settings import KubernetesSettings

if TYPE_CHECKING:
    import kopf
    from prefect.client.orchestration import PrefectClient
    from prefect.events.clients import EventsClient

    from prefect_integration_kit.observing import BackgroundObserver

    from ._observer.health import KubernetesObserverHealth
    from ._observer.observation import Observation

__all__ = [
    "KubernetesSettings",
    "cleanup_fn",
    "configure",
    "diagnose_k8s_pod",
    "events_client",
    "initialize_clients",
    "observer_health",
    "orchestration_client",
    "settings",
    "start_observer",
    "stop_observer",
]

_logger: logging.Logger = get_logger(__name__)

settings: KubernetesSettings = KubernetesSettings()
"""The settings as they were when this module was imported. The observer reads them anew whenever it starts."""

events_client: EventsClient | None = None
"""The client that sends events; there while the observer runs, or between `initialize_clients` and `cleanup_fn`."""

orchestration_client: PrefectClient | None = None
"""The client of the Prefect API; there while the observer runs, or between `initialize_clients` and `cleanup_fn`."""

_SUBJECT = "Kubernetes jobs and pods"
_THREAD_NAME = "prefect-kubernetes-observer"
_RESTART = Backoff(initial_seconds=5.0, maximum_seconds=300.0)
_CHECKPOINT_EVERY = 1
_clock: Clock = SYSTEM_CLOCK
_observation: Observation | None = None
_stack: contextlib.AsyncExitStack | None = None
_background: BackgroundObserver | None = None


def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Set an operator up as the observer is: quiet in the cluster, patient with its watches.

    Args:
        settings: Settings of an operator, or anything with such groups of attributes (`posting`, `scanning`,
            `watching`, `networking`, `queueing`). Groups and attributes that it lacks are passed over.
    """
    observer = KubernetesSettings().observer
    seconds = float(observer.watch_timeout_seconds)
    wanted: dict[str, dict[str, Any]] = {
        # Events of the operator's own, and a look at all resources of the cluster, need rights for no use.
        "posting": {"enabled": False},
        "scanning": {"disabled": True},
        "watching": {"server_timeout": seconds, "client_timeout": seconds + 30.0, "connect_timeout": 10.0},
        "networking": {"request_timeout": 60.0, "connect_timeout": 10.0},
        # kopf 1.45 has renamed the group, and warns of the old name.
        "queueing" if hasattr(settings, "queueing") else "batching": {
            "worker_limit": observer.startup_event_concurrency
        },
    }
    for name, attributes in wanted.items():
        group = getattr(settings, name, None)
        for attribute, value in attributes.items():
            if hasattr(group, attribute):
                setattr(group, attribute, value)


async def initialize_clients(logger: kopf.Logger, **kwargs: Any) -> None:
    """Open `orchestration_client` and `events_client`, unless they are open.

    Args:
        logger: Told about it.
        kwargs: Not used.

    Raises:
        ConnectionError: If the Prefect API does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.events.clients import get_events_client

    global _stack, events_client, orchestration_client
    if _stack is not None:
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(get_client())
        except RuntimeError as exc:  # how the client says that the API does not answer
            raise ConnectionError(str(exc)) from exc
        # Without it, a start while Prefect is away would leave the observer without events for as long as it lives.
        if (failure := await client.api_healthcheck()) is not None:
            raise ConnectionError(f"The Prefect API does not answer: {type(failure).__name__}: {failure}")
        sender = None
        if KubernetesSettings().observer.replicate_pod_events:
            try:
                sender = await stack.enter_async_context(get_events_client(checkpoint_every=_CHECKPOINT_EVERY))
            except Exception as exc:  # noqa: BLE001 - runs can be looked after without
                logger.warning("Events of pods are not sent to Prefect: %s: %s", type(exc).__name__, exc)
        orchestration_client, events_client = client, sender
        _stack = stack.pop_all()
    logger.debug("Opened the observer's clients of the Prefect API.")


async def cleanup_fn(logger: kopf.Logger, **kwargs: Any) -> None:
    """Close `orchestration_client` and `events_client`, if they are open.

    Args:
        logger: Told about it.
        kwargs: Not used.
    """
    global _stack, events_client, orchestration_client
    stack, _stack = _stack, None
    events_client = orchestration_client = None
    if stack is not None:
        try:
            await stack.aclose()
        except Exception as exc:  # noqa: BLE001 - a connection that is broken is closed, too
            logger.debug("A client of the Prefect API could not be closed properly: %s", exc)
        else:
            logger.debug("Closed the observer's clients of the Prefect API.")


def start_observer() -> None:
    """Start the observer in a separate thread, once for the process.

    Each call needs a `stop_observer`: the observer stops with the last of its users. It does nothing when
    `PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED` is false.
    """
    global _background
    if not KubernetesSettings().observer.enabled:
        _logger.debug("Jobs are not observed: PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED is false.")
        return
    from prefect_integration_kit.observing import BackgroundObserver

    if _background is None:
        _background = BackgroundObserver(
            _observe, subject=_SUBJECT, thread_name=_THREAD_NAME, backoff=_RESTART, logger=_logger
        )
    _background.acquire()


def stop_observer() -> None:
    """Stop the observer thread when its last user has gone, and wait for it to end.

    Events that wait to be sent to Prefect are sent before, if that takes no more than some seconds. What is left undone
    is found by the next observer.
    """
    if _background is not None:
        _background.release()


def observer_health() -> KubernetesObserverHealth:
    """Say how the observer of this process is.

    Returns:
        Its health. While it is not healthy, what happens in the cluster may not be heard of, and jobs are to be looked
        at instead.
    """
    from ._observer.health import KubernetesObserverHealth

    observation = _observation
    if observation is not None:
        return observation.health
    is_running = _background is not None and _background.is_running
    return KubernetesObserverHealth("starting" if is_running else "stopped")


async def _observe() -> None:
    """Observe with clients of its own until cancelled."""
    from ._observer.observation import Observation
    from ._observer.places import places

    global _observation
    await initialize_clients(_logger)
    try:
        _observation = Observation(
            KubernetesSettings().observer,
            prefect=_client,
            events_client=lambda: events_client,
            places=places,
            logger=_logger,
            clock=_clock,
        )
        await _observation.run()
    finally:
        _observation = None
        await cleanup_fn(_logger)


def _client() -> PrefectClient:
    if orchestration_client is None:
        raise ConnectionError("The observer's client of the Prefect API is closed.")
    return orchestration_client


async def _main() -> None:
    """Observe in this process until it is asked to end."""
    from prefect_integration_kit.observing import observe_for_ever

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # on Windows
            loop.add_signal_handler(number, task.cancel if task is not None else loop.stop)
    with contextlib.suppress(asyncio.CancelledError):
        await observe_for_ever(_observe, subject=_SUBJECT, backoff=_RESTART, logger=_logger, clock=_clock)


if __name__ == "__main__":
    # Not this copy of the module: the observer's clients are those of `prefect_kubernetes.observer`.
    from prefect.logging.configuration import setup_logging

    from prefect_kubernetes import observer

    setup_logging()
    asyncio.run(observer._main())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
