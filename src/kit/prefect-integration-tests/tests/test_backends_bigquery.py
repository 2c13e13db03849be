"""The BigQuery emulator and the front before it: what BigQuery does, and what tests ask for."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_integration_tests.backends.bigquery import BigQueryFront, BigQueryServer


@pytest.fixture
def client(bigquery_server: BigQueryServer, bigquery_front: BigQueryFront) -> Any:
    return bigquery_server.client(client_options={"api_endpoint": bigquery_front.endpoint})


def test_rows_and_objects_are_kept(bigquery_server: BigQueryServer, bigquery_dataset: str) -> None:
    bigquery_server.rows(f"CREATE TABLE {bigquery_dataset}.t AS SELECT 7 AS n")
    assert bigquery_server.rows(f"SELECT n FROM {bigquery_dataset}.t") == [(7,)]
    uri = bigquery_server.put_object("bucket", f"{bigquery_dataset}.csv", b"n\n1\n")
    assert (uri, (bigquery_server.objects / uri.removeprefix("gs://")).read_bytes()) == (
        f"gs://bucket/{bigquery_dataset}.csv",
        b"n\n1\n",
    )


def test_a_job_id_can_be_used_once(client: Any, bigquery_dataset: str) -> None:
    from google.api_core.exceptions import Conflict

    client.query("SELECT 1", job_id=bigquery_dataset, job_retry=None).result()
    with pytest.raises(Conflict, match="Already Exists"):
        client.query("SELECT 1", job_id=bigquery_dataset, job_retry=None)


@pytest.mark.parametrize(("when", "is_done"), [("before", False), ("after", True), ("lost", True), ("cut", False)])
def test_a_spoiled_request_is_done_or_not(
    client: Any,
    bigquery_server: BigQueryServer,
    bigquery_front: BigQueryFront,
    bigquery_dataset: str,
    when: Any,
    is_done: bool,
) -> None:
    bigquery_server.rows(f"CREATE TABLE {bigquery_dataset}.t (n INT64)")
    bigquery_front.fail("jobs.insert", when=when)
    with pytest.raises(Exception, match=r"Visibility check|Connection|aborted|reset"):
        client.query(f"INSERT INTO {bigquery_dataset}.t VALUES (1)", retry=None, job_retry=None)
    assert bigquery_server.rows(f"SELECT COUNT(*) FROM {bigquery_dataset}.t") == [(int(is_done),)]


def test_a_held_job_runs_until_it_is_cancelled(client: Any, bigquery_front: BigQueryFront) -> None:
    bigquery_front.hold_jobs()
    job = client.query("SELECT 1", job_id=None, job_retry=None)
    assert (job.state, job.done()) == ("RUNNING", False)
    job.cancel()
    job.reload()
    assert job.error_result["reason"] == "stopped"
