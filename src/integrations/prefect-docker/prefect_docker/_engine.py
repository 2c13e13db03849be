"""Clients of Docker engines: opened from a block or the environment, kept for as long as nothing changes.

Everything here blocks, so a coroutine calls it in a thread.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.replaced import is_replaced

from ._diagnosis import explain
from ._endpoints import Endpoint, TlsFiles, config_folder, find_endpoint, tls_from
from .errors import DockerError, DockerInvalidRequest

if TYPE_CHECKING:
    from docker import DockerClient

    from ._client import EngineClient
    from .host import DockerHost

_ANSWER_SECONDS = 20.0
"""How long an engine may take to tell its version where nobody sets a time-out: a wrong address would hang a minute."""

_CALL_SECONDS = 60.0
_HOST = f"{__package__}.host"
_SDK = "docker.client"


@dataclass(frozen=True)
class _Plan:
    """How to make a client."""

    endpoint: Endpoint
    version: str
    call_seconds: float
    answer_seconds: float
    options: dict[str, Any]

    def key(self) -> str:
        """Equal for clients that can stand in for each other."""
        tls = self.endpoint.tls
        files = [] if tls is None else [_stamp(path) for path in (tls.ca, tls.cert, tls.key) if path]
        config = _stamp(str(config_folder(os.environ) / "config.json"))  # proxies and logins are read from it
        parts = (str(self.endpoint), repr(tls), files, config, self.version, self.call_seconds, self.options)
        return json.dumps((os.getpid(), *parts), default=repr, sort_keys=True)


def _stamp(path: str) -> tuple[str, int]:
    try:
        return path, Path(path).stat().st_mtime_ns
    except OSError:
        return path, 0


_clients: dict[str, EngineClient] = {}
_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()
_MAX_CLIENTS = 32


def open_engine(docker_host: DockerHost | None = None, *, timeout_seconds: float | None = None) -> EngineClient:
    """Get the client of an engine, the same one for all who ask alike; it can be used from many threads.

    Nobody closes it, and nobody logs it in: credentials travel with each request.

    Args:
        docker_host: The engine; what the environment and Docker's configuration say when not given.
        timeout_seconds: How long a call may take, in place of what block and environment say.

    Raises:
        DockerUnavailable: If no engine answers.
        DockerContextInvalid: If the Docker context that is chosen does not exist.
        DockerInvalidRequest: If an address, a version, a time-out or a certificate is not valid.
    """
    plan = _plan(docker_host, timeout_seconds)
    key = plan.key()
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:  # one for each engine, so that a slow one holds up nobody else
        client = _clients.get(key)
        if client is None:
            client = _connect(plan)
            if plan.version != "auto":  # else it has answered already
                _ping(client, plan)
            with _guard:
                while len(_clients) >= _MAX_CLIENTS:  # certificates or logins that were renewed again and again
                    oldest = next(iter(_clients))
                    _clients.pop(oldest)
                    _locks.pop(oldest, None)
                _clients[key] = client
    return client


def engine_for_task(docker_host: DockerHost | None, *, timeout_seconds: float | None = None) -> DockerClient:
    """Get the client for a task: that of whoever replaces how clients are made, else as `open_engine`.

    Args:
        docker_host: As for `open_engine`.
        timeout_seconds: As for `open_engine`.

    Raises:
        DockerError: As `open_engine`.
    """
    from .host import DockerHost

    if docker_host is None and is_replaced(DockerHost, "get_client", _HOST):
        docker_host = DockerHost()  # a test has replaced the method of the class
    own = own_client(docker_host)
    return open_engine(docker_host, timeout_seconds=timeout_seconds) if own is None else own


def engine_for_step(*, timeout_seconds: float | None = None) -> DockerClient:
    """Get the client for a deployment step: the environment's, or that of a test which replaces how clients are made.

    Args:
        timeout_seconds: As for `open_engine`.

    Raises:
        DockerError: As `open_engine`.
    """
    manager = _replaced_manager()
    own = own_client(None) if manager is None else _entered(manager())
    return open_engine(timeout_seconds=timeout_seconds) if own is None else own


def own_client(docker_host: DockerHost | None) -> Any:
    """Get the client of whoever replaces how clients are made; `None` where nobody does.

    A subclass or a stand-in of `DockerHost` may have a `get_client` of its own, and tests of flows replace
    `docker.from_env`, `docker.DockerClient` or a method of that.

    Args:
        docker_host: The engine's block.
    """
    if docker_host is not None and is_replaced(docker_host, "get_client", _HOST):
        return _entered(docker_host.get_client())
    client = replaced_client(docker_host)
    return client if docker_host is None else _entered(client)


def _entered(client: Any) -> Any:
    return client.__enter__() if hasattr(client, "__enter__") else client


def replaced_client(docker_host: DockerHost | None) -> Any:
    """Make a client by what a test has put in the place of the SDK's own way; `None` where nothing was replaced.

    Args:
        docker_host: The engine's block, whose fields are the arguments.
    """
    make = _replacement(docker_host)
    if make is None:
        return None
    if docker_host is None:
        return make()
    options: dict[str, Any] = {"version": docker_host.version}
    for name in ("base_url", "timeout", "max_pool_size"):
        if (value := getattr(docker_host, name)) not in (None, ""):
            options[name] = value
    return make(**{**options, **docker_host.client_kwargs})


def is_played() -> bool:
    """Whether a test has put something in the place of the way to the environment's engine."""
    return _replacement(None) is not None or _replaced_manager() is not None


def _replaced_manager() -> Callable[..., Any] | None:
    """What a test has put in the place of Prefect's `docker_client` in the module of the steps."""
    steps: Any = sys.modules.get(f"{__package__}.deployments.steps")
    return steps.docker_client if is_replaced(steps, "docker_client", "prefect.utilities.dockerutils") else None


def is_stand_in(client: Any) -> bool:
    """Whether a client is a test's, and no client of the SDK; a mock that says it were one is none.

    Args:
        client: What makes the calls.
    """
    from docker.client import DockerClient

    return not issubclass(type(client), DockerClient)


def _replacement(docker_host: DockerHost | None) -> Callable[..., Any] | None:
    sdk: Any = sys.modules.get("docker")
    cls: Any = getattr(sdk, "DockerClient", None)
    if docker_host is not None and docker_host.base_url:
        return cls if cls is not None and getattr(cls, "__module__", None) != _SDK else None
    return next((owner.from_env for owner in (sdk, cls) if is_replaced(owner, "from_env", _SDK)), None)


def connect(docker_host: DockerHost | None = None, *, timeout_seconds: float | None = None) -> EngineClient:
    """Open a new client, for one user who closes it.

    Args:
        docker_host: As for `open_engine`.
        timeout_seconds: As for `open_engine`.

    Raises:
        DockerError: As `open_engine`.
    """
    return _connect(_plan(docker_host, timeout_seconds))


def _plan(docker_host: DockerHost | None, timeout_seconds: float | None) -> _Plan:
    options = dict(docker_host.client_kwargs) if docker_host is not None else {}
    environment = cast("Mapping[str, str]", options.pop("environment", None) or os.environ)
    use_context = bool(options.pop("use_context", True))
    if docker_host is not None and docker_host.base_url:
        # As the SDK does it, TLS is then only what the block asks for.
        endpoint = Endpoint(docker_host.base_url, "base_url of the Docker host block")
    else:
        endpoint = find_endpoint(environment, use_context=use_context)
    if "tls" in options:
        endpoint, options = _with_tls(endpoint, options, environment)
    version = docker_host.version if docker_host is not None else "auto"
    if version.lower() == "auto":
        version = environment.get("DOCKER_API_VERSION") or "auto"
    chosen = _chosen_timeout(docker_host, options.pop("timeout", None), environment)
    if docker_host is not None and docker_host.max_pool_size is not None:
        options["max_pool_size"] = docker_host.max_pool_size
    call_seconds = timeout_seconds if timeout_seconds is not None else chosen or _CALL_SECONDS
    return _Plan(endpoint, version, call_seconds, chosen or min(_ANSWER_SECONDS, call_seconds), options)


def _chosen_timeout(
    docker_host: DockerHost | None, option: float | None, environment: Mapping[str, str]
) -> float | None:
    """The time-out that block or environment ask for."""
    if docker_host is not None and docker_host.timeout is not None:
        return docker_host.timeout
    if option is not None:
        return option
    value = environment.get("DOCKER_CLIENT_TIMEOUT")
    return _timeout_from(value) if value else None


def _timeout_from(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise DockerInvalidRequest(f"DOCKER_CLIENT_TIMEOUT is {value!r}; it must be a number of seconds above 0.")
    return seconds


def _with_tls(
    endpoint: Endpoint, options: dict[str, Any], environment: Mapping[str, str]
) -> tuple[Endpoint, dict[str, Any]]:
    """Take `tls` out of a block's `client_kwargs`, where it may be written as JSON can say it."""
    tls = options["tls"]
    if isinstance(tls, Mapping):
        rest = {name: value for name, value in options.items() if name != "tls"}
        return replace(endpoint, tls=_tls_from_mapping(cast("Mapping[str, Any]", tls))), rest
    if tls is True and (found := tls_from(environment)) is not None:
        return replace(endpoint, tls=found), {name: value for name, value in options.items() if name != "tls"}
    return replace(endpoint, tls=None), options  # the SDK's own object, or a plain True or False


def _tls_from_mapping(tls: Mapping[str, Any]) -> TlsFiles:
    field = "client_kwargs['tls'] of the Docker host block"
    if unknown := sorted(set(tls) - {"ca_cert", "client_cert", "verify"}):
        raise DockerInvalidRequest(f"{field} has {unknown}; it may have ca_cert, client_cert and verify.")
    pair: Any = tls.get("client_cert") or (None, None)
    if isinstance(pair, str) or len(pair) != 2:
        raise DockerInvalidRequest(f"{field}: client_cert must be two files, certificate and key.")
    return TlsFiles(tls.get("ca_cert"), pair[0], pair[1], bool(tls.get("verify", True)))


def _connect(plan: _Plan) -> EngineClient:
    from ._client import EngineClient

    options = dict(plan.options)
    try:
        if plan.endpoint.tls is not None:
            options["tls"] = _tls_config(plan.endpoint.tls)
        client = EngineClient(plan.endpoint, version=plan.version, timeout=plan.answer_seconds, **options)
    except DockerError:
        raise
    except TypeError as exc:
        if "unexpected keyword argument" not in str(exc):
            raise
        raise DockerInvalidRequest(
            f"client_kwargs of the Docker host block: {exc}. It takes the arguments of docker.DockerClient."
        ) from exc
    except Exception as exc:
        error = explain(exc, plan.endpoint)
        if error is None:
            raise
        raise error from exc
    client.api.timeout = plan.call_seconds  # pyright: ignore[reportAttributeAccessIssue] - requests takes floats
    return client


def _ping(client: EngineClient, plan: _Plan) -> None:
    try:
        client.ping()  # pyright: ignore[reportUnknownMemberType]
    except Exception as exc:
        error = explain(exc, plan.endpoint)
        if error is None:
            raise
        raise error from exc


def _tls_config(tls: TlsFiles) -> Any:
    from docker.tls import TLSConfig

    missing = [
        path for path in (tls.cert, tls.key, tls.ca if tls.verify else None) if path and not Path(path).is_file()
    ]
    if missing:
        raise DockerInvalidRequest(
            f"Docker TLS: there is no file {missing[0]!r}. Put ca.pem, cert.pem and key.pem into the folder that "
            "DOCKER_CERT_PATH names, or correct client_kwargs['tls'] of the Docker host block."
        )
    pair = (tls.cert, tls.key) if tls.cert and tls.key else None
    return TLSConfig(client_cert=pair, ca_cert=tls.ca, verify=tls.verify)
