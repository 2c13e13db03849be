"""The Docker Engines of a worker: short calls in own threads, long ones on the event loop.

docker-py blocks. Prefect's own work shares one small pool of threads (anyio's default), so a slow engine would starve
heartbeats; these calls wait in a pool of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import anyio.to_thread

from ..errors import DockerError, DockerNotFound, docker_errors
from .identifiers import ContainerIdentifier, same_engine

if TYPE_CHECKING:
    from .._client import EngineClient
    from ..host import DockerHost
    from ..settings import DockerWorkerSettings
    from .wire import Wire

T = TypeVar("T")

# pyright: reportUnknownMemberType=false

LIVE = ("created", "restarting", "running", "removing", "paused")
"""Statuses of a container that has not ended."""


class Threads:
    """Threads for calls that block."""

    def __init__(self, settings: DockerWorkerSettings) -> None:
        self._calls = anyio.CapacityLimiter(settings.max_concurrent_calls)
        self._pulls = anyio.CapacityLimiter(settings.max_concurrent_pulls)

    async def call(self, work: Callable[[], T]) -> T:
        """Do something short. A call that is cancelled goes on to its end in its thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._calls)

    async def pull(self, work: Callable[[], T]) -> T:
        """Do something that may move an image over the network."""
        return await anyio.to_thread.run_sync(work, limiter=self._pulls)


class Engine:
    """One engine, as a worker uses it."""

    def __init__(self, client: EngineClient, threads: Threads, wire: Wire | None) -> None:
        self.client = client
        self.threads = threads
        self.wire = wire

    @property
    def base_url(self) -> str:
        """The engine's address."""
        return self.client.endpoint.base_url

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        from .network import is_local_engine

        return is_local_engine(self.base_url)

    def identifier(self, container_id: str) -> str:
        """What names a container of this engine."""
        return str(ContainerIdentifier(self.base_url, container_id))

    async def inspect(self, container_id: str) -> dict[str, Any] | None:
        """Look at a container; `None` when there is none.

        Raises:
            DockerError: If the engine does not tell.
        """

        def look() -> dict[str, Any]:
            with docker_errors(f"Container {container_id[:12]}"):
                return cast("dict[str, Any]", self.client.api.inspect_container(container_id))

        try:
            on_wire = None if self.wire is None else await self._inspect_on_wire(self.wire, container_id)
            return on_wire or await self.threads.call(look)
        except DockerNotFound:
            return None

    @staticmethod
    async def _inspect_on_wire(wire: Wire, container_id: str) -> dict[str, Any] | None:
        """Look without a thread: where many start, each look at an end would wait for all of them."""
        import httpx

        from .wire import WireError

        try:
            return await wire.inspect(container_id)
        except (WireError, httpx.TransportError, ValueError):  # left to the SDK, which says it better
            return None

    async def list(self, labels: list[str], statuses: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """List containers, whatever their state, in the short form that the engine has for it.

        Args:
            labels: Labels that they all have: names, or names and values with `=` between.
            statuses: Only those in one of these states.

        Raises:
            DockerError: If the engine does not tell.
        """

        def look() -> list[dict[str, Any]]:
            filters: dict[str, Any] = {"label": labels, **({"status": list(statuses)} if statuses else {})}
            with docker_errors("Containers of flow runs"):
                return cast("list[dict[str, Any]]", self.client.api.containers(all=True, filters=filters))

        return await self.threads.call(look)

    async def stop(self, container_id: str, grace_seconds: int) -> bool:
        """Stop a container: SIGTERM, then SIGKILL, and wait until it has ended.

        Args:
            container_id: The container.
            grace_seconds: Seconds between the two signals.

        Returns:
            Whether the engine knows it. One that has ended already is left as it is.

        Raises:
            DockerError: If the engine refuses.
        """
        subject = f"Container {container_id[:12]}"
        try:
            if self.wire is None or not await self._stop_on_wire(self.wire, container_id, grace_seconds):

                def stop() -> None:
                    with docker_errors(subject):
                        self.client.api.stop(container_id, timeout=grace_seconds)

                await self.threads.call(stop)
        except DockerNotFound:
            return False
        return True

    @staticmethod
    async def _stop_on_wire(wire: Wire, container_id: str, grace_seconds: int) -> bool:
        """Stop without a thread; whatever goes wrong is left to the SDK, which says it better."""
        import httpx

        from .wire import WireError

        try:
            await wire.stop(container_id, grace_seconds)
        except (WireError, httpx.TransportError):
            return False
        return True

    async def remove(self, container_id: str) -> None:
        """Remove a container that has ended, and its nameless volumes, as `docker run --rm` does.

        Raises:
            DockerError: If the engine refuses; one that is gone, or being removed, is no error.
        """

        def remove() -> None:
            with docker_errors(f"Container {container_id[:12]}"):
                self.client.api.remove_container(container_id, v=True)

        try:
            await self.threads.call(remove)
        except DockerNotFound:
            return
        except DockerError as exc:
            if "already in progress" not in str(exc):
                raise

    async def last_lines(self, container_id: str, count: int) -> str:
        """Read the end of a container's output; nothing where the engine does not keep it."""

        def read() -> str:
            with docker_errors(f"Output of container {container_id[:12]}"):
                raw: bytes = self.client.api.logs(container_id, tail=count)
            return raw.decode(errors="replace")

        try:
            return await self.threads.call(read)
        except DockerError:
            return ""


class Engines:
    """All engines of a worker, one for each address and set of credentials."""

    def __init__(self, settings: DockerWorkerSettings) -> None:
        self.threads = Threads(settings)
        self._engines: dict[int, Engine] = {}

    async def open(self, docker_host: DockerHost | None) -> Engine:
        """Find the engine of a block, or of the worker's environment.

        Raises:
            DockerUnavailable: If none answers.
        """
        from .._engine import open_engine, own_client
        from .wire import open_wire

        own = await self.threads.call(lambda: own_client(docker_host))
        if own is not None:
            return self._of_stand_in(own)
        client = await self.threads.call(lambda: open_engine(docker_host))
        engine = self._engines.get(id(client))
        if engine is None or engine.client is not client:
            engine = self._engines[id(client)] = Engine(client, self.threads, open_wire(client))
        return engine

    def _of_stand_in(self, client: Any) -> Engine:
        from .stand_in import StandInClient

        engine = self._engines.get(id(client))
        if engine is None or getattr(engine.client, "original", None) is not client:
            played = cast("EngineClient", StandInClient(client))
            engine = self._engines[id(client)] = Engine(played, self.threads, None)
        return engine

    async def open_recorded(self, identifier: ContainerIdentifier, docker_host: DockerHost | None) -> Engine:
        """Find the engine that a container was started on, wherever runs are started by now.

        Args:
            identifier: The container.
            docker_host: What the run's configuration says.

        Raises:
            DockerUnavailable: If it does not answer.
        """
        unavailable: DockerError | None = None
        for block in [docker_host, None] if docker_host is not None else [None]:
            try:
                engine = await self.open(block)
            except DockerError as exc:
                unavailable = exc
                continue
            if not identifier.names_engine or same_engine(engine.base_url, identifier.base_url):
                return engine
        for engine in self._engines.values():
            if same_engine(engine.base_url, identifier.base_url):
                return engine
        if not identifier.names_engine and unavailable is not None:
            raise unavailable
        return await self.open(_host_at(identifier.base_url, docker_host))

    def values(self) -> list[Engine]:
        """The engines that were opened."""
        return list(self._engines.values())

    async def close(self) -> None:
        """Close the event loop's connections. Clients stay: they are shared."""
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            if engine.wire is not None:
                await engine.wire.close()


def _host_at(base_url: str, docker_host: DockerHost | None) -> DockerHost:
    """Describe an engine by its address, with the TLS that the run's block or the environment has."""
    import os

    from .._endpoints import tls_from
    from ..host import DockerHost

    options: Mapping[str, Any] = docker_host.client_kwargs if docker_host is not None else {}
    if base_url.startswith(("tcp://", "http://", "https://")) and "tls" not in options and tls_from(os.environ):
        options = {**options, "tls": True}
    return DockerHost(base_url=base_url, client_kwargs=dict(options))
