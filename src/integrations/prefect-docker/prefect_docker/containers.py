"""Tasks that create, start, read, stop and remove containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from ._engine import engine_for_task
from .errors import DockerNotFound, docker_errors
from .host import DockerHost

if TYPE_CHECKING:
    from docker.models.containers import Container


# A container may be silent for as long as it likes while its output is followed.
_ANY_SILENCE_SECONDS = 7 * 24 * 3600.0


def _get(container_id: str, docker_host: DockerHost | None, *, timeout_seconds: float | None = None) -> Container:
    with docker_errors(_subject(container_id)):
        return engine_for_task(docker_host, timeout_seconds=timeout_seconds).containers.get(container_id)


def _subject(container_id: str) -> str:
    return f"Container {container_id!r}"


def _refresh(container: Container) -> None:
    """Read the container's state anew, unless it removes itself when it ends."""
    try:
        with docker_errors(_subject(str(container.id))):
            container.reload()
    except DockerNotFound:
        return


def _create_docker_container(
    image: str,
    command: str | list[str] | None = None,
    name: str | None = None,
    detach: bool | None = None,
    entrypoint: str | list[str] | None = None,
    environment: dict[str, str] | list[str] | None = None,
    docker_host: DockerHost | None = None,
    **create_kwargs: Any,
) -> Container:
    with docker_errors(f"Container {name!r} of image {image!r}" if name else f"Container of image {image!r}"):
        containers: Any = engine_for_task(docker_host).containers
        container: Container = containers.create(  # all by name: a test's stand-in may look at the call
            image=image,
            command=command,
            name=name,
            detach=detach,
            entrypoint=entrypoint,
            environment=environment,
            **create_kwargs,
        )
    run_logger(__name__).info("Created container %s from image %s", container.short_id, image)
    return container


@async_task(_create_docker_container)
async def create_docker_container(
    image: str,
    command: str | list[str] | None = None,
    name: str | None = None,
    detach: bool | None = None,
    entrypoint: str | list[str] | None = None,
    environment: dict[str, str] | list[str] | None = None,
    docker_host: DockerHost | None = None,
    **create_kwargs: Any,
) -> Container:
    """Create a container, without starting it, as `docker create` does.

    The image must be on the engine: `pull_docker_image` brings it there. Every call makes a new container, unless
    `name` makes a second one fail.

    Args:
        image: Name or ID of the image.
        command: What to run; the image's own command when not given. Text is split as a shell does it.
        name: Name of the container; Docker invents one when not given.
        detach: Whether the container runs in the background once it is started.
        entrypoint: Takes the place of the image's entry point.
        environment: Environment variables, as a dictionary or as a list of `NAME=value`.
        docker_host: The engine; what the environment says when not given.
        create_kwargs: Further arguments of
            [`containers.create`](https://docker-py.readthedocs.io/en/stable/containers.html#docker.models.containers.ContainerCollection.create).

    Returns:
        The container, as the Docker SDK models it.

    Raises:
        DockerImageNotFound: If the engine does not have the image.
        DockerConflict: If there is a container of this name.
        DockerUnavailable: If no engine answers.

    Example:
        ```python
        from prefect import flow
        from prefect_docker.containers import create_docker_container


        @flow
        def create_docker_container_flow():
            return create_docker_container(image="prefecthq/prefect", command="echo 'hello world!'").id


        create_docker_container_flow()
        ```
    """
    return await run_sync_in_worker_thread(
        _create_docker_container,
        image,
        command,
        name,
        detach,
        entrypoint,
        environment,
        docker_host,
        **create_kwargs,
    )


def _get_docker_container_logs(container_id: str, docker_host: DockerHost | None = None, **logs_kwargs: Any) -> str:
    timeout_seconds = _ANY_SILENCE_SECONDS if logs_kwargs.get("follow") else None
    container = _get(container_id, docker_host, timeout_seconds=timeout_seconds)
    with docker_errors(f"Logs of container {container_id!r}"):
        logs: bytes | Iterable[bytes] = cast("Any", container).logs(**logs_kwargs)
        content = logs if isinstance(logs, bytes) else b"".join(logs)  # with stream=True they come in pieces
    run_logger(__name__).info("Read %d bytes of logs of container %s", len(content), container.short_id)
    return content.decode("utf-8", "replace")


@async_task(_get_docker_container_logs)
async def get_docker_container_logs(
    container_id: str, docker_host: DockerHost | None = None, **logs_kwargs: Any
) -> str:
    """Read what a container has written, as `docker logs` does.

    Args:
        container_id: ID of the container, its beginning, or the container's name.
        docker_host: The engine; what the environment says when not given.
        logs_kwargs: Further arguments of
            [`Container.logs`](https://docker-py.readthedocs.io/en/stable/containers.html#docker.models.containers.Container.logs).
            With `follow=True` the task waits until the container ends, however long that takes.

    Returns:
        Standard output and standard error, in the order in which they were written. Bytes that are no UTF-8 are
        replaced.

    Raises:
        DockerNotFound: If there is no such container.
        DockerUnavailable: If no engine answers.

    Example:
        ```python
        from prefect import flow
        from prefect_docker.containers import get_docker_container_logs


        @flow
        def get_docker_container_logs_flow():
            return get_docker_container_logs(container_id="c157")


        get_docker_container_logs_flow()
        ```
    """
    return await run_sync_in_worker_thread(_get_docker_container_logs, container_id, docker_host, **logs_kwargs)


def _start_docker_container(container_id: str, docker_host: DockerHost | None = None, **start_kwargs: Any) -> Container:
    container = _get(container_id, docker_host)
    with docker_errors(_subject(container_id)):
        cast("Any", container).start(**start_kwargs)
    _refresh(container)
    run_logger(__name__).info("Started container %s", container.short_id)
    return container


@async_task(_start_docker_container)
async def start_docker_container(
    container_id: str, docker_host: DockerHost | None = None, **start_kwargs: Any
) -> Container:
    """Start a container, as `docker start` does; one that runs already is left as it is.

    Args:
        container_id: ID of the container, its beginning, or the container's name.
        docker_host: The engine; what the environment says when not given.
        start_kwargs: Further arguments of
            [`Container.start`](https://docker-py.readthedocs.io/en/stable/containers.html#docker.models.containers.Container.start).

    Returns:
        The container, as the Docker SDK models it, in its new state.

    Raises:
        DockerNotFound: If there is no such container.
        DockerError: If it cannot be started; the message is the engine's.

    Example:
        ```python
        from prefect import flow
        from prefect_docker.containers import start_docker_container


        @flow
        def start_docker_container_flow():
            return start_docker_container(container_id="c157").status


        start_docker_container_flow()
        ```
    """
    return await run_sync_in_worker_thread(_start_docker_container, container_id, docker_host, **start_kwargs)


def _stop_docker_container(container_id: str, docker_host: DockerHost | None = None, **stop_kwargs: Any) -> Container:
    container = _get(container_id, docker_host)
    with docker_errors(_subject(container_id)):
        cast("Any", container).stop(**stop_kwargs)
    _refresh(container)
    run_logger(__name__).info("Stopped container %s", container.short_id)
    return container


@async_task(_stop_docker_container)
async def stop_docker_container(
    container_id: str, docker_host: DockerHost | None = None, **stop_kwargs: Any
) -> Container:
    """Stop a container, as `docker stop` does: a signal, a grace, then SIGKILL; one that has ended is left as it is.

    Args:
        container_id: ID of the container, its beginning, or the container's name.
        docker_host: The engine; what the environment says when not given.
        stop_kwargs: Further arguments of
            [`Container.stop`](https://docker-py.readthedocs.io/en/stable/containers.html#docker.models.containers.Container.stop),
            such as `timeout`, the grace in seconds.

    Returns:
        The container, as the Docker SDK models it, in its new state.

    Raises:
        DockerNotFound: If there is no such container.
        DockerUnavailable: If no engine answers.

    Example:
        ```python
        from prefect import flow
        from prefect_docker.containers import stop_docker_container


        @flow
        def stop_docker_container_flow():
            return stop_docker_container(container_id="c157", timeout=10).status


        stop_docker_container_flow()
        ```
    """
    return await run_sync_in_worker_thread(_stop_docker_container, container_id, docker_host, **stop_kwargs)


def _remove_docker_container(
    container_id: str, docker_host: DockerHost | None = None, **remove_kwargs: Any
) -> Container:
    container = _get(container_id, docker_host)
    with docker_errors(_subject(container_id)):
        cast("Any", container).remove(**remove_kwargs)
    run_logger(__name__).info("Removed container %s", container.short_id)
    return container


@async_task(_remove_docker_container)
async def remove_docker_container(
    container_id: str, docker_host: DockerHost | None = None, **remove_kwargs: Any
) -> Container:
    """Remove a container, as `docker rm` does.

    Args:
        container_id: ID of the container, its beginning, or the container's name.
        docker_host: The engine; what the environment says when not given.
        remove_kwargs: Further arguments of
            [`Container.remove`](https://docker-py.readthedocs.io/en/stable/containers.html#docker.models.containers.Container.remove),
            such as `force=True` for one that runs and `v=True` for its anonymous volumes.

    Returns:
        The container as it was, as the Docker SDK models it.

    Raises:
        DockerNotFound: If there is no such container.
        DockerConflict: If it runs and `force` was not given.
        DockerUnavailable: If no engine answers.

    Example:
        ```python
        from prefect import flow
        from prefect_docker.containers import remove_docker_container


        @flow
        def remove_docker_container_flow():
            return remove_docker_container(container_id="c157").id


        remove_docker_container_flow()
        ```
    """
    return await run_sync_in_worker_thread(_remove_docker_container, container_id, docker_host, **remove_kwargs)
