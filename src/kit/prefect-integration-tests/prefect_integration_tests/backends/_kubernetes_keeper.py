"""The process that keeps a Kubernetes control plane for others, see `_sharing`.

It starts a program anew that ends by itself or is killed, as a machine's service manager does, unless a file
`hold-NAME` lies in its folder. The process ids are in files `NAME.pid`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ._kubernetes_api import Api
from ._kubernetes_plane import KUBELET, SPARE_NODE, Plane, node_is_ready, spare_node
from ._sharing import READY
from .processes import LocalServer, ServerError

ALIVE = "alive"
"""File that the keeper has a lock on while it lives."""

_START_SECONDS = 90
_POLL_SECONDS = 0.05
_BEAT_SECONDS = 8

# What kubelet sets for the whole machine.
_KERNEL = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)


@contextlib.contextmanager
def _kernel_settings_restored() -> Generator[None]:
    paths = [Path("/proc/sys") / name for name in _KERNEL]
    before = {path: path.read_text() for path in paths if path.exists()}
    try:
        yield
    finally:
        for path, text in before.items():
            with contextlib.suppress(OSError):
                path.write_text(text)


class Keeper:
    """Starts the programs, watches over them, and ends them with all that they made."""

    def __init__(self, plane: Plane) -> None:
        """Describe what to keep; `start` starts it."""
        self._plane = plane
        self._folder = plane.folder
        self._servers: dict[str, LocalServer] = {}
        self._beat_at = 0.0

    @cached_property
    def _api(self) -> Api:
        return Api(json.loads((self._folder / "admin.json").read_text(encoding="utf-8")))

    def start(self) -> None:
        """Start the programs and wait until the node takes pods."""
        remove_containers(self._plane.docker_url)  # of a cluster that ended without its keeper
        self._servers = self._plane.servers()
        for name in self._servers:
            self._start(name)
        self._api.post("/api/v1/nodes", spare_node())
        deadline = time.monotonic() + _START_SECONDS
        while not node_is_ready(self._api):
            ended = [server for server in self._servers.values() if not server.is_running]
            if ended or time.monotonic() > deadline:
                server = ended[0] if ended else self._servers[KUBELET]
                raise ServerError(f"{server.name}: the node was not ready:\n{server.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def _start(self, name: str) -> None:
        self._servers[name].start()
        waiting = self._folder / f"{name}.pid.new"
        waiting.write_text(str(self._servers[name].pid), encoding="utf-8")
        waiting.rename(self._folder / f"{name}.pid")

    def watch(self) -> None:
        """Start again what has ended, and let the spare node be heard of when it is time."""
        for name, server in self._servers.items():
            if not server.is_running and not (self._folder / f"hold-{name}").exists():
                server.kill()
                self._start(name)
        if time.monotonic() > self._beat_at + _BEAT_SECONDS:
            self._beat_at = time.monotonic()
            with contextlib.suppress(ServerError, OSError):  # the API server may be down; it waits for 40 s
                self._api.patch(f"/api/v1/nodes/{SPARE_NODE}/status", {"status": spare_node()["status"]})

    def stop(self) -> None:
        """End the programs, and remove the containers and mounts of their pods."""
        for server in reversed(self._servers.values()):
            with contextlib.suppress(Exception):
                if server.pid is not None:  # a stopped kubelet hears nothing else
                    server.kill() if server.name == KUBELET else server.stop()
        remove_containers(self._plane.docker_url)
        unmount(self._folder)


def pod_containers(docker_url: str) -> list[str]:
    """Return the ids of all containers on an engine that belong to pods."""
    import docker

    client: Any = docker.DockerClient(base_url=docker_url, timeout=60)
    with contextlib.closing(client):
        found = client.api.containers(all=True, filters={"label": "io.kubernetes.pod.uid"})
    return [container["Id"] for container in found]


def remove_containers(docker_url: str) -> None:
    """Remove the containers of pods. An engine that has gone has none."""
    import docker
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        client: Any = docker.DockerClient(base_url=docker_url, timeout=60)
        with contextlib.closing(client):
            for container in pod_containers(docker_url):
                with contextlib.suppress(DockerException):
                    client.api.remove_container(container, force=True, v=True)


def unmount(folder: Path) -> None:
    """Unmount what is mounted below a folder, innermost first: the kubelet keeps secrets of pods in memory."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)


def _keep(folder: Path, lock: Path, plane: Plane) -> None:
    keeper = Keeper(plane)
    with lock.open("a") as users, (folder / ALIVE).open("a") as alive, _kernel_settings_restored():
        fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            keeper.start()
            (folder / READY).touch()
            while not _is_unused(users):
                keeper.watch()
                time.sleep(_POLL_SECONDS)
        finally:
            keeper.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _is_unused(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the users, who give the lock back
    _folder, _lock, _described = sys.argv[1:]
    try:
        _keep(Path(_folder), Path(_lock), Plane(folder=Path(_folder), **json.loads(_described)))
    except ServerError as exc:
        sys.exit(str(exc))
