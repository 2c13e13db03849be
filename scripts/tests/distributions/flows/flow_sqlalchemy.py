"""Fill a table of SQLite, and read it."""

from __future__ import annotations

from prefect import flow

from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver


@flow
def count() -> list[object]:
    """Write rows and read them."""
    components = ConnectionComponents(driver=SyncDriver.SQLITE_PYSQLITE, database="parcels.db")
    with SqlAlchemyConnector(connection_info=components) as database:
        database.execute("CREATE TABLE parcels (country TEXT, weight_kg INT)")
        database.execute_many(
            "INSERT INTO parcels VALUES (:country, :weight_kg)",
            seq_of_parameters=[{"country": "NO", "weight_kg": 3}, {"country": "PT", "weight_kg": 5}],
        )
        return [tuple(row) for row in database.fetch_all("SELECT * FROM parcels ORDER BY country")]


print(count())
