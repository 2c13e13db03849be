"""Sign-in of the Prefect server to a PostgreSQL database on RDS by IAM.

Prefect loads this module through its entry point when `PREFECT_EXPERIMENTS_PLUGINS_ENABLED` is on, and calls the hook
when it opens a database engine.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.plugins import register_hook

from .settings import AwsSettings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_DRIVER = "postgresql+asyncpg"
_DEFAULT_PORT = 5432
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstance.html: name.id.region.rds.amazonaws.com
_RDS_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d+)\.rds\.amazonaws\.com(?:\.cn)?$")


@register_hook
def set_database_connection_params(connection_url: str, settings: Any) -> Mapping[str, Any]:
    """Give the database driver an IAM authentication token as its password.

    It does so when `PREFECT_INTEGRATIONS_AWS_RDS_IAM_ENABLED` is on and the URL is one of `postgresql+asyncpg`. A token
    is valid for 15 minutes, so the driver gets a function that makes a fresh one for each new connection. Since a
    token is as good as a password, TLS is required unless the URL or Prefect's own settings say something about TLS.

    Args:
        connection_url: URL of the database. It names the user, who needs the role `rds_iam`, and no password.
        settings: Prefect's settings.

    Returns:
        Arguments for the driver's `connect`; none when the plugin does not apply.

    Raises:
        ValueError: If the URL names no host or no user.
    """
    iam = AwsSettings().rds.iam
    if not iam.enabled:
        return {}
    from sqlalchemy.engine import make_url

    url = make_url(connection_url)
    if url.drivername != _DRIVER:
        return {}
    params: dict[str, Any] = {"password": _token_source(url, iam.region_name)}
    if not _says_tls(url, settings):
        params["ssl"] = "require"
    return params


def _token_source(url: "URL", region_name: str | None) -> Callable[[], str | Awaitable[str]]:
    if not url.host or not url.username:
        raise ValueError(
            "RDS IAM authentication needs a host and a user in PREFECT_API_DATABASE_CONNECTION_URL, as in "
            f"{_DRIVER}://iam_user@my-database.example.eu-west-1.rds.amazonaws.com:5432/prefect."
        )
    host, user, port = url.host, url.username, url.port or _DEFAULT_PORT
    found = _RDS_HOST.search(host)
    region = region_name or (found.group(1) if found else None)

    def make_token() -> str:
        from .credentials import AwsCredentials
        from .errors import aws_errors

        client = AwsCredentials(region_name=region).get_client("rds")
        with aws_errors(f"IAM token for {user}@{host}"):
            return str(client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user, Region=region))

    def token() -> str | Awaitable[str]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return make_token()
        # Signing is local, but finding credentials may ask the network; asyncpg awaits what is to be awaited.
        return asyncio.to_thread(make_token)

    return token


def _says_tls(url: "URL", settings: Any) -> bool:
    if {"ssl", "sslmode"} & set(url.query):
        return True
    try:
        return bool(settings.server.database.sqlalchemy.connect_args.tls.enabled)
    except AttributeError:
        return False
