"""The connection of this process to Ray: one for all flow runs, closed by the last one if it was opened here."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import sys
import threading
from typing import Any, cast

from prefect_integration_kit.logs import Log
from prefect_integration_kit.replaced import is_replaced

from .errors import RayClusterUnavailable, RayConfigurationError
from .settings import RaySettings

_TRAVELLING = re.compile(r"PREFECT_(API|CLIENT|CLOUD|FLOWS|LOGGING|RESULTS|RUNNER|TASKS)_")
"""Settings that hold on other machines, too; others are of this machine or of a server."""

_HOST_AND_PORT = re.compile(r"(?:ray://)?\[?([^\]/]+?)\]?:(\d+)(?:/.*)?")

_HANDSHAKE_SECONDS = 5.0


class _Connection:
    """Who uses the connection of this process, and whether we have opened it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.is_ours = False
        self.address: str | None = None


_connection = _Connection()


def on_worker() -> bool:
    """Whether this process is a worker of Ray."""
    if "ray" not in sys.modules:
        return False  # then it cannot be one
    import ray

    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    return worker is not None and worker.global_worker.mode == worker.WORKER_MODE


def attach(address: str | None, init_kwargs: dict[str, Any], log: Log) -> bool:
    """Connect this process to Ray, unless it is connected already; without an address that starts Ray here.

    Args:
        address: Of a cluster that runs already.
        init_kwargs: Keyword arguments of `ray.init`.
        log: Where it is told.

    Returns:
        Whether Ray runs on this machine for this process alone.

    Raises:
        RayClusterUnavailable: If Ray does not start, or the cluster does not answer.
        RayConfigurationError: If the address cannot be one.
    """
    import ray

    with _connection.lock:
        if ray.is_initialized():
            if not _connection.users:
                _connection.is_ours = False
            _connection.users += 1
            _tell_of_other_address(address, log)
            return _is_alone()
        options = {**init_kwargs}
        wanted = address or options.pop("address", None) or os.environ.get("RAY_ADDRESS") or None
        is_temporary = wanted in (None, "local")
        if is_temporary:
            log.info("Creating a local Ray instance")
        else:
            log.info("Connecting to an existing Ray instance at %s", wanted)
            if not is_replaced(ray, "init", "ray._private.worker"):  # else nothing is connected to
                check_address(str(wanted))
                options["runtime_env"] = with_settings(options.get("runtime_env"))
        _init(wanted, options, is_temporary=is_temporary)
        _connection.users, _connection.is_ours = 1, True
        _connection.address = None if is_temporary else str(wanted)
        return is_temporary and _is_alone()


def _call_init(address: str | None, options: dict[str, Any]) -> Any:
    import ray

    if address:
        return ray.init(address, **options)
    try:
        return ray.init(**options)
    except ValueError as exc:
        # Ray takes one that somebody has started on this machine, and these options are for one to be started.
        if "existing cluster" not in str(exc):
            raise
        return ray.init("local", **options)


def _init(address: str | None, options: dict[str, Any], *, is_temporary: bool) -> None:
    try:
        context: Any = _call_init(address, options)
    except TypeError:
        raise  # an argument that Ray does not know
    except Exception as exc:
        what = "Ray did not start on this machine" if is_temporary else f"No Ray cluster answers at {address!r}"
        if "ersion mismatch" in str(exc):
            what = f"The Ray cluster at {address!r} has other versions than this process"
        elif _is_about_options(exc, options) or (isinstance(exc, ValueError) and not is_temporary):
            where = "" if is_temporary else f" for the cluster at {address!r}"
            raise RayConfigurationError(f"Ray refuses `init_kwargs`{where}: {exc}") from exc
        reason = " ".join(str(exc).split())
        raise RayClusterUnavailable(f"{what}: {reason}{_tls_failure(address)}") from exc
    if isinstance(getattr(context, "dashboard_url", None), str) and context.dashboard_url:
        from prefect.logging.loggers import get_logger

        get_logger("task_runner.ray").info("The Ray dashboard is available at http://%s", context.dashboard_url)


def _tls_failure(address: str | None) -> str:
    """Say why TLS with a cluster fails, which Ray does not tell: it waits, and then calls it a time-out."""
    authority = os.environ.get("RAY_TLS_CA_CERT")
    found = _HOST_AND_PORT.fullmatch(address or "")
    if found is None or not authority or os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        return ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(authority)
        with (
            socket.create_connection((found[1], int(found[2])), timeout=_HANDSHAKE_SECONDS) as line,
            context.wrap_socket(line),
        ):
            return ""
    except (OSError, ValueError, OverflowError) as exc:
        return (
            f". TLS fails: {exc}. RAY_USE_TLS must be set for all processes of the cluster, and the authority of its "
            "certificates be in the file RAY_TLS_CA_CERT."
        )


def _is_about_options(exc: Exception, options: dict[str, Any]) -> bool:
    """Whether Ray has refused an option, rather than failed to start: it has no class of its own for that."""
    unknown = isinstance(exc, RuntimeError) and str(exc).startswith("Unknown keyword argument")
    return unknown or (bool(options) and isinstance(exc, ValueError | AssertionError))


def _is_alone() -> bool:
    """Whether the Ray that this process is connected to is on this machine only."""
    import ray

    with contextlib.suppress(Exception):  # not every connection can say so
        nodes = [node for node in ray.nodes() if node.get("Alive")]
        return len(nodes) == 1 and nodes[0]["NodeID"] == ray.get_runtime_context().get_node_id()
    return False


def _tell_of_other_address(address: str | None, log: Log) -> None:
    if not address or address == "auto" or address == _connection.address:
        return
    import ray

    connected = _connection.address or ray.get_runtime_context().gcs_address
    if address != connected:
        log.warning(
            "This process is connected to Ray at %s already, and the flow run uses that rather than %s. Call "
            "`ray.shutdown()` before to change it.",
            connected,
            address,
        )


def detach() -> None:
    """Leave Ray; the last one closes the connection if it was opened here, which ends what was started with it."""
    import ray

    with _connection.lock:
        _connection.users = max(0, _connection.users - 1)
        if _connection.users or not _connection.is_ours:
            return
        _connection.is_ours = False
        _connection.address = None
        with contextlib.suppress(Exception):  # the cluster may be gone
            ray.shutdown()


def _no_address(address: str | None) -> str:
    return (
        f"The address {address!r} is not one of a Ray cluster. Examples are 'ray://host:10001', 'host:6379' and 'auto'."
    )


def check_address(address: str) -> None:
    """Ask whether something listens at an address, since Ray itself takes long to give up.

    Args:
        address: As of `ray.init`.

    Raises:
        RayConfigurationError: If it is of another kind.
        RayClusterUnavailable: If nothing answers.
    """
    scheme = address.partition("://")[0] if "://" in address else ""
    if scheme in ("http", "https", "tcp", "tls"):
        raise RayConfigurationError(_no_address(address))
    if address == "auto" or scheme not in ("", "ray"):
        return
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None:
        if scheme == "ray" or address.startswith("ray:"):
            return  # without a host, it is Ray's default
        raise RayConfigurationError(_no_address(address))
    limit = RaySettings().connect_timeout_seconds
    try:
        socket.create_connection((found[1], int(found[2])), timeout=limit).close()
    except ValueError as exc:  # what no name of a host can be
        raise RayConfigurationError(_no_address(address)) from exc
    except (OSError, OverflowError) as exc:
        raise RayClusterUnavailable(
            f"No Ray cluster answers at {address!r} (connect timeout {limit:g} s): {exc}. Check that it runs, and that "
            "its port is open from here: 10001 for `ray://`, 6379 without."
        ) from exc


def with_settings(runtime_env: Any) -> dict[str, Any]:
    """Add Prefect's settings to a runtime environment; secrets go with the task runs instead, and what is set stays.

    What is set for a job that this process is the entrypoint of stays, too: Ray refuses to be told it again.

    Args:
        runtime_env: What the user has given.
    """
    given: dict[str, Any] = dict(runtime_env or {})
    variables: dict[str, str] = dict(given.get("env_vars") or {})
    ours = {name: value for name, value in travelling_settings().items() if name not in _variables_of_job()}
    merged = {**ours, **variables}
    if merged:
        given["env_vars"] = merged
    return given


def travelling_settings() -> dict[str, str]:
    """Settings that are set here and make sense elsewhere, as environment variables, without secrets."""
    from prefect.settings.context import get_current_settings

    settings = get_current_settings()
    plain = settings.to_environment_variables(exclude_unset=True, include_secrets=True)
    masked = settings.to_environment_variables(exclude_unset=True, include_secrets=False)
    return {
        name: value
        for name, value in plain.items()
        if _TRAVELLING.match(name) and masked.get(name) == value and "PATH" not in name
    }


def _variables_of_job() -> frozenset[str]:
    """Names of the environment variables that `ray job submit` has been given, for its entrypoint and all workers."""
    try:
        job: Any = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        return frozenset(cast("dict[str, Any]", job["runtime_env"]["env_vars"]))
    except (ValueError, TypeError, LookupError):
        return frozenset()
