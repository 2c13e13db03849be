"""The process that keeps a Docker engine for others: it starts `dockerd`, and ends it when nobody uses it any more.

Run as `python -m prefect_integration_tests.backends._docker_keeper FOLDER LOCK PROGRAM`, see `_sharing`.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from ._sharing import READY
from .processes import LocalServer, ServerError

SOCKET = "docker.sock"
LOG = "dockerd.log"

_START_SECONDS = 60
_STOP_SECONDS = 20
_MEMORY_BYTES = 3 << 30  # a limit, not what it takes
_NOWHERE = "http://127.0.0.1:9"


def dockerd(program: str, folder: Path) -> LocalServer:
    """Describe an engine that keeps all it has below `folder` and leaves the machine's network as it is.

    Without rules for the packet filter and without forwarding, containers reach each other and this machine, and
    nothing beyond. A pull from anywhere but loopback fails at once.

    Args:
        program: Path of `dockerd`.
        folder: Folder of its own. The path must be short: a socket's has 108 characters at most.
    """
    argv = [
        *(program, "--host", f"unix://{folder / SOCKET}", "--pidfile", str(folder / "dockerd.pid")),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--config-file", str(folder / "no-daemon.json")),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--ip", "127.0.0.1"),
        *("--shutdown-timeout", "1", "--log-level", "warn"),  # it waits that long for clients that stay connected
    ]
    proxies = {"HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE, "NO_PROXY": "localhost,127.0.0.0/8"}
    (folder / "no-daemon.json").write_text("{}", encoding="utf-8")
    return LocalServer(
        argv,
        lambda: _client(folder) is not None,
        name="dockerd",
        env={**proxies, **{name.lower(): value for name, value in proxies.items()}},
        cwd=folder,
        log_path=folder / LOG,
        start_timeout_seconds=_START_SECONDS,
        stop_timeout_seconds=_STOP_SECONDS,
    )


def _client(folder: Path) -> Any:
    import docker
    from docker.errors import DockerException

    try:
        client: Any = docker.DockerClient(base_url=f"unix://{folder / SOCKET}", timeout=60)
        client.ping()
    except DockerException:
        return None
    return client


def _remove_containers(folder: Path) -> None:
    from docker.errors import DockerException

    client = _client(folder)
    if client is None:
        return
    for container in client.api.containers(all=True, quiet=True):
        with contextlib.suppress(DockerException):
            client.api.remove_container(container["Id"], force=True, v=True)


def _unmount(folder: Path) -> None:
    """Unmount what an engine that was killed left mounted, innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)


def _mount_memory(folder: Path) -> None:
    """Keep the engine's data in memory, if the machine lets us: on disk, each container that ends waits for a sync."""
    options = f"size={_MEMORY_BYTES},mode=700"
    if _free_memory_bytes() > 2 * _MEMORY_BYTES:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "docker", str(folder)], check=False)


def _free_memory_bytes() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _keep(program: str, folder: Path, lock: Path) -> None:
    with lock.open("a") as users:
        data = folder / "data"
        data.mkdir()
        _mount_memory(data)
        try:
            with dockerd(program, folder):
                (folder / READY).touch()
                fcntl.flock(users, fcntl.LOCK_EX)
                _remove_containers(folder)  # dockerd would give each of them ten seconds to end
        finally:
            _unmount(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the users, who give the lock back
    try:
        _keep(sys.argv[3], Path(sys.argv[1]), Path(sys.argv[2]))
    except ServerError as exc:
        sys.exit(str(exc))
