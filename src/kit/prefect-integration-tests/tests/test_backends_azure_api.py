"""The local server in the shape of Azure Resource Manager: requests are checked, operations take time, calls fail."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

exceptions = pytest.importorskip("azure.core.exceptions")
pytest.importorskip("azure.mgmt.containerinstance")
pytest.importorskip("azure.mgmt.resource")

import requests  # noqa: E402

from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, ArmError, AzureApi  # noqa: E402

from ._azure import GROUP, deployment_of, group_body, new_group, refused, state_of, template_of, wait  # noqa: E402

Json = dict[str, Any]
PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups"


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def groups(api: AzureApi) -> Any:
    return api.container_instance_client(retry_total=0).container_groups


# Requests


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**group_body(), "nme": "x"}, "Could not find member 'nme' on object. Path 'nme'."),
        (group_body(container={"cmd": []}), "Path 'properties.containers[0].properties.cmd'."),
        (group_body(container={"command": "sh"}), "an array is expected. Path"),
        (group_body(container={"image": 1}), "a string is expected. Path"),
        (group_body(container={"resources": {"requests": {"cpu": "one", "memoryInGB": 1}}}), "a number is expected"),
        (group_body(container={"resources": {}}), "Required property 'requests' not found in JSON."),
        ({"location": "eastus", "properties": {"osType": "Linux"}}, "Required property 'containers' not found"),
        ({"location": "eastus"}, "Required property 'containers' not found in JSON. Path 'properties'."),
    ],
    ids=["unknown", "unknown-deep", "array", "string", "number", "required", "required-folder", "no-properties"],
)
def test_a_body_that_does_not_fit_the_model_is_refused(api, body, said):
    answer = requests.put(f"{api.endpoint}{PATH}/etl?api-version=2023-05-01", json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequestContent"
    assert said in answer.json()["error"]["message"]


def test_names_of_fields_and_things_are_found_whatever_their_case(api, groups):
    body = group_body()
    body["Properties"] = body.pop("properties")
    assert requests.put(f"{api.endpoint}{PATH.upper()}/etl?api-version=2023-05-01", json=body, timeout=10).ok
    assert groups.get(GROUP.upper(), "ETL").name == "etl"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (group_body(container={"image": " "}), "InvalidImageName"),
        (group_body(container={"environmentVariables": [{"name": "A"}]}), "InvalidEnvironmentVariable"),
        (
            group_body(container={"environmentVariables": [{"name": "A", "value": "", "secureValue": ""}]}),
            "InvalidEnvironmentVariable",
        ),
        (
            group_body(container={"environmentVariables": [{"name": "A", "value": ""}] * 2}),
            "DuplicateEnvironmentVariable",
        ),
        (group_body(container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}), "VolumeNotFound"),
        (group_body(osType="BeOS"), "InvalidOSType"),
        (group_body(restartPolicy="Sometimes"), "InvalidRestartPolicy"),
        (group_body(imageRegistryCredentials=[{"server": "https://x"}]), "InvalidImageRegistryServer"),
        (group_body(imageRegistryCredentials=[{"server": "x", "username": "u"}]), "InvalidImageRegistryCredential"),
        (group_body(imageRegistryCredentials=[{"server": "x", "identity": "/i"}]), "InvalidImageRegistryIdentity"),
        ({**group_body(), "location": ""}, "LocationRequired"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_container_instances_does_not_allow_is_refused(api, groups, body, code):
    assert refused(lambda: groups.begin_create_or_update(GROUP, "etl", body))[:2] == (400, code)
    assert api.container_groups == []


@pytest.mark.parametrize("name", ["-etl", "ETL", "e" * 64, "e_l"])
def test_a_name_that_is_none_of_a_container_group_is_refused(groups, name):
    assert refused(lambda: groups.begin_create_or_update(GROUP, name, group_body()))[1] == "InvalidContainerGroupName"


def test_api_version_is_required(api):
    error = requests.get(f"{api.endpoint}{PATH}", timeout=10).json()["error"]
    assert error["code"] == "MissingApiVersionParameter"
    error = requests.get(f"{api.endpoint}{PATH}?api-version=latest", timeout=10).json()["error"]
    assert error["code"] == "InvalidApiVersionParameter"


def test_a_path_that_is_none_is_404_and_recorded(api):
    assert requests.get(f"{api.endpoint}/subscriptions/x/cows?api-version=2023-05-01", timeout=10).status_code == 404
    assert [(call.operation, call.status) for call in api.calls] == [("", 404)]


def test_a_missing_resource_group_and_an_unregistered_provider_are_refused(api, groups):
    api.settings.missing_groups.add(GROUP)
    assert refused(lambda: groups.get(GROUP, "etl"))[:2] == (404, "ResourceGroupNotFound")
    api.settings.unregistered.add("Microsoft.ContainerInstance")
    assert refused(lambda: groups.get("other", "etl"))[:2] == (409, "MissingSubscriptionRegistration")
    provider = api.resource_client().providers.get("Microsoft.ContainerInstance")
    assert provider.registration_state == "NotRegistered"


# Container groups


def test_a_group_is_created_runs_and_ends(api, groups):
    api.settings.create_seconds = 60
    api.play("etl", seconds=None, lines=["hello"])
    poller = groups.begin_create_or_update(GROUP, "etl", group_body())
    assert api.container_group("etl")["properties"]["provisioningState"] in ("Pending", "Creating")
    api.clock.advance(60)
    assert poller.result().provisioning_state == "Succeeded"
    wait(lambda: state_of(api)["state"] == "Running")
    assert groups.get(GROUP, "etl").instance_view.state == "Running"
    assert api.play.end("etl", exit_code=3) == 1
    group = groups.get(GROUP, "etl")
    state = group.containers[0].instance_view.current_state
    assert (group.instance_view.state, state.state, state.exit_code, state.detail_status) == (
        "Failed",
        "Terminated",
        3,
        "Error",
    )
    assert state.finish_time >= state.start_time
    events = [event.name for event in group.containers[0].instance_view.events]
    assert events == ["Pulling", "Pulled", "Started"]


def test_a_list_does_not_show_instance_views(api, groups):
    new_group(api)
    for listed in (groups.list_by_resource_group(GROUP), groups.list()):
        (group,) = listed
        assert (group.provisioning_state, group.instance_view) == ("Succeeded", None)
        assert group.containers[0].instance_view is None
    api.settings.list_shows_instance_view = True
    (group,) = groups.list_by_resource_group(GROUP)
    assert group.instance_view.state == "Succeeded"


def test_lists_are_of_one_group_and_come_in_pages(api, groups):
    api.settings.create_seconds = 0
    api.settings.page_size = 2
    for index in range(5):
        new_group(api, f"etl-{index}")
    groups.begin_create_or_update("other", "elsewhere", group_body()).result()
    assert [group.name for group in groups.list_by_resource_group(GROUP)] == [f"etl-{index}" for index in range(5)]
    assert len(api.calls_of("ContainerGroups_ListByResourceGroup")) == 3
    assert len(list(groups.list())) == 6
    assert list(api.container_instance_client("another").container_groups.list()) == []


def test_secrets_do_not_come_back(api, groups):
    body = group_body(
        container={"environmentVariables": [{"name": "A", "value": "b"}, {"name": "S", "secureValue": "s3cret"}]},
        imageRegistryCredentials=[{"server": "x.io", "username": "u", "password": "s3cret"}],
        volumes=[{"name": "keys", "secret": {"key": "czNjcmV0"}}],
    )
    new_group(api, body=body)
    shown = requests.get(f"{api.endpoint}{PATH}/etl?api-version=2023-05-01", timeout=10).text
    assert "s3cret" not in shown
    assert "czNjcmV0" not in shown
    assert groups.get(GROUP, "etl").containers[0].environment_variables[1].name == "S"
    assert api.environment_of("etl") == {"A": "b", "S": "s3cret"}


def test_a_changed_group_starts_anew_and_an_equal_one_does_not(api, groups):
    api.play(seconds=None)
    new_group(api)
    wait(lambda: state_of(api)["state"] == "Running")
    started = state_of(api)["startTime"]
    new_group(api)
    assert state_of(api)["startTime"] == started
    new_group(api, body=group_body(container={"image": "flows:new"}))
    wait(lambda: state_of(api).get("startTime", started) > started)
    assert (len(api.container_groups), api.play.running, api.groups_started) == (1, 1, 1)


def test_a_group_in_transition_cannot_be_changed(api, groups):
    api.settings.create_seconds = 60
    groups.begin_create_or_update(GROUP, "etl", group_body(), polling=False)
    said = refused(lambda: groups.begin_create_or_update(GROUP, "etl", group_body(), polling=False))
    assert said[:2] == (409, "ContainerGroupTransitioning")
    assert refused(lambda: groups.begin_restart(GROUP, "etl", polling=False))[1] == "ContainerGroupTransitioning"


def test_quotas_hold_until_groups_are_deleted(api, groups):
    api.settings.create_seconds = 0
    api.settings.core_quota = 1.5
    new_group(api)
    status, code, message = refused(lambda: new_group(api, "other"))
    assert (status, code) == (409, "ContainerGroupQuotaReached")
    assert "Limit: '1.5', Usage: '1.0' Requested: '1.0'" in message
    groups.begin_delete(GROUP, "etl").result()
    new_group(api, "other")
    api.settings.core_quota, api.settings.group_quota = None, 1
    assert refused(lambda: new_group(api))[1] == "ContainerGroupQuotaReached"


def test_an_image_that_cannot_be_pulled_is_refused_or_fails_later(api, groups):
    api.play("etl", image_problem=True)
    assert refused(lambda: new_group(api))[:2] == (400, "InaccessibleImage")
    api.play("late", pull_problem="unauthorized")
    with pytest.raises(exceptions.HttpResponseError, match="unauthorized"):
        new_group(api, "late")
    group = groups.get(GROUP, "late")
    assert (group.provisioning_state, group.instance_view.state) == ("Failed", "Failed")
    assert group.containers[0].instance_view.current_state.state == "Waiting"


def test_deleting_ends_containers_and_is_204_when_there_is_none(api, groups):
    api.play(seconds=None, stop_seconds=0.05)
    new_group(api)
    wait(lambda: api.play.running)
    assert groups.begin_delete(GROUP, "etl").result().name == "etl"
    assert api.left_over == []
    wait(lambda: api.play.running == 0)
    groups.begin_delete(GROUP, "etl").result()
    assert [call.status for call in api.calls_of("ContainerGroups_Delete")] == [200, 204]


def test_a_slow_deletion_is_followed_by_its_location(api, groups):
    api.settings.delete_seconds = 0.05
    new_group(api)
    poller = groups.begin_delete(GROUP, "etl")
    assert api.container_group("etl")["properties"]["provisioningState"] == "Deleting"
    poller.wait()
    assert api.left_over == []


def test_a_stopped_group_stays_and_can_be_started(api, groups):
    api.play(seconds=None, exit_code_after_stop=0)
    new_group(api)
    wait(lambda: api.play.running)
    groups.stop(GROUP, "etl")
    assert groups.get(GROUP, "etl").instance_view.state == "Stopped"
    wait(lambda: api.play.running == 0)
    groups.begin_start(GROUP, "etl").result()
    wait(lambda: state_of(api)["state"] == "Running")


def test_restart_policies(api, groups):
    api.play("etl", exit_code=1, times=2)
    new_group(api, body=group_body(restartPolicy="OnFailure"))
    wait(lambda: groups.get(GROUP, "etl").instance_view.state == "Succeeded")
    view = groups.get(GROUP, "etl").containers[0].instance_view
    assert (view.restart_count, view.previous_state.exit_code, view.current_state.exit_code) == (2, 1, 0)


def test_init_containers_run_first(api):
    init = {"name": "before", "properties": {"image": "tools:dev"}}
    api.play("etl", container="before", seconds=None)
    api.play("etl", container="main", seconds=None)
    new_group(api, body=group_body(initContainers=[init]))
    wait(lambda: api.play.running == 1)
    assert state_of(api)["state"] == "Waiting"
    api.play.end("etl", container="before")
    wait(lambda: state_of(api)["state"] == "Running")


def test_out_of_memory_is_told(api):
    api.play(seconds=None)
    new_group(api)
    wait(lambda: api.play.run_out_of_memory("etl"))
    assert (state_of(api)["exitCode"], state_of(api)["detailStatus"]) == (137, "OOMKilled")


# Logs


def test_logs_have_tails_timestamps_and_a_limit(api, groups):
    logs = api.container_instance_client().containers
    api.play(seconds=None)
    new_group(api)
    assert logs.list_logs(GROUP, "etl", "main").content is None
    wait(lambda: api.play.write("etl", [f"line {index}" for index in range(10_000)]))
    content = logs.list_logs(GROUP, "etl", "main").content
    assert content.splitlines() == [f"line {index}" for index in range(10_000)]
    assert logs.list_logs(GROUP, "etl", "main", tail=2).content == "line 9998\nline 9999\n"
    stamped = logs.list_logs(GROUP, "etl", "main", timestamps=True).content.splitlines()
    stamps = [line.partition(" ")[0] for line in stamped]
    assert len(set(stamps)) == 10_000
    assert stamps == sorted(stamps)
    assert len(stamps[0]) == len("2026-05-04T03:02:01.123456789Z")
    api.settings.log_bytes = 100
    assert logs.list_logs(GROUP, "etl", "main").content.splitlines() == [
        f"line {index}" for index in range(9990, 10_000)
    ]


def test_logs_of_a_group_that_is_not_ready_are_refused(api, groups):
    api.settings.create_seconds = 60
    groups.begin_create_or_update(GROUP, "etl", group_body(), polling=False)
    logs = api.container_instance_client(retry_total=0).containers
    assert refused(lambda: logs.list_logs(GROUP, "etl", "main"))[:2] == (409, "ContainerGroupDeploymentNotReady")
    assert refused(lambda: logs.list_logs(GROUP, "etl", "other"))[:2] == (404, "ContainerNotFound")


# Deployments


def test_a_deployment_makes_its_group_and_keeps_a_record_without_secrets(api):
    variables = [{"name": "KEY", "secureValue": "[parameters('key')]"}]
    template = template_of(group_body(container={"environmentVariables": variables}))
    template["parameters"]["key"] = {"type": "secureString"}
    deployments = api.resource_client().deployments
    done = deployments.begin_create_or_update(
        GROUP, "run", deployment_of(template, key="s3cret", name="etl-1")
    ).result()
    assert done.properties.provisioning_state == "Succeeded"
    assert done.properties.parameters == {
        "name": {"type": "String", "value": "etl-1"},
        "key": {"type": "SecureString"},
    }
    assert done.properties.output_resources[0].id.endswith("/containerGroups/etl-1")
    assert api.environment_of("etl-1") == {"KEY": "s3cret"}
    record = requests.get(f"{api.endpoint}{api.deployments[0]['id']}?api-version=2025-04-01", timeout=10).text
    assert "s3cret" not in record
    assert "s3cret" not in str(deployments.export_template(GROUP, "run").template)


def test_a_deployment_takes_as_long_as_its_group(api):
    api.settings.create_seconds = 60
    deployments = api.resource_client().deployments
    deployments.begin_create_or_update(GROUP, "run", deployment_of(template_of(group_body())), polling=False)
    wait(lambda: api.container_groups)
    assert deployments.get(GROUP, "run").properties.provisioning_state == "Running"
    again = deployment_of(template_of(group_body()))
    assert refused(lambda: deployments.begin_create_or_update(GROUP, "run", again))[:2] == (409, "DeploymentActive")
    assert refused(lambda: deployments.begin_delete(GROUP, "run"))[:2] == (409, "DeploymentActive")
    api.clock.advance(60)
    assert deployments.get(GROUP, "run").properties.provisioning_state == "Succeeded"


def test_a_deployment_that_cannot_make_its_group_fails_with_the_cause(api):
    api.settings.core_quota = 0.5
    client = api.resource_client()
    with pytest.raises(exceptions.HttpResponseError) as caught:
        client.deployments.begin_create_or_update(GROUP, "run", deployment_of(template_of(group_body()))).result()
    assert caught.value.error.code == "DeploymentFailed"
    assert caught.value.error.details[0].code == "ContainerGroupQuotaReached"
    record = client.deployments.get(GROUP, "run")
    assert record.properties.provisioning_state == "Failed"
    (operation,) = client.deployment_operations.list(GROUP, "run")
    assert operation.properties.status_message.error.code == "ContainerGroupQuotaReached"


def test_what_a_provider_would_refuse_is_refused_before_anything_is_made(api):
    template = template_of(group_body(osType="BeOS"))
    deployments = api.resource_client().deployments
    with pytest.raises(exceptions.HttpResponseError) as caught:
        deployments.begin_create_or_update(GROUP, "run", deployment_of(template))
    assert caught.value.error.code == "InvalidTemplateDeployment"
    assert caught.value.error.details[0].code == "InvalidOSType"
    assert api.left_over == []


def test_records_are_deleted_but_not_what_they_made(api):
    deployments = api.resource_client().deployments
    deployments.begin_create_or_update(GROUP, "run", deployment_of(template_of(group_body()))).result()
    assert deployments.check_existence(GROUP, "run")
    deployments.begin_delete(GROUP, "run").result()
    assert not deployments.check_existence(GROUP, "run")
    assert [each.rpartition("/")[2] for each in api.left_over] == ["etl"]
    deployments.begin_delete(GROUP, "run").result()
    assert [call.status for call in api.calls_of("Deployments_Delete")] == [202, 204]


def test_history_has_an_end(api):
    api.settings.deployment_history = 2
    deployments = api.resource_client().deployments
    body = deployment_of(template_of(group_body()))
    for name in ("one", "two"):
        deployments.begin_create_or_update(GROUP, name, body).result()
    assert refused(lambda: deployments.begin_create_or_update(GROUP, "three", body))[1] == "DeploymentQuotaExceeded"
    deployments.begin_create_or_update(GROUP, "two", body).result()
    failed = deployments.list_by_resource_group(GROUP, filter="provisioningState eq 'Failed'")
    assert [each.name for each in failed] == []
    assert [each.name for each in deployments.list_by_resource_group(GROUP)] == ["two", "one"]


def test_a_deployment_can_be_cancelled(api):
    api.settings.create_seconds = 60
    deployments = api.resource_client().deployments
    deployments.begin_create_or_update(GROUP, "run", deployment_of(template_of(group_body())), polling=False)
    deployments.cancel(GROUP, "run")
    assert deployments.get(GROUP, "run").properties.provisioning_state == "Canceled"
    assert refused(lambda: deployments.cancel(GROUP, "run"))[0] == 409


@pytest.mark.parametrize("by_hand", [True, False], ids=["by-hand", "by-call"])
def test_a_deployment_whose_group_is_deleted_meanwhile_fails(api, groups, by_hand):
    api.settings.create_seconds = 60
    poller = api.resource_client().deployments.begin_create_or_update(
        GROUP, "run", deployment_of(template_of(group_body()))
    )
    wait(lambda: api.container_groups)
    if by_hand:
        api.forget("etl")
    else:
        groups.begin_delete(GROUP, "etl").result()
    with pytest.raises(exceptions.HttpResponseError, match="was deleted while it was created"):
        poller.result()
    assert api.play.running == 0


def test_a_group_that_is_stopped_before_it_starts_does_not_start(api, groups):
    api.settings.create_seconds = 60
    groups.begin_create_or_update(GROUP, "etl", group_body(), polling=False)
    groups.stop(GROUP, "etl")
    api.clock.advance(60)
    assert (groups.get(GROUP, "etl").instance_view.state, state_of(api)["state"]) == ("Stopped", "Waiting")


# Faults


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_call_that_fails_some_times_then_succeeds(api, groups, status):
    new_group(api)
    api.fail("ContainerGroups_Get", status, times=2, retry_after_seconds=3)
    for _ in range(2):
        with pytest.raises(exceptions.HttpResponseError) as caught:
            groups.get(GROUP, "etl")
        assert caught.value.status_code == status
        assert caught.value.response.headers["Retry-After"] == "3"
    assert groups.get(GROUP, "etl").name == "etl"


def test_a_refusal_names_action_and_identity(api, groups):
    api.fail("ContainerGroups_CreateOrUpdate", 403)
    _, code, message = refused(lambda: new_group(api))
    assert code == "AuthorizationFailed"
    assert "perform action 'Microsoft.ContainerInstance/containerGroups/write'" in message


@pytest.mark.parametrize(("when", "is_done"), [("cut", False), ("lost", True), ("after", True), ("garbled", False)])
def test_what_is_lost_may_have_been_done(api, groups, when, is_done):
    api.fail("ContainerGroups_CreateOrUpdate", when=when)
    with pytest.raises(exceptions.AzureError):
        groups.begin_create_or_update(GROUP, "etl", group_body())
    assert bool(api.container_groups) == is_done


def test_a_late_call_is_done_when_nobody_waits_any_more(api, groups):
    api.fail("ContainerGroups_CreateOrUpdate", when="late", delay_seconds=30)
    with pytest.raises(exceptions.AzureError):
        groups.begin_create_or_update(GROUP, "etl", group_body())
    assert api.container_groups == []
    api.clock.advance(30)
    assert [group["name"] for group in api.container_groups] == ["etl"]


def test_a_call_that_hangs_keeps_no_other_waiting(api, groups):
    def hang(call: Any) -> None:
        if call.name == "late":
            reached.set()
            goes_on.wait(60)

    reached, goes_on = threading.Event(), threading.Event()
    new_group(api)
    new_group(api, "late")
    api.on_call.append(hang)
    slow = threading.Thread(target=groups.get, args=(GROUP, "late"))
    slow.start()
    assert reached.wait(20)
    assert groups.get(GROUP, "etl").name == "etl"
    assert slow.is_alive()
    goes_on.set()
    slow.join()


def test_a_slow_call_is_done_all_the_same(api, groups):
    new_group(api)
    api.fail("ContainerGroups_Get", when="slow", delay_seconds=0.1)
    began = time.monotonic()
    assert groups.get(GROUP, "etl").name == "etl"
    assert time.monotonic() - began >= 0.1


def test_faults_may_choose_their_calls(api, groups):
    new_group(api, "one")
    new_group(api, "two")
    api.fail("ContainerGroups_*", times=None, where=lambda call: call.name == "two")
    assert groups.get(GROUP, "one").name == "one"
    assert refused(lambda: groups.get(GROUP, "two"))[0] == 503
    api.heal()
    assert groups.get(GROUP, "two").name == "two"


def test_hooks_hear_and_refuse_calls(api, groups):
    def refuse(call: Any) -> None:
        if call.operation == "ContainerGroups_Get":
            raise ArmError(409, "Custom", f"not {call.params['containerGroupName']}")

    api.on_call.append(refuse)
    assert refused(lambda: groups.get(GROUP, "etl")) == (409, "Custom", "not etl")


def test_tokens_are_looked_at(api):
    api.check_tokens(lambda token: "me" if token == "good" else None)
    from prefect_integration_tests.backends._azure.arm_clients import client_options

    groups = api.container_instance_client(**client_options("good")).container_groups
    assert list(groups.list()) == []
    assert api.calls[-1].principal == "me"
    with pytest.raises(exceptions.ClientAuthenticationError) as caught:
        list(api.container_instance_client().container_groups.list())
    assert 'error="invalid_token"' in caught.value.response.headers["WWW-Authenticate"]
    assert requests.get(f"{api.endpoint}{PATH}?api-version=2023-05-01", timeout=10).status_code == 401


def test_a_running_operation_can_fail_too(api, groups):
    api.settings.create_seconds = 0.2
    api.fail("AsyncOperations_Get", 500, times=1)
    with pytest.raises(exceptions.HttpResponseError):
        groups.begin_create_or_update(GROUP, "etl", group_body()).result()
    assert [group["name"] for group in api.container_groups] == ["etl"]


def test_operations_ask_for_patience(api, groups):
    api.settings.retry_after_seconds = 5
    api.settings.create_seconds = 60
    groups.begin_create_or_update(GROUP, "etl", group_body(), polling=False)
    answer = requests.put(f"{api.endpoint}{PATH}/two?api-version=2023-05-01", json=group_body(), timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (201, "5")
    status = requests.get(answer.headers["Azure-AsyncOperation"], timeout=10)
    assert (status.json()["status"], status.headers["Retry-After"]) == ("InProgress", "5")


# Load


def test_two_hundred_groups_at_once(api):
    def run(index: int) -> None:
        deployments = clients[index % 10].deployments
        body = deployment_of(template, name=f"etl-{index}")
        deployments.begin_create_or_update(GROUP, f"run-{index}", body, polling=False)

    template = template_of(group_body())
    api.play(seconds=None)
    clients = [api.resource_client() for _ in range(10)]
    threads = threading.active_count()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(run, range(200)))
    wait(lambda: api.play.running == 200, timeout_seconds=60)
    assert threading.active_count() <= threads + 40  # connections have threads, containers have none
    groups = list(api.container_instance_client().container_groups.list_by_resource_group(GROUP))
    assert len({group.name for group in groups}) == 200
    api.play.end("*")
    assert {state_of(api, f"etl-{index}")["state"] for index in range(0, 200, 50)} == {"Terminated"}


async def test_async_clients_are_served(api):
    from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient as Client

    from prefect_integration_tests.backends._azure.arm_clients import StaticCredential

    class Credential(StaticCredential):
        async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
            return StaticCredential.get_token(self, *scopes, **kwargs)

        async def close(self) -> None: ...

    new_group(api)
    credential: Any = Credential()
    async with Client(credential, SUBSCRIPTION, base_url=api.endpoint) as client:
        gets = [client.container_groups.get(GROUP, "etl", enforce_https=False) for _ in range(20)]
        assert {group.name for group in await asyncio.gather(*gets)} == {"etl"}
