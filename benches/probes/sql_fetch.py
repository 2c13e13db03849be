"""Read or write rows in one way, and print wall and CPU seconds.

Arguments: way (sync, async, raw, insert_many), job (all, pages, insert), address, number of rows, rows of a page.
"""

import asyncio
import gc
import json
import sys
import time

QUERY = "SELECT n, s FROM numbers"
INSERT = "INSERT INTO target (n, s) VALUES (:n, :s)"


def given(count: int) -> list[dict]:
    return [{"n": number, "s": f"row {number}"} for number in range(count)]


class Watch:
    """Times what stands in its `with` block."""

    def __enter__(self):
        gc.collect()  # what imports have left is not part of the times
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *args):
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def of_snowflake(way: str, job: str, url: str, count: int, page: int) -> tuple[Watch, int]:
    import snowflake.connector

    local = {"host": "127.0.0.1", "port": int(url.rpartition("/")[2]), "protocol": "http"}
    names = {"database": "BENCH", "schema": "PUBLIC"}
    real = snowflake.connector.connect
    if way == "raw":
        connection = real(account="fakesnow", user="fake", password="snow", **names, **local)
        return of_cursor(connection, "%s", job, count, page)
    snowflake.connector.connect = lambda **given: real(**{**given, **local})
    from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials

    credentials = SnowflakeCredentials(account="fakesnow", user="fake", password="snow")
    with SnowflakeConnector(credentials=credentials, warehouse="W", **names) as connector:
        if way == "async":
            return asyncio.run(of_async_snowflake(connector, job, page))
        return blocking(connector, way, job, count, page)


async def of_async_snowflake(connector, job: str, page: int) -> tuple[Watch, int]:
    await connector.fetch_all_async("SELECT 1")
    with Watch() as watch:
        if job == "all":
            return watch, len(await connector.fetch_all_async(QUERY))
        done = 0
        while found := await connector.fetch_many_async(QUERY, size=page):
            done += len(found)
        return watch, done


def of_connector(way: str, job: str, url: str, count: int, page: int) -> tuple[Watch, int]:
    from prefect_sqlalchemy import SqlAlchemyConnector

    with SqlAlchemyConnector(connection_info=url) as connector:
        return blocking(connector, way, job, count, page)


def blocking(connector, way: str, job: str, count: int, page: int) -> tuple[Watch, int]:
    connector.fetch_all("SELECT 1")  # imports and connections are not part of the times
    rows = given(count) if job == "insert" else []
    with Watch() as watch:
        if job == "all":
            done = len(connector.fetch_all(QUERY))
        elif job == "pages":
            done = 0
            while found := connector.fetch_many(QUERY, size=page):
                done += len(found)
        elif way == "insert_many":
            done = connector.insert_many("target", rows)
        else:
            connector.execute_many(INSERT, seq_of_parameters=rows)
            done = count
    return watch, done


async def of_async_connector(job: str, url: str, count: int, page: int) -> tuple[Watch, int]:
    from prefect_sqlalchemy import AsyncSqlAlchemyConnector

    async with AsyncSqlAlchemyConnector(connection_info=url) as connector:
        await connector.fetch_all("SELECT 1")
        rows = given(count) if job == "insert" else []
        with Watch() as watch:
            if job == "all":
                done = len(await connector.fetch_all(QUERY))
            elif job == "pages":
                done = 0
                while found := await connector.fetch_many(QUERY, size=page):
                    done += len(found)
            else:
                await connector.execute_many(INSERT, seq_of_parameters=rows)
                done = count
        return watch, done


def connect(url: str):
    """Connect by the driver itself, and say how its statements name a value."""
    kind, _, where = url.partition("://")
    if kind.startswith("postgresql"):
        import psycopg2

        return psycopg2.connect(f"postgresql://{where}"), "%s"
    if kind == "sqlite":
        import sqlite3

        return sqlite3.connect(where[1:]), "?"
    import duckdb

    return duckdb.connect(where[1:]), "?"


def of_driver(job: str, url: str, count: int, page: int) -> tuple[Watch, int]:
    connection, mark = connect(url)
    return of_cursor(connection, mark, job, count, page)


def of_cursor(connection, mark: str, job: str, count: int, page: int) -> tuple[Watch, int]:
    is_duckdb = type(connection).__module__.lstrip("_").startswith("duckdb")
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    cursor.fetchall()
    rows = [tuple(row.values()) for row in given(count)] if job == "insert" else []
    with Watch() as watch:
        if job == "all":
            cursor.execute(QUERY)
            done = len(cursor.fetchall())
        elif job == "pages":
            cursor.execute(QUERY)
            done = 0
            while found := cursor.fetchmany(page):
                done += len(found)
        else:
            if is_duckdb:
                cursor.execute("BEGIN")  # as its statements do in the connectors
            cursor.executemany(f"INSERT INTO target (n, s) VALUES ({mark}, {mark})", rows)
            cursor.execute("COMMIT") if is_duckdb else connection.commit()
            done = count
    connection.close()
    return watch, done


def main() -> None:
    way, job, url, count, page = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    if url.startswith("snowflake"):
        watch, done = of_snowflake(way, job, url, count, page)
    elif way == "raw":
        watch, done = of_driver(job, url, count, page)
    elif way == "async":
        watch, done = asyncio.run(of_async_connector(job, url, count, page))
    else:
        watch, done = of_connector(way, job, url, count, page)
    assert done == count, done
    print(json.dumps({"wall_s": watch.wall, "cpu_s": watch.cpu}))


main()
