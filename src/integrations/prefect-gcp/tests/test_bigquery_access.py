"""How BigQuery is reached: an emulator without any login, a client of one's own, and what is missing or not allowed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from prefect_gcp import GcpCredentials
from prefect_gcp.bigquery import (
    BigQueryWarehouse,
    abigquery_create_table,
    abigquery_insert_stream,
    abigquery_query,
    bigquery_create_table,
    bigquery_insert_stream,
    bigquery_query,
)

if TYPE_CHECKING:
    from prefect_integration_tests.backends.bigquery import BigQueryServer
    from prefect_integration_tests.faces import Call

pytestmark = pytest.mark.usefixtures("fast")

CREATE_TABLE = (bigquery_create_table.fn, abigquery_create_table.fn)
INSERT_STREAM = (bigquery_insert_stream.fn, abigquery_insert_stream.fn)
QUERY = (bigquery_query.fn, abigquery_query.fn)


class OwnClient(GcpCredentials):
    """Credentials of a user who has a client already."""

    _block_type_name = "Own client of a test of BigQuery"

    def get_bigquery_client(self, project: str | None = None, location: str | None = None) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        return bigquery.Client(
            project=project or self.project,
            location=location,
            credentials=AnonymousCredentials(),  # pyright: ignore[reportNoUntypedCall]
            client_options={"api_endpoint": self.api_endpoints["bigquery"]},
        )


@pytest.fixture(params=["variable", "address", "client"])
def without_login(
    request: pytest.FixtureRequest, bigquery_server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> GcpCredentials:
    """Credentials without an identity, for the emulator."""
    endpoint = bigquery_server.endpoint
    if request.param == "variable":
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", endpoint)
        return GcpCredentials(project=bigquery_server.project)
    cls = OwnClient if request.param == "client" else GcpCredentials
    return cls(project=bigquery_server.project, api_endpoints={"bigquery": endpoint})


async def test_an_emulator_is_used_without_looking_for_a_login(
    call: Call, without_login: GcpCredentials, bigquery_dataset: str, caplog: pytest.LogCaptureFixture
) -> None:
    from google.cloud.bigquery import SchemaField

    with caplog.at_level(logging.INFO, logger="google"):
        await call(CREATE_TABLE, bigquery_dataset, "parcels", without_login, schema=[SchemaField("id", "INTEGER")])
        assert await call(INSERT_STREAM, bigquery_dataset, "parcels", [{"id": 1}], without_login) == []
        query = f"SELECT id FROM {bigquery_dataset}.parcels"
        assert [row.id for row in await call(QUERY, query, without_login)] == [1]
        frame = await call(QUERY, query, without_login, to_dataframe=True)
        assert frame["id"].tolist() == [1]
        warehouse = BigQueryWarehouse(gcp_credentials=without_login)
        assert (await call(warehouse, "fetch_one", query)).id == 1
        cursor = warehouse.get_connection().cursor()
        cursor.execute(query)
        assert [tuple(row) for row in cursor.fetchall()] == [(1,)]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("google")] == []


def test_an_emulator_without_a_project_is_refused_at_once(
    bigquery_server: BigQueryServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server.endpoint)
    with pytest.raises(ValueError, match="Set project on the GCP credentials block"):
        GcpCredentials().get_bigquery_client()
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["task", "block"])
async def test_a_missing_sdk_is_an_error_that_says_what_to_install(
    call: Call, kind: str, bigquery_credentials: GcpCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    warehouse = BigQueryWarehouse(gcp_credentials=bigquery_credentials)
    work = (QUERY, "SELECT 1", bigquery_credentials) if kind == "task" else (warehouse, "fetch_all", "SELECT 1")
    with pytest.raises(ImportError, match=r'pip install "prefect-gcp\[bigquery\]"'):
        await call(*work)


@pytest.fixture
def closed_storage(bigquery_server: BigQueryServer) -> Iterator[GcpCredentials]:
    """Credentials that may not open read sessions of the Storage API."""
    import grpc

    def refuse(request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission 'bigquery.readsessions.create' denied")

    class Refusing(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(refuse)

    untyped: Any = grpc
    server = untyped.server(ThreadPoolExecutor(2), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    endpoints = {"bigquery": bigquery_server.endpoint, "bigquerystorage": f"http://127.0.0.1:{port}"}
    yield GcpCredentials(project=bigquery_server.project, api_endpoints=endpoints)
    server.stop(None)


@pytest.mark.parametrize("method", ["fetch_arrow", "fetch_dataframe", "query"])
async def test_rows_come_by_rest_where_the_storage_api_may_not_be_used(
    call: Call, method: str, closed_storage: GcpCredentials, caplog: pytest.LogCaptureFixture
) -> None:
    query = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 3)) AS n ORDER BY n"
    if method == "query":
        batches = [await call(QUERY, query, closed_storage, to_dataframe=True)]
    elif call.is_async:
        warehouse = BigQueryWarehouse(gcp_credentials=closed_storage)
        batches = [batch async for batch in getattr(warehouse, f"a{method}")(query)]
    else:
        batches = list(getattr(BigQueryWarehouse(gcp_credentials=closed_storage), method)(query))
    read = (
        (lambda batch: batch.column("n").to_pylist()) if method == "fetch_arrow" else (lambda batch: list(batch["n"]))
    )
    assert [value for batch in batches for value in read(batch)] == [1, 2, 3]
    told = [record.getMessage() for record in caplog.records if "slower REST API" in record.getMessage()]
    assert len(told) == 1
    assert "bigquery.readsessions.create" in told[0]
