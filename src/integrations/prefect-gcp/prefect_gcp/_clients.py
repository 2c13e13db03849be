"""Clients of Google's SDKs, made once for each identity and kept.

A client is expensive (a connection pool, a gRPC channel) and safe to share between threads, so equal credentials share
one. The modules of the SDK are imported when the first client is made.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.kept import Only, SharedValues

from . import _stand_ins
from ._endpoints import Endpoint, endpoint_for
from ._identity import (
    NO_PROJECT,
    fingerprint,
    google_credentials,
    has_default_login,
    has_own_identity,
    offline_project,
    project_of,
)
from .errors import GcpCredentialsMissing, gcp_errors

if TYPE_CHECKING:
    from .credentials import GcpCredentials

_MAX_CLIENTS = 128
_clients: SharedValues[Any] = SharedValues(_MAX_CLIENTS)
# A client of gRPC's async API belongs to the event loop that it was made in.
_clients_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, SharedValues[Any]] = weakref.WeakKeyDictionary()


def forget_clients() -> None:
    """Drop all kept clients; the next use makes new ones."""
    _clients.clear()
    _clients_of_loops.clear()


if hasattr(os, "register_at_fork"):
    # A forked child would share its parent's connections.
    os.register_at_fork(after_in_child=forget_clients)


def storage_client(block: GcpCredentials, project: str | None = None) -> Any:
    """The kept client of Cloud Storage.

    Args:
        block: Who we are.
        project: The project of new buckets and of lists of buckets; the block's when not given.
    """
    cls = _stand_ins.class_in_use(_stand_ins.STORAGE, "Client", "google.cloud.storage", alias="StorageClient")

    def build() -> Any:
        endpoint = endpoint_for(block.api_endpoints, "storage")
        return _rest_client(
            cls,
            project=project or project_if_known(block, endpoint) or "<none>",
            credentials=credentials_for(block, endpoint),
            client_options=_options(block, endpoint),
        )

    return _clients.get((fingerprint(block), Only(cls), project), build)


def bigquery_client(block: GcpCredentials, project: str | None = None, location: str | None = None) -> Any:
    """The kept client of BigQuery.

    Args:
        block: Who we are.
        project: The project that jobs run in; the block's when not given.
        location: Where jobs run and data sets are made.
    """
    cls = _stand_ins.class_in_use(_stand_ins.BIGQUERY, "Client", "google.cloud.bigquery", alias="BigQueryClient")

    def build() -> Any:
        endpoint = endpoint_for(block.api_endpoints, "bigquery")
        known = project or project_if_known(block, endpoint)
        if not known:
            raise ValueError(NO_PROJECT)
        return _rest_client(
            cls,
            project=known,
            credentials=credentials_for(block, endpoint),
            location=location,
            client_options=_options(block, endpoint),
        )

    return _clients.get((fingerprint(block), Only(cls), project, location), build)


def bigquery_storage_client(block: GcpCredentials) -> Any:
    """The kept client of BigQuery's Storage Read API."""

    def build(close: Callable[[], bool]) -> Any:
        from google.cloud.bigquery_storage_v1 import BigQueryReadClient

        home = BigQueryReadClient.__module__
        return _grpc_client(BigQueryReadClient, block, "bigquerystorage", {}, home=home, close=close)

    return _kept_grpc(_clients, (fingerprint(block), "bigquerystorage"), build)


def secret_manager_client(block: GcpCredentials) -> Any:
    """The kept client of Secret Manager."""
    cls = _stand_ins.class_in_use(
        _stand_ins.SECRET_MANAGER,
        "SecretManagerServiceClient",
        "google.cloud.secretmanager_v1.services.secret_manager_service",
        "google.cloud.secretmanager_v1",
        "google.cloud.secretmanager",
    )

    def build(close: Callable[[], bool]) -> Any:
        return _grpc_client(cls, block, "secretmanager", {}, home=_stand_ins.SECRET_MANAGER, close=close)

    return _kept_grpc(_clients, (fingerprint(block), "secretmanager", Only(cls)), build)


def job_service_client(block: GcpCredentials, client_options: Any = None) -> Any:
    """The kept client of Vertex AI's job service.

    Args:
        block: Who we are.
        client_options: `google.api_core.client_options`, or a mapping of the same names.
    """
    options, cls = options_mapping(client_options), _job_service_class("JobServiceClient", _stand_ins.JOB_SERVICE)

    def build(close: Callable[[], bool]) -> Any:
        return _grpc_client(cls, block, "aiplatform", options, home=_stand_ins.JOB_SERVICE, close=close)

    return _kept_grpc(_clients, (fingerprint(block), "aiplatform", _key(options), Only(cls)), build)


def job_service_async_client(block: GcpCredentials, client_options: Any = None) -> Any:
    """The kept async client of Vertex AI's job service in this event loop.

    Args:
        block: Who we are.
        client_options: `google.api_core.client_options`, or a mapping of the same names.
    """
    options, home = options_mapping(client_options), _stand_ins.JOB_SERVICE_ASYNC
    cls = _job_service_class("JobServiceAsyncClient", home)

    def build(close: Callable[[], bool]) -> Any:
        return _grpc_client(cls, block, "aiplatform", options, home=home, close=close, is_async=True)

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return build(lambda: True)
    return _kept_grpc(_kept_of_loop(loop), (fingerprint(block), "aiplatform", _key(options), Only(cls)), build)


def _kept_of_loop(loop: asyncio.AbstractEventLoop) -> SharedValues[Any]:
    for reference in _clients_of_loops.keyrefs():
        other = reference()
        if other is not None and other.is_closed():  # a channel has its loop, so that neither would ever be dropped
            _clients_of_loops.pop(other, None)
    return _clients_of_loops.setdefault(loop, SharedValues(_MAX_CLIENTS))


def _job_service_class(name: str, home: str) -> Any:
    from ._vertex.sdk import load_job_service

    load_job_service()  # without the forty other services, which take seconds to import
    return _stand_ins.class_in_use(
        home,
        name,
        "google.cloud.aiplatform_v1.services.job_service",
        "google.cloud.aiplatform_v1",
        "google.cloud.aiplatform.gapic",
    )


class _Held:
    """A client of gRPC that is kept until somebody closes it: a closed channel cannot be opened again.

    Where others have the client, too, their calls go on: then the channel ends when nobody has it any more.
    """

    def __init__(self, build: Callable[[Callable[[], bool]], Any], forget: Callable[[_Held], None]) -> None:
        self._turn = threading.Lock()
        self._takers = 0
        self._is_given_back = False
        self._forget = forget
        self.client = build(self._give_back)

    def take(self) -> bool:
        """Have it; `False` if somebody has closed it meanwhile."""
        with self._turn:
            self._takers += 1
            return not self._is_given_back

    def _give_back(self) -> bool:
        """Keep it no longer, and say whether it is to be closed."""
        self._forget(self)
        with self._turn:
            self._is_given_back = True
            return self._takers <= 1


def _kept_grpc(kept: SharedValues[Any], key: Hashable, build: Callable[[Callable[[], bool]], Any]) -> Any:
    def hold() -> _Held:
        return _Held(build, lambda held: kept.forget(key, held))

    while not (held := cast("_Held", kept.get(key, hold))).take():
        kept.forget(key, held)
    return held.client


def options_mapping(client_options: Any) -> dict[str, Any]:
    """Client options as a mapping, without those that are not set."""
    given: dict[str, Any] = {}
    if isinstance(client_options, Mapping):
        given = dict(cast("Mapping[str, Any]", client_options))
    elif client_options is not None:
        given = cast("dict[str, Any]", vars(client_options))
    return {name: value for name, value in given.items() if value is not None}


def _key(options: Mapping[str, Any]) -> Hashable:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))


def _options(block: GcpCredentials, endpoint: Endpoint | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if endpoint is not None:
        options["api_endpoint"] = endpoint.url
    if block.universe_domain:
        options["universe_domain"] = block.universe_domain
    return options


def project_if_known(block: GcpCredentials, endpoint: Endpoint | None) -> str | None:
    """The project; `None` at an emulator or a server of one's own, which need none, if it is not known."""
    if endpoint is not None and not _has_identity_for(block, endpoint):
        return block.project or offline_project(block)  # a metadata server is not looked for, which takes seconds
    try:
        return project_of(block)
    except (ValueError, GcpCredentialsMissing):
        if endpoint is None:
            raise
        return None


def credentials_for(block: GcpCredentials, endpoint: Endpoint | None) -> Any:
    """The credentials to use at an address: anonymous ones where no token may be sent.

    A server on this machine is also used without credentials where there are none.

    Args:
        block: Who we are.
        endpoint: The address; `None` is Google's.
    """
    if endpoint is None or _has_identity_for(block, endpoint):
        try:
            return google_credentials(block)
        except GcpCredentialsMissing:
            if endpoint is None or endpoint.is_encrypted or has_own_identity(block):
                raise
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


def _has_identity_for(block: GcpCredentials, endpoint: Endpoint) -> bool:
    """Say whether to ask for credentials at an address: not where no token may be sent, nor in vain on this machine."""
    if endpoint.is_encrypted:
        return True
    return endpoint.may_have_tokens and (has_own_identity(block) or has_default_login())


def _rest_client(cls: Any, *, client_options: Mapping[str, Any], **arguments: Any) -> Any:
    if client_options:
        arguments["client_options"] = client_options
    return cls(**_stand_ins.fitting(cls, arguments))


def _grpc_client(
    client: Any,
    block: GcpCredentials,
    service: str,
    options: Mapping[str, Any],
    *,
    home: str,
    close: Callable[[], bool],
    is_async: bool = False,
) -> Any:
    endpoint = endpoint_for(block.api_endpoints, service)
    chosen = dict(options)
    if _stand_ins.is_stand_in(client, home):
        from google.api_core.client_options import from_dict

        arguments = {
            "credentials": google_credentials(block),
            **({"client_options": from_dict(chosen)} if chosen else {}),
        }
        return client(**_stand_ins.fitting(client, arguments))
    with gcp_errors(f"Client of {service}"):
        if endpoint is not None and not endpoint.is_encrypted:
            made = client(transport=_plain_transport(client, endpoint, is_async=is_async))
        else:
            if block.universe_domain:
                chosen.setdefault("universe_domain", block.universe_domain)
            if endpoint is not None and _is_googles(chosen.get("api_endpoint"), block):
                chosen["api_endpoint"] = endpoint.host
            made = client(credentials=google_credentials(block), client_options=chosen or None)
    _watch_close(made, close, is_async=is_async)
    return made


def _is_googles(address: Any, block: GcpCredentials) -> bool:
    """Say whether an address is one of Google's public ones, which the block's own replaces."""
    return not address or str(address).split(":")[0].endswith(block.universe_domain or "googleapis.com")


def _plain_transport(client: Any, endpoint: Endpoint, *, is_async: bool) -> Any:
    import grpc
    from google.auth.credentials import AnonymousCredentials

    if is_async:
        channel: Any = grpc.aio.insecure_channel(endpoint.host)
    else:
        channel = grpc.insecure_channel(endpoint.host)
    kind = client.get_transport_class("grpc_asyncio" if is_async else "grpc")
    return kind(channel=channel, credentials=AnonymousCredentials())


def _watch_close(client: Any, close: Callable[[], bool], *, is_async: bool) -> None:
    transport = client.transport
    original = transport.close

    def closing() -> Any:
        if close():
            return original()
        return _nothing() if is_async else None

    transport.close = closing


async def _nothing() -> None:
    """Close nothing."""
