"""Containers that a local server of a cloud runs on a Docker engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .docker import DockerEngine


class EngineContainers:
    """Creates, stops and removes containers. They share this machine's network: they reach what listens on loopback."""

    def __init__(self, engine: DockerEngine, label: str) -> None:
        """Use an engine.

        Args:
            engine: Where containers run.
            label: Label of all of them. Its value tells servers apart.
        """
        self._engine = engine
        self.docker = engine.client(max_pool_size=64)  # each container has threads
        self._label = label
        self._value = uuid.uuid4().hex

    def has_image(self, image: str) -> bool:
        """Say whether the engine has an image; nothing is ever pulled."""
        return self._engine.has_image(image)

    def create(
        self,
        image: str,
        *,
        name: str,
        command: Iterable[str],
        args: Iterable[str],
        environment: Mapping[str, str],
        memory_bytes: int,
        working_dir: str | None = None,
    ) -> str:
        """Create a container, and give its id.

        Args:
            image: Its image.
            name: Its name begins so.
            command: What runs instead of the image's entry point; empty for that.
            args: What that is given; empty for the image's own.
            environment: Its variables.
            memory_bytes: What it may have.
            working_dir: Where it starts.
        """
        created = self.docker.containers.create(  # unlike `run`, it never pulls
            image,
            command=list(args) or None,
            entrypoint=list(command) or None,
            environment=dict(environment),
            working_dir=working_dir,
            name=f"{name}-{uuid.uuid4().hex[:6]}",
            labels={self._label: self._value},
            network_mode="host",
            mem_limit=memory_bytes,
            memswap_limit=memory_bytes,
        )
        return created.id

    def put(self, container_id: str, files: Mapping[str, bytes]) -> None:
        """Write files, by their absolute paths, that all may read."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, content in files.items():
                info = tarfile.TarInfo(path.strip("/"))
                info.size, info.mode = len(content), 0o444
                archive.addfile(info, io.BytesIO(content))
        self.docker.api.put_archive(container_id, "/", packed.getvalue())

    def stop(self, container_id: str, grace_seconds: float) -> None:
        """Send SIGTERM, and after the grace SIGKILL; without a grace at once."""
        from docker.errors import APIError

        with contextlib.suppress(APIError):  # it has ended by itself
            if grace_seconds:
                self.docker.api.stop(container_id, timeout=max(1, round(grace_seconds)))
            else:
                self.docker.api.kill(container_id)

    def remove(self, container_id: str) -> None:
        """Remove a container, whatever it does."""
        from docker.errors import APIError

        with contextlib.suppress(APIError, OSError):  # it, or the engine, is gone
            self.docker.api.remove_container(container_id, v=True, force=True)

    def close(self) -> None:
        """Remove what is left."""
        with contextlib.suppress(OSError):  # the engine has ended, and all containers with it
            for found in self.docker.api.containers(all=True, filters={"label": f"{self._label}={self._value}"}):
                self.remove(found["Id"])
