"""Where the engine is: what a block, the environment and Docker's own configuration say about it.

The order is that of Docker's command line: an address that is given, `DOCKER_HOST`, the context that `DOCKER_CONTEXT`
names, the current context of `config.json`, the default socket.
https://docs.docker.com/engine/manage-resources/contexts/
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from .errors import DockerContextInvalid

DEFAULT_SOCKET = "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class TlsFiles:
    """Certificates of a client, and whether the engine's own is checked.

    Attributes:
        ca: File of the authority that signed the engine's certificate; the system's authorities when `None`.
        cert: File of the client's certificate.
        key: File of the client's key.
        verify: Whether the engine's certificate is checked.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True)
class Endpoint:
    """An engine's address and where it was found.

    Attributes:
        base_url: The address, such as `unix:///var/run/docker.sock` or `tcp://10.0.0.7:2376`.
        origin: Who named it, for messages: `DOCKER_HOST`, `the Docker context 'colima'`.
        tls: How to speak TLS with it; `None` for plain connections.
    """

    base_url: str
    origin: str
    tls: TlsFiles | None = None

    def __str__(self) -> str:
        return f"Docker engine at {self.base_url} ({self.origin})"


def config_folder(environment: Mapping[str, str]) -> Path:
    """The folder of Docker's `config.json` and contexts."""
    return Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")


def find_endpoint(environment: Mapping[str, str] | None = None, *, use_context: bool = True) -> Endpoint:
    """Find the engine where no block names one.

    Args:
        environment: Variables to look into; those of this process by default.
        use_context: Whether contexts count.

    Raises:
        DockerContextInvalid: If the context that is chosen does not exist or cannot be read.
    """
    environment = os.environ if environment is None else environment
    if host := environment.get("DOCKER_HOST"):
        return Endpoint(host, "DOCKER_HOST", tls_from(environment))
    if use_context:
        name, chosen_by = _context_name(environment)
        if name != "default":
            return _read_context(config_folder(environment), name, chosen_by)
    return Endpoint(DEFAULT_SOCKET, "the default socket")


def tls_from(environment: Mapping[str, str]) -> TlsFiles | None:
    """Read `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` as Docker's command line does.

    https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    folder = environment.get("DOCKER_CERT_PATH") or None
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if folder is None and not verify:
        return None
    base = Path(folder) if folder else config_folder(environment)
    return TlsFiles(str(base / "ca.pem"), str(base / "cert.pem"), str(base / "key.pem"), verify)


def _context_name(environment: Mapping[str, str]) -> tuple[str, str]:
    if name := environment.get("DOCKER_CONTEXT"):
        return name, "DOCKER_CONTEXT"
    path = config_folder(environment) / "config.json"
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # Docker's command line warns and goes on, too
        return "default", ""
    current = cast("dict[str, Any]", config).get("currentContext") if isinstance(config, dict) else None
    return str(current or "default"), f"currentContext in {path}"


def _read_context(folder: Path, name: str, chosen_by: str) -> Endpoint:
    digest = hashlib.sha256(name.encode()).hexdigest()
    path = folder / "contexts" / "meta" / digest / "meta.json"
    subject = f"Docker context {name!r}, chosen by {chosen_by}"
    choose = "Choose another with 'docker context use' or DOCKER_CONTEXT, or set DOCKER_HOST."
    try:
        endpoint = json.loads(path.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        host = str(endpoint["Host"])
        skip_verify = bool(endpoint.get("SkipTLSVerify", False))
    except FileNotFoundError as exc:
        known = ", ".join(map(repr, _context_names(folder)))
        message = f"{subject}: there is no such context; there are {known}. {choose}"
        raise DockerContextInvalid(message, subject=subject) from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        message = f"{subject}: {path} names no Docker endpoint ({type(exc).__name__}). {choose}"
        raise DockerContextInvalid(message, subject=subject) from exc
    return Endpoint(host, f"the Docker context {name!r}", _context_tls(folder, digest, verify=not skip_verify))


def _context_tls(folder: Path, digest: str, *, verify: bool) -> TlsFiles | None:
    files = folder / "contexts" / "tls" / digest / "docker"
    ca, cert, key = (str(path) if path.is_file() else None for path in (files / n for n in _TLS_NAMES))
    return TlsFiles(ca, cert, key, verify) if ca or cert else None


_TLS_NAMES = ("ca.pem", "cert.pem", "key.pem")


def _context_names(folder: Path) -> list[str]:
    found = (_name_in(path) for path in sorted((folder / "contexts" / "meta").glob("*/meta.json")))
    return ["default", *(name for name in found if name)]


def _name_in(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def other_sockets(tried: str, environment: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Find sockets of engines that listen elsewhere than at `tried`.

    Args:
        tried: The address that did not answer.
        environment: Variables to look into; those of this process by default.

    Returns:
        What runs there and its address, for each socket that exists.
    """
    if sys.platform == "win32":
        return []
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME") or Path.home())
    run = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    places = (
        ("Docker", Path("/var/run/docker.sock")),
        ("rootless Docker", run / "docker.sock"),
        ("Docker Desktop", home / ".docker/run/docker.sock"),
        ("Docker Desktop", home / ".docker/desktop/docker.sock"),
        ("Colima", home / ".colima/default/docker.sock"),
        ("Colima", home / ".config/colima/default/docker.sock"),
        ("OrbStack", home / ".orbstack/run/docker.sock"),
        ("Rancher Desktop", home / ".rd/docker.sock"),
        ("Lima", home / ".lima/docker/sock/docker.sock"),
        ("rootless Podman", run / "podman/podman.sock"),
        ("Podman", Path("/run/podman/podman.sock")),
    )
    return [(name, url) for name, path in places if (url := f"unix://{path}") != tried and _is_socket(path)]


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
