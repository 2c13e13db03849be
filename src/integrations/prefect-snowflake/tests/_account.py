"""What tests make of the account."""

from __future__ import annotations

from typing import Any

from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials


def make_connector(credentials: SnowflakeCredentials, database: str, **fields: Any) -> SnowflakeConnector:
    """Make a connector that is not connected."""
    return SnowflakeConnector(
        **{"credentials": credentials, "database": database, "schema": "S", "warehouse": "W", **fields}
    )
