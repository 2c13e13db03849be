"""What the Cloud Run workers make of job variables: the job as Cloud Run takes it."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.states import Scheduled
from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ValidationError

from prefect_gcp.workers.cloud_run import CloudRunWorkerVariables
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2Variables

from ._cloud_run import SETTINGS, configured

Json = dict[str, Any]


def new_run(name: str = "nightly-report") -> FlowRun:
    return FlowRun(id=uuid.uuid4(), name=name, flow_id=uuid.uuid4(), state=Scheduled())


def prepared(version: str, run: FlowRun | None = None, **variables: Any) -> Any:
    configuration = configured(version, **variables)
    configuration.prepare_for_flow_run(run or new_run())
    return configuration


def task_of(configuration: Any) -> Json:
    body = configuration.job_body
    if "spec" in body:
        return body["spec"]["template"]["spec"]["template"]["spec"]
    return body["template"]["template"]


def container_of(configuration: Any) -> Json:
    return task_of(configuration)["containers"][0]


both = pytest.mark.parametrize("version", ["v1", "v2"])


@both
def test_the_name_is_the_same_for_one_submission_and_another_for_the_next(version: str) -> None:
    run = new_run("Ünïcode & Co. " * 10)
    first, again = prepared(version, run), prepared(version, run)
    rescheduled = run.model_copy(update={"state": Scheduled()})
    assert first.job_name == again.job_name
    assert first.job_name != prepared(version, rescheduled).job_name
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", first.job_name)
    assert first.job_name.startswith("unicode-co-")


@both
def test_a_name_of_which_nothing_legal_is_left_still_names_a_job(version: str) -> None:
    assert prepared(version, new_run("(^_^)")).job_name.startswith("prefect-")


@both
def test_the_environment_and_the_command_go_into_the_container(version: str) -> None:
    run = new_run()
    container = container_of(prepared(version, run, env={"A": "1", "GONE": None}))
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (env["A"], env["PREFECT__FLOW_RUN_ID"]) == ("1", str(run.id))
    assert "GONE" not in env
    assert container["command"] == ["prefect", "flow-run", "execute"]


@both
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -m flows 'a b'", ["python", "-m", "flows", "a b"]),
        ('bash -c "echo $HOME"', ["bash", "-c", "echo $HOME"]),
    ],
    ids=["words", "quoted"],
)
def test_a_command_is_taken_apart_as_a_shell_does(version: str, command: str, expected: list[str]) -> None:
    assert container_of(prepared(version, command=command))["command"] == expected


@both
def test_a_command_with_an_open_quotation_mark_is_refused_by_name(version: str) -> None:
    with pytest.raises(ValueError, match=r"`command`.*cannot be taken apart"):
        prepared(version, command="python 'a")


@both
def test_without_an_image_the_worker_s_own_prefect_image_is_used(version: str) -> None:
    assert container_of(prepared(version, image=None))["image"] == get_prefect_image_name()


@both
def test_labels_are_written_as_google_takes_them_and_say_what_the_job_is_for(version: str) -> None:
    run = new_run()
    configuration = configured(version, labels={"Team": "Blue Team", "prefect.io/flow-run-id": "forged"})
    pool = WorkPool(name="My Pool", type="cloud-run", default_queue_id=uuid.uuid4(), id=uuid.uuid4())
    configuration.labels.pop("prefect.io/flow-run-id")
    configuration.prepare_for_flow_run(run, work_pool=pool)
    body = configuration.job_body
    for labels in (body["metadata"]["labels"] if version == "v1" else body["labels"],):
        assert labels["team"] == "blue-team"
        assert labels["prefect-io-flow-run-id"] == str(run.id)
        assert labels["prefect-io-work-pool-id"] == str(pool.id)
        assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) for key in labels)
        assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in labels.values())


def _reference(version: str, secret: str, number: str) -> Json:
    if version == "v1":
        return {"valueFrom": {"secretKeyRef": {"name": secret, "key": number}}}
    return {"valueSource": {"secretKeyRef": {"secret": secret, "version": number}}}


@both
def test_secrets_of_secret_manager_stand_as_references_and_their_plain_values_nowhere(version: str) -> None:
    configuration = prepared(
        version,
        env={"PREFECT_API_KEY": "c4n4ry-key", "PREFECT_API_AUTH_STRING": "c4n4ry-auth", "DB": "c4n4ry-db"},
        prefect_api_key_secret={"secret": "api-key", "version": "latest"},
        prefect_api_auth_string_secret={"secret": "auth", "version": "2"},
        env_from_secrets={"DB": {"secret": "db", "version": "1"}},
    )
    env = {entry["name"]: entry for entry in container_of(configuration)["env"]}
    assert env["PREFECT_API_KEY"] == {"name": "PREFECT_API_KEY", **_reference(version, "api-key", "latest")}
    assert env["PREFECT_API_AUTH_STRING"] == {"name": "PREFECT_API_AUTH_STRING", **_reference(version, "auth", "2")}
    assert env["DB"] == {"name": "DB", **_reference(version, "db", "1")}
    assert "c4n4ry" not in repr(configuration.job_body) + repr(configuration.env)


@both
def test_a_worker_s_own_secret_stands_in_for_a_plain_key(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{SETTINGS[version]}_PREFECT_API_KEY_SECRET", "of-the-worker:7")
    configuration = prepared(version, env={"PREFECT_API_KEY": "c4n4ry"})
    env = {entry["name"]: entry for entry in container_of(configuration)["env"]}
    assert env["PREFECT_API_KEY"] == {"name": "PREFECT_API_KEY", **_reference(version, "of-the-worker", "7")}
    own = prepared(version, prefect_api_key_secret={"secret": "own", "version": "1"})
    env = {entry["name"]: entry for entry in container_of(own)["env"]}
    assert env["PREFECT_API_KEY"] == {"name": "PREFECT_API_KEY", **_reference(version, "own", "1")}


@both
def test_a_variable_that_the_template_sets_is_there_once_and_the_run_s_value_counts(version: str) -> None:
    configuration = configured(version, env={"A": "run"})
    container_of(configuration)["env"] = [{"name": "A", "value": "template"}, {"name": "B", "value": "kept"}]
    configuration.prepare_for_flow_run(new_run())
    entries = [entry for entry in container_of(configuration)["env"] if entry["name"] in ("A", "B")]
    assert entries == [{"name": "A", "value": "run"}, {"name": "B", "value": "kept"}]


@both
def test_a_patch_reaches_whatever_no_variable_covers(version: str) -> None:
    path = ["spec", "template", "spec", "template", "spec"] if version == "v1" else ["template", "template"]
    patch: Any = {"containers": [{"workingDir": "/srv", "resources": {"limits": {"cpu": "4000m"}}}], "maxRetries": 2}
    for key in reversed(path):
        patch = {key: patch}
    configuration = prepared(version, cpu="1000m", memory="1Gi", job_body_patch=patch)
    container = container_of(configuration)
    assert container["workingDir"] == "/srv"
    assert container["resources"]["limits"] == {"cpu": "4000m", "memory": "1Gi"}
    assert container["image"] == "busybox:dev"
    assert task_of(configuration)["maxRetries"] == 2


@both
def test_what_is_not_set_stands_nowhere(version: str) -> None:
    text = repr(prepared(version).job_body)
    assert "None" not in text
    assert "vpc" not in text
    assert "serviceAccount" not in text


@both
def test_a_template_without_a_container_is_refused_by_name(version: str) -> None:
    template = configured(version)
    body = {"kind": "Job", "spec": {}} if version == "v1" else {"template": {}}
    with pytest.raises((ValueError, ValidationError), match="`job_body` has no"):
        type(template)(job_body=body).prepare_for_flow_run(new_run())


@pytest.mark.parametrize(
    ("variables", "values", "field"),
    [
        (CloudRunWorkerVariables, {"timeout": 3601}, "timeout"),
        (CloudRunWorkerVariables, {"cpu": "1"}, "cpu"),
        (CloudRunWorkerVariables, {"memory": "512"}, "memory"),
        (CloudRunWorkerV2Variables, {"timeout": 604801}, "timeout"),
        (CloudRunWorkerV2Variables, {"memory": "2 GB"}, "memory"),
        (
            CloudRunWorkerV2Variables,
            {"volumes": [{"mount_path": "/a", "bucket": "b", "secret": "s"}]},
            "exactly one of",
        ),
        (CloudRunWorkerV2Variables, {"volumes": [{"mount_path": "/a", "server": "nfs"}]}, "both server and path"),
        (CloudRunWorkerV2Variables, {"vpc_connector_name": "c", "network": "n"}, "vpc_connector_name"),
    ],
    ids=["v1 timeout", "v1 cpu", "v1 memory", "timeout", "memory", "two sources", "half an nfs", "two ways"],
)
def test_a_bad_value_is_refused_by_name(variables: Any, values: Json, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        variables(**values)


# Version 1


def test_a_job_of_version_1_is_not_executed_again_by_cloud_run() -> None:
    assert task_of(prepared("v1"))["maxRetries"] == 0


def test_a_body_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="kind 'Service'"):
        type(configured("v1"))(job_body={"kind": "Service"})


def test_the_connector_and_the_account_of_version_1() -> None:
    configuration = prepared(
        "v1", vpc_connector_name="my-connector", service_account_name="a@p.iam.gserviceaccount.com"
    )
    annotations = configuration.job_body["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"run.googleapis.com/vpc-access-connector": "my-connector"}
    assert task_of(configuration)["serviceAccountName"] == "a@p.iam.gserviceaccount.com"


# Version 2


def test_the_timeout_of_version_2_is_a_duration() -> None:
    assert task_of(prepared("v2", timeout=90))["timeout"] == "90s"


def test_a_gpu_is_a_limit_and_a_node_selector() -> None:
    configuration = prepared("v2", cpu="4000m", memory="16Gi", gpu_type="nvidia-l4", gpu_zonal_redundancy=False)
    assert container_of(configuration)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert task_of(configuration)["nodeSelector"] == {"accelerator": "nvidia-l4"}
    assert task_of(configuration)["gpuZonalRedundancyDisabled"] is True


def test_volumes_are_declared_and_mounted() -> None:
    configuration = prepared(
        "v2",
        cloudsql_instances=["p:r:i"],
        volumes=[
            {"mount_path": "/keys", "secret": "key", "items": {"key.json": "3"}},
            {"mount_path": "/data", "name": "data", "bucket": "b", "read_only": True, "mount_options": ["uid=1"]},
            {"mount_path": "/share", "server": "10.0.0.2", "path": "/exports"},
            {"mount_path": "/tmp", "memory": "256Mi"},
        ],
    )
    assert task_of(configuration)["volumes"] == [
        {"name": "volume-0", "secret": {"secret": "key", "items": [{"path": "key.json", "version": "3"}]}},
        {"name": "data", "gcs": {"bucket": "b", "readOnly": True, "mountOptions": ["uid=1"]}},
        {"name": "volume-2", "nfs": {"server": "10.0.0.2", "path": "/exports", "readOnly": False}},
        {"name": "volume-3", "emptyDir": {"medium": "MEMORY", "sizeLimit": "256Mi"}},
        {"name": "cloudsql", "cloudSqlInstance": {"instances": ["p:r:i"]}},
    ]
    mounts = {mount["name"]: mount["mountPath"] for mount in container_of(configuration)["volumeMounts"]}
    assert mounts == {
        "volume-0": "/keys",
        "data": "/data",
        "volume-2": "/share",
        "volume-3": "/tmp",
        "cloudsql": "/cloudsql",
    }


def test_tasks_join_a_network_directly() -> None:
    configuration = prepared("v2", network="n", subnetwork="s", network_tags=["t"], vpc_egress="ALL_TRAFFIC")
    assert task_of(configuration)["vpcAccess"] == {
        "networkInterfaces": [{"network": "n", "subnetwork": "s", "tags": ["t"]}],
        "egress": "ALL_TRAFFIC",
    }


def test_sidecars_tasks_and_the_rest_of_the_job() -> None:
    configuration = prepared(
        "v2",
        sidecars=[{"name": "proxy", "image": "proxy:1"}],
        task_count=3,
        parallelism=2,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        encryption_key="projects/p/locations/l/keyRings/r/cryptoKeys/k",
        annotations={"owner": "me"},
        launch_stage="LAUNCH_TAG_UNSPECIFIED",
        args=["--fast"],
    )
    body, task = configuration.job_body, task_of(configuration)
    assert [container["name"] for container in task["containers"]] == ["flow-run", "proxy"]
    assert (body["template"]["taskCount"], body["template"]["parallelism"]) == (3, 2)
    assert task["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"
    assert task["encryptionKey"].endswith("/k")
    assert body["annotations"] == {"owner": "me"}
    assert "launchStage" not in body
    assert container_of(configuration)["args"] == ["--fast"]
