"""The local Databricks workspace, as databricks-sdk and plain HTTP clients see it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends._databricks.checks import BODIES
from prefect_integration_tests.backends.databricks import (
    CLIENT_ID,
    CLIENT_SECRET,
    TOKEN,
    WAREHOUSE,
    Databricks,
    StatementPlay,
    TaskPlay,
)

pytest.importorskip("databricks.sdk")

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service import jobs as sdk_jobs
from databricks.sdk.service import sql as sdk_sql

NOTEBOOK = {"notebook_task": {"notebook_path": "/Shared/etl"}}


@pytest.fixture
def sdk(databricks: Databricks) -> WorkspaceClient:
    """The vendor's own client."""
    return WorkspaceClient(config=Config(host=databricks.endpoint, token=TOKEN, retry_timeout_seconds=5))


@pytest.fixture
def client(databricks: Databricks) -> Iterator[httpx.Client]:
    """A plain client."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=databricks.endpoint, headers=headers, trust_env=False) as opened:
        yield opened


def submit(client: httpx.Client, *tasks: dict[str, Any], **fields: Any) -> int:
    """Submit a run by API 2.1."""
    response = client.post("/api/2.1/jobs/runs/submit", json={"tasks": list(tasks), **fields})
    assert response.status_code == 200, response.text
    return response.json()["run_id"]


def get(client: httpx.Client, run_id: int, version: str = "2.1", **params: Any) -> dict[str, Any]:
    """Read a run."""
    response = client.get(f"/api/{version}/jobs/runs/get", params={"run_id": run_id, **params})
    assert response.status_code == 200, response.text
    return response.json()


def task(key: str, *needed: str, **fields: Any) -> dict[str, Any]:
    """A task after others."""
    return {"task_key": key, "depends_on": [{"task_key": each} for each in needed], **NOTEBOOK, **fields}


def wait_until_ended(databricks: Databricks, run_id: int) -> None:
    """Wait for programs."""
    poll(lambda: databricks.result_of(run_id) or None, subject="The end", interval_seconds=0.02, timeout_seconds=20)


def test_the_sdk_creates_runs_and_reads_a_job(sdk: WorkspaceClient, databricks: Databricks) -> None:
    databricks.script("main", TaskPlay(output="42"))
    settings = sdk_jobs.Task(task_key="main", notebook_task=sdk_jobs.NotebookTask(notebook_path="/Shared/etl"))
    job_id = sdk.jobs.create(name="Nightly", tasks=[settings]).job_id
    assert job_id is not None
    run = sdk.jobs.run_now(job_id).result()
    assert run.state is not None
    assert run.state.result_state is sdk_jobs.RunResultState.SUCCESS
    assert run.status is not None
    assert run.status.termination_details is not None
    assert run.status.termination_details.code is sdk_jobs.TerminationCodeCode.SUCCESS
    assert run.tasks is not None
    output = sdk.jobs.get_run_output(run.tasks[0].run_id or 0)
    assert output.notebook_output is not None
    assert output.notebook_output.result == "42"
    assert [job.job_id for job in sdk.jobs.list()] == [job_id]
    assert [each.run_id for each in sdk.jobs.list_runs(job_id=job_id)] == [run.run_id]
    sdk.jobs.update(job_id, new_settings=sdk_jobs.JobSettings(name="Daily"))
    assert sdk.jobs.get(job_id).settings.name == "Daily"  # pyright: ignore[reportOptionalMemberAccess]
    sdk.jobs.delete(job_id)
    with pytest.raises(ResourceDoesNotExist):
        sdk.jobs.get(job_id)


@pytest.mark.parametrize("version", ["2.1", "2.2"])
@pytest.mark.parametrize("result", ["SUCCESS", "FAILED", "TIMEDOUT", "CANCELED", "SKIPPED", "INTERNAL_ERROR"])
def test_what_is_said_of_a_run_is_known_to_the_sdk(
    result: str, version: str, databricks: Databricks, client: httpx.Client
) -> None:
    databricks.script("a", TaskPlay(result=result, error="boom"))
    run_id = submit(client, task("a"), task("b", "a"))
    seen = get(client, run_id, version, include_history="true")
    assert_read_by_sdk(sdk_jobs.Run, seen)
    for each in seen["tasks"]:
        output = client.get(f"/api/{version}/jobs/runs/get-output", params={"run_id": each["run_id"]}).json()
        assert_read_by_sdk(sdk_jobs.RunOutput, output)


def assert_read_by_sdk(kind: Any, shown: dict[str, Any]) -> None:
    """A dataclass of the SDK takes every field of an answer."""
    read = kind.from_dict(shown).as_dict()
    assert _lost(shown, read) == []


def _lost(shown: Any, read: Any, at: str = "") -> list[str]:
    if isinstance(shown, dict):
        kept = {name: value for name, value in shown.items() if value not in (None, {}, [])}
        return [
            found
            for name, value in kept.items()
            if name not in ("format", "run_type", "job_id", "metadata")
            for found in (_lost(value, read[name], f"{at}.{name}") if name in read else [f"{at}.{name}"])
        ]
    if isinstance(shown, list):
        return [found for each, other in zip(shown, read, strict=True) for found in _lost(each, other, at)]
    return [] if shown == read else [f"{at}: {shown!r} is {read!r}"]


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        ("CreateJob", "create"),
        ("UpdateJob", "update"),
        ("ResetJob", "reset"),
        ("DeleteJob", "delete"),
        ("RunNow", "run_now"),
        ("SubmitRun", "submit"),
        ("CancelRun", "cancel_run"),
        ("CancelAllRuns", "cancel_all_runs"),
        ("DeleteRun", "delete_run"),
        ("RepairRun", "repair_run"),
    ],
)
def test_the_fields_of_bodies_are_those_of_the_sdk(operation: str, method: str) -> None:
    known = set(inspect.signature(getattr(sdk_jobs.JobsAPI, method)).parameters) - {"self"}
    assert set(BODIES[operation]) <= known | {"edit_mode"}


def test_a_run_goes_through_its_states_with_the_clock(databricks: Databricks, client: httpx.Client) -> None:
    databricks.script("a", TaskPlay(pending_seconds=60, seconds=60))
    run_id = submit(client, task("a"), task("b", "a"))
    seen: list[tuple[str, list[str]]] = []
    for _ in range(3):
        run = get(client, run_id)
        states = {each["task_key"]: each["state"]["life_cycle_state"] for each in run["tasks"]}
        seen.append((run["state"]["life_cycle_state"], [states["a"], states["b"]]))
        databricks.clock.advance(61)
    assert seen == [
        ("PENDING", ["PENDING", "BLOCKED"]),
        ("RUNNING", ["RUNNING", "BLOCKED"]),
        ("TERMINATED", ["TERMINATED", "TERMINATED"]),
    ]


def test_a_failed_task_stops_what_comes_after_it(databricks: Databricks, client: httpx.Client) -> None:
    databricks.script("a", TaskPlay(result="FAILED", error="ZeroDivisionError: division by zero", error_trace="trace"))
    run = get(client, submit(client, task("a"), task("b", "a"), task("c", "a", run_if="ALL_DONE")))
    results = {each["task_key"]: each["state"]["result_state"] for each in run["tasks"]}
    assert results == {"a": "FAILED", "b": "UPSTREAM_FAILED", "c": "SUCCESS"}
    assert run["state"]["result_state"] == "FAILED"
    of_run = client.get("/api/2.1/jobs/runs/get-output", params={"run_id": run["run_id"]})
    assert (of_run.status_code, "multiple tasks" in of_run.text) == (400, True)


def test_a_run_whose_leaves_succeed_has_succeeded_with_failures(databricks: Databricks, client: httpx.Client) -> None:
    databricks.script("a", TaskPlay(result="FAILED"))
    run = get(client, submit(client, task("a"), task("b", "a", run_if="ALL_DONE")), "2.2")
    assert run["state"]["result_state"] == "SUCCESS_WITH_FAILURES"
    assert run["status"]["termination_details"]["code"] == "SUCCESS_WITH_FAILURES"


def test_programs_and_notebooks_are_executed(databricks: Databricks, client: httpx.Client) -> None:
    databricks.add_notebook("/Shared/etl", "dbutils.notebook.exit('hello ' + dbutils.widgets.get('name'))")
    databricks.add_notebook("dbfs:/fail.py", "import sys\nprint('args', sys.argv[1:])\nraise ValueError('no rows')")
    databricks.script("c", TaskPlay(command=(sys.executable, "-c", "print('from a program')")))
    run_id = submit(
        client,
        {"task_key": "a", "notebook_task": {"notebook_path": "/Shared/etl", "base_parameters": {"name": "you"}}},
        {"task_key": "b", "spark_python_task": {"python_file": "dbfs:/fail.py", "parameters": ["x"]}},
        {"task_key": "c", "spark_python_task": {"python_file": "dbfs:/c.py"}},
    )
    wait_until_ended(databricks, run_id)
    assert databricks.result_of(run_id) == "FAILED"
    ids = {each["task_key"]: each["run_id"] for each in get(client, run_id)["tasks"]}
    outputs = {key: client.get("/api/2.1/jobs/runs/get-output", params={"run_id": ids[key]}).json() for key in ids}
    assert outputs["a"]["notebook_output"]["result"] == "hello you"
    assert outputs["b"]["logs"] == "args ['x']\n"
    assert outputs["b"]["error"] == "ValueError: no rows"
    assert "Traceback" in outputs["b"]["error_trace"]
    assert outputs["c"]["logs"] == "from a program\n"


def test_a_cancelled_run_ends_its_program(databricks: Databricks, client: httpx.Client) -> None:
    databricks.script("a", TaskPlay(command=(sys.executable, "-c", "import time; time.sleep(600)")))
    run_id = submit(client, task("a"))
    assert client.post("/api/2.1/jobs/runs/cancel", json={"run_id": run_id}).json() == {}
    wait_until_ended(databricks, run_id)
    assert databricks.result_of(run_id) == "CANCELED"


def test_cancelling_takes_its_time(databricks: Databricks, client: httpx.Client) -> None:
    databricks.jobs_api.cancel_seconds = 30
    databricks.jobs_api.play = TaskPlay(seconds=None)
    run_id = submit(client, task("a"))
    client.post("/api/2.1/jobs/runs/cancel", json={"run_id": run_id})
    assert get(client, run_id)["state"]["life_cycle_state"] == "TERMINATING"
    databricks.clock.advance(31)
    assert get(client, run_id)["state"]["result_state"] == "CANCELED"


def test_a_token_starts_one_run(databricks: Databricks, client: httpx.Client) -> None:
    job_id = databricks.add_job()
    bodies = [{"job_id": job_id, "idempotency_token": "t"}] * 2
    ids = {client.post("/api/2.2/jobs/run-now", json=body).json()["run_id"] for body in bodies}
    assert len(ids) == 1
    assert len({submit(client, task("a"), idempotency_token="u") for _ in range(2)}) == 1
    assert (
        client.post("/api/2.1/jobs/run-now", json={"job_id": job_id, "idempotency_token": "x" * 65}).status_code == 400
    )


def test_repairs_run_what_has_failed(databricks: Databricks, client: httpx.Client) -> None:
    databricks.script("b", TaskPlay(result="FAILED"))
    run_id = submit(client, task("a"), task("b", "a"), task("c", "b"))
    body = {"run_id": run_id, "rerun_all_failed_tasks": True}
    repair_id = client.post("/api/2.1/jobs/runs/repair", json=body).json()["repair_id"]
    run = get(client, run_id, include_history="true")
    assert run["state"]["result_state"] == "SUCCESS"
    assert sorted((each["task_key"], each["attempt_number"]) for each in run["tasks"]) == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
        ("c", 0),
        ("c", 1),
    ]
    assert run["repair_history"][1]["id"] == repair_id
    assert client.post("/api/2.1/jobs/runs/repair", json={**body, "rerun_tasks": ["a"]}).status_code == 400


def test_the_queue_and_the_limit_of_runs(databricks: Databricks, client: httpx.Client) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=60)
    queued, skipping = databricks.add_job(queue={"enabled": True}), databricks.add_job()
    for job_id in (queued, queued, skipping, skipping):
        client.post("/api/2.1/jobs/run-now", json={"job_id": job_id})
    assert [run["state"]["life_cycle_state"] for run in databricks.runs] == ["RUNNING", "QUEUED", "RUNNING", "SKIPPED"]
    databricks.clock.advance(61)
    assert databricks.runs[1]["state"]["life_cycle_state"] == "RUNNING"


def test_job_parameters_reach_the_run(databricks: Databricks, client: httpx.Client) -> None:
    job_id = databricks.add_job(parameters=[{"name": "day", "default": "1"}, {"name": "mode", "default": "full"}])
    body = {"job_id": job_id, "job_parameters": {"day": "2"}}
    run_id = client.post("/api/2.1/jobs/run-now", json=body).json()["run_id"]
    assert [each["value"] for each in get(client, run_id)["job_parameters"]] == ["2", "full"]
    refused = client.post("/api/2.1/jobs/run-now", json={"job_id": job_id, "notebook_params": {"a": "b"}})
    assert refused.status_code == 400


def test_lists_come_by_page(databricks: Databricks, client: httpx.Client) -> None:
    ids = [databricks.add_job(name=f"job {number}") for number in range(5)]
    first = client.get("/api/2.1/jobs/list", params={"limit": 2}).json()
    assert [each["job_id"] for each in first["jobs"]] == ids[:-3:-1]
    second = client.get("/api/2.1/jobs/list", params={"limit": 2, "page_token": first["next_page_token"]}).json()
    by_offset = client.get("/api/2.1/jobs/list", params={"limit": 2, "offset": 2}).json()
    assert second["jobs"] == by_offset["jobs"]
    assert client.get("/api/2.1/jobs/list", params={"limit": 101}).status_code == 400
    assert "tasks" not in first["jobs"][0]["settings"]


def test_tasks_of_a_large_run_come_by_page_in_2_2(client: httpx.Client) -> None:
    run_id = submit(client, *(task(f"t{number}") for number in range(150)))
    first = get(client, run_id, "2.2")
    second = get(client, run_id, "2.2", page_token=first["next_page_token"])
    assert (len(first["tasks"]), len(second["tasks"]), "next_page_token" in second) == (100, 50, False)
    assert len(get(client, run_id)["tasks"]) == 150


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/2.1/jobs/run-now", {}),
        ("/api/2.1/jobs/run-now", {"job_id": "7"}),
        ("/api/2.1/jobs/run-now", {"job_id": 7}),
        ("/api/2.1/jobs/runs/submit", {}),
        ("/api/2.1/jobs/runs/submit", {"tasks": [{"task_key": "a"}]}),
        ("/api/2.1/jobs/runs/submit", {"tasks": [task("a", "b")]}),
        ("/api/2.1/jobs/runs/cancel", {"run_id": 7}),
        ("/api/2.0/sql/statements", {"statement": "SELECT 1"}),
        ("/api/2.0/sql/statements", {"statement": "SELECT 1", "warehouse_id": "none"}),
        ("/api/2.0/sql/statements", {"statement": "SELECT 1", "warehouse_id": WAREHOUSE, "wait_timeout": "1s"}),
    ],
)
def test_requests_are_checked(path: str, body: dict[str, Any], client: httpx.Client) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["error_code"] in ("INVALID_PARAMETER_VALUE", "MALFORMED_REQUEST")


def test_tokens_are_asked_for_and_expire(databricks: Databricks) -> None:
    with httpx.Client(base_url=databricks.endpoint, trust_env=False) as client:
        assert client.get("/api/2.1/jobs/list").status_code == 401
        assert client.get("/api/2.1/jobs/list", headers={"Authorization": "Bearer no"}).status_code == 403
        form = {"grant_type": "client_credentials", "scope": "all-apis"}
        assert client.post("/oidc/v1/token", data=form, auth=(CLIENT_ID, "no")).status_code == 401
        granted = client.post("/oidc/v1/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET)).json()
        header = {"Authorization": f"Bearer {granted['access_token']}"}
        assert client.get("/api/2.1/jobs/list", headers=header).status_code == 200
        databricks.clock.advance(granted["expires_in"] + 1)
        assert client.get("/api/2.1/jobs/list", headers=header).status_code == 401


def test_the_sdk_signs_in_as_a_service_principal(databricks: Databricks) -> None:
    config = Config(host=databricks.endpoint, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, auth_type="oauth-m2m")
    assert WorkspaceClient(config=config).current_user.me().user_name == "tests@example.com"
    with pytest.raises(PermissionDenied):
        WorkspaceClient(config=Config(host=databricks.endpoint, token="no", retry_timeout_seconds=1)).current_user.me()


def test_faults_strike_before_or_after_the_effect(databricks: Databricks, client: httpx.Client) -> None:
    databricks.fail("SubmitRun", 429, retry_after="7")
    refused = client.post("/api/2.1/jobs/runs/submit", json={"tasks": [task("a")]})
    assert (refused.status_code, refused.headers["Retry-After"], len(databricks.runs)) == (429, "7", 0)
    databricks.fail("SubmitRun", when="lost")
    with pytest.raises(httpx.TransportError):
        submit(client, task("a"))
    assert len(databricks.runs) == 1


def test_the_sdk_executes_statements(sdk: WorkspaceClient, databricks: Databricks) -> None:
    databricks.sql.execute("CREATE TABLE orders AS SELECT i AS id, 'it''s ' || i AS name FROM range(10) t(i)")
    answer = sdk.statement_execution.execute_statement(
        "SELECT id, name FROM IDENTIFIER(:table) WHERE id < :most AND name <> ':most' ORDER BY id",
        WAREHOUSE,
        parameters=[
            sdk_sql.StatementParameterListItem(name="most", type="INT", value="2"),
            sdk_sql.StatementParameterListItem(name="table", value="orders"),
        ],
    )
    assert answer.result is not None
    assert answer.result.data_array == [["0", "it's 0"], ["1", "it's 1"]]
    assert answer.manifest is not None
    assert answer.manifest.schema is not None
    assert [each.type_text for each in answer.manifest.schema.columns or []] == ["BIGINT", "STRING"]


@pytest.mark.parametrize("kind", ["JSON_ARRAY", "ARROW_STREAM"])
def test_results_come_in_chunks_behind_links(kind: str, databricks: Databricks, client: httpx.Client) -> None:
    databricks.sql.rows_per_chunk = 4
    fields = {"warehouse_id": WAREHOUSE, "disposition": "EXTERNAL_LINKS", "format": kind}
    body = {"statement": "SELECT i FROM range(10) t(i)", **fields}
    answer = client.post("/api/2.0/sql/statements", json=body).json()
    assert answer["manifest"]["total_chunk_count"] == 3
    link = answer["result"]["external_links"][0]
    assert link["next_chunk_index"] == 1
    assert client.get(link["external_link"]).status_code == 400
    with httpx.Client(trust_env=False) as stranger:
        content = stranger.get(link["external_link"]).content
        databricks.clock.advance(901)
        assert stranger.get(link["external_link"]).status_code == 403
    if kind == "JSON_ARRAY":
        assert content == b'[["0"], ["1"], ["2"], ["3"]]'
    else:
        pa = pytest.importorskip("pyarrow")
        assert pa.ipc.open_stream(content).read_all().to_pydict() == {"i": [0, 1, 2, 3]}
    assert client.get(link["next_chunk_internal_link"]).json()["external_links"][0]["chunk_index"] == 1


def test_statements_take_their_time_and_are_cancelled(databricks: Databricks, client: httpx.Client) -> None:
    databricks.sql.plays = [StatementPlay(pending_seconds=30, seconds=30), StatementPlay(seconds=None)]
    body = {"statement": "SELECT 1", "warehouse_id": WAREHOUSE, "wait_timeout": "5s"}
    first, second = (client.post("/api/2.0/sql/statements", json=body).json()["statement_id"] for _ in range(2))

    def state(statement_id: str) -> str:
        return client.get(f"/api/2.0/sql/statements/{statement_id}").json()["status"]["state"]

    assert (state(first), state(second)) == ("PENDING", "RUNNING")
    databricks.clock.advance(31)
    assert state(first) == "RUNNING"
    client.post(f"/api/2.0/sql/statements/{second}/cancel")
    databricks.clock.advance(31)
    assert (state(first), state(second)) == ("SUCCEEDED", "CANCELED")
    databricks.clock.advance(3700)
    assert state(first) == "CLOSED"


def test_a_statement_that_fails_says_why(databricks: Databricks, client: httpx.Client) -> None:
    body = {"statement": "SELECT * FROM nowhere", "warehouse_id": WAREHOUSE}
    status = client.post("/api/2.0/sql/statements", json=body).json()["status"]
    assert (status["state"], "nowhere" in status["error"]["message"]) == ("FAILED", True)
