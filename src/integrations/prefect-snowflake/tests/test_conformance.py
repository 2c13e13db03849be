"""What every integration must do, by the suites that all share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pytest
from prefect.blocks.core import Block  # noqa: TC002 - pytest reads annotations

from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite
from prefect_integration_tests.suites.database import DatabaseSuite
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials

from ._account import make_connector


class TestPackage(PackageSuite):
    package = "prefect_snowflake"
    one_face = frozenset(
        {
            # Generators: `for` and `async for` say which face is meant.
            "prefect_snowflake.database.SnowflakeConnector.fetch_arrow_batches_async",
            "prefect_snowflake.database.SnowflakeConnector.fetch_pandas_batches_async",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_snowflake"


class TestBlocks(BlockSuite):
    package = "prefect_snowflake"
    alternatives = frozenset({"private_key", "private_key_passphrase", "private_key_path", "token"})
    not_secret = frozenset({"oauth_token_request_url"})

    def make(self, cls: type[Block], canary: str) -> Block:
        credentials = SnowflakeCredentials(
            account="a",
            user="u",
            password=canary,  # pyright: ignore[reportArgumentType]
            oauth_client_secret=canary,  # pyright: ignore[reportArgumentType]
            passcode=canary,  # pyright: ignore[reportArgumentType]
        )
        return credentials if cls is SnowflakeCredentials else make_connector(credentials, "D")


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, snowflake_server: Any, canary: str) -> SnowflakeCredentials:
        snowflake_server.accounts.passwords["FAKE"] = canary
        self.address = snowflake_server.address()
        return SnowflakeCredentials(account="fakesnow", user="fake", password=canary)  # pyright: ignore[reportArgumentType]

    def client(self, credentials: Any) -> Any:
        return credentials.get_client(**self.address)


class TestConnector(DatabaseSuite):
    awaitable_on_a_loop = False
    context_faces: ClassVar[Sequence[Any]] = ("sync", "async")
    placeholder = "%({name})s"
    # No `many_rows`: fakesnow gives a result in one piece, whose text is in memory as a whole. That parts of a result
    # are fetched as they are read is tested in `test_frames.py`.

    @pytest.fixture
    def database(self, snowflake_server: Any, canary: str) -> Iterator[SnowflakeConnector]:
        snowflake_server.accounts.passwords["FAKE"] = canary
        credentials = SnowflakeCredentials(user="fake", password=canary, **snowflake_server.address())
        made = make_connector(credentials, snowflake_server.new_database())
        yield made
        made.close()

    @pytest.fixture
    def refused_database(self, snowflake_server: Any, canary: str) -> SnowflakeConnector:
        credentials = SnowflakeCredentials(user="fake", password=canary, **snowflake_server.address())
        return make_connector(credentials, "D")

    def names_of_refused(self, database: Any) -> Sequence[str]:
        return ("fakesnow", str(database.credentials.port))
