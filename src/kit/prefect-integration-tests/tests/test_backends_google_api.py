"""The local REST server for Google's APIs: requests are checked as Google does, and calls fail as a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

errors = pytest.importorskip("googleapiclient.errors")

from prefect_integration_kit.waiting import poll  # noqa: E402
from prefect_integration_tests.backends._google.service import ApiRequest, Service, answers  # noqa: E402
from prefect_integration_tests.backends.google_api import ApiError, GoogleApi  # noqa: E402

Json = dict[str, Any]
PLACE = "projects/test-project/locations/us-central1"
LIST = "run.projects.locations.jobs.list"
CREATE = "run.projects.locations.jobs.create"


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    return empty_google_api


def job_body(**task: Any) -> Json:
    return {"template": {"template": {"containers": [{"image": "flows:dev"}], "maxRetries": 0, **task}}}


def jobs_of(api: GoogleApi) -> Any:
    return api.client("run", "v2").projects().locations().jobs()


def create(api: GoogleApi, job_id: str = "etl", body: Json | None = None, **options: Any) -> Json:
    return jobs_of(api).create(parent=PLACE, jobId=job_id, body=body or job_body(), **options).execute()


def refused(call: Callable[[], Any]) -> tuple[int, Json]:
    """Status and error of a call that must be refused."""
    with pytest.raises(errors.HttpError) as caught:
        call()
    import json

    return caught.value.status_code, json.loads(caught.value.content)["error"]


# Schemas


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (
            {**job_body(), "nme": "x"},
            "job",
            "Invalid JSON payload received. Unknown name \"nme\" at 'job': Cannot find field.",
        ),
        (
            {"template": {"template": {"containers": [{"image": "x", "cmd": []}]}}},
            "job.template.template.containers[0]",
            "Unknown name \"cmd\" at 'job.template.template.containers[0]': Cannot find field.",
        ),
        (
            job_body(maxRetries="many"),
            "job.template.template.max_retries",
            "Invalid value at 'job.template.template.max_retries' (TYPE_INT32), \"many\"",
        ),
        (job_body(containers={}), "job.template.template.containers", "(TYPE_ARRAY), {}"),
        (job_body(timeout="60"), "job.template.template.timeout", "duration must end with 's'"),
        (job_body(executionEnvironment="GEN3"), "job.template.template.execution_environment", '"GEN3"'),
        ({"template": {"template": []}}, "job.template.template", "(type.googleapis.com/"),
        ({**job_body(), "labels": {"a": 1}}, "job.labels[0].value", "(TYPE_STRING), 1"),
    ],
    ids=["unknown", "unknown-deep", "number", "array", "duration", "enum", "message", "map"],
)
def test_a_body_that_does_not_fit_the_schema_is_refused_in_the_words_of_google(api, body, field, said):
    status, error = refused(lambda: create(api, body=body))
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert said in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == field
    assert api.run.jobs == []


def test_bodies_are_read_as_protocol_buffers_are(api):
    body = {"template": {"task_count": "2", "template": {"max_retries": 1.0, "containers": [{"image": "x"}]}}}
    create(api, body={**body, "client": None, "uid": "of the server"})
    job = api.run.jobs[0]
    assert job["template"]["taskCount"] == 2
    assert job["template"]["template"]["maxRetries"] == 1
    assert job["uid"] != "of the server"


def test_an_unknown_parameter_of_the_query_is_refused(api):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{api.endpoint}/v2/{PLACE}/jobs?page=1")
    assert caught.value.code == 400
    assert "Cannot bind query parameter. Field 'page' could not be found" in caught.value.read().decode()


def test_a_path_of_no_method_is_not_found_and_one_without_service_is_not_implemented(api):
    import urllib.error
    import urllib.request

    for path, code in ((f"v2/{PLACE}/jobz", 404), (f"v2/{PLACE}/services", 501)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{api.endpoint}/{path}")
        assert caught.value.code == code


def test_a_service_that_answers_what_its_schema_has_not_is_told(api):
    jobs = api.server.find("GET", f"/v2/{PLACE}/jobs")[0]
    assert jobs is not None
    kept = jobs.handlers[LIST]
    jobs.handlers[LIST] = lambda request: {"jobz": []}
    try:
        status, error = refused(lambda: jobs_of(api).list(parent=PLACE).execute())
    finally:
        jobs.handlers[LIST] = kept
    assert (status, "jobz" in error["message"]) == (500, True)


def test_a_service_names_methods_that_its_api_has(api):
    class Wrong(Service):
        api, version = "run", "v2"

        def reset(self) -> None: ...

        @answers("run.projects.locations.jobs.make")
        def make(self, request: ApiRequest) -> Json:
            return {}

    with pytest.raises(ValueError, match=r"run v2 has no method run\.projects\.locations\.jobs\.make"):
        api.server.add(Wrong)


# Calls and faults


def test_calls_are_recorded_with_method_parameters_and_body(api):
    create(api, "etl")
    call = api.calls_of(CREATE)[0]
    assert call.params == {"parent": PLACE, "jobId": "etl"}
    assert call.body == job_body()
    assert (call.status, call.email) == (200, "tester@example.com")
    assert api.calls_of("run.*.list") == []


@pytest.mark.parametrize(
    ("when", "is_done", "is_answered"),
    [
        ("before", False, True),
        ("after", True, True),
        ("lost", True, False),
        ("late", True, False),
        ("cut", False, False),
        ("garbled", False, True),
        ("slow", True, True),
    ],
)
def test_a_fault_strikes_one_call(api, when, is_done, is_answered):
    api.fail(CREATE, 503, when=when, delay_seconds=0.01 if when == "slow" else 0.0)
    if when == "slow":
        create(api)
    else:
        with pytest.raises(errors.HttpError if is_answered else OSError) as caught:
            create(api)
        if is_answered:
            assert caught.value.status_code == 503
    assert len(api.run.jobs) == is_done
    assert api.calls[0].status == ((200 if when == "slow" else 503) if is_answered else 0)
    create(api, "another")


def test_a_fault_is_worded_as_google_does_it(api):
    api.fail(CREATE, 403, retry_after_seconds=7)
    with pytest.raises(errors.HttpError) as caught:
        create(api)
    assert caught.value.resp["retry-after"] == "7"
    assert "Permission 'run.jobs.create' denied" in caught.value.reason
    api.fail(CREATE, 409, reason="ABORTED", message="Conflict")
    assert refused(lambda: create(api))[1]["status"] == "ABORTED"


def test_a_fault_may_let_calls_pass_first_and_look_at_them(api):
    api.fail("run.*", times=None, skip=1, where=lambda call: call.params.get("jobId") != "spared")
    create(api, "first")
    create(api, "spared")
    assert refused(lambda: create(api, "second"))[0] == 503
    assert api.server.faults.pending == 1
    api.heal()
    create(api, "second")


def test_a_hook_sees_each_call_and_may_refuse_it(api):
    def refuse(call: Any) -> None:
        if call.method == CREATE:
            raise ApiError(400, "no more today", status="FAILED_PRECONDITION")

    api.on_call.append(refuse)
    jobs_of(api).list(parent=PLACE).execute()
    assert refused(lambda: create(api))[1]["message"] == "no more today"


def test_open_connections_can_be_cut(api):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", api.server.port, timeout=10)

    def ask() -> bytes:
        connection.request("GET", f"/v2/{PLACE}/jobs")
        return connection.getresponse().read()

    assert ask() == b"{}"
    api.server.cut_connections()
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        ask()
    connection.close()
    assert jobs_of(api).list(parent=PLACE).execute() == {}


def test_tokens_are_looked_at_when_asked_to(api):
    api.check_tokens({"good": "worker@test-project.iam.gserviceaccount.com"}.get)
    jobs = jobs_of(api)
    assert "missing required authentication" in refused(lambda: jobs.list(parent=PLACE).execute())[1]["message"]

    def with_token(token: str) -> Any:
        request = jobs.list(parent=PLACE)
        request.headers["Authorization"] = f"Bearer {token}"
        return request.execute()

    assert refused(lambda: with_token("bad"))[1]["status"] == "UNAUTHENTICATED"
    assert with_token("good") == {}
    assert api.calls[-1].email == "worker@test-project.iam.gserviceaccount.com"
    assert "good" not in repr(api.calls[-1]) + str(api.calls[-1].headers)


def test_a_reset_forgets_everything(api):
    create(api)
    api.fail("*", times=None)
    api.clock.advance(3600)
    api.check_tokens({}.get)
    api.reset()
    assert jobs_of(api).list(parent=PLACE).execute() == {}
    assert len(api.calls) == 1
    assert abs(api.clock.seconds() - time.time()) < 60


def test_many_clients_are_served_at_once(api):
    names = [f"job-{number}" for number in range(12)]
    threads = [threading.Thread(target=create, args=(api, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(job["name"].rpartition("/")[2] for job in api.run.jobs) == sorted(names)


# Pages


def test_lists_come_by_pages_as_small_as_asked_for(api):
    for number in range(5):
        create(api, f"job-{number}")
    jobs = jobs_of(api)
    request, seen = jobs.list(parent=PLACE, pageSize=2), []
    while request is not None:
        answer = request.execute()
        seen.append([job["name"].rpartition("/")[2] for job in answer["jobs"]])
        request = jobs.list_next(request, answer)
    assert seen == [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]]


def test_pages_are_no_larger_than_the_server_gives(api):
    api.run.settings.page_size = 1
    create(api, "one")
    create(api, "two")
    assert len(jobs_of(api).list(parent=PLACE, pageSize=500).execute()["jobs"]) == 1


def test_a_page_token_that_was_not_given_out_is_refused(api):
    assert refused(lambda: jobs_of(api).list(parent=PLACE, pageToken="x").execute())[0] == 400


# Operations and time


def ended(operations: Any, operation: Json) -> Json:
    """An operation, when it has ended."""

    def look() -> Json | None:
        got = operations.get(name=operation["name"]).execute()
        return got if got.get("done") else None

    return poll(look, subject="operation", interval_seconds=0.01, timeout_seconds=10)


def test_an_operation_ends_when_its_work_has(api):
    api.run.settings.ready_delay_seconds = 30
    operations = api.client("run", "v2").projects().locations().operations()
    operation = create(api)
    assert "done" not in operation
    waited = operations.wait(name=operation["name"], body={"timeout": "0.01s"}).execute()
    assert "done" not in waited
    assert refused(lambda: operations.delete(name=operation["name"]).execute())[1]["status"] == "FAILED_PRECONDITION"
    api.clock.advance(31)
    done = ended(operations, operation)
    assert done["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert len(operations.list(name=PLACE).execute()["operations"]) == 1
    operations.delete(name=operation["name"]).execute()
    assert refused(lambda: operations.get(name=operation["name"]).execute())[0] == 404


def test_time_is_let_pass_in_order(api):
    seen: list[int] = []
    for seconds in (30, 10, 20):
        api.clock.later(seconds, lambda seconds=seconds: seen.append(seconds))
    api.clock.advance(25)
    assert seen == [10, 20]
    assert api.clock.seconds() - time.time() > 24


def test_what_fails_later_does_not_keep_the_rest_from_being_done(api, capsys):
    done = threading.Event()
    api.clock.later(0.01, lambda: 1 / 0)
    api.clock.later(0.02, done.set)
    assert done.wait(10)
    assert "ZeroDivisionError" in capsys.readouterr().err


# Cloud Logging


ENTRIES = [
    {"textPayload": "hello", "severity": "INFO", "labels": {"run.googleapis.com/execution_name": "etl-1"}},
    {"textPayload": "oh dear", "severity": "ERROR", "labels": {"run.googleapis.com/execution_name": "etl-1"}},
    {"jsonPayload": {"message": "hi", "n": 5}, "labels": {"run.googleapis.com/execution_name": "etl-2"}},
]


def found(api: GoogleApi, log_filter: str, **options: Any) -> list[str]:
    body = {"resourceNames": ["projects/test-project"], "filter": log_filter, **options}
    answer = api.client("logging", "v2").entries().list(body=body).execute()
    return [entry.get("textPayload") or entry["jsonPayload"]["message"] for entry in answer.get("entries", [])]


@pytest.mark.parametrize(
    ("log_filter", "wanted"),
    [
        ("", ["hello", "oh dear", "hi"]),
        ('labels."run.googleapis.com/execution_name"="etl-1"', ["hello", "oh dear"]),
        ('labels."run.googleapis.com/execution_name" = ("etl-2" OR "etl-3")', ["hi"]),
        ("severity>=WARNING", ["oh dear"]),
        ("severity=DEFAULT", ["hi"]),
        ('resource.type = "cloud_run_job" AND resource.labels.job_name="etl"', ["hello", "oh dear", "hi"]),
        ('resource.type = "cloud_run_job"\nresource.labels.job_name="other"', []),
        ("jsonPayload.n > 4.5", ["hi"]),
        ('textPayload:"ELL" OR textPayload=~"^oh"', ["hello", "oh dear"]),
        ('NOT textPayload:"hello"', ["oh dear", "hi"]),
        ('-textPayload:"hello" AND (severity=ERROR OR jsonPayload.message:*)', ["oh dear", "hi"]),
        ('textPayload!="hello" textPayload!~"dear"', ["hi"]),
        ('timestamp>="2000-01-01T00:00:00.123456789Z" timestamp<"2100-01-01T00:00:00Z"', ["hello", "oh dear", "hi"]),
        ('timestamp>"2100-01-01T00:00:00Z"', []),
        ("dear", ["oh dear"]),
        ('logName="projects/test-project/logs/run.googleapis.com%2Fstdout" -- all of them', ["hello", "oh dear", "hi"]),
    ],
)
def test_entries_are_found_by_the_filter_language(api, log_filter, wanted):
    common = {
        "logName": "projects/test-project/logs/run.googleapis.com%2Fstdout",
        "resource": {"type": "cloud_run_job", "labels": {"job_name": "etl"}},
    }
    api.client("logging", "v2").entries().write(body={**common, "entries": ENTRIES}).execute()
    assert found(api, log_filter) == wanted
    assert found(api, log_filter, orderBy="timestamp desc") == wanted[::-1]
    if len(wanted) > 1:
        assert found(api, log_filter, pageSize=1) == wanted[:1]


@pytest.mark.parametrize("log_filter", ['severity="', "a = ", "(a=b", "a=b)", "timestamp>yesterday", "= 5"])
def test_a_filter_that_cannot_be_read_is_refused(api, log_filter):
    api.client("logging", "v2").entries().write(
        body={"logName": "projects/test-project/logs/x", "entries": ENTRIES}
    ).execute()
    status, error = refused(lambda: found(api, log_filter))
    assert (status, "Unparseable filter" in error["message"]) == (400, True)


def test_entries_need_a_resource_name(api):
    assert refused(lambda: api.client("logging", "v2").entries().list(body={}).execute())[0] == 400
