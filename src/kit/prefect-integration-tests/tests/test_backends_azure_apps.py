"""Jobs of Container Apps on the local Azure server, and where their lines go."""

from __future__ import annotations

import json
from typing import Any

import pytest

exceptions = pytest.importorskip("azure.core.exceptions")
pytest.importorskip("azure.mgmt.appcontainers")

import requests  # noqa: E402

from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, WORKSPACE, AzureApi  # noqa: E402

from ._azure import GROUP, SCHEMA, deployment_of, job_body, plain, refused, wait  # noqa: E402

Json = dict[str, Any]


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def client(api: AzureApi) -> Any:
    return api.container_apps_client(retry_total=0)


def new_job(client: Any, name: str = "etl", **options: Any) -> Any:
    return client.jobs.begin_create_or_update(GROUP, name, job_body(**options)).result()


def started(client: Any, name: str = "etl", template: Json | None = None) -> str:
    return client.jobs.begin_start(GROUP, name, template).result().name


def execution_of(client: Any, name: str) -> Json:
    """An execution in the API's form: the model of azure-mgmt-appcontainers 3.0 does not have its properties."""
    return client.job_execution(GROUP, "etl", name, cls=lambda response, *_: json.loads(response.http_response.text()))


def status(api: AzureApi, execution: str) -> str:
    return api.execution(execution)["properties"]["status"]


def ended(api: AzureApi, execution: str) -> Json:
    wait(lambda: "endTime" in api.execution(execution)["properties"])
    return api.execution(execution)["properties"]


def query(api: AzureApi, text: str, **more: Any) -> list[list[Any]]:
    address = f"{api.endpoint}/v1/workspaces/{WORKSPACE}/query"
    answer = requests.post(address, json={"query": text, **more}, timeout=10)
    assert answer.ok, answer.text
    return answer.json()["tables"][0]["rows"]


# Jobs


def test_a_job_is_provisioned_and_shown_without_secrets(api, client):
    api.settings.create_seconds = 60
    poller = client.jobs.begin_create_or_update(
        GROUP, "etl", job_body(configuration={"secrets": [{"name": "key", "value": "s3cret"}]})
    )
    assert api.job("etl")["properties"]["provisioningState"] == "InProgress"
    api.clock.advance(60)
    properties = plain(poller.result())["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["configuration"]["secrets"] == [{"name": "key"}]
    assert api.job("etl")["properties"]["runningState"] == "Ready"
    assert [(each.name, each.value) for each in client.jobs.list_secrets(GROUP, "etl").value] == [("key", "s3cret")]
    assert [call.status for call in api.calls_of("Jobs_CreateOrUpdate")] == [201]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (job_body(env=[{"name": "A", "secretRef": "no"}]), "ContainerAppSecretRefNotFound"),
        (job_body(configuration={"secrets": [{"name": "key"}]}), "ContainerAppSecretInvalid"),
        (job_body(configuration={"secrets": [{"name": "KEY", "value": "x"}]}), "ContainerAppInvalidSecretName"),
        (job_body(configuration={"secrets": [{"name": "k", "value": "x"}] * 2}), "ContainerAppDuplicateSecret"),
        (job_body(configuration={"triggerType": "Sometimes"}), "JobInvalidTriggerType"),
        (job_body(configuration={"replicaTimeout": 0}), "InvalidParameterValueInContainerTemplate"),
        (job_body(configuration={"replicaTimeout": "long"}), "InvalidRequestContent"),
        (job_body(resources={"cpu": 0.5, "memory": "4Gi"}), "ContainerAppInvalidResourceTotal"),
        (job_body(resources={"cpu": 5, "memory": "10Gi"}), "ContainerAppInvalidResourceTotal"),
        (job_body(image=""), "InvalidParameterValueInContainerTemplate"),
        (job_body(volumeMounts=[{"volumeName": "v", "mountPath": "/v"}]), "ContainerAppVolumeNotFound"),
        (
            job_body(configuration={"registries": [{"server": "x", "username": "u", "passwordSecretRef": "p"}]}),
            "ContainerAppSecretRefNotFound",
        ),
        (
            job_body(configuration={"registries": [{"server": "x", "identity": "/subscriptions/i"}]}),
            "ContainerAppRegistryIdentityNotFound",
        ),
        ({"location": "eastus", "properties": {}}, "InvalidParameterValueInContainerTemplate"),
        ({**job_body(), "nme": "x"}, "InvalidRequestContent"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_container_apps_does_not_allow_is_refused(api, body, code):
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.App/jobs/etl"
    answer = requests.put(f"{api.endpoint}{path}?api-version=2025-01-01", json=body, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert api.left_over == []


@pytest.mark.parametrize("name", ["Etl", "1etl", "etl-", "e--l", "e" * 33])
def test_a_name_that_is_none_of_a_job_is_refused(client, name):
    assert refused(lambda: new_job(client, name))[1] == "ContainerAppInvalidName"


def test_an_image_or_environment_that_is_missing_is_refused(api, client):
    api.play("etl", image_problem=True)
    assert "MANIFEST_UNKNOWN" in refused(lambda: new_job(client))[2]
    api.settings.missing_environments.add("tests")
    assert refused(lambda: new_job(client, "other"))[1] == "ManagedEnvironmentNotFound"


def test_a_job_that_is_being_provisioned_refuses_changes_and_starts(api, client):
    api.settings.create_seconds = 60
    client.jobs.begin_create_or_update(GROUP, "etl", job_body(), polling=False)
    for call in (client.jobs.begin_start, client.jobs.begin_delete):
        assert refused(lambda call=call: call(GROUP, "etl"))[:2] == (409, "ContainerAppOperationInProgress")
    assert refused(lambda: new_job(client))[:2] == (409, "ContainerAppOperationInProgress")


def test_a_patch_changes_what_it_names(api, client):
    new_job(client, configuration={"replicaRetryLimit": 2})
    job = client.jobs.begin_update(
        GROUP,
        "etl",
        {"tags": {"a": "b"}, "properties": {"configuration": {"replicaTimeout": 7, "triggerType": "Manual"}}},
    ).result()
    configuration = plain(job)["properties"]["configuration"]
    assert job.tags == {"a": "b"}
    assert (configuration["replicaTimeout"], configuration["replicaRetryLimit"]) == (7, 2)


def test_a_deleted_job_takes_its_executions_with_it(api, client):
    api.play("etl", seconds=None)
    new_job(client)
    started(client)
    wait(lambda: api.play.running)
    client.jobs.begin_delete(GROUP, "etl").result()
    wait(lambda: api.play.running == 0)
    assert api.left_over == []
    client.jobs.begin_delete(GROUP, "etl").result()
    assert [call.status for call in api.calls_of("Jobs_Delete")] == [202, 204]
    assert refused(lambda: client.jobs.get(GROUP, "etl"))[:2] == (404, "ResourceNotFound")


def test_a_deployment_can_make_a_job(api, client):
    resource = {"type": "Microsoft.App/jobs", "apiVersion": "2024-03-01", "name": "etl", **job_body()}
    template = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [resource]}
    api.resource_client().deployments.begin_create_or_update(GROUP, "run", deployment_of(template)).result()
    assert [job.name for job in client.jobs.list_by_resource_group(GROUP)] == ["etl"]


# Executions


def test_an_execution_runs_and_succeeds(api, client):
    api.play("etl", seconds=None)
    new_job(client)
    name = started(client)
    wait(lambda: status(api, name) == "Running")
    assert name.startswith("etl-")
    api.play.end(name)
    properties = execution_of(client, name)["properties"]
    assert properties["status"] == "Succeeded"
    assert properties["endTime"] >= properties["startTime"]
    assert [each.name for each in client.jobs_executions.list(GROUP, "etl")] == [name]


def test_an_exit_code_is_in_the_detailed_status(api, client):
    api.play("etl", exit_code=3)
    new_job(client)
    properties = ended(api, started(client))
    assert (properties["status"], properties["reason"]) == ("Failed", "BackoffLimitExceeded")
    (replica,) = properties["detailedStatus"]["replicas"]
    assert replica["containers"][0]["code"] == 3


def test_a_replica_is_tried_again(api, client):
    api.play("etl", exit_code=1, times=1)
    new_job(client, configuration={"replicaRetryLimit": 1})
    properties = ended(api, started(client))
    assert properties["status"] == "Succeeded"
    assert len(properties["detailedStatus"]["replicas"]) == 2


def test_replicas_run_side_by_side_until_enough_have_succeeded(api, client):
    api.play("etl", seconds=None)
    new_job(client, configuration={"manualTriggerConfig": {"parallelism": 2, "replicaCompletionCount": 3}})
    name = started(client)
    wait(lambda: api.play.running == 2)
    api.play.end(name)
    wait(lambda: api.play.running == 1)
    api.play.end(name)
    assert ended(api, name)["status"] == "Succeeded"


def test_an_execution_past_its_time_out_fails(api, client):
    api.play("etl", seconds=None)
    new_job(client, configuration={"replicaTimeout": 30})
    name = started(client)
    wait(lambda: api.play.running)
    api.clock.advance(31)
    properties = ended(api, name)
    assert (properties["status"], properties["reason"]) == ("Failed", "DeadlineExceeded")


def test_an_execution_is_stopped(api, client):
    api.play("etl", seconds=None, stop_seconds=0.02)
    new_job(client)
    first, second = started(client), started(client)
    wait(lambda: api.play.running == 2)
    client.jobs.begin_stop_execution(GROUP, "etl", first).result()
    assert ended(api, first)["status"] == "Stopped"
    assert status(api, second) == "Running"
    client.jobs.begin_stop_multiple_executions(GROUP, "etl").result()
    assert ended(api, second)["status"] == "Stopped"


def test_an_execution_may_have_other_containers(api, client):
    api.play("etl", seconds=None)
    new_job(client, env=[{"name": "A", "value": "job"}])
    template = {"containers": [{"name": "main", "image": "flows:new", "env": [{"name": "A", "value": "run"}]}]}
    name = started(client, template=template)
    (container,) = execution_of(client, name)["properties"]["template"]["containers"]
    assert (container["image"], container["env"]) == ("flows:new", [{"name": "A", "value": "run"}])
    assert (api.environment_of("etl"), api.environment_of(name)) == ({"A": "job"}, {"A": "run"})
    wrong = {"containers": [{"name": "main", "image": "x", "env": [{"name": "A", "secretRef": "no"}]}]}
    assert refused(lambda: started(client, template=wrong))[1] == "ContainerAppSecretRefNotFound"
    assert api.executions_started == 1


def test_an_image_that_cannot_be_pulled_fails_the_execution(api, client):
    new_job(client)
    api.play("etl", pull_problem="unauthorized")
    properties = ended(api, started(client))
    assert (properties["status"], properties["reason"]) == ("Failed", "ImagePullFailure")
    assert "unauthorized" in properties["message"]


def test_a_suspended_job_does_not_start(client):
    if not hasattr(client.jobs, "begin_suspend"):
        pytest.skip("This version of azure-mgmt-appcontainers cannot suspend jobs.")
    new_job(client)
    client.jobs.begin_suspend(GROUP, "etl").result()
    assert refused(lambda: started(client))[1] == "JobSuspended"
    client.jobs.begin_resume(GROUP, "etl").result()
    started(client)


def test_a_lost_answer_to_a_start_has_started(api, client):
    new_job(client)
    api.fail("Jobs_Start", when="lost")
    with pytest.raises(exceptions.AzureError):
        started(client)
    assert (len(api.executions), api.executions_started) == (1, 1)


# Logs


def test_lines_go_to_log_analytics(api, client):
    api.play("etl", lines=["one", "it's | two"])
    new_job(client)
    name = started(client)
    ended(api, name)
    table = f"ContainerAppConsoleLogs_CL | where ContainerGroupName_s startswith '{name}'"
    assert query(api, f"{table} | order by _timestamp_d asc | project Log_s") == [["one"], ["it's | two"]]
    assert query(api, f'{table} and Log_s contains "| TWO" | count') == [[1]]
    assert query(api, f"{table} | top 1 by _timestamp_d | project Log_s, ContainerName_s") == [["it's | two", "main"]]
    assert query(api, "ContainerAppConsoleLogs | where JobName == 'etl' | project Log | take 1") == [["one"]]
    assert query(api, "ContainerAppConsoleLogs_CL | where TimeGenerated > ago(1h) | count") == [[2]]
    assert query(api, "ContainerAppConsoleLogs_CL | where TimeGenerated < ago(1h) | count") == [[0]]
    reasons = f"ContainerAppSystemLogs_CL | where ExecutionName_s == '{name}' | distinct Reason_s"
    assert ["ContainerTerminated"] in query(api, reasons)


def test_lines_take_time_to_be_found(api, client):
    api.settings.log_ingestion_seconds = 120
    api.play("etl", lines=["one"])
    new_job(client)
    ended(api, started(client))
    text = "ContainerAppConsoleLogs_CL | project Log_s"
    assert query(api, text) == []
    api.clock.advance(121)
    assert query(api, text) == [["one"]]
    assert query(api, text, timespan="PT1M") == []
    assert query(api, text, timespan="PT1H") == [["one"]]


@pytest.mark.parametrize("text", ["", "Nothing | take 1", "ContainerAppConsoleLogs_CL | summarize count()"])
def test_a_query_that_cannot_be_read_is_refused(api, text):
    answer = requests.post(f"{api.endpoint}/v1/workspaces/{WORKSPACE}/query", json={"query": text}, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadArgumentError")


def test_a_log_is_streamed_until_its_container_ends(api, client):
    api.play("etl", seconds=None, lines=["one", "two"])
    new_job(client)
    name = started(client)
    wait(lambda: api.play.running and query(api, "ContainerAppConsoleLogs_CL | take 1"))
    job = api.job("etl")
    version = {"api-version": "2024-03-01"}
    replicas = requests.get(f"{api.endpoint}{job['id']}/executions/{name}/replicas", params=version, timeout=10).json()
    address = replicas["value"][0]["properties"]["containers"][0]["logStreamEndpoint"]
    assert requests.get(address, timeout=10).status_code == 401
    token = plain(client.managed_environments.get_auth_token(GROUP, "tests"))["properties"]["token"]
    options: Json = {"params": {"follow": "true", "tailLines": 1, "output": "text"}, "stream": True, "timeout": 10}
    with requests.get(address, headers={"Authorization": f"Bearer {token}"}, **options) as answer:
        lines = (line.decode().partition(" ")[2] for line in answer.iter_lines(chunk_size=1))
        assert next(lines).startswith("Connecting to the container 'main'")
        assert next(lines).startswith("Successfully Connected")
        assert next(lines) == "two"
        api.play.write(name, ["three"])
        assert next(lines) == "three"
        api.play.end(name)
        assert list(lines) == []
