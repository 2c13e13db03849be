"""Sign-in of the Prefect server to Azure Database for PostgreSQL by Microsoft Entra ID.

Prefect loads this module through its entry point when plugins are enabled (`PREFECT_PLUGINS_ENABLED`, or
`PREFECT_EXPERIMENTS_PLUGINS_ENABLED` as it was called before), and calls the hook when it opens a database engine.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_azure._stand_ins import aentered, sdk_class, stand_in
from prefect_azure.settings import AzureSettings
from prefect_integration_kit.plugins import register_hook

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from prefect_azure._endpoints import CloudName

__all__ = ["OSSRDBMS_SCOPE", "AzureSettings", "set_database_connection_params"]

OSSRDBMS_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
"""What tokens for Azure's open-source databases are for, in the public cloud:
https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/how-to-configure-sign-in-azure-ad-authentication"""

_DRIVER = "postgresql+asyncpg"
# Names of servers in each cloud, and what their tokens are for.
_CLOUDS: dict[str, tuple[CloudName, str]] = {
    ".postgres.database.azure.com": ("public", OSSRDBMS_SCOPE),
    ".postgres.database.usgovcloudapi.net": ("usgov", "https://ossrdbms-aad.database.usgovcloudapi.net/.default"),
    ".postgres.database.chinacloudapi.cn": ("china", "https://ossrdbms-aad.database.chinacloudapi.cn/.default"),
}
# Modes of https://www.postgresql.org/docs/current/libpq-ssl.html that also speak without TLS.
_WITHOUT_TLS = ("disable", "allow", "prefer")
# A name of the SDK that can be imported from here, and where it is; importing it takes seconds.
_SDK_NAMES = {"DefaultAzureCredential": ("azure.identity.aio", "DefaultAzureCredential")}


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sdk_class(__name__, name, *_SDK_NAMES[name])


@register_hook
def set_database_connection_params(connection_url: str, settings: Any) -> Mapping[str, Any]:
    """Give the database driver a token of Microsoft Entra ID as its password.

    It does so when `PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_ENABLED` is on and the URL is one of
    `postgresql+asyncpg`. A token is valid for some hours at most, so the driver gets a function, which it asks at each
    new connection; the function keeps a token until shortly before its end. Whose token it is, the SDK's default
    chain says: variables of a service principal, workload identity, managed identity, Azure CLI.

    A token is as good as a password, so TLS is required. The certificate of a server with a name of Azure's own is
    verified; for another name, as of a private link, the URL can ask for it with `?ssl=verify-full`, or Prefect's own
    TLS settings do.

    Args:
        connection_url: URL of the database. It names the user, which is a role for the identity, and no password.
        settings: Prefect's settings.

    Returns:
        Arguments for the driver's `connect`; none when the plugin does not apply.

    Raises:
        ValueError: If the URL names no host or no user, or wants no TLS.
    """
    identity = AzureSettings().postgres.managed_identity
    if not identity.enabled:
        return {}
    from sqlalchemy.engine import make_url

    url = make_url(connection_url)
    if url.drivername != _DRIVER:
        return {}
    if not url.host or not url.username:
        raise ValueError(
            "Sign-in by Microsoft Entra ID needs a host and a user in PREFECT_API_DATABASE_CONNECTION_URL, as in "
            f"{_DRIVER}://prefect-identity@my-server.postgres.database.azure.com:5432/prefect."
        )
    params: dict[str, Any] = {"password": _token_source(url.host, identity.client_id)}
    if (tls := _tls(url, settings)) is not None:
        params["ssl"] = tls
    return params


def _token_source(host: str, client_id: str | None) -> Callable[[], Awaitable[str]]:
    cloud, scope = next(
        (value for suffix, value in _CLOUDS.items() if host.endswith(suffix)), ("public", OSSRDBMS_SCOPE)
    )

    async def token() -> str:
        import anyio.to_thread

        if (own := stand_in("DefaultAzureCredential", __name__)) is not None:  # a test's
            made = own(**({"managed_identity_client_id": client_id} if client_id else {}))
            return str((await (await aentered(made)).get_token(scope)).token)
        return await anyio.to_thread.run_sync(make_token)

    def make_token() -> str:
        from prefect_azure._identity import access_token
        from prefect_azure.credentials import AzureCredentials

        return access_token(AzureCredentials(client_id=client_id, cloud=cloud), scope)

    return token


def _tls(url: URL, settings: Any) -> Any:
    """What the driver is told about TLS; `None` where something else has told it what is enough."""
    from prefect_integration_kit.endpoints import is_loopback

    host = url.host or ""
    asked = url.query.get("ssl") or url.query.get("sslmode")
    asked = asked[-1] if isinstance(asked, tuple) else asked
    if asked is not None:
        if asked in _WITHOUT_TLS and not is_loopback(host):
            raise ValueError(
                f"PREFECT_API_DATABASE_CONNECTION_URL says ssl={asked}, by which a token of Microsoft Entra ID could "
                "go over the network in clear. Write ssl=require or ssl=verify-full, or leave it out."
            )
        return None
    if _prefect_says_tls(settings):
        return None
    return ssl.create_default_context() if host.endswith(tuple(_CLOUDS)) else "require"


def _prefect_says_tls(settings: Any) -> bool:
    try:
        return bool(settings.server.database.sqlalchemy.connect_args.tls.enabled)
    except AttributeError:
        return False
