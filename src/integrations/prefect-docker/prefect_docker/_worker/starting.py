"""Create and start the container of a flow run; where that fails, nothing is left behind."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.logs import Log

from ..errors import DockerConflict, DockerError, docker_errors
from . import labels as names
from .documents import has_terminal
from .request import container_options

if TYPE_CHECKING:
    from uuid import UUID

    from .configuration import DockerWorkerJobConfiguration
    from .engine import Engine


# pyright: reportUnknownMemberType=false

_NUMBERED_NAMES = 5


@dataclass(frozen=True)
class Container:
    """A container that was started, or is about to be."""

    engine: Engine
    container_id: str
    name: str
    is_tty: bool = False

    @property
    def identifier(self) -> str:
        """What the run's `infrastructure_pid` says."""
        return self.engine.identifier(self.container_id)


async def create(
    engine: Engine, flow_run_id: UUID, configuration: DockerWorkerJobConfiguration, logger: Log
) -> Container:
    """Get the image, create the container, connect it to its networks.

    Args:
        engine: The engine.
        flow_run_id: The run.
        configuration: What it asks for, prepared for it.
        logger: Told about the image.

    Raises:
        DockerError: If the engine refuses; the message names the image, network or option.
        ValueError: If the configuration contradicts itself.
    """
    from .._images import ensure_image

    client = engine.client
    options = await engine.threads.call(
        lambda: container_options(
            configuration, client, flow_run_id=str(flow_run_id), is_local=engine.is_local, logger=logger
        )
    )
    networks = await engine.threads.call(lambda: _existing_networks(client, configuration.networks))
    await engine.threads.pull(
        lambda: ensure_image(
            client,
            configuration.image,
            policy=configuration.image_pull_policy,
            credentials=configuration.registry_credentials,
            platform=options.get("platform"),
            logger=logger,
        )
    )
    return await engine.threads.call(lambda: _create(engine, options, configuration.name, networks, flow_run_id))


def _existing_networks(client: Any, wanted: list[str]) -> list[Any]:
    networks: list[Any] = []
    for name in wanted:
        with docker_errors(f"Docker network {name!r}"):
            networks.append(client.networks.get(name))
    return networks


def _create(
    engine: Engine, options: dict[str, Any], wanted_name: str | None, networks: list[Any], flow_run_id: UUID
) -> Container:
    client = engine.client
    container: Any = None
    for name in _free_names(names.container_name(wanted_name)):
        try:
            with docker_errors(f"Container {name!r}" if name else "Container"):
                container = client.containers.create(name=name, **options)
        except DockerError as exc:
            if name is not None and _is_taken(exc):
                continue
            if not isinstance(exc, DockerConflict):
                _discard_unheard(engine, flow_run_id)
            raise
        break
    assert container is not None  # noqa: S101 - the last name is one that the engine makes up
    try:
        for network in networks:
            with docker_errors(f"Docker network {network.name!r}"):
                network.connect(container)
    except BaseException:
        discard(engine, container.id)
        raise
    return Container(engine, str(container.id), str(container.name), has_terminal(container.attrs))


def _is_taken(exc: DockerError) -> bool:
    """Say whether another container has the name; a stand-in for the SDK may say so without a status."""
    return "already in use" in str(exc) and (isinstance(exc, DockerConflict) or "Conflict" in str(exc))


def _discard_unheard(engine: Engine, flow_run_id: UUID) -> None:
    """Remove what may have been created though its answer was lost: it was not started, and would stay for ever."""
    filters = {"label": [f"{names.FLOW_RUN_ID}={flow_run_id}"], "status": ["created"]}
    api: Any = engine.client.api
    with contextlib.suppress(DockerError):  # the first error counts; what is left is found by the collection
        with docker_errors("Containers of the flow run"):
            found: list[dict[str, Any]] = api.containers(all=True, filters=filters)
        for item in found:
            discard(engine, str(item["Id"]))


def _free_names(name: str | None) -> Iterator[str | None]:
    """Names to try, one after the other, as another container may have one: the last is the engine's to choose."""
    if name is not None:
        yield name
        yield from (f"{name}-{number}" for number in range(1, _NUMBERED_NAMES + 1))
        yield f"{name}-{uuid.uuid4().hex[:8]}"
    yield None


async def start(container: Container, is_wanted: Callable[[], bool]) -> bool:
    """Start a container that was created, unless it is not wanted any more; then, and on failure, it is removed.

    Returns:
        Whether it was started.

    Raises:
        DockerError: If the engine cannot start it, such as for want of the command or of a device.
    """
    engine = container.engine

    def work() -> bool:
        if not is_wanted():
            discard(engine, container.container_id)
            return False
        try:
            with docker_errors(f"Container {container.name!r}"):
                engine.client.api.start(container.container_id)
        except BaseException:
            discard(engine, container.container_id)
            raise
        return True

    return await engine.threads.call(work)


def discard(engine: Engine, container_id: str) -> None:
    """Remove what was created in vain. Blocks. Failing that, it is left to the collection: the first error counts."""
    try:
        with docker_errors(f"Container {container_id[:12]}"):
            engine.client.api.remove_container(container_id, v=True, force=True)
    except DockerError:
        return
