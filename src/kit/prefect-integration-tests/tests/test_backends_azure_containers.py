"""Containers of the local Azure server on a Docker engine."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("azure.mgmt.containerinstance")
pytest.importorskip("azure.mgmt.appcontainers")

from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.backends.docker import DockerEngine

from ._azure import GROUP, group_body, job_body, new_group, refused, state_of, wait

pytestmark = pytest.mark.xdist_group("docker")

_PATIENCE = 60


@pytest.fixture
def api(empty_azure_api: AzureApi, docker_engine: DockerEngine, busybox_image: str) -> Iterator[AzureApi]:
    empty_azure_api.use_engine(docker_engine)
    yield empty_azure_api
    empty_azure_api.reset()


def shell(script: str, **properties: Any) -> dict[str, Any]:
    container = {"image": "busybox:dev", "command": ["sh", "-c", script], **properties.pop("container", {})}
    return group_body(container=container, **properties)


def log(api: AzureApi, **options: Any) -> list[str]:
    content = api.container_instance_client().containers.list_logs(GROUP, "etl", "main", **options).content
    return (content or "").splitlines()


def ended(api: AzureApi) -> dict[str, Any]:
    wait(lambda: state_of(api)["state"] == "Terminated", timeout_seconds=_PATIENCE)
    return state_of(api)


def test_a_container_has_its_environment_its_files_its_log_and_its_exit_code(api):
    variables = [{"name": "A", "value": "a b"}, {"name": "S", "secureValue": "s3cret"}]
    body = shell(
        'echo "$A $S"; cat /keys/key.txt; echo; echo oh >&2; exit 7',
        container={"environmentVariables": variables, "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]},
        volumes=[{"name": "keys", "secret": {"key.txt": base64.b64encode(b"file").decode()}}],
    )
    new_group(api, body=body)
    state = ended(api)
    assert (state["exitCode"], state["detailStatus"]) == (7, "Error")
    assert sorted(log(api)) == ["a b s3cret", "file", "oh"]


def test_ten_thousand_lines_are_kept_in_order(api):
    new_group(api, body=shell("i=0; while [ $i -lt 10000 ]; do echo line $i; i=$((i+1)); done"))
    ended(api)
    assert log(api) == [f"line {index}" for index in range(10_000)]
    assert [line.partition(" ")[2] for line in log(api, tail=1, timestamps=True)] == ["line 9999"]


def test_a_container_reaches_what_listens_on_loopback(api):
    address = f"{api.endpoint}/subscriptions/s/resourceGroups/g?api-version=2025-04-01"
    new_group(api, body=shell(f"wget -q -O - '{address}' | grep -c Succeeded"))
    assert ended(api)["exitCode"] == 0


def test_a_deleted_group_takes_its_container_with_it(api, docker_engine):
    api.settings.grace_seconds = 1
    new_group(api, body=shell("trap '' TERM; echo up; while true; do sleep 0.1; done"))
    wait(lambda: log(api) == ["up"], timeout_seconds=_PATIENCE)
    api.container_instance_client().container_groups.begin_delete(GROUP, "etl").result()
    left = {"label": "prefect-tests-azure"}
    wait(
        lambda: not docker_engine.client().api.containers(all=True, filters=left),
        subject="the containers' end",
        timeout_seconds=_PATIENCE,
    )
    assert api.play.running == 0


def test_too_much_memory_kills(api):
    requests = {"requests": {"cpu": 1, "memoryInGB": 0.02}}
    new_group(api, body=shell("tail -c 100000000 /dev/zero | wc -c", container={"resources": requests}))
    state = ended(api)
    assert (state["exitCode"], state["detailStatus"]) in ((137, "OOMKilled"), (0, "OOMKilled"))


def test_an_image_that_the_engine_lacks_is_not_accessible(api):
    groups = api.container_instance_client().container_groups
    body = group_body(container={"image": "nobody/has:this"})
    assert refused(lambda: groups.begin_create_or_update(GROUP, "etl", body))[1] == "InaccessibleImage"


def test_a_program_that_is_not_there_does_not_start(api):
    new_group(api, body=group_body(container={"image": "busybox:dev", "command": ["no"]}))
    state = ended(api)
    assert state["exitCode"] == 128
    assert state["detailStatus"].startswith("ContainerCannotRun")


def test_an_execution_of_a_job_is_stopped_by_sigterm(api):
    client = api.container_apps_client()
    script = "trap 'echo bye; exit 0' TERM; echo $K $CONTAINER_APP_JOB_NAME; while true; do sleep 0.1; done"
    body = job_body(
        configuration={"secrets": [{"name": "key", "value": "s3cret"}]},
        image="busybox:dev",
        command=["sh", "-c"],
        args=[script],
        env=[{"name": "K", "secretRef": "key"}],
    )
    client.jobs.begin_create_or_update(GROUP, "etl", body).result()
    name = client.jobs.begin_start(GROUP, "etl").result().name
    logs = api.lines_of(name)
    wait(lambda: api.lines_of(name) == ["s3cret etl"], subject=f"the log, now {logs}", timeout_seconds=_PATIENCE)
    client.jobs.begin_stop_execution(GROUP, "etl", name).result()
    wait(lambda: api.execution(name)["properties"]["status"] == "Stopped", timeout_seconds=_PATIENCE)
    assert api.lines_of(name) == ["s3cret etl", "bye"]
