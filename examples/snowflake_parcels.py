# ---
# title: Parcels at Snowflake
# description: Load parcels, report on them, and see what becomes of a query that nobody waits for.
# icon: snowflake
# keywords: ["snowflake", "sql", "warehouse", "arrow", "pandas"]
# dependencies: ["prefect-snowflake[pandas]", "prefect-integration-tests[snowflake]"]
# cmd: ["python", "examples/snowflake_parcels.py"]
# order: 12
# ---
#
# This program starts a server in the shape of Snowflake on your own machine, and a temporary Prefect server.
# Snowflake's own connector talks to it. A flow loads parcels in a transaction and reports on them; another one starts
# a query that would run for ten minutes, and gives up after a second. At the end we look at what the server has seen.
# Nothing leaves the machine.

import json
import os

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_integration_tests.backends.fakesnow import SnowflakeServer
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
from prefect_snowflake.database import snowflake_query

PARCELS = [
    {"id": 1, "country": "NO", "kilograms": 2.5},
    {"id": 2, "country": "PT", "kilograms": 0.4},
    {"id": 3, "country": "NO", "kilograms": 11.0},
    {"id": 4, "country": "Côte d'Ivoire", "kilograms": 7.1},
]

# ## Load
#
# Values are given as parameters and never written into the statement, so the apostrophe in a name does no harm. What
# stands in a transaction takes effect as a whole: when the second statement fails, the table is as it was.


@task
def load(connector: SnowflakeConnector) -> None:
    connector.execute("CREATE TABLE parcels (id INT NOT NULL, country VARCHAR, kilograms FLOAT)")
    with connector.transaction():
        connector.execute_many(
            "INSERT INTO parcels VALUES (%(id)s, %(country)s, %(kilograms)s)", seq_of_parameters=PARCELS
        )
        connector.execute("DELETE FROM parcels WHERE kilograms < %(least)s", parameters={"least": 0.5})


# ## Report
#
# The same result as rows, page by page, and as a data frame.


@task
def report(connector: SnowflakeConnector) -> float:
    query = "SELECT country, SUM(kilograms) AS kilograms FROM parcels GROUP BY country ORDER BY kilograms DESC"
    while rows := connector.fetch_many(query, size=1):
        for country, kilograms in rows:
            print(f"  {country:<15}{kilograms:>6.1f} kg")
    frame = connector.fetch_pandas_all(query)
    return float(frame["KILOGRAMS"].max())


@flow
def deliver(connector: SnowflakeConnector) -> float:
    with connector:
        load(connector)
        return report(connector)


# ## Give up
#
# A task that is out of time, like one that is cancelled, takes its query along: a warehouse that works for nobody costs
# as much as one that works for you.


@flow
def give_up(connector: SnowflakeConnector) -> None:
    snowflake_query.with_options(timeout_seconds=1)("CALL SYSTEM$WAIT(600)", connector)


# ## See what the server has seen
#
# Each query carries a tag that names the run it belongs to.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with SnowflakeServer.start() as server, prefect_test_harness(server_startup_timeout=120):
        connector = SnowflakeConnector(
            credentials=SnowflakeCredentials(user="fake", password="snow", **server.address()),
            database="SHOP",
            schema="PUBLIC",
            warehouse="COMPUTE_WH",
        )
        print(f"The heaviest country gets {deliver(connector):g} kg")
        try:
            give_up(connector)
        except TimeoutError:
            print("Gave up")

        print(f"\n{len(server.logins)} sessions, {len(server.queries)} queries:")
        for query in server.queries:
            tag = json.loads(query.tag or "{}")
            end = f"cancelled by its {query.cancelled_by}" if query.was_cancelled else "ended"
            print(f"  {tag.get('prefect_task', tag.get('prefect_flow')):<16}{end:<20} {query.sql[:50]}")
