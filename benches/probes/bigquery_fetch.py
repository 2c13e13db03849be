"""Fetch all rows of a query in one way, and print wall and CPU seconds.

Arguments: way (sync, async, bare), endpoint, number of rows.
"""

import asyncio
import json
import sys
import time


def client_at(endpoint: str):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(
        project="test-project", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
    )
    client._ensure_bqstorage_client = lambda *_, **__: None  # noqa: SLF001 - it would leave this machine
    return client


def block_with(client):
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    google.auth.default = lambda *_, **__: (AnonymousCredentials(), "test-project")
    from prefect_gcp import GcpCredentials
    from prefect_gcp.bigquery import BigQueryWarehouse

    GcpCredentials.get_bigquery_client = lambda *_, **__: client
    return BigQueryWarehouse(gcp_credentials=GcpCredentials(project="test-project"))


def main() -> None:
    way, endpoint, count = sys.argv[1:]
    client = client_at(endpoint)
    warehouse = None if way == "bare" else block_with(client)

    def fetch(query: str) -> list:
        if warehouse is None:
            return list(client.query(query).result())
        if way == "async":
            return asyncio.run(warehouse.afetch_all(query))
        return warehouse.fetch_all(query)

    fetch("SELECT 1")  # imports and connections are not part of the times
    wall, cpu = time.perf_counter(), time.process_time()
    rows = fetch(f"SELECT n, CAST(n AS STRING) AS s FROM UNNEST(GENERATE_ARRAY(1, {count})) AS n")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert len(rows) == int(count), len(rows)
    print(json.dumps({"wall_s": wall, "cpu_s": cpu}))


main()
