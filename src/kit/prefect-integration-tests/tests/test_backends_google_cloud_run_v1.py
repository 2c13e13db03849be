"""The local Cloud Run by API v1: the same jobs and executions in the words of Knative."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("googleapiclient")

from prefect_integration_tests.backends.google_api import GoogleApi

from ._google import JOB, NAMESPACE, PROJECT, Json, at_once, ended, refused


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    return at_once(empty_google_api)


@pytest.fixture
def jobs(api: GoogleApi) -> Any:
    return api.client("run", "v2").projects().locations().jobs()


@pytest.fixture(scope="module")
def client(google_api: GoogleApi) -> Any:
    return google_api.client("run", "v1")


@pytest.fixture
def namespaces(api: GoogleApi, client: Any) -> Any:
    return client.namespaces()


def knative_job(name: str = "etl", **spec: Any) -> Json:
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "latest"}}}
    container = {"image": "flows:dev", "command": ["python"], "env": [{"name": "A", "value": "1"}, secret]}
    task = {"containers": [container], "maxRetries": 0, "timeoutSeconds": "30", "serviceAccountName": "runner@x"}
    return {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": PROJECT,
            "labels": {"flow": name},
            "annotations": {"run.googleapis.com/launch-stage": "BETA"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {"run.googleapis.com/vpc-access-connector": "connector-1"}},
                "spec": {"template": {"spec": task}, **spec},
            }
        },
    }


@pytest.fixture
def knative(api: GoogleApi, namespaces: Any) -> Any:
    api.run.secrets.set("api-key", "s3cret")
    namespaces.jobs().create(parent=NAMESPACE, body=knative_job()).execute()
    return namespaces


def status_of(thing: Json, kind: str = "Completed") -> tuple[str, str]:
    condition = next(each for each in thing["status"]["conditions"] if each["type"] == kind)
    return condition["status"], condition.get("reason", "")


def test_a_job_of_v1_is_one_of_v2(api, jobs, knative):
    job = knative.jobs().get(name=f"{NAMESPACE}/jobs/etl").execute()
    assert status_of(job, "Ready") == ("True", "")
    assert job["status"]["observedGeneration"] == job["metadata"]["generation"] == 1
    assert job["metadata"]["labels"] == {"flow": "etl", "cloud.googleapis.com/location": "us-central1"}
    assert job["metadata"]["annotations"]["run.googleapis.com/launch-stage"] == "BETA"
    spec = job["spec"]["template"]["spec"]["template"]["spec"]
    assert (spec["timeoutSeconds"], spec["serviceAccountName"]) == ("30", "runner@x")
    assert (
        spec["containers"][0]["env"]
        == knative_job()["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["env"]
    )
    same = jobs.get(name=JOB).execute()["template"]["template"]
    assert (same["timeout"], same["serviceAccount"]) == ("30s", "runner@x")
    assert same["vpcAccess"] == {"connector": "connector-1", "egress": "PRIVATE_RANGES_ONLY"}
    assert same["containers"][0]["env"][1]["valueSource"]["secretKeyRef"] == {"secret": "api-key", "version": "latest"}


@pytest.mark.parametrize(
    ("script", "expected", "counts"),
    [
        ({}, ("True", ""), {"succeededCount": 1}),
        ({"exit_code": 2}, ("False", "NonZeroExitCode"), {"failedCount": 1}),
    ],
    ids=["succeeds", "fails"],
)
def test_an_execution_of_v1_ends_as_one_of_v2(api, knative, script, expected, counts):
    api.play(**script)
    execution = knative.jobs().run(name=f"{NAMESPACE}/jobs/etl", body={}).execute()
    assert status_of(execution)[0] == "Unknown"
    name = execution["metadata"]["name"]
    ended(api, name)
    execution = knative.executions().get(name=f"{NAMESPACE}/executions/{name}").execute()
    assert status_of(execution) == expected
    assert counts.items() <= execution["status"].items()
    assert execution["metadata"]["labels"]["run.googleapis.com/job"] == "etl"
    task = (
        knative.tasks()
        .list(parent=NAMESPACE, labelSelector=f"run.googleapis.com/execution={name}")
        .execute()["items"][0]
    )
    assert task["status"]["lastAttemptResult"].get("exitCode", 0) == script.get("exit_code", 0)


def test_v1_cancels_and_deletes(api, knative):
    api.play(seconds=None, stop_seconds=5)
    job = f"{NAMESPACE}/jobs/etl"
    names = [knative.jobs().run(name=job).execute()["metadata"]["name"] for _ in range(2)]
    execution = knative.executions().cancel(name=f"{NAMESPACE}/executions/{names[0]}", body={}).execute()
    assert status_of(execution) == ("Unknown", "Cancelling")
    api.clock.advance(6)
    execution = knative.executions().get(name=f"{NAMESPACE}/executions/{names[0]}").execute()
    assert status_of(execution) == ("False", "Cancelled")
    assert execution["status"]["cancelledCount"] == 1
    answer = knative.jobs().delete(name=job, propagationPolicy="Foreground").execute()
    assert answer["status"] == "Success"
    assert knative.jobs().get(name=job).execute()["metadata"]["deletionTimestamp"]
    api.clock.advance(6)
    assert refused(knative.jobs().get(name=job).execute)[:2] == (404, "NOT_FOUND")
    assert refused(knative.executions().get(name=f"{NAMESPACE}/executions/{names[0]}").execute)[0] == 404


def test_v1_lists_by_labels_and_pages(api, knative):
    knative.jobs().create(parent=NAMESPACE, body=knative_job("other")).execute()
    for name in ("etl", "other"):
        knative.jobs().run(name=f"{NAMESPACE}/jobs/{name}").execute()
    page = knative.jobs().list(parent=NAMESPACE, limit=1).execute()
    following = {"continue": page["metadata"]["continue"]}
    rest = knative.jobs().list(parent=NAMESPACE, limit=1, **following).execute()
    assert [each["metadata"]["name"] for each in page["items"] + rest["items"]] == ["other", "etl"]
    for selector, count in (
        ("flow=etl", 1),
        ("flow!=etl", 1),
        ("flow in (etl, other)", 2),
        ("flow", 2),
        ("!flow", 0),
        ("run.googleapis.com/job=other,flow=other", 1),
    ):
        found = knative.executions().list(parent=NAMESPACE, labelSelector=selector).execute()
        assert len(found.get("items", [])) == count, selector
    assert refused(knative.jobs().list(parent=NAMESPACE, labelSelector="a in b c").execute)[0] == 400


def test_v1_replaces_a_job_unless_somebody_else_did(api, knative):
    job = f"{NAMESPACE}/jobs/etl"
    version = knative.jobs().get(name=job).execute()["metadata"]["resourceVersion"]
    body = knative_job(taskCount=2)
    body["metadata"]["resourceVersion"] = version
    assert knative.jobs().replaceJob(name=job, body=body).execute()["metadata"]["generation"] == 2
    assert refused(knative.jobs().replaceJob(name=job, body=body).execute)[:2] == (409, "ABORTED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "Service"}, "kind"),
        ({"apiVersion": "v1"}, "apiVersion"),
        ({"metadata": {"name": "etl", "namespace": "other"}}, "metadata.namespace"),
        ({"spec": {"template": {"spec": {}}}}, "spec.template.spec.template.spec.containers"),
    ],
    ids=["kind", "version", "namespace", "containers"],
)
def test_v1_names_the_fields_that_are_wrong(namespaces, change, field):
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as caught:
        namespaces.jobs().create(parent=NAMESPACE, body={**knative_job(), **change}).execute()
    error = json.loads(caught.value.content)["error"]
    assert (error["code"], error["details"][0]["fieldViolations"][0]["field"]) == (400, field)


def test_a_regional_host_has_the_jobs_of_its_region(api, knative):
    import httplib2
    from googleapiclient import discovery

    options = {"api_endpoint": api.endpoint_of("europe-west1")}

    west = discovery.build("run", "v1", http=httplib2.Http(), client_options=options).namespaces()
    assert west.jobs().list(parent=NAMESPACE).execute().get("items", []) == []
    west.jobs().create(parent=NAMESPACE, body=knative_job("west")).execute()
    assert api.run.jobs[-1]["name"] == f"projects/{PROJECT}/locations/europe-west1/jobs/west"
    assert refused(west.jobs().get(name=f"{NAMESPACE}/jobs/etl").execute)[0] == 404
