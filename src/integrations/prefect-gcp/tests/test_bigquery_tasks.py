"""The tasks of BigQuery: what they do, seen in the emulator, by both faces."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest

from prefect_gcp.bigquery import (
    abigquery_create_table,
    abigquery_insert_stream,
    abigquery_load_cloud_storage,
    abigquery_load_file,
    abigquery_query,
    bigquery_create_table,
    bigquery_insert_stream,
    bigquery_load_cloud_storage,
    bigquery_load_file,
    bigquery_query,
)

if TYPE_CHECKING:
    from prefect_gcp import GcpCredentials
    from prefect_integration_tests.backends.bigquery import BigQueryCall, BigQueryFront, BigQueryServer
    from prefect_integration_tests.faces import Call

CREATE_TABLE = (bigquery_create_table.fn, abigquery_create_table.fn)
INSERT_STREAM = (bigquery_insert_stream.fn, abigquery_insert_stream.fn)
LOAD_CLOUD_STORAGE = (bigquery_load_cloud_storage.fn, abigquery_load_cloud_storage.fn)
LOAD_FILE = (bigquery_load_file.fn, abigquery_load_file.fn)
QUERY = (bigquery_query.fn, abigquery_query.fn)

pytestmark = pytest.mark.usefixtures("fast")

NUMBERS = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, {}))  AS n ORDER BY n"


def field(name: str, kind: str, mode: str = "NULLABLE") -> Any:
    from google.cloud.bigquery import SchemaField

    return SchemaField(name, kind, mode=mode)


def schema() -> list[Any]:
    return [field("id", "INTEGER", "REQUIRED"), field("name", "STRING")]


def configuration(call: BigQueryCall, kind: str = "query") -> dict[str, Any]:
    return call.body["configuration"][kind]


# queries


async def test_a_query_gives_its_rows(call: Call, bigquery_credentials: GcpCredentials) -> None:
    rows = await call(QUERY, "SELECT 1 AS one, 'x' AS letter", bigquery_credentials)
    assert [(row.one, row["letter"]) for row in rows] == [(1, "x")]
    assert isinstance(rows, list)


async def test_parameters_are_bound_by_name_type_and_value(call: Call, bigquery_credentials: GcpCredentials) -> None:
    parameters = [
        ("text", "STRING", "Robert'); DROP TABLE parcels;--"),
        ("number", "int64", 7),
        ("price", "NUMERIC", decimal.Decimal("1.50")),
        ("day", "DATE", dt.date(2026, 11, 26)),
        ("many", "INT64", [1, 2, 3]),
    ]
    query = "SELECT @text, @number, @price, @day, (SELECT SUM(n) FROM UNNEST(@many) AS n)"
    rows = await call(QUERY, query, bigquery_credentials, query_params=parameters)
    expected = ("Robert'); DROP TABLE parcels;--", 7, decimal.Decimal("1.50"), dt.date(2026, 11, 26), 6)
    assert rows[0].values() == expected


async def test_a_result_may_be_a_data_frame(call: Call, bigquery_credentials: GcpCredentials) -> None:
    frame = await call(QUERY, NUMBERS.format(3), bigquery_credentials, to_dataframe=True)
    assert frame["n"].tolist() == [1, 2, 3]


async def test_a_transformer_gets_the_rows_as_a_list_that_can_do_what_the_sdks_can(
    call: Call, bigquery_credentials: GcpCredentials
) -> None:
    def transform(rows: Any) -> Any:
        return len(rows), rows[-1].n, rows.total_rows

    result = await call(QUERY, NUMBERS.format(3), bigquery_credentials, result_transformer=transform)
    assert result == (3, 3, 3)


# The emulator ignores a destination, so what is asked of BigQuery is looked at.
async def test_the_result_goes_to_a_destination_and_comes_back(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    rows = await call(QUERY, "SELECT 1 AS n", fronted_bigquery, dataset=bigquery_dataset, table="copy")
    expected = {"projectId": "test-project", "datasetId": bigquery_dataset, "tableId": "copy"}
    assert configuration(bigquery_front.calls_of("jobs.insert")[0])["destinationTable"] == expected
    assert [tuple(row) for row in rows] == [(1,)]


async def test_a_configuration_reaches_bigquery_and_is_not_changed(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    given: dict[str, Any] = {
        "labels": {"team": "parcels"},
        "use_query_cache": False,
        "write_disposition": "WRITE_TRUNCATE",
        "time_partitioning": {"type_": "DAY", "field": "day"},
    }
    before = copy.deepcopy(given)
    await call(
        QUERY,
        "SELECT @n AS n, DATE '2026-01-01' AS day",
        fronted_bigquery,
        query_params=[("n", "INT64", 1)],
        dry_run_max_bytes=10,
        dataset=bigquery_dataset,
        table="copy",
        job_config=given,
    )
    assert given == before
    dry, real = bigquery_front.calls_of("jobs.insert")
    assert dry.body["configuration"]["dryRun"] is True
    assert not real.body["configuration"].get("dryRun")
    assert real.body["configuration"]["labels"] == {"team": "parcels"}
    sent = configuration(real)
    assert (sent["useQueryCache"], sent["writeDisposition"]) == (False, "WRITE_TRUNCATE")
    assert sent["timePartitioning"] == {"type": "DAY", "field": "day"}


async def test_project_and_location_are_where_the_query_runs(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    await call(QUERY, "SELECT 1", fronted_bigquery, project="other-project", location="EU")
    sent = bigquery_front.calls_of("jobs.insert")[0]
    assert (sent.body["jobReference"]["projectId"], sent.body["jobReference"]["location"]) == ("other-project", "EU")
    assert "/projects/other-project/" in sent.path


def says_bytes(count: int) -> Any:
    """The emulator says that each dry run reads 0 bytes; BigQuery would not."""

    def change(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any] | None:
        if not call.body["configuration"].get("dryRun"):
            return None
        answer["statistics"] = {"totalBytesProcessed": str(count), "query": {"totalBytesProcessed": str(count)}}
        return answer

    return change


async def test_a_query_that_would_read_too_much_is_not_run(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.change("jobs.insert", says_bytes(1_000_001))
    with pytest.raises(ValueError, match=r"1,000,001 bytes.*dry_run_max_bytes.*1,000,000") as caught:
        await call(QUERY, "SELECT 1", fronted_bigquery, dry_run_max_bytes=1_000_000)
    assert isinstance(caught.value, RuntimeError)  # as it was published
    assert len(bigquery_front.calls_of("jobs.insert")) == 1


async def test_a_query_that_reads_as_much_as_it_may_is_run(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.change("jobs.insert", says_bytes(1_000_000))
    assert len(await call(QUERY, "SELECT 1", fronted_bigquery, dry_run_max_bytes=1_000_000)) == 1
    np: Any = pytest.importorskip("numpy", reason="A number of bytes may be one of numpy.")
    assert len(await call(QUERY, "SELECT 1", fronted_bigquery, dry_run_max_bytes=np.int64(1_000_000))) == 1


# tables


async def test_a_table_is_created_with_what_it_is_described_by(
    call: Call, bigquery_server: BigQueryServer, bigquery_credentials: GcpCredentials, bigquery_dataset: str
) -> None:
    from google.cloud.bigquery import TimePartitioning

    columns = [*schema(), field("day", "DATE")]
    name = await call(
        CREATE_TABLE,
        bigquery_dataset,
        "parcels",
        bigquery_credentials,
        schema=columns,
        clustering_fields=["name"],
        time_partitioning=TimePartitioning(field="day"),
    )
    table = bigquery_server.client().get_table(f"{bigquery_dataset}.{name}")
    assert name == "parcels"
    assert [(column.name, column.mode) for column in table.schema] == [
        ("id", "REQUIRED"),
        ("name", "NULLABLE"),
        ("day", "NULLABLE"),
    ]
    assert table.clustering_fields == ["name"]
    assert table.time_partitioning.field == "day"


async def test_a_table_that_is_there_stays(
    call: Call, bigquery_server: BigQueryServer, bigquery_credentials: GcpCredentials, bigquery_dataset: str
) -> None:
    bigquery_server.rows(f"CREATE TABLE {bigquery_dataset}.parcels AS SELECT 1 AS only")
    made = await call(CREATE_TABLE, bigquery_dataset, "parcels", bigquery_credentials, schema=schema())
    assert made == "parcels"
    assert bigquery_server.rows(f"SELECT * FROM {bigquery_dataset}.parcels") == [(1,)]


async def test_a_missing_data_set_is_created_in_the_location(
    call: Call,
    bigquery_server: BigQueryServer,
    bigquery_front: BigQueryFront,
    fronted_bigquery: GcpCredentials,
    bigquery_dataset: str,
) -> None:
    dataset = f"{bigquery_dataset}_new"
    await call(CREATE_TABLE, dataset, "parcels", fronted_bigquery, schema=schema(), location="EU")
    assert bigquery_front.calls_of("datasets.insert")[0].body["location"] == "EU"
    bigquery_server.delete_dataset(dataset)


async def test_the_data_of_an_external_table_stay_where_they_are(
    call: Call, bigquery_front: BigQueryFront, fronted_bigquery: GcpCredentials, bigquery_dataset: str
) -> None:
    from google.cloud.bigquery import ExternalConfig

    external = ExternalConfig("CSV")
    external.source_uris = ["gs://bucket/parcels.csv"]
    await call(CREATE_TABLE, bigquery_dataset, "parcels", fronted_bigquery, external_config=external)
    sent = bigquery_front.calls_of("tables.insert")[0].body["externalDataConfiguration"]
    assert (sent["sourceUris"], sent["sourceFormat"]) == (["gs://bucket/parcels.csv"], "CSV")


async def test_a_table_that_somebody_else_creates_first_is_fine(
    call: Call, bigquery_front: BigQueryFront, fronted_bigquery: GcpCredentials, bigquery_dataset: str
) -> None:
    bigquery_front.fail("tables.insert", when="lost")
    made = await call(CREATE_TABLE, bigquery_dataset, "parcels", fronted_bigquery, schema=schema())
    assert made == "parcels"
    assert [sent.status for sent in bigquery_front.calls_of("tables.insert")] == [0, 409]


# streaming inserts


@pytest.fixture
def parcels(bigquery_server: BigQueryServer, bigquery_dataset: str) -> str:
    """A table in the data set, by its whole name."""
    bigquery_server.client().create_table(table := named(bigquery_dataset, "parcels"))
    return f"{table.dataset_id}.{table.table_id}"


def named(dataset: str, name: str) -> Any:
    from google.cloud.bigquery import Table

    return Table(f"test-project.{dataset}.{name}", schema=[*schema(), field("price", "NUMERIC"), field("day", "DATE")])


async def test_records_become_rows(
    call: Call,
    bigquery_server: BigQueryServer,
    bigquery_credentials: GcpCredentials,
    bigquery_dataset: str,
    parcels: str,
) -> None:
    records = [
        {"id": 1, "name": "ü", "price": decimal.Decimal("2.50"), "day": dt.date(2026, 1, 2)},
        {"id": 2, "name": None},
    ]
    refused = await call(INSERT_STREAM, bigquery_dataset, "parcels", records, bigquery_credentials)
    assert refused == []
    assert bigquery_server.rows(f"SELECT id, name, price, day FROM {parcels} ORDER BY id") == [
        (1, "ü", decimal.Decimal("2.50"), dt.date(2026, 1, 2)),
        (2, None, None, None),
    ]


async def test_no_records_are_no_request(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    assert await call(INSERT_STREAM, bigquery_dataset, "parcels", [], fronted_bigquery) == []
    assert bigquery_front.calls == []


@pytest.mark.usefixtures("parcels")
async def test_many_records_are_sent_in_batches(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    records = [{"id": number} for number in range(10_001)]
    await call(INSERT_STREAM, bigquery_dataset, "parcels", records, fronted_bigquery)
    sent = [len(insert.body["rows"]) for insert in bigquery_front.calls_of("tabledata.insertAll")]
    assert sent == [10_000, 1]


@pytest.mark.usefixtures("parcels")
async def test_an_insert_whose_answer_was_lost_is_sent_again_with_the_same_row_ids(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str, fast: None
) -> None:
    bigquery_front.fail("tabledata.insertAll", when="lost")
    records = [{"id": 1}, {"id": 2}]
    await call(INSERT_STREAM, bigquery_dataset, "parcels", records, fronted_bigquery)
    # The emulator itself answers 500 now and then, while another test makes or deletes data sets.
    lost, *others = (
        [row["insertId"] for row in insert.body["rows"]] for insert in bigquery_front.calls_of("tabledata.insertAll")
    )
    assert others
    assert all(ids == lost for ids in others)
    assert len(set(lost)) == 2


async def test_columns_are_asked_for_once_and_again_before_a_row_is_refused(
    call: Call,
    bigquery_server: BigQueryServer,
    fronted_bigquery: GcpCredentials,
    bigquery_front: BigQueryFront,
    bigquery_dataset: str,
    parcels: str,
) -> None:
    def without_day(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any] | None:
        if len(bigquery_front.calls_of("tables.get")) > 1:
            return None  # the column was added in between
        fields = [column for column in answer["schema"]["fields"] if column["name"] != "day"]
        return {**answer, "schema": {"fields": fields}}

    bigquery_front.change("tables.get", without_day)
    for number in range(3):
        await call(INSERT_STREAM, bigquery_dataset, "parcels", [{"id": number}], fronted_bigquery)
    assert len(bigquery_front.calls_of("tables.get")) == 1
    await call(INSERT_STREAM, bigquery_dataset, "parcels", [{"id": 4, "day": dt.date(2026, 1, 2)}], fronted_bigquery)
    assert len(bigquery_front.calls_of("tables.get")) == 2
    assert bigquery_server.rows(f"SELECT day FROM {parcels} WHERE id = 4") == [(dt.date(2026, 1, 2),)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"id": "seven"}, "column 'id' is INTEGER, and 'seven' is none"),
        ({"id": 2, "weight": 1}, "there is no column 'weight'"),
        ({"name": "x"}, "column 'id' is required"),
        ({"id": 2, "name": {"a": 1}}, "column 'name' is STRING"),
    ],
    ids=["type", "unknown", "required", "record"],
)
async def test_a_row_that_does_not_fit_is_named_and_nothing_is_inserted(
    call: Call,
    bigquery_server: BigQueryServer,
    bigquery_credentials: GcpCredentials,
    bigquery_dataset: str,
    parcels: str,
    bad: dict[str, Any],
    reason: str,
) -> None:
    with pytest.raises(ValueError, match=f"parcels: row 1: {reason}.*No row was inserted") as caught:
        await call(INSERT_STREAM, bigquery_dataset, "parcels", [{"id": 1}, bad, {"id": 3}], bigquery_credentials)
    error: Any = pickle.loads(pickle.dumps(caught.value))
    assert list(error.errors) == [1]
    assert bigquery_server.rows(f"SELECT * FROM {parcels}") == []


@pytest.mark.usefixtures("parcels")
async def test_rows_that_bigquery_refuses_are_named(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    def refuse(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any]:
        stopped = {"index": 0, "errors": [{"reason": "stopped", "message": ""}]}
        invalid = {"index": 1, "errors": [{"reason": "invalid", "location": "day", "message": "Invalid date: 'x'"}]}
        return {**answer, "insertErrors": [stopped, invalid]}

    bigquery_front.change("tabledata.insertAll", refuse)
    with pytest.raises(ValueError, match=r"row 1: Invalid date: 'x' \(column 'day'\)\. No row was inserted") as caught:
        await call(
            INSERT_STREAM,
            bigquery_dataset,
            "parcels",
            [{"id": 1}, {"id": 2, "day": "2026-01-01"}],
            fronted_bigquery,
        )
    assert "row 0" not in str(caught.value)


# loads


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "parcels.csv"
    path.write_text("id,name\n1,a\n2,b\n", encoding="utf-8")
    return path


CSV = {"source_format": "CSV", "skip_leading_rows": 1}


@pytest.mark.parametrize("size", [None, 15], ids=["all", "as-many-bytes"])
async def test_a_file_is_loaded(
    call: Call,
    bigquery_server: BigQueryServer,
    bigquery_credentials: GcpCredentials,
    bigquery_dataset: str,
    csv_file: Path,
    size: int | None,
) -> None:
    job = await call(
        LOAD_FILE,
        bigquery_dataset,
        "parcels",
        csv_file,
        bigquery_credentials,
        schema=schema(),
        job_config=CSV,
        size=size,
    )
    stored: Any = pickle.loads(pickle.dumps(job))
    assert (stored.state, stored.output_rows, stored.job_id) == ("DONE", 2, job.job_id)
    assert bigquery_server.rows(f"SELECT * FROM {bigquery_dataset}.parcels ORDER BY id") == [(1, "a"), (2, "b")]


async def test_an_object_of_cloud_storage_is_loaded(
    call: Call, bigquery_server: BigQueryServer, bigquery_credentials: GcpCredentials, bigquery_dataset: str
) -> None:
    uri = bigquery_server.put_object("bucket", f"{bigquery_dataset}/parcels.csv", b"id,name\n1,a\n")
    job = await call(
        LOAD_CLOUD_STORAGE,
        bigquery_dataset,
        "parcels",
        uri,
        bigquery_credentials,
        schema=schema(),
        job_config=CSV,
    )
    assert (job.output_rows, bigquery_server.rows(f"SELECT * FROM {bigquery_dataset}.parcels")) == (1, [(1, "a")])


async def test_the_options_of_a_format_may_be_a_dictionary(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str, csv_file: Path
) -> None:
    options = {**CSV, "parquet_options": {"enable_list_inference": True}}
    await call(
        LOAD_FILE,
        bigquery_dataset,
        "parcels",
        csv_file,
        fronted_bigquery,
        schema=schema(),
        job_config=options,
    )
    sent = configuration(bigquery_front.calls_of("jobs.insert")[0], "load")
    assert sent["parquetOptions"] == {"enableListInference": True}
    assert options["parquet_options"] == {"enable_list_inference": True}


async def test_a_load_that_fails_says_which_file_and_which_row(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str, csv_file: Path
) -> None:
    def fail(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any]:
        first = {"reason": "invalid", "message": "Error while reading data, error message: too many errors"}
        row = {"reason": "invalid", "location": "gs://b/parcels.csv", "message": "Row 3: could not parse 'x' as INT64"}
        return {**answer, "status": {"state": "DONE", "errorResult": first, "errors": [first, row]}}

    bigquery_front.change("jobs.upload", fail)
    with pytest.raises(ValueError, match=r"BigQuery load prefect-.*Row 3: could not parse 'x'.*gs://b/parcels\.csv"):
        await call(LOAD_FILE, bigquery_dataset, "parcels", csv_file, fronted_bigquery, job_config=CSV)


# A stub in place of the client


def test_a_client_that_says_a_result_and_no_state_is_not_waited_for_for_ever() -> None:
    from prefect_gcp import GcpCredentials
    from prefect_gcp.bigquery import BigQueryWarehouse

    class StubbedCredentials(GcpCredentials):
        _block_type_name = "Stubbed GCP Credentials"

        def get_bigquery_client(self, project: str | None = None, location: str | None = None) -> Any:
            return client

    client = MagicMock(project="p")
    client.query.return_value.result.return_value = [(1, "a"), (2, "b")]
    stubbed = StubbedCredentials(project="p")
    assert bigquery_query.fn("SELECT 1", stubbed) == [(1, "a"), (2, "b")]
    assert bigquery_query.fn("SELECT 1", stubbed, result_transformer=len) == 2
    loaded = bigquery_load_cloud_storage.fn("d", "t", "gs://b/k", stubbed)
    assert loaded is client.load_table_from_uri.return_value
    with BigQueryWarehouse(gcp_credentials=stubbed) as warehouse:
        assert warehouse.fetch_all("SELECT 1") == [(1, "a"), (2, "b")]
