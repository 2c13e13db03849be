"""Query the account that the argument describes."""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect import flow

from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials


@flow
def query(address: dict[str, Any], database: str) -> list[Any]:
    """Query a row."""
    credentials = SnowflakeCredentials(user="fake", password="snow", **address)
    connector = SnowflakeConnector(credentials=credentials, database=database, schema="S", warehouse="W")
    with connector:
        return [tuple(row) for row in connector.fetch_all("SELECT 1 AS a, 'x' AS b")]


print(query(**json.loads(sys.argv[1])))
