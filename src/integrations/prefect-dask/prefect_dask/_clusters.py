"""Clusters and clients: opened with errors that say what to do, looked over, closed in bounded time."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextlib
import platform
import threading
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.logs import Log

from .errors import DaskClusterClassMissing, DaskClusterModuleMissing, DaskClusterUnavailable, DaskConfigurationError

if TYPE_CHECKING:
    from .client import PrefectDaskClient


def import_cluster_class(name: str) -> Callable[..., Any]:
    """Import a cluster class by its full name.

    Args:
        name: Such as `dask_cloudprovider.aws.FargateCluster`.

    Raises:
        DaskConfigurationError: If there is none: as `ModuleNotFoundError` or `AttributeError` where Python says so.
    """
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as exc:  # `TypeError`: it begins with a dot
        raise _class_of(exc)(
            f"`cluster_class` is {name!r}, which cannot be imported: {exc}. Give the full name of a class, such as "
            "'dask_cloudprovider.aws.FargateCluster', and install the package that it is in."
        ) from exc
    if not callable(found):
        raise DaskConfigurationError(f"`cluster_class` is {name!r}, which is neither a class nor a function.")
    return cast("Callable[..., Any]", found)


def _class_of(exc: Exception) -> type[DaskConfigurationError]:
    if isinstance(exc, ImportError):
        return DaskClusterModuleMissing
    return DaskClusterClassMissing if isinstance(exc, AttributeError) else DaskConfigurationError


def start_cluster(
    cluster_class: Callable[..., Any], name: str, options: dict[str, Any]
) -> tuple[Any, Callable[[], object]]:
    """Start a cluster.

    Args:
        cluster_class: A class, or a function that makes a cluster or a context manager of one.
        name: What to call it in messages.
        options: Its keyword arguments.

    Returns:
        The cluster, and what closes it.

    Raises:
        DaskClusterUnavailable: If it does not start.
    """
    try:
        made = cluster_class(**options)
        if hasattr(made, "scheduler_address") or not hasattr(made, "__enter__"):
            return made, lambda: made.close()
        return made.__enter__(), lambda: made.__exit__(None, None, None)
    except TypeError:
        raise  # an argument that the class does not know
    except Exception as exc:
        raise DaskClusterUnavailable(f"The Dask cluster {name} did not start: {exc}") from exc


def close_cluster(cluster: Any, closing: Callable[[], object], timeout_seconds: float, log: Log) -> None:
    """Close a cluster, and leave it alone when that takes too long or fails: the flow run has ended already.

    Args:
        cluster: The cluster.
        closing: What closes it.
        timeout_seconds: How long it may take.
        log: Where a failure is told.
    """
    errors: list[BaseException] = []

    def close() -> None:
        try:
            closing()
        except BaseException as exc:  # noqa: BLE001 - told below
            errors.append(exc)

    thread = threading.Thread(target=close, name="prefect-dask-close", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if thread.is_alive():
        log.warning("The Dask cluster %s was still closing after %g seconds.", described(cluster), timeout_seconds)
    elif errors:
        log.warning("The Dask cluster %s could not be closed: %s", described(cluster), errors[0])


def described(cluster: Any) -> str:
    """Name a cluster by its class and address.

    Args:
        cluster: The cluster.
    """
    address = getattr(cluster, "scheduler_address", None) or "without an address"
    return f"{type(cluster).__name__} ({address})"


def connect(target: Any, options: dict[str, Any]) -> PrefectDaskClient:
    """Connect to a scheduler.

    Args:
        target: A cluster or an address.
        options: Keyword arguments of the client.

    Raises:
        DaskClusterUnavailable: If nothing answers within the connect timeout.
        DaskConfigurationError: If the address cannot be one.
    """
    from dask import config
    from distributed import TimeoutError as DaskTimeoutError  # until Python 3.11 not the one that is built in

    from .client import PrefectDaskClient

    name = target if isinstance(target, str) else described(target)
    try:
        return PrefectDaskClient(target, **options)
    except ValueError as exc:
        if "keyword" in str(exc):
            raise DaskConfigurationError(f"`client_kwargs` cannot be used: {exc}") from exc
        raise DaskConfigurationError(
            f"The address {name!r} is not one of a Dask scheduler: {exc}. It looks like 'tcp://host:8786'."
        ) from exc
    except (OSError, TimeoutError, DaskTimeoutError) as exc:
        limit = options.get("timeout") or config.get("distributed.comm.timeouts.connect", "30s")
        raise DaskClusterUnavailable(
            f"No Dask scheduler answers at {name!r} (connect timeout {limit}): {exc}. Check that it runs, that its "
            "port is open from here, and, for `tls://`, the certificates in `client_kwargs['security']`."
        ) from exc


_PACKAGES = ("prefect", "prefect-dask", "cloudpickle")

_ANSWER_SECONDS = 5.0
"""How long workers may take to say what they have installed; one that computes without a break says nothing."""


def tell_of_workers(client: PrefectDaskClient, log: Log) -> None:
    """Warn of workers that cannot run task runs, or may not be able to: what they have installed differs.

    Args:
        client: Connected to a cluster that somebody else started.
        log: Where the warnings go.
    """
    addresses = list(client.scheduler_info(n_workers=-1)["workers"]) if _pages(client) else _workers(client)
    if not addresses:
        log.warning("The Dask cluster has no workers. Task runs wait until one joins it.")
        return
    with contextlib.suppress(Exception):  # it is a hint, and no reason for the flow to fail
        ours = {name: version(name) for name in _PACKAGES} | {"Python": platform.python_version()}
        answers: Any = client.sync(_ask_workers, client, list(ours), callback_timeout=_ANSWER_SECONDS)
        for (name, here), there in zip(ours.items(), answers, strict=True):
            _tell(name, here, there, log)


async def _ask_workers(client: Any, names: list[str]) -> list[dict[str, Any]]:
    """Ask all workers for the versions of what they have installed."""
    looks: list[Any] = [(platform.python_version,) if name == "Python" else (version, name) for name in names]
    return await asyncio.gather(*(client._run(*look, on_error="return") for look in looks))  # noqa: SLF001


def _pages(client: Any) -> bool:
    from inspect import signature

    return "n_workers" in signature(client.scheduler_info).parameters


def _workers(client: Any) -> list[str]:
    return list(client.scheduler_info()["workers"])


def _tell(name: str, here: str, answers: dict[str, Any], log: Log) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for address, answer in answers.items():
        there = str(answer) if not isinstance(answer, BaseException) else "none"
        if _differs(name, here, there):
            found[there].append(address)
    for there, addresses in found.items():
        log.warning(
            "Dask workers have another version of %s than this flow run: %s there, %s here (%s%s). Task runs on them "
            "may crash; install the same version.",
            name,
            there,
            here,
            ", ".join(addresses[:3]),
            f" and {len(addresses) - 3} more" if len(addresses) > 3 else "",
        )


def _differs(name: str, here: str, there: str) -> bool:
    """Python's minor version decides whether a pickled function can be read; of packages, each difference counts."""
    if name == "Python":
        return here.split(".")[:2] != there.split(".")[:2]
    return here != there
