"""The local Snowpark Container Services: the connector signs in, statements are checked, containers are processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_integration_tests.backends.snowpark import POOL, Snowpark
from prefect_integration_tests.backends.snowpark_spec import read_specification
from prefect_integration_tests.backends.snowpark_sql import SqlError, command_of

snowflake = pytest.importorskip("snowflake.connector")

SPEC = {"spec": {"containers": [{"name": "main", "image": "/d/s/r/i:1", "args": ["sh", "-c", "echo hi; exit 3"]}]}}


@pytest.fixture
def server() -> Iterator[Snowpark]:
    with Snowpark() as made:
        yield made


@pytest.fixture
def connection(server: Snowpark) -> Iterator[Any]:
    connection = snowflake.connect(**server.fields, database="FLOWS", schema="RUNS")
    yield connection
    connection.close()


def run(connection: Any, text: str, *values: Any) -> list[dict[str, Any]]:
    with connection.cursor(snowflake.DictCursor) as cursor:
        return cursor.execute(text, values or None).fetchall()


def execute(connection: Any, name: str = "JOB", spec: Any = SPEC, **options: str) -> list[dict[str, Any]]:
    more = " ".join(f"{key} = {value}" for key, value in options.items())
    text = f"EXECUTE JOB SERVICE IN COMPUTE POOL {POOL} NAME = FLOWS.RUNS.{name} ASYNC = TRUE {more}"
    return run(connection, f"{text} FROM SPECIFICATION $${json.dumps(spec)}$$")


def ended(server: Snowpark, connection: Any, name: str = "JOB") -> dict[str, Any]:
    job = next(job for job in server.jobs if job.name[-1] == name)
    if job._process is not None:
        job._process.wait(20)
    while (row := run(connection, f"DESCRIBE SERVICE FLOWS.RUNS.{name}")[0])["status"] not in {"DONE", "FAILED"}:
        pass
    return row


def test_a_job_is_a_process_with_a_state_an_exit_code_and_output(server: Snowpark, connection: Any) -> None:
    execute(connection)
    assert ended(server, connection)["status"] == "FAILED"
    container = run(connection, "SHOW SERVICE CONTAINERS IN SERVICE FLOWS.RUNS.JOB")[0]
    assert (container["status"], container["last_exit_code"]) == ("FAILED", "3")
    logs = run(connection, "CALL SYSTEM$GET_SERVICE_LOGS(%s, %s, %s, %s)", "FLOWS.RUNS.JOB", "0", "main", 10)
    assert list(logs[0].values()) == ["hi"]


def test_bound_values_and_quoted_ones_are_the_same(server: Snowpark) -> None:
    with snowflake.connect(**server.fields, paramstyle="qmark") as connection:
        execute(connection)
        ended(server, connection)
        found = run(connection, "CALL SYSTEM$GET_SERVICE_LOGS(?, ?, ?)", "FLOWS.RUNS.JOB", "0", "main")
    assert list(found[0].values()) == ["hi"]


def test_a_name_may_stand_in_an_identifier_literal(server: Snowpark, connection: Any) -> None:
    text = "EXECUTE JOB SERVICE IN COMPUTE POOL IDENTIFIER(%s) NAME = IDENTIFIER('FLOWS.runs.JOB') ASYNC = TRUE"
    run(connection, f"{text} FROM SPECIFICATION $${json.dumps(SPEC)}$$", POOL)
    assert [job.name for job in server.jobs] == [("FLOWS", "RUNS", "JOB")]
    assert run(connection, "DESCRIBE SERVICE IDENTIFIER(%s)", "FLOWS.RUNS.JOB")[0]["name"] == "JOB"
    for wrong in ("IDENTIFIER('FLOWS.RUNS.JOB'", "IDENTIFIER('FLOWS RUNS')", "IDENTIFIER(JOB)", "IDENTIFIER('')"):
        with pytest.raises(snowflake.errors.ProgrammingError, match="syntax error"):
            run(connection, f"DESCRIBE SERVICE {wrong}")


def ask(server: Snowpark, connection: Any, method: str, path: str) -> tuple[int, Any]:
    answer = httpx.request(
        method,
        f"http://127.0.0.1:{server.fields['port']}/api/v2/{path}",
        headers={"Authorization": f'Snowflake Token="{connection.rest.token}"'},
    )
    return answer.status_code, answer.json() if answer.content else None


SERVICES = "databases/FLOWS/schemas/RUNS/services"


def test_the_rest_api_tells_what_statements_tell(server: Snowpark, connection: Any) -> None:
    execute(connection)
    ended(server, connection)
    status, pool = ask(server, connection, "GET", f"compute-pools/{POOL}")
    assert (status, pool["state"], pool["auto_resume"], pool["num_jobs"]) == (200, "IDLE", True, 1)
    status, service = ask(server, connection, "GET", f"{SERVICES}/job")
    assert (status, service["name"], service["status"], service["is_job"]) == (200, "JOB", "FAILED", True)
    assert json.loads(service["spec"]["spec_text"]) == SPEC
    status, [container] = ask(server, connection, "GET", f"{SERVICES}/JOB/containers")
    assert (status, container["container_name"], container["status"]) == (200, "main", "FAILED")
    logs = ask(server, connection, "GET", f"{SERVICES}/JOB/logs?instanceId=0&containerName=main&numLines=5")
    assert logs == (200, {"system$get_service_logs": "hi"})
    assert ask(server, connection, "DELETE", f"{SERVICES}/JOB")[0] == 200
    assert server.count("DROP SERVICE") == 1


def test_the_rest_api_refuses_with_the_status_that_fits(server: Snowpark, connection: Any) -> None:
    assert ask(server, connection, "GET", f"{SERVICES}/OTHER")[0] == 404
    assert ask(server, connection, "GET", "warehouses/W")[0] == 404
    server.deny("DESCRIBE COMPUTE POOL")
    status, answer = ask(server, connection, "GET", f"compute-pools/{POOL}")
    assert (status, answer["error_code"]) == (403, "003001")
    server.fail("DESCRIBE SERVICE", when="http")
    assert ask(server, connection, "GET", f"{SERVICES}/JOB") == (503, None)
    server.expire_sessions()
    assert ask(server, connection, "GET", f"compute-pools/{POOL}")[0] == 401


def test_the_newest_versions_of_clients_are_told(connection: Any) -> None:
    [row] = run(connection, "SELECT SYSTEM$CLIENT_VERSION_INFO()")
    assert json.loads(row["SYSTEM$CLIENT_VERSION_INFO()"]) == []


def test_a_name_that_is_taken_and_one_that_is_missing_are_refused(server: Snowpark, connection: Any) -> None:
    execute(connection)
    with pytest.raises(snowflake.errors.ProgrammingError, match="already exists"):
        execute(connection)
    with pytest.raises(snowflake.errors.ProgrammingError, match="does not exist or not authorized"):
        run(connection, "DESCRIBE SERVICE FLOWS.RUNS.OTHER")
    run(connection, "DROP SERVICE IF EXISTS FLOWS.RUNS.OTHER")


def test_dropping_a_job_ends_its_process(server: Snowpark, connection: Any) -> None:
    sleep = {"spec": {"containers": [{"name": "main", "image": "i", "args": ["sleep", "600"]}]}}
    execute(connection, spec=sleep)
    job = server.jobs[0]
    assert job.is_alive
    run(connection, "DROP SERVICE FLOWS.RUNS.JOB")
    assert job._process is not None
    job._process.wait(20)
    assert job.signals == ["SIGTERM"]


def test_a_secret_reaches_the_container_and_a_missing_one_is_refused(server: Snowpark, connection: Any) -> None:
    secret = {"snowflakeSecret": "FLOWS.RUNS.KEY", "secretKeyRef": "secret_string", "envVarName": "KEY"}
    spec = {
        "spec": {"containers": [{"name": "main", "image": "i", "args": ["sh", "-c", "echo $KEY"], "secrets": [secret]}]}
    }
    with pytest.raises(snowflake.errors.ProgrammingError, match="KEY"):
        execute(connection, spec=spec)
    run(connection, "CREATE SECRET FLOWS.RUNS.KEY TYPE = GENERIC_STRING SECRET_STRING = 'x'")
    execute(connection, spec=spec)
    ended(server, connection)
    assert [line for _, line in server.jobs[0].lines] == ["x"]


def test_a_session_that_has_expired_is_refused(server: Snowpark, connection: Any) -> None:
    server.expire_sessions()
    with pytest.raises(snowflake.errors.Error, match="expired"):
        run(connection, f"DESCRIBE COMPUTE POOL {POOL}")


def test_a_wrong_password_is_refused(server: Snowpark) -> None:
    with pytest.raises(snowflake.errors.DatabaseError, match="Incorrect username or password"):
        snowflake.connect(**{**server.fields, "password": "other"})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "DROP SERVICE A; DROP SERVICE B",
        "DROP SERVICE 'A'",
        'DROP SERVICE "a"',
        "DESCRIBE SERVICE A B",
        "EXECUTE JOB SERVICE IN COMPUTE POOL P NAME = A",
        "EXECUTE JOB SERVICE IN COMPUTE POOL P NAME = A COMMENT = b FROM SPECIFICATION $$x$$",
        "EXECUTE JOB SERVICE IN COMPUTE POOL P NAME = A FROM SPECIFICATION $$a$$b$$",
        "SHOW JOB SERVICES IN SCHEMA A.B LIMIT x",
        "CALL SYSTEM$GET_SERVICE_LOGS('A', '0')",
        "DESCRIBE SERVICE ?",
    ],
    ids=repr,
)
def test_what_is_no_statement_is_refused(text: str) -> None:
    with pytest.raises(SqlError):
        command_of(text)


def test_quotation_marks_and_escapes_are_read_as_snowflake_does() -> None:
    text = "EXECUTE JOB SERVICE IN COMPUTE POOL p NAME = a.b.c COMMENT = 'it''s \\'1\\n' FROM SPECIFICATION $$'\\$$;"
    command = command_of(text)
    assert command.name == ("A", "B", "C")
    assert command.options["COMMENT"] == "it's '1\n"
    assert command.options["SPECIFICATION"] == "'\\"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Main"}, "container name"),
        ({"image": ""}, "no image"),
        ({"ports": []}, "unknown option 'ports'"),
        ({"args": "echo"}, "args is not a list"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "has no volume"),
        ({"resources": {"requests": {"memory": "1T"}}}, "requests.memory"),
        ({"secrets": [{"envVarName": "A"}]}, "snowflakeSecret"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_specification_is_checked(change: dict[str, Any], said: str) -> None:
    container = {"name": "main", "image": "i", **change}
    with pytest.raises(SqlError, match=said):
        read_specification(json.dumps({"spec": {"containers": [container]}}))
