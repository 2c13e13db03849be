"""What a test puts in the place of `docker.from_env`, as the worker uses an engine.

Such a client often has the SDK's objects alone (`containers`, `images`, `networks`), or is a mock. The low-level calls
that the worker makes are played on those. Everything here blocks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, cast

from .._endpoints import Endpoint

_LOOKS_LIKE_ENDED = ("exited", "dead", "removing")


class StandInClient:
    """A client with an address, and with low-level calls; all else is the other client's."""

    def __init__(self, client: Any) -> None:
        self.original = client
        address: Any = getattr(getattr(client, "api", None), "base_url", None)
        self.endpoint = Endpoint(address if isinstance(address, str) else "unix:///stand-in", "docker.from_env")
        self.containers = _Containers(client)
        self.api = _Calls(self.containers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Containers:
    """The other client's containers; those that were created are known without a look."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._created: dict[str, Any] = {}

    def create(self, **options: Any) -> Any:
        container = self._client.containers.create(**options)
        if not isinstance(container.id, str):  # a mock's
            container.id = uuid.uuid4().hex
        self._created[str(container.id)] = container
        return container

    def get(self, container_id: str) -> Any:
        return self._created.get(container_id) or self._client.containers.get(container_id)

    def forget(self, container_id: str) -> None:
        self._created.pop(container_id, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.containers, name)


class _Calls:
    """The calls of `docker.APIClient` that a worker makes."""

    def __init__(self, containers: _Containers) -> None:
        self._containers = containers

    def inspect_container(self, container_id: str) -> dict[str, Any]:
        container = self._containers.get(container_id)
        container.reload()
        status = str(container.status)
        state: dict[str, Any] = {"Status": status}
        if status in _LOOKS_LIKE_ENDED or not isinstance(container.status, str):
            answer: Any = container.wait()  # it has ended: this is how a client without attributes says its exit code
            code: Any = cast("Mapping[str, Any]", answer).get("StatusCode") if isinstance(answer, Mapping) else answer
            state = {"Status": "exited", "ExitCode": code if isinstance(code, int) else 0}
        return {"Id": container_id, "Name": f"/{container.name}", "State": state}

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return []  # what others have left behind is nothing that a stand-in has

    def start(self, container_id: str) -> None:
        self._containers.get(container_id).start()

    def stop(self, container_id: str, timeout: int) -> None:
        self._containers.get(container_id).stop(timeout=timeout)

    def remove_container(self, container_id: str, **options: Any) -> None:
        container = self._containers.get(container_id)
        self._containers.forget(container_id)
        container.remove(**options)

    def logs(self, container_id: str, **options: Any) -> bytes:
        said: Any = self._containers.get(container_id).logs(**{**options, "stream": False})
        if isinstance(said, bytes | str):
            return said.encode() if isinstance(said, str) else said
        try:
            return b"".join(part for part in cast("Iterable[Any]", said) if isinstance(part, bytes))
        except TypeError:
            return b""
