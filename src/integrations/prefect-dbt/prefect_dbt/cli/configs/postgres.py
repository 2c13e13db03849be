"""A target in PostgreSQL, made of the connector block of prefect-sqlalchemy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field, HttpUrl

from .base import LOGO_URL, BaseTargetConfigs, MissingExtrasRequireError

try:
    from prefect_sqlalchemy.database import SqlAlchemyConnector
except ModuleNotFoundError as error:
    raise MissingExtrasRequireError("Postgres") from error

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["BaseTargetConfigs", "MissingExtrasRequireError", "PostgresTargetConfigs"]

# Arguments of the connection that dbt-postgres has a key for
# (https://docs.getdbt.com/docs/core/connect-data-platform/postgres-setup).
_ARGUMENTS = {
    "application_name": str,
    "connect_timeout": int,
    "keepalives_idle": int,
    "sslcert": str,
    "sslkey": str,
    "sslmode": str,
    "sslrootcert": str,
}
_SEARCH_PATH = re.compile(r"-c\s*search_path=((?:\\ |[^\s])+)")


class PostgresTargetConfigs(BaseTargetConfigs):
    """A target in PostgreSQL.

    Keys that dbt knows besides are on [its page](https://docs.getdbt.com/docs/core/connect-data-platform/postgres-setup);
    give them in `extras`.

    Example:
        Load a stored target:

        ```python
        from prefect_dbt.cli.configs import PostgresTargetConfigs

        postgres_target_configs = PostgresTargetConfigs.load("BLOCK_NAME")
        ```

        Make one of a connector:

        ```python
        from prefect_dbt.cli.configs import PostgresTargetConfigs
        from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

        connector = SqlAlchemyConnector(
            connection_info=ConnectionComponents(
                driver=SyncDriver.POSTGRESQL_PSYCOPG2,
                username="dbt_user",
                password="password",
                host="localhost",
                database="shop",
            )
        )
        target_configs = PostgresTargetConfigs(schema="analytics", credentials=connector)
        ```
    """

    _block_type_name = "dbt CLI Postgres Target Configs"
    _logo_url = HttpUrl(LOGO_URL)

    type: Literal["postgres"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default="postgres", description="The type of the adapter."
    )
    credentials: SqlAlchemyConnector = Field(default=..., description="The connection, by its components or its URL.")

    def get_configs(self) -> dict[str, Any]:
        """Get the target as it stands in `profiles.yml`.

        Returns:
            Keys and plain values, secrets among them, as dbt-postgres takes them. The host is localhost and the port
            5432 when the connector does not say.

        Raises:
            ValueError: If two of this block, `extras` and the connector give the same key and `allow_field_overrides`
                is not set, or if the connector is not for PostgreSQL or names no user or database.
        """
        return self._merged([("the connector", _connection(self.credentials)), ("extras", self.extras or {})])


def _connection(connector: SqlAlchemyConnector) -> dict[str, Any]:
    url = _url(connector)
    arguments: dict[str, Any] = {**url.query, **(connector.connect_args or {})}
    dialect = url.get_backend_name()
    if dialect not in ("postgresql", "postgres"):
        raise ValueError(f"The connector in credentials is for {dialect}. Give one whose driver is for postgresql.")
    host, port = url.host or _text(arguments.pop("host", None)), url.port or arguments.pop("port", None)
    user, database = url.username or _text(arguments.pop("user", None)), url.database or arguments.pop("dbname", None)
    for name, value in (("username", user), ("database", database)):
        if not value:
            raise ValueError(f"The connector in credentials names no {name}, which dbt needs. Set it there.")
    return {
        "host": host or "localhost",
        "port": int(port or 5432),
        "user": user,
        # dbt requires the key; an empty one leaves the choice to the server and to ~/.pgpass
        "password": url.password or _text(arguments.pop("password", None)) or "",
        "dbname": database,
        **_known(arguments),
    }


def _url(connector: SqlAlchemyConnector) -> URL:
    from sqlalchemy.engine import make_url

    info = connector.connection_info
    return make_url(info) if isinstance(info, str) else info.create_url()


def _known(arguments: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: kind(_text(arguments[name])) for name, kind in _ARGUMENTS.items() if name in arguments}
    options = _text(arguments.get("options")) or ""
    if found := _SEARCH_PATH.search(options):
        known["search_path"] = found[1].replace("\\ ", " ")
    return known


def _text(value: Any) -> Any:
    """The last of a URL's repeated arguments, as the driver takes it."""
    return cast("tuple[Any, ...]", value)[-1] if isinstance(value, tuple) else value
