"""The local dbt Cloud: it checks requests as dbt Cloud does, and plays runs by its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from prefect_integration_tests.backends.dbt_cloud import ACCOUNT, API_KEY, DbtCloud, Play

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client(dbt_cloud: DbtCloud) -> Iterator[httpx.Client]:
    base = f"{dbt_cloud.endpoint}/api/v2/accounts/{ACCOUNT}"
    with httpx.Client(base_url=base, headers={"Authorization": f"Token {API_KEY}"}) as client:
        yield client


def trigger(client: httpx.Client, job_id: int, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"/jobs/{job_id}/run/", json={"cause": "a test", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_run_goes_through_its_states_with_the_clock(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    dbt_cloud.play = Play(queued_seconds=10, starting_seconds=10, running_seconds=10)
    run = trigger(client, dbt_cloud.add_job())
    seen = [run["status"]]
    for _ in range(3):
        dbt_cloud.clock.advance(10)
        seen.append(client.get(f"/runs/{run['id']}/").json()["data"]["status"])
    assert seen == [1, 2, 3, 10]


def test_nodes_fail_skip_and_leave_results(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    dbt_cloud.project.add("model.shop.a")
    dbt_cloud.project.add("model.shop.b", "model.shop.a")
    dbt_cloud.project.break_node("model.shop.a", times=1)
    run = trigger(client, dbt_cloud.add_job("dbt run"))
    dbt_cloud.clock.advance(60)
    results = client.get(f"/runs/{run['id']}/artifacts/run_results.json", params={"step": 4}).json()["results"]
    assert [each["status"] for each in results] == ["error", "skipped"]
    assert dbt_cloud.executed() == ["model.shop.a"]
    again = client.post(f"/runs/{run['id']}/retry/").json()["data"]
    dbt_cloud.clock.advance(60)
    assert dbt_cloud.run(again["id"])["is_success"]
    assert dbt_cloud.executed(again["id"]) == ["model.shop.a", "model.shop.b"]


def test_artifacts_have_the_shapes_of_dbt(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    artifacts = pytest.importorskip("dbt.artifacts.schemas.run", reason="dbt-core is not installed")
    dbt_cloud.project.add("model.shop.a")
    run = trigger(client, dbt_cloud.add_job("dbt build"))
    dbt_cloud.clock.advance(60)
    content = client.get(f"/runs/{run['id']}/artifacts/run_results.json").json()
    artifacts.RunResultsArtifact.validate(content)
    assert artifacts.RunResultsArtifact.from_dict(content).results[0].unique_id == "model.shop.a"


REQUESTS: dict[str, tuple[str, str, Any, int]] = {
    "no cause": ("POST", "/jobs/{job}/run/", {}, 400),
    "a cause that is no text": ("POST", "/jobs/{job}/run/", {"cause": 1}, 400),
    "threads as text": ("POST", "/jobs/{job}/run/", {"cause": "x", "threads_override": "4"}, 400),
    "threads as flag": ("POST", "/jobs/{job}/run/", {"cause": "x", "threads_override": True}, 400),
    "steps that are no texts": ("POST", "/jobs/{job}/run/", {"cause": "x", "steps_override": [1]}, 400),
    "an unknown field": ("POST", "/jobs/{job}/run/", {"cause": "x", "nonsense": 1}, 400),
    "no slash at the end": ("POST", "/jobs/{job}/run", {"cause": "x"}, 404),
    "no slash at the end of a GET": ("GET", "/jobs/{job}", None, 301),
    "another method": ("PUT", "/jobs/{job}/run/", {"cause": "x"}, 404),
    "a job that is not there": ("POST", "/jobs/1/run/", {"cause": "x"}, 404),
    "a job without fields": ("POST", "/jobs/", {"name": "x"}, 400),
    "an unknown relation": ("GET", "/runs/{run}/?include_related=nonsense", None, 400),
    "step zero": ("GET", "/runs/{run}/artifacts/manifest.json?step=0", None, 400),
    "artifacts of a run that goes on": ("GET", "/runs/{run}/artifacts/", None, 404),
    "a page that is too long": ("GET", "/runs/?limit=101", None, 400),
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_requests_are_checked(request_: str, dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    method, path, body, status = REQUESTS[request_]
    job = dbt_cloud.add_job()
    answer = client.request(method, path.format(job=job, run=dbt_cloud.start_run(job)), json=body)
    assert answer.status_code == status
    assert answer.json()["status"]["is_success"] is False


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", API_KEY, f"Basic {API_KEY}"])
def test_the_key_is_asked_for(authorization: str, dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    answer = client.get(f"/jobs/{dbt_cloud.add_job()}/", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["status"]["user_message"]) == (401, "Invalid token.")


def test_other_accounts_are_not_there(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    assert client.get(f"{dbt_cloud.endpoint}/api/v2/accounts/1/jobs/").status_code == 404


@pytest.mark.parametrize(("when", "is_done"), [("before", False), ("after", True), ("lost", True), ("cut", False)])
def test_faults_strike_before_or_after_the_effect(
    when: Any, is_done: bool, dbt_cloud: DbtCloud, client: httpx.Client
) -> None:
    job = dbt_cloud.add_job()
    dbt_cloud.fail("TriggerJobRun", 503, when=when, retry_after="7")
    if when in ("lost", "cut"):
        with pytest.raises(httpx.TransportError):
            client.post(f"/jobs/{job}/run/", json={"cause": "x"})
    else:
        answer = client.post(f"/jobs/{job}/run/", json={"cause": "x"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert bool(dbt_cloud.runs) is is_done


def test_a_run_is_visible_late_and_can_be_cancelled(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    dbt_cloud.visible_after_seconds = 5
    run = trigger(client, dbt_cloud.add_job())
    assert client.get(f"/runs/{run['id']}/").status_code == 404
    dbt_cloud.clock.advance(5)
    cancelled = client.post(f"/runs/{run['id']}/cancel/").json()["data"]
    assert cancelled["is_cancelled"] or cancelled["is_success"]


def test_runs_are_listed_by_page_the_newest_first(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    job = dbt_cloud.add_job()
    ids = [dbt_cloud.start_run(job, f"cause {number}") for number in range(3)]
    query = {"job_definition_id": job, "order_by": "-id", "limit": 2, "include_related": "trigger"}
    answer = client.get("/runs/", params=query).json()
    assert [each["id"] for each in answer["data"]] == ids[:0:-1]
    assert answer["data"][0]["trigger"]["cause"] == "cause 2"
    assert answer["extra"]["pagination"] == {"count": 2, "total_count": 3}


def test_the_server_tells_its_own_time(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    before = client.get("/projects/").headers["Date"]
    dbt_cloud.clock.advance(3600)
    assert client.get("/projects/").headers["Date"] != before


def test_metadata_are_what_the_test_says(dbt_cloud: DbtCloud, client: httpx.Client) -> None:
    url = f"{dbt_cloud.endpoint}/graphql"
    assert client.post(url, json={"query": "{ job }"}).json()["errors"]
    dbt_cloud.on_query = lambda query, variables, name: {"data": {"query": query, "n": variables["n"], "name": name}}
    body = {"query": "{ job }", "variables": {"n": 1}, "operationName": "A"}
    assert client.post(url, json=body).json()["data"] == {"query": "{ job }", "n": 1, "name": "A"}
    assert client.post(url, json={"operation": "x"}).status_code == 400
