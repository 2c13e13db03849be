"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests.suites import GuideSuite
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials

from ._account import make_connector
from .test_keys import LOCKED8


class TestGuide(GuideSuite):
    distribution = "prefect-snowflake"

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, snowflake_process: Any, prefect_harness: None, worker_id: str
    ) -> Callable[[], object]:
        """An account, and a connector to a database of it."""
        database = f"GUIDE_{worker_id}".upper()
        credentials = SnowflakeCredentials(user="fake", password="snow", **snowflake_process.address())

        def save() -> None:
            snowflake_process.reset()
            make_connector(credentials, database).save("shop", overwrite=True)

        return save

    @pytest.fixture
    def provocations(self, snowflake_server: Any, connector: SnowflakeConnector) -> Mapping[str, Callable[[], object]]:
        address: dict[str, Any] = snowflake_server.address()
        far: dict[str, Any] = {**address, "account": "acme", "port": 9, "login_timeout": 1}
        keys: dict[str, Any] = {"account": "a", "user": "u", "private_key": LOCKED8}

        def break_constraint() -> None:
            connector.execute("CREATE TABLE parcels (id INT NOT NULL)")
            connector.execute("INSERT INTO parcels VALUES (NULL)")

        def suspend() -> None:
            snowflake_server.suspend_warehouse()
            connector.fetch_all("SELECT 1")

        return {
            "The password is wrong": lambda: SnowflakeCredentials(user="fake", password="x", **address).get_client(),
            "The account cannot be reached": lambda: SnowflakeCredentials(user="u", password="p", **far).get_client(),
            "The private key cannot be read": lambda: SnowflakeCredentials(**keys).resolve_private_key(),
            "The fields do not fit together": lambda: SnowflakeCredentials(account="a", authenticator="oauth"),
            "There is no such table": lambda: connector.fetch_all("SELECT * FROM missing"),
            "A row breaks a constraint": break_constraint,
            "The warehouse is suspended": suspend,
            "The query takes too long": lambda: connector.fetch_all("CALL SYSTEM$WAIT(60)", timeout=0.1),
        }
