"""The block that queries BigQuery: cursors, statements, streams."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigquery.dbapi import DatabaseError

from prefect_gcp.bigquery import BigQueryWarehouse
from prefect_gcp.errors import GcpInvalidRequest, GcpNotFound

if TYPE_CHECKING:
    from prefect_gcp import GcpCredentials
    from prefect_integration_tests.backends.bigquery import BigQueryCall, BigQueryFront, BigQueryServer
    from prefect_integration_tests.faces import Call

pytestmark = pytest.mark.usefixtures("fast")


@pytest.fixture
def warehouse(bigquery_credentials: GcpCredentials) -> BigQueryWarehouse:
    return BigQueryWarehouse(gcp_credentials=bigquery_credentials, fetch_size=2)


@pytest.fixture
def fronted(fronted_bigquery: GcpCredentials) -> BigQueryWarehouse:
    return BigQueryWarehouse(gcp_credentials=fronted_bigquery, fetch_size=2)


def numbers(count: int) -> str:
    return f"SELECT n FROM UNNEST(GENERATE_ARRAY(1, {count})) AS n ORDER BY n"


def values(rows: list[Any]) -> list[Any]:
    return [row.n for row in rows]


# fetching


async def test_fetches_go_on_in_any_mix_and_face_and_execute_once(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    query = numbers(9)
    assert (await call(fronted, "fetch_one", query)).n == 1
    assert values(await call(fronted, "fetch_many", query)) == [2, 3]
    assert values(await fronted.afetch_many(query, size=3)) == [4, 5, 6]
    assert values(fronted.fetch_many(query, size=0, _sync=True)) == [7, 8]  # pyright: ignore[reportCallIssue]
    assert values(await call(fronted, "fetch_all", query)) == [9]
    assert await call(fronted, "fetch_all", query) == []
    assert await call(fronted, "fetch_many", query) == []
    assert await call(fronted, "fetch_one", query) is None
    assert len(bigquery_front.calls_of("jobs.insert")) == 1


async def test_each_operation_with_its_parameters_and_options_has_its_own_cursor(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    query = "SELECT n FROM UNNEST(GENERATE_ARRAY(%(first)s, 5)) AS n ORDER BY n"
    assert (await call(fronted, "fetch_one", query, {"first": 1})).n == 1
    assert (await call(fronted, "fetch_one", query, {"first": 3})).n == 3
    assert (await call(fronted, "fetch_one", query, {"first": 1})).n == 2
    assert (await call(fronted, "fetch_one", query, {"first": 1}, job_config={"labels": {"a": "b"}})).n == 1
    assert len(bigquery_front.calls_of("jobs.insert")) == 3


async def test_a_reset_executes_again(call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront) -> None:
    assert (await call(fronted, "fetch_one", numbers(3))).n == 1
    fronted.reset_cursors()
    assert (await call(fronted, "fetch_one", numbers(3))).n == 1
    assert len(bigquery_front.calls_of("jobs.insert")) == 2


async def test_rows_are_read_page_by_page(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    await call(fronted, "fetch_many", numbers(25_000), size=5)
    pages = [sent for sent in bigquery_front.calls_of("jobs.getQueryResults") if sent.query.get("maxResults") != "0"]
    assert len(pages) == 1


async def test_no_row_is_lost_when_a_page_cannot_be_read(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    query = numbers(25_000)
    taken = values(await call(fronted, "fetch_many", query, size=12_000))
    bigquery_front.fail("jobs.getQueryResults", status=403, reason="accessDenied", message="Access Denied")
    with pytest.raises(DatabaseError, match="Access Denied"):
        await call(fronted, "fetch_many", query, size=12_000)
    taken += values(await call(fronted, "fetch_many", query, size=12_000))
    taken += values(await call(fronted, "fetch_all", query))
    assert taken == list(range(1, 25_001))


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("SELECT %(text)s, %(day)s", {"text": "it's", "day": dt.date(2026, 1, 2)}, ("it's", dt.date(2026, 1, 2))),
        ("SELECT %s, %s", (1, True), (1, True)),
        ("SELECT %(n:INT64)s, '100%%'", {"n": 5}, (5, "100%")),
        ("SELECT '100%%'", None, ("100%",)),
    ],
    ids=["names", "places", "types", "none"],
)
async def test_parameters_take_the_place_of_their_marks(
    call: Call, warehouse: BigQueryWarehouse, operation: str, parameters: Any, expected: tuple[Any, ...]
) -> None:
    assert (await call(warehouse, "fetch_one", operation, parameters)).values() == expected


async def test_options_reach_bigquery_and_are_not_changed(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    options: dict[str, Any] = {"labels": {"team": "parcels"}}
    before = copy.deepcopy(options)
    await call(fronted, "fetch_all", "SELECT %(n)s", {"n": 1}, job_config=options, job_id="mine-1", location="EU")
    (sent,) = bigquery_front.calls_of("jobs.insert")
    assert (sent.job_id, sent.body["jobReference"]["location"]) == ("mine-1", "EU")
    assert (sent.body["configuration"]["labels"], options) == (before["labels"], before)


# executing


async def test_statements_take_effect_each_time(
    call: Call, warehouse: BigQueryWarehouse, bigquery_server: BigQueryServer, bigquery_dataset: str
) -> None:
    table = f"{bigquery_dataset}.parcels"
    assert await call(warehouse, "execute", f"CREATE TABLE {table} (id INT64, name STRING)") is None
    insert = f"INSERT INTO {table} VALUES (%(id)s, %(name)s)"
    for _ in range(2):
        await call(warehouse, "execute", insert, {"id": 1, "name": "a"})
    await call(warehouse, "execute_many", insert, [{"id": 2, "name": "b"}, {"id": 3, "name": "c"}])
    await call(warehouse, "execute_many", f"INSERT INTO {table} VALUES (%s, %s)", [(4, "d")])
    await call(warehouse, "execute_many", insert, [])
    assert bigquery_server.rows(f"SELECT id FROM {table} ORDER BY id") == [(1,), (1,), (2,), (3,), (4,)]


async def test_the_set_of_parameters_that_failed_is_named(
    call: Call, fronted: BigQueryWarehouse, bigquery_front: BigQueryFront
) -> None:
    def refuse_second(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any] | None:
        if len(bigquery_front.calls_of("jobs.insert")) != 2:
            return None
        error = {"reason": "invalid", "message": "Value out of range"}
        return {**answer, "status": {"state": "DONE", "errorResult": error, "errors": [error]}}

    bigquery_front.change("jobs.insert", refuse_second)
    with pytest.raises(GcpInvalidRequest, match=r"Value out of range.*parameters 2 of 3; those before it took effect"):
        await call(fronted, "execute_many", "SELECT %(n)s", [{"n": 1}, {"n": 2}, {"n": 3}])


# the life of the block


async def test_contexts_close_and_the_next_statement_opens_again(bigquery_credentials: GcpCredentials) -> None:
    with BigQueryWarehouse(gcp_credentials=bigquery_credentials) as warehouse:
        connection = warehouse.get_connection()
        assert warehouse.get_connection() is connection
        assert warehouse.fetch_one(numbers(3), _sync=True).n == 1  # pyright: ignore[reportCallIssue, reportOptionalMemberAccess]
    with pytest.raises(DatabaseError.__mro__[1], match="closed"):
        connection.cursor()
    async with warehouse:
        assert (await warehouse.afetch_one(numbers(3))).n == 1  # pyright: ignore[reportOptionalMemberAccess]
    warehouse.close()


def test_the_connection_is_one_of_pythons_database_api(fronted: BigQueryWarehouse) -> None:
    cursor = fronted.get_connection().cursor()
    assert (cursor.connection is fronted.get_connection(), fronted.get_connection()._closed) == (True, False)


async def test_a_copy_and_a_pickle_have_cursors_of_their_own(warehouse: BigQueryWarehouse) -> None:
    assert (await warehouse.afetch_one(numbers(3))).n == 1  # pyright: ignore[reportOptionalMemberAccess]
    for other in (pickle.loads(pickle.dumps(warehouse)), copy.copy(warehouse), copy.deepcopy(warehouse)):
        assert other.model_dump() == warehouse.model_dump()
        assert (await other.afetch_one(numbers(3))).n == 1
    assert (await warehouse.afetch_one(numbers(3))).n == 2  # pyright: ignore[reportOptionalMemberAccess]


# streams


@pytest.fixture(params=["storage", "rest"])
def streaming(
    request: pytest.FixtureRequest, bigquery_credentials: GcpCredentials, fronted_bigquery: GcpCredentials
) -> BigQueryWarehouse:
    """A block that reads through the Storage Read API, and one that cannot."""
    return BigQueryWarehouse(gcp_credentials=bigquery_credentials if request.param == "storage" else fronted_bigquery)


async def batches(call: Call, warehouse: BigQueryWarehouse, method: str, *arguments: Any) -> list[Any]:
    if call.is_async:
        return [batch async for batch in getattr(warehouse, f"a{method}")(*arguments)]
    return list(getattr(warehouse, method)(*arguments))


async def test_rows_come_as_arrow(call: Call, streaming: BigQueryWarehouse) -> None:
    found = await batches(call, streaming, "fetch_arrow", numbers(25_000))
    assert [n for batch in found for n in batch.column("n").to_pylist()] == list(range(1, 25_001))


async def test_rows_come_as_data_frames(call: Call, streaming: BigQueryWarehouse) -> None:
    query = "SELECT n, 'x' AS letter FROM UNNEST(GENERATE_ARRAY(%(first)s, 3)) AS n ORDER BY n"
    found = await batches(call, streaming, "fetch_dataframe", query, {"first": 2})
    assert [tuple(row) for frame in found for row in frame.itertuples(index=False)] == [(2, "x"), (3, "x")]


async def test_no_rows_are_no_batches(call: Call, streaming: BigQueryWarehouse) -> None:
    assert await batches(call, streaming, "fetch_arrow", f"{numbers(3)} LIMIT 0") == []


async def test_a_stream_names_what_is_missing(call: Call, streaming: BigQueryWarehouse, bigquery_dataset: str) -> None:
    with pytest.raises(GcpNotFound, match="nothing"):
        await batches(call, streaming, "fetch_arrow", f"SELECT * FROM {bigquery_dataset}.nothing")


# bad input


async def test_a_missing_table_is_named_by_an_error_of_ours_and_of_the_database_api(
    call: Call, warehouse: BigQueryWarehouse, bigquery_dataset: str
) -> None:
    with pytest.raises(DatabaseError, match=f"{bigquery_dataset}.nothing") as caught:
        await call(warehouse, "fetch_all", f"SELECT * FROM {bigquery_dataset}.nothing")
    assert isinstance(caught.value, GcpNotFound)
    assert isinstance(caught.value.__cause__, GoogleAPICallError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), GcpNotFound)


async def test_a_statement_that_failed_is_executed_again(
    call: Call, warehouse: BigQueryWarehouse, bigquery_server: BigQueryServer, bigquery_dataset: str
) -> None:
    query = f"SELECT n FROM {bigquery_dataset}.late"
    with pytest.raises(GcpNotFound):
        await call(warehouse, "fetch_one", query)
    bigquery_server.rows(f"CREATE TABLE {bigquery_dataset}.late AS SELECT 7 AS n")
    assert (await call(warehouse, "fetch_one", query)).n == 7


@pytest.mark.parametrize("size", [0, -1])
def test_a_bad_fetch_size_is_refused(bigquery_credentials: GcpCredentials, size: int) -> None:
    with pytest.raises(ValueError, match=f"fetch_size is {size}; it must be at least 1"):
        BigQueryWarehouse(gcp_credentials=bigquery_credentials, fetch_size=size)


async def test_a_bad_size_is_refused(call: Call, warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(ValueError, match="size is -1"):
        await call(warehouse, "fetch_many", "SELECT 1", size=-1)


@pytest.mark.parametrize(
    ("operation", "parameters", "options", "said"),
    [
        ("", None, {}, "operation is empty"),
        ("SELECT %(a)s", {"b": 1}, {}, r"parameters \(b\) do not fit"),
        ("SELECT %(a)s", "b", {}, "parameters is str"),
        ("SELECT 1", None, {"nonsense": 1}, "no execution option is called 'nonsense'"),
        ("SELECT 1", None, {"job_config": {"labelz": {}}}, "no option 'labelz'. Did you mean 'labels'"),
    ],
    ids=["empty", "names", "kind", "option", "configuration"],
)
@pytest.mark.parametrize("method", ["fetch_all", "execute"])
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    call: Call,
    fronted: BigQueryWarehouse,
    bigquery_front: BigQueryFront,
    method: str,
    operation: str,
    parameters: Any,
    options: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(ValueError, match=said):
        await call(fronted, method, operation, parameters, **options)
    assert bigquery_front.calls == []
