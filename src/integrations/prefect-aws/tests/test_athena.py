"""A query is started once, followed to its end, stopped when nobody waits for it, and its rows are Python values."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import flow

from prefect_aws import AwsCredentials, athena, errors
from prefect_aws._athena_values import converter, literal
from prefect_aws.athena import aquery, astart_query_and_wait, query, read_rows, start_query_and_wait
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

RUN = (start_query_and_wait.fn, astart_query_and_wait.fn)
QUERY = (query.fn, aquery.fn)
BOTH = [RUN, QUERY]


def execution(state: str, *, status: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    statistics = {"DataScannedInBytes": 2048, "EngineExecutionTimeInMillis": 7}
    found = {
        "QueryExecutionId": "q-1",
        "StatementType": "DML",
        "WorkGroup": "primary",
        "ResultConfiguration": {"OutputLocation": "s3://results/q-1.csv"},
        "Statistics": statistics,
        "Status": {"State": state, **(status or {})},
    }
    return {"QueryExecution": {**found, **more}}


def page(columns: dict[str, str], *rows: list[str | None], token: str | None = None) -> dict[str, Any]:
    info = [{"Name": name, "Label": name, "Type": kind} for name, kind in columns.items()]
    data = [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in rows]
    answer: dict[str, Any] = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": info}}}
    return answer if token is None else {**answer, "NextToken": token}


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("athena")
    stub.respond("StartQueryExecution", {"QueryExecutionId": "q-1"})
    stub.respond("GetQueryExecution", execution("SUCCEEDED"))
    stub.respond("GetQueryResults", page({"n": "integer"}, ["n"], ["1"]))
    stub.respond("StopQueryExecution", {})
    return stub


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(athena, "_clock", fake_clock)
    return fake_clock


# Queries


async def test_a_query_of_the_emulator_returns_its_rows(
    aws_emulator: Any, aws_credentials: AwsCredentials, call: Any
) -> None:
    bucket = aws_emulator.new_bucket()
    result = await call(
        QUERY, "SELECT 42 AS answer", aws_credentials, output_location=f"s3://{bucket}/", interval_seconds=0.05
    )
    assert result.rows == [(42,)]
    assert [column.name for column in result.columns] == ["answer"]
    assert result.execution.output_location.startswith(f"s3://{bucket}/")


async def test_a_query_is_followed_to_its_end_and_its_cost_told(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stub.respond("GetQueryExecution", execution("QUEUED"), execution("RUNNING"), execution("SUCCEEDED"))
    with caplog.at_level(logging.INFO):
        result = await call(RUN, "SELECT 1", credentials)
    assert clock.sleeps == [2.0, 2.0]
    assert (result.query_execution_id, result.bytes_scanned, result.execution_ms) == ("q-1", 2048, 7)
    assert (result.statement_type, result.workgroup, result.reused) == ("DML", "primary", False)
    assert "2048 bytes scanned" in caplog.text
    assert pickle.loads(pickle.dumps(result)) == result


async def test_all_options_reach_the_service(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    reused = {"DataScannedInBytes": 0, "ResultReuseInformation": {"ReusedPreviousResult": True}}
    stub.respond("GetQueryExecution", execution("SUCCEEDED", Statistics=reused))
    options = {
        "parameters": ["it's", 3, None],
        "database": "shop",
        "catalog": "lake",
        "workgroup": "nightly",
        "output_location": "s3://results/here/",
        "reuse_minutes": 60,
        "EngineConfiguration": {"MaxConcurrentDpus": 4},
    }
    result = await call(RUN, "SELECT ?, ?, ?", credentials, **options)
    assert result.reused
    sent = dict(stub.calls[0].parameters)
    assert len(sent.pop("ClientRequestToken")) >= 32
    assert sent == {
        "QueryString": "SELECT ?, ?, ?",
        "ExecutionParameters": ["'it''s'", "3", "NULL"],
        "QueryExecutionContext": {"Database": "shop", "Catalog": "lake"},
        "WorkGroup": "nightly",
        "ResultConfiguration": {"OutputLocation": "s3://results/here/"},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}},
        "EngineConfiguration": {"MaxConcurrentDpus": 4},
    }


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
async def test_a_failure_says_why_and_whether_to_try_again(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, state: str
) -> None:
    error = {"ErrorCategory": 2, "ErrorType": 1006, "Retryable": True, "ErrorMessage": "other words"}
    status = {"StateChangeReason": "TABLE_NOT_FOUND: line 1:15", "AthenaError": error}
    stub.respond("GetQueryExecution", execution("RUNNING"), execution(state, status=status))
    with pytest.raises(RuntimeError, match=rf"Athena query q-1 ended as {state}: TABLE_NOT_FOUND: line 1:15") as caught:
        await call(QUERY, "SELECT * FROM nowhere", credentials)
    assert isinstance(caught.value, errors.AwsJobFailed)
    assert "an error of the query or its data (type 1006)" in str(caught.value)
    assert "tried again" in str(caught.value)
    assert stub.calls_of("StopQueryExecution") == []


@pytest.mark.parametrize("faces", BOTH, ids=["run", "query"])
async def test_passing_faults_are_outlasted_with_one_token(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, faces: Any
) -> None:
    for operation in ("StartQueryExecution", "GetQueryExecution", "GetQueryResults"):
        for fault in (Fault.THROTTLED, Fault.INTERNAL, HangUp()):
            stub.fail(operation, fault, times=1)
    await call(faces, "SELECT 1", credentials)
    assert len({call.parameters["ClientRequestToken"] for call in stub.calls_of("StartQueryExecution")}) == 1


async def test_a_refusal_is_raised_at_once_and_names_workgroup_and_database(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.fail("StartQueryExecution", "InvalidRequestException", "WorkGroup nightly is not found.")
    with pytest.raises(errors.AwsInvalidRequest, match=r"workgroup 'nightly', database 'shop'.*is not found"):
        await call(RUN, "SELECT 1", credentials, workgroup="nightly", database="shop")
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"statement": " \n"}, "the statement is empty"),
        ({"output_location": "results/"}, "output_location is 'results/'"),
        ({"reuse_minutes": 0}, "reuse_minutes is 0"),
        ({"parameters": ["a", ["b"]]}, "parameter 2 is a list"),
        ({"parameters": [float("nan")]}, "parameter 1 is a float"),
        ({"parameters": ["x" * 1023]}, "parameter 1 has 1025 characters"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0"),
    ],
)
@pytest.mark.parametrize("faces", BOTH, ids=["run", "query"])
async def test_bad_arguments_are_refused_before_any_request(
    stub: Any, credentials: AwsCredentials, call: Any, faces: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=said):
        await call(faces, **{"statement": "SELECT 1", "aws_credentials": credentials, **arguments})
    assert stub.calls == []


async def test_a_query_out_of_time_is_stopped(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("GetQueryExecution", execution("RUNNING"))
    with pytest.raises(errors.AwsWaitTimeout, match=r"q-1 was not there after 5 seconds.*It was stopped"):
        await call(QUERY, "SELECT 1", credentials, timeout_seconds=5)
    assert [call.parameters for call in stub.calls_of("StopQueryExecution")] == [{"QueryExecutionId": "q-1"}]


async def test_a_cancelled_wait_stops_the_query(stub: Any, credentials: AwsCredentials) -> None:
    looked = threading.Event()

    def look(_: Any) -> Any:
        looked.set()
        return execution("RUNNING")

    stub.respond("GetQueryExecution", look)
    waiting = asyncio.create_task(aquery.fn("SELECT 1", credentials))
    await asyncio.to_thread(looked.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(stub.calls_of("StopQueryExecution")) == 1


def test_a_retried_task_takes_over_what_runs_and_starts_anew_after_a_failure(
    prefect_harness: None, stub: Any, credentials: AwsCredentials, clock: Any
) -> None:
    """The service gives a known token its query back: that is scripted here."""
    started: dict[str, str] = {}
    looks: list[str] = []

    def start(asked: Any) -> Any:
        token = asked.parameters["ClientRequestToken"]
        return {"QueryExecutionId": started.setdefault(token, f"q-{len(started) + 1}")}

    def look(asked: Any) -> Any:
        name = asked.parameters["QueryExecutionId"]
        looks.append(name)
        if looks == ["q-1"]:
            return Fault.ACCESS_DENIED  # the first try loses sight of its query, which goes on
        return execution("FAILED" if name == "q-1" else "SUCCEEDED", QueryExecutionId=name)

    stub.respond("StartQueryExecution", start)
    stub.respond("GetQueryExecution", look)

    @flow
    def retried() -> Any:
        with_retries = start_query_and_wait.with_options(retries=1, retry_delay_seconds=0)
        return with_retries("SELECT 1", credentials).query_execution_id, start_query_and_wait("SELECT 1", credentials)

    first, other = retried()
    assert (first, other.query_execution_id) == ("q-2", "q-3")
    tokens = list(started)
    assert tokens[1] == f"{tokens[0]}-2"


# Rows


async def test_values_are_python_s_and_null_is_no_empty_text(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    columns = {"i": "bigint", "t": "varchar", "e": "varchar", "n": "varchar", "d": "date", "a": "array(integer)"}
    stub.respond("GetQueryResults", page(columns, list(columns), ["7", "tea", "", None, "2026-05-04", "[1, 2]"]))
    result = await call(QUERY, "SELECT ...", credentials)
    assert result.rows == [(7, "tea", "", None, date(2026, 5, 4), "[1, 2]")]
    assert [(column.name, column.type) for column in result.columns] == list(columns.items())
    as_dicts = await call(QUERY, "SELECT ...", credentials, rows_as="dicts")
    assert as_dicts.rows[0]["n"] is None
    assert as_dicts.rows[0]["i"] == 7


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "true", True),
        ("tinyint", "-1", -1),
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("double", "1.5E300", 1.5e300),
        ("real", "Infinity", float("inf")),
        ("decimal(38,2)", "12345678901234567890123456789012.10", Decimal("12345678901234567890123456789012.10")),
        ("date", "12000-01-01", "12000-01-01"),
        ("time", "03:04:05.120", time(3, 4, 5, 120000)),
        ("timestamp", "2026-05-04 03:04:05.123", datetime.fromisoformat("2026-05-04T03:04:05.123000")),
        ("timestamp", "2026-05-04 03:04:05.123456789", datetime.fromisoformat("2026-05-04T03:04:05.123456")),
        ("timestamp", "2026-05-04 03:04:05", datetime.fromisoformat("2026-05-04T03:04:05")),
        ("timestamp with time zone", "2026-05-04 03:04:05.000 UTC", datetime(2026, 5, 4, 3, 4, 5, tzinfo=timezone.utc)),
        (
            "timestamp with time zone",
            "2026-05-04 03:04:05.000 Europe/Berlin",
            datetime(2026, 5, 4, 3, 4, 5, tzinfo=ZoneInfo("Europe/Berlin")),
        ),
        (
            "timestamp with time zone",
            "2026-05-04 03:04:05.000 -05:30",
            datetime(2026, 5, 4, 3, 4, 5, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
        ),
        ("timestamp with time zone", "2026-05-04 03:04:05.000 Mars/Olympus", "2026-05-04 03:04:05.000 Mars/Olympus"),
        ("varbinary", "00 ff 61", b"\x00\xffa"),
        ("json", '{"a": 1}', '{"a": 1}'),
        ("interval day to second", "1 00:00:00.000", "1 00:00:00.000"),
    ],
)
def test_each_type_is_read(kind: str, text: str, value: Any) -> None:
    found = converter(kind)(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "TRUE"),
        (1.5, "1.5E0"),
        (1e300, "1E+300"),
        (Decimal("1.50"), "DECIMAL '1.50'"),
        (b"\x00a", "X'0061'"),
        (date(2026, 5, 4), "DATE '2026-05-04'"),
        (datetime.fromisoformat("2026-05-04T03:04"), "TIMESTAMP '2026-05-04 03:04:00.000000'"),
        (
            datetime(2026, 5, 4, tzinfo=timezone(-timedelta(minutes=90))),
            "TIMESTAMP '2026-05-04 00:00:00.000000 -01:30'",
        ),
        (time(3, 4), "TIME '03:04:00'"),
        (float("inf"), None),
        (Decimal("NaN"), None),
        ({}, None),
    ],
)
def test_each_value_is_written_as_a_literal(value: Any, text: str | None) -> None:
    assert literal(value) == text


def test_numbers_of_numpy_are_literals_too() -> None:
    np: Any = pytest.importorskip("numpy", reason="The numbers are those of numpy.")
    numbers = np.int64(5), np.float64(1.5), np.float32(0.5), np.float64("nan")
    assert [literal(number) for number in numbers] == ["5", "1.5E0", "0.5E0", None]


@given(st.text())
def test_a_text_cannot_leave_its_quotes(text: str) -> None:
    written = literal(text)
    assert written is not None
    inside = written[1:-1]
    assert (written[0], written[-1], inside.replace("''", "")) == ("'", "'", text.replace("'", ""))
    assert inside.replace("''", "'") == text


async def test_rows_are_read_page_by_page_in_bounded_memory(stub: Any, credentials: AwsCredentials, clock: Any) -> None:
    columns = {"n": "integer"}

    def results(asked: Any) -> Any:
        number = int(asked.parameters.get("NextToken", "0"))
        header = [["n"]] if number == 0 else []
        rows = [[str(number * 10 + place)] for place in range(3)]
        return page(columns, *header, *rows, token=str(number + 1) if number < 3 else None)

    stub.respond("GetQueryResults", results)
    rows = read_rows("q-1", credentials)
    assert stub.calls == []
    in_thread = await asyncio.to_thread(list, rows)
    assert in_thread == [(number * 10 + place,) for number in range(4) for place in range(3)]
    assert [row async for row in rows] == in_thread
    reading = iter(read_rows("q-1", credentials))
    before = len(stub.calls_of("GetQueryResults"))
    assert next(reading) == (0,)
    assert len(stub.calls_of("GetQueryResults")) == before + 1
    assert [column.name for column in read_rows("q-1", credentials).columns] == ["n"]


async def test_rows_are_cut_when_asked(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    stub.respond("GetQueryResults", page({"n": "integer"}, ["n"], ["1"], ["2"], ["3"], token="more"))
    result = await call(QUERY, "SELECT n", credentials, max_rows=2)
    assert (result.rows, result.is_complete) == ([(1,), (2,)], False)
    assert len(stub.calls_of("GetQueryResults")) == 1
    with pytest.raises(errors.AwsInvalidRequest, match="max_rows is -1"):
        await call(QUERY, "SELECT n", credentials, max_rows=-1)


async def test_only_queries_have_a_header_to_skip(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    stub.respond("GetQueryExecution", execution("SUCCEEDED", StatementType="UTILITY"))
    stub.respond("GetQueryResults", page({"tab_name": "string"}, ["tab_name"], ["parcels"]))
    assert (await call(QUERY, "SHOW TABLES", credentials)).rows == [("tab_name",), ("parcels",)]
    stub.respond("GetQueryExecution", execution("SUCCEEDED"))
    stub.respond("GetQueryResults", page({"rows": "bigint"}, ["5"]))
    assert (await call(QUERY, "INSERT INTO ...", credentials)).rows == [(5,)]


async def test_twin_columns_are_refused_as_dictionaries(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    answer = page({"n": "integer"}, ["n", "n"], ["1", "2"])
    answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"] *= 2
    stub.respond("GetQueryResults", answer)
    assert (await call(QUERY, "SELECT n, n", credentials)).rows == [(1, 2)]
    with pytest.raises(errors.AwsInvalidRequest, match="more than one column is called n"):
        await call(QUERY, "SELECT n, n", credentials, rows_as="dicts")
    with pytest.raises(errors.AwsInvalidRequest, match="rows_as is 'frames'"):
        await call(QUERY, "SELECT n, n", credentials, rows_as="frames")


def test_rows_of_a_query_that_did_not_succeed_are_an_error(stub: Any, credentials: AwsCredentials) -> None:
    stub.respond("GetQueryExecution", execution("RUNNING"), execution("FAILED"))
    with pytest.raises(errors.AwsInvalidRequest, match="has not ended"):
        list(read_rows("q-1", credentials))
    with pytest.raises(errors.AwsJobFailed):
        list(read_rows("q-1", credentials))


async def test_values_of_parameters_stay_out_of_errors(
    stub: Any, credentials: AwsCredentials, call: Any, canary: str
) -> None:
    stub.fail("StartQueryExecution", "InvalidRequestException", f"cannot bind '{canary}'")
    with pytest.raises(errors.AwsInvalidRequest) as caught:
        await call(RUN, "SELECT ?", credentials, parameters=[canary])
    assert canary not in str(caught.value)


async def test_flows_of_both_kinds_query(prefect_harness: None, stub: Any, credentials: AwsCredentials) -> None:
    @flow
    def sync_flow() -> Any:
        return query("SELECT 1", credentials).rows

    @flow
    async def async_flow() -> Any:
        return (await query("SELECT 1", credentials)).rows + (await aquery("SELECT 1", credentials)).rows

    assert sync_flow() == [(1,)]
    assert await async_flow() == [(1,), (1,)]
