"""Drivers and URLs: every member makes a connector, and what a form leaves behind can be loaded."""

from __future__ import annotations

import pickle
import uuid
from urllib.parse import quote_plus

import pytest
from pydantic import ValidationError

from prefect_sqlalchemy import (
    AsyncDriver,
    AsyncSqlAlchemyConnector,
    ConnectionComponents,
    SqlAlchemyConnector,
    SyncDriver,
)

PARTS = {"username": "u", "password": "s3cret-word", "host": "db.example.com", "port": 1234, "database": "d"}


@pytest.mark.parametrize("driver", [*SyncDriver, *AsyncDriver], ids=lambda driver: driver.name)
def test_every_driver_makes_a_connector(driver):
    kind = AsyncSqlAlchemyConnector if isinstance(driver, AsyncDriver) else SqlAlchemyConnector
    parts = {"database": "d.db"} if "sqlite" in driver.value else PARTS
    connector = kind(connection_info=ConnectionComponents(driver=driver, **parts))
    url = connector.connection_info.create_url()
    assert url.drivername == driver.value
    assert url.database == parts["database"]
    assert kind(connection_info=url.render_as_string(hide_password=False)).quote_identifier("a")
    assert pickle.loads(pickle.dumps(connector)) == connector


@pytest.mark.parametrize(
    "driver", ["postgresql", "postgresql+psycopg", "duckdb", "mysql", "mariadb+pymysql", "sqlite", "mssql+pyodbc"]
)
def test_any_other_driver_works_as_text(driver):
    connector = SqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, database="d"))
    assert connector.connection_info.driver == driver
    assert SqlAlchemyConnector(connection_info=f"{driver}:///d")


def test_psycopg_is_for_both_connectors():
    for kind in (SqlAlchemyConnector, AsyncSqlAlchemyConnector):
        assert kind(connection_info="postgresql+psycopg://h/d")


def test_parts_make_a_url():
    components = ConnectionComponents(driver=SyncDriver.POSTGRESQL_PSYCOPG2, query={"sslmode": "require"}, **PARTS)
    url = components.create_url()
    assert url.render_as_string(hide_password=False) == (
        "postgresql+psycopg2://u:s3cret-word@db.example.com:1234/d?sslmode=require"
    )
    assert "s3cret-word" not in f"{url} {url!r} {components!r} {components}"


@pytest.mark.parametrize("empty", [None, "", " "], ids=["none", "empty", "blank"])
@pytest.mark.parametrize("kind", [SqlAlchemyConnector, AsyncSqlAlchemyConnector])
def test_numbers_may_be_left_empty(kind, empty):
    driver = "sqlite+aiosqlite" if kind is AsyncSqlAlchemyConnector else "sqlite+pysqlite"
    made = kind.model_validate(
        {"connection_info": {"driver": driver, "database": "d.db", "port": empty}, "fetch_size": empty}
    )
    assert (made.fetch_size, made.connection_info.port) == (1, None)


async def test_a_block_whose_numbers_were_emptied_loads(prefect_harness):
    """A form saves an empty text for a number that somebody cleared."""
    from prefect.client.orchestration import get_client

    name = f"b-{uuid.uuid4().hex}"
    block = SqlAlchemyConnector(
        connection_info={"driver": SyncDriver.SQLITE_PYSQLITE, "database": "d.db"}, fetch_size=5
    )
    document_id = await block.asave(name)
    async with get_client() as client:
        from prefect.client.schemas.actions import BlockDocumentUpdate

        data = {"connection_info": {"driver": "sqlite+pysqlite", "database": "d.db", "port": ""}, "fetch_size": ""}
        await client.update_block_document(document_id, BlockDocumentUpdate(data=data))
    loaded = await SqlAlchemyConnector.aload(name)
    assert (loaded.fetch_size, loaded.connection_info.port) == (1, None)
    assert loaded.connection_info.driver is SyncDriver.SQLITE_PYSQLITE


@pytest.mark.parametrize("size", [0, -1, "x"])
def test_a_bad_fetch_size_is_named(size):
    with pytest.raises(ValidationError, match="fetch_size"):
        SqlAlchemyConnector(connection_info="sqlite://", fetch_size=size)


@pytest.mark.parametrize("kind", [SqlAlchemyConnector, AsyncSqlAlchemyConnector])
async def test_a_url_is_saved_and_loaded_whole(kind, prefect_harness):
    driver = "postgresql+asyncpg" if kind is AsyncSqlAlchemyConnector else "postgresql+psycopg2"
    url = f"{driver}://u:s3cret-word@db.example.com/d"
    name = f"b-{uuid.uuid4().hex}"
    await kind(connection_info=url).asave(name)
    loaded = await kind.aload(name)
    assert loaded.connection_info == url
    assert "s3cret-word" not in f"{loaded!r} {loaded} {loaded.model_dump()!r}"


URLS = (
    "postgresql+psycopg2://u:s3cret-word@h:5432/d",
    "postgresql+psycopg2://u@h/d?password=s3cret-word",
    "mysql+pymysql://u:s3cret-word@h/d?ssl_key_password=s3cret-word",
)


@pytest.mark.parametrize("url", URLS, ids=["password", "query", "both"])
def test_passwords_are_masked_in_all_texts(url, canary, no_canary_leaks):
    url = url.replace("s3cret-word", canary.replace("/", "").replace("+", "").replace("=", ""))
    secret = url.split("u:")[1].split("@")[0] if "u:" in url else url.rpartition("=")[2]
    connector = SqlAlchemyConnector(connection_info=url, connect_args={"sslpassword": secret, "application_name": "x"})
    texts = [repr(connector), str(connector), f"{connector}", repr(connector.connection_info)]
    texts.append(repr(connector.model_dump()["connection_info"]))
    if url.startswith("postgresql"):  # an engine shows the options of its URL
        texts += [str(connector.get_engine()), repr(connector.get_engine().url)]
    with pytest.raises(ValidationError) as caught:
        SqlAlchemyConnector(connection_info=url, fetch_size="x")
    texts += [str(caught.value), repr(caught.value)]
    assert not [text for text in texts if secret in text]
    assert "application_name" in repr(connector)


@pytest.mark.parametrize("secret", ["s3cret-word", "{s3cret;-}}word}"], ids=["plain", "braces"])
@pytest.mark.parametrize("name", ["PWD", "pwd", "Password"])
def test_a_password_in_a_connection_string_of_odbc_is_masked(name, secret):
    odbc = f"DRIVER={{ODBC Driver 18 for SQL Server}};SERVER=h;UID=u;{name} = {secret};Encrypt=yes"
    connector = SqlAlchemyConnector(connection_info=f"mssql+pyodbc:///?odbc_connect={quote_plus(odbc)}")
    parts = ConnectionComponents(driver="mssql+pyodbc", query={"odbc_connect": odbc})
    of_parts = SqlAlchemyConnector(connection_info=parts)
    texts = [repr(connector), str(connector), repr(connector.model_dump()), repr(parts), str(parts), repr(of_parts)]
    assert not [text for text in texts if "s3cret" in text or "word" in text.casefold().replace("password", "")]
    assert not [text for text in texts if "Encrypt" not in text or "SERVER" not in text]
    assert connector.connection_info.endswith(quote_plus(";Encrypt=yes"))


def test_secrets_among_the_options_of_components_are_masked():
    parts = ConnectionComponents(driver="postgresql", query={"sslpassword": "s3cret-word", "sslmode": "require"})
    assert "s3cret" not in f"{parts!r} {parts}"
    assert "require" in repr(parts)
    assert parts.create_url().query["sslpassword"] == "s3cret-word"
