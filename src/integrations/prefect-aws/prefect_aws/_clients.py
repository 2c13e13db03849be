"""Sessions and clients, made once for each identity and kept.

A client is expensive (tens of milliseconds, a few megabytes, a connection pool) and safe to share between threads, so
equal credentials share one. Equality is that of the content, nested dictionaries included, and of what boto3 reads
besides: `AWS_*` variables and the profile files. Secrets enter the key only through a keyed hash. Where somebody else
makes the sessions, a subclass or what a test has put in boto3's place, nothing is shared with what ours made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_integration_kit import kept
from prefect_integration_kit.kept import Only, SharedValues
from prefect_integration_kit.replaced import is_replaced

from ._whole_answers import want_whole_answers
from .errors import aws_errors

if TYPE_CHECKING:
    import boto3.session
    from pydantic import BaseModel

    from .credentials import AwsCredentials, ClientType, MinIOCredentials

    Credentials = AwsCredentials | MinIOCredentials

_MAX_SESSIONS = 64
_MAX_CLIENTS = 128
_ENVIRONMENT = ("AWS_", "BOTO_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")


class _Identity:
    """A session, and the lock that its clients are made under: boto3's sessions are not thread-safe."""

    def __init__(self, session: boto3.session.Session) -> None:
        self.session = session
        self.lock = threading.Lock()


_identities: SharedValues[_Identity] = SharedValues(_MAX_SESSIONS)
_clients: SharedValues[Any] = SharedValues(_MAX_CLIENTS)
role_credentials_cache: SharedValues[Any] = SharedValues(_MAX_SESSIONS)


def forget_clients() -> None:
    """Drop all kept sessions, clients and role credentials; the next use makes new ones."""
    for values in (_identities, _clients, role_credentials_cache):
        values.clear()


if hasattr(os, "register_at_fork"):
    # A forked child would share its parent's connections.
    os.register_at_fork(after_in_child=forget_clients)


def fingerprint(credentials: BaseModel, *more: Any) -> bytes:
    """Tell credentials apart by content and by what boto3 would read besides.

    Args:
        credentials: The block.
        more: Whatever else distinguishes the value that is kept under the fingerprint.
    """
    provider = id(getattr(credentials, "_mfa_token_provider", None))
    return kept.fingerprint(credentials, provider, more, _surroundings())


def _surroundings() -> list[Any]:
    variables = sorted(item for item in os.environ.items() if item[0].upper().startswith(_ENVIRONMENT))
    files = [
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    ]
    return [variables, kept.changed_at(files)]


def session_for(credentials: Credentials) -> boto3.session.Session:
    """The kept session of these credentials. Its credentials renew themselves where they can."""
    return _identity(credentials, fingerprint(credentials)).session


def decides(credentials: Credentials, method: str) -> bool:
    """Whether a method is a user's own: that of a subclass, or of a stub that is no block at all."""
    return is_replaced(credentials, method, "prefect_aws.credentials")


def _sdk() -> list[Any]:
    """Boto3 as it is now: a test may put something in its place."""
    import boto3

    session_class: Any = boto3.Session
    return [session_class, session_class.client]


def _maker(credentials: Credentials) -> tuple[Hashable, ...]:
    """Who makes sessions and clients: boto3 as it is now and, where it has its own way, this one block."""
    makers = [*_sdk(), type(credentials).get_boto3_session]
    if decides(credentials, "get_boto3_session"):
        makers.append(credentials)
    return tuple(map(Only, makers))


def kept_role(credentials: BaseModel, assume: Callable[[], Any]) -> Any:
    """The kept credentials of a role, of this boto3.

    Args:
        credentials: The block that names the role.
        assume: Makes them.
    """
    return role_credentials_cache.get((fingerprint(credentials), *map(Only, _sdk())), assume)


def _identity(credentials: Credentials, key: bytes) -> _Identity:
    return _identities.get((key, _maker(credentials)), lambda: _Identity(credentials.get_boto3_session()))


def client_for(
    credentials: Credentials,
    client_type: str | ClientType,
    *,
    max_pool_connections: int | None = None,
    config: Mapping[str, Any] | None = None,
) -> Any:
    """The kept client of a service, with other defaults than botocore's.

    What the block's own `config` sets has precedence over the defaults given here. Where a subclass has its own
    `get_client`, that one decides.

    Args:
        credentials: Who we are.
        client_type: Name of the service.
        max_pool_connections: How many connections to keep open for concurrent requests; botocore keeps 10.
        config: Further arguments of botocore's `Config`.

    Raises:
        AwsUnknownService: If the SDK has no such service.
        AwsRegionMissing: If the service needs a region and none is known.
        AwsCredentialsMissing: If the credentials are incomplete or their profile does not exist.
    """
    if decides(credentials, "get_client"):
        return credentials.get_client(client_type)
    defaults = dict(config or {})
    if max_pool_connections is not None:
        defaults["max_pool_connections"] = max_pool_connections
    return kept_client(credentials, client_type, defaults)


def kept_client(credentials: Credentials, client_type: str | ClientType, defaults: Mapping[str, Any]) -> Any:
    """The kept client of a service; `defaults` are arguments of botocore's `Config` that the block may override."""
    service = client_type if isinstance(client_type, str) else client_type.value
    key = fingerprint(credentials)
    return _clients.get(
        (key, _maker(credentials), service, fingerprint(credentials, defaults) if defaults else None),
        lambda: _build(credentials, key, service, defaults),
    )


def _build(credentials: Credentials, key: bytes, service: str, defaults: Mapping[str, Any]) -> Any:
    from botocore.config import Config

    parameters = credentials.aws_client_parameters.get_params_override()
    base: Any = Config(**defaults) if defaults else None
    own: Any = parameters.pop("config", None)
    chosen = base.merge(own) if base and own else own or base
    if chosen is not None:
        parameters["config"] = chosen
    identity = _identity(credentials, key)
    with aws_errors(f"AWS service {service!r}"), identity.lock:
        session: Any = identity.session
        client = session.client(service, region_name=credentials.region_name or session.region_name, **parameters)
    want_whole_answers(client)
    return client
