"""What a configuration asks of Vertex AI: variables, the template, a run's own, in the SDK's own classes."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool
from pydantic import ValidationError

from prefect_gcp import GcpCredentials
from prefect_gcp._vertex.outcomes import ended_of, exit_code_of
from prefect_gcp._vertex.spec import custom_job
from prefect_gcp.workers.vertex import VertexAIWorkerJobConfiguration

from ._vertex import configured

_ACCOUNT = "flows@my-project.iam.gserviceaccount.com"


def _prepared(**variables: Any) -> VertexAIWorkerJobConfiguration:
    configuration = configured(**variables)
    configuration.prepare_for_flow_run(FlowRun(id=uuid.UUID(int=7), flow_id=uuid.UUID(int=8), name="sly-fox"))
    return configuration


def _job(**variables: Any) -> Any:
    return _prepared(**variables).to_custom_job(submission="0" * 32, labels={"prefect-submission": "0" * 32})


def _spec(**variables: Any) -> Any:
    return _job(**variables).job_spec


def test_every_variable_is_where_vertex_ai_has_it() -> None:
    spec = _spec(
        image="europe-docker.pkg.dev/p/flows:1",
        machine_type="a2-highgpu-1g",
        accelerator_type="NVIDIA_TESLA_A100",
        accelerator_count=1,
        boot_disk_type="pd-standard",
        boot_disk_size_gb=200,
        network="projects/1/global/networks/vpc",
        reserved_ip_ranges=["range"],
        service_account_name=_ACCOUNT,
        enable_web_access=True,
        enable_dashboard_access=True,
        maximum_run_time_hours=3,
        command="python -m 'my flow'",
    )
    [pool] = spec.worker_pool_specs
    assert pool.replica_count == 1
    assert pool.container_spec.image_uri == "europe-docker.pkg.dev/p/flows:1"
    assert list(pool.container_spec.command) == ["python", "-m", "my flow"]
    machine = pool.machine_spec
    assert (machine.machine_type, machine.accelerator_type.name) == ("a2-highgpu-1g", "NVIDIA_TESLA_A100")
    assert machine.accelerator_count == 1
    assert (pool.disk_spec.boot_disk_type, pool.disk_spec.boot_disk_size_gb) == ("pd-standard", 200)
    assert (spec.network, list(spec.reserved_ip_ranges)) == ("projects/1/global/networks/vpc", ["range"])
    assert (spec.service_account, spec.enable_web_access, spec.enable_dashboard_access) == (_ACCOUNT, True, True)
    assert spec.scheduling.timeout == timedelta(hours=3)


def test_a_job_runs_as_the_service_account_of_its_credentials(service_account: dict[str, Any]) -> None:
    """Unless another one is named, in either spelling."""
    credentials = GcpCredentials(service_account_info=service_account)
    assert _spec(credentials=credentials).service_account == service_account["client_email"]
    assert _spec(credentials=credentials, service_account_name=_ACCOUNT).service_account == _ACCOUNT
    configuration = configured(credentials=credentials)
    configuration.job_spec["serviceAccount"] = _ACCOUNT
    configuration.prepare_for_flow_run(FlowRun(id=uuid.UUID(int=7), flow_id=uuid.UUID(int=8), name="sly-fox"))
    assert configuration.to_custom_job(submission="0" * 32, labels={}).job_spec.service_account == _ACCOUNT


def test_what_is_not_given_is_left_to_vertex_ai() -> None:
    spec = _spec()
    machine = spec.worker_pool_specs[0].machine_spec
    assert (machine.machine_type, machine.accelerator_count) == ("n1-standard-4", 0)
    assert (spec.network, spec.service_account, spec.scheduling.strategy) == ("", "", 0)
    assert spec.scheduling.timeout == timedelta(hours=1)


@pytest.mark.parametrize(
    ("scheduling", "name", "value"),
    [
        ({"strategy": "SPOT"}, "strategy", 4),
        ({"strategy": "flex_start", "max_wait_duration": "1800s"}, "max_wait_duration", timedelta(minutes=30)),
        ({"maxWaitDuration": 60}, "max_wait_duration", timedelta(minutes=1)),
        ({"max_wait_duration": {"seconds": 90, "nanos": 500_000_000}}, "max_wait_duration", timedelta(seconds=90.5)),
        ({"restart_job_on_worker_restart": True}, "restart_job_on_worker_restart", True),
        ({"disableRetries": True}, "disable_retries", True),
        ({"timeout": "7200s"}, "timeout", timedelta(hours=2)),
        ({"timeout": None}, "timeout", timedelta(hours=1)),
        ({"strategy": None}, "strategy", 0),
    ],
    ids=str,
)
def test_all_of_scheduling_is_passed_on(scheduling: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(_spec(scheduling=scheduling).scheduling, name) == value


@pytest.mark.parametrize(
    ("scheduling", "said"),
    [
        ({"strategi": "SPOT"}, r"job_spec\.scheduling\.strategi.*Did you mean 'strategy'"),
        ({"zone": "a"}, r"job_spec\.scheduling\.zone.*Known are"),
        ({"strategy": "CHEAP"}, r"scheduling\.strategy is 'CHEAP'.*SPOT"),
        ({"timeout": "soon"}, r"scheduling\.timeout is 'soon'"),
        ({"timeout": True}, r"scheduling\.timeout is True"),
    ],
    ids=str,
)
def test_what_scheduling_does_not_have_is_refused_by_name(scheduling: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _spec(scheduling=scheduling)


def _with(**fields: Any) -> dict[str, Any]:
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "container_spec": {"image_uri": "i"}}
    return {"worker_pool_specs": [pool], **fields}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"networks": "x"}, r"job_spec\.networks.*Did you mean 'network'"),
        (
            {"worker_pool_specs": [{"container_spec": {"image": "i"}}]},
            r"worker_pool_specs\[0\]\.container_spec\.image:",
        ),
        ({"worker_pool_specs": [{"replica_count": "many"}]}, "does not fit"),
        ({"reserved_ip_ranges": "range"}, r"reserved_ip_ranges is 'range'; give a list"),
        ({"maximum_run_time_hours": 0}, r"maximum_run_time_hours is 0"),
        ({"worker_pool_specs": [{"machine_spec": {"accelerator_count": 1}}]}, "there is no accelerator_type"),
    ],
    ids=["field", "nested field", "number", "list", "hours", "accelerator"],
)
def test_a_template_that_vertex_ai_does_not_know_is_refused_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        custom_job(_with(**fields), display_name="x", labels={})


def test_a_template_reaches_every_field_of_vertex_ai_in_either_spelling() -> None:
    job = custom_job(
        _with(
            persistentResourceId="warm",
            tensorboard="projects/p/locations/l/tensorboards/t",
            base_output_directory={"output_uri_prefix": "gs://bucket/out"},
            encryption_spec={"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
            maximum_run_time_hours=0.5,
        ),
        display_name="x",
        labels={"a": "b"},
    )
    assert job.job_spec.persistent_resource_id == "warm"
    assert job.job_spec.base_output_directory.output_uri_prefix == "gs://bucket/out"
    assert job.encryption_spec.kms_key_name.endswith("/k")
    assert job.job_spec.scheduling.timeout == timedelta(minutes=30)
    assert dict(job.labels) == {"a": "b"}


def test_further_worker_pools_stay_as_the_template_has_them() -> None:
    spec = _with()["worker_pool_specs"][0]
    configuration = VertexAIWorkerJobConfiguration(
        region="europe-west1",
        job_spec={"worker_pool_specs": [spec, {**_with()["worker_pool_specs"][0], "replica_count": 3}]},
        env={"A": "1"},
    )
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4(), name="x"))
    first, second = configuration.to_custom_job(submission="s", labels={}).job_spec.worker_pool_specs
    assert {variable.name for variable in first.container_spec.env} >= {"A", "PREFECT__FLOW_RUN_ID"}
    assert (second.replica_count, list(second.container_spec.env)) == (3, [])


def test_variables_of_template_and_run_are_there_once_and_the_runs_count() -> None:
    configuration = configured(env={"A": "run", "B": None})
    configuration.job_spec["worker_pool_specs"][0]["container_spec"]["env"] = [
        {"name": "A", "value": "template"},
        {"name": "C", "value": "template"},
    ]
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4(), name="x"))
    env = configuration.job_spec["worker_pool_specs"][0]["container_spec"]["env"]
    values = [(item["name"], item["value"]) for item in env if item["name"] in "ABC"]
    assert values == [("A", "run"), ("C", "template")]


def test_the_name_is_the_runs_and_never_too_long() -> None:
    assert _prepared().job_name == f"sly-fox-{uuid.UUID(int=7).hex}"
    configuration = _prepared(name="ä" * 300)
    assert len(configuration.job_name) == 128
    assert len(_job(name="ä" * 300).display_name) == 128


def test_labels_are_legal_few_enough_and_the_workers_own_are_kept() -> None:
    labels = {f"Label {number}": "A Value" * 20 for number in range(80)}
    job = _job(labels=labels)
    assert len(job.labels) == 64
    assert job.labels["prefect-submission"] == "0" * 32
    assert all(len(value) <= 63 for value in job.labels.values())


def test_the_same_submission_makes_the_same_job() -> None:
    assert _job() == _job()


def test_the_project_is_that_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured(credentials=GcpCredentials(project="mine")).project == "mine"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-environment")
    assert configured(credentials=None).project == "of-the-environment"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"region": " ", "job_spec": _with()}, "region is empty"),
        ({"region": "r", "job_spec": {}}, r"job_spec\.worker_pool_specs"),
        ({"region": "r", "job_spec": _with(), "job_watch_poll_interval": 0}, "job_watch_poll_interval"),
    ],
    ids=["region", "pools", "interval"],
)
def test_a_bad_configuration_is_refused_at_once(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        VertexAIWorkerJobConfiguration(**fields)


def test_a_prepared_configuration_shows_labels_of_its_work_pool() -> None:
    pool = WorkPool(name="Pool", type="vertex-ai", default_queue_id=uuid.uuid4())
    configuration = configured()
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4(), name="x"), work_pool=pool)
    job = configuration.to_custom_job(submission="s", labels={})
    assert job.labels["prefect-io-work-pool-id"] == str(pool.id)


def _ended(state: str, message: str = "", *, seconds: float | None = 10.0) -> Any:
    from google.cloud.aiplatform_v1.types import CustomJob

    begin = datetime(2026, 5, 4, tzinfo=timezone.utc)
    times: dict[str, Any] = {"end_time": begin + timedelta(seconds=seconds or 0)}
    if seconds is not None:
        times["start_time"] = begin
    return CustomJob(
        name="projects/1/locations/l/customJobs/42",
        display_name="sly-fox",
        state=f"JOB_STATE_{state}",
        error={"code": 3, "message": message},
        job_spec={"scheduling": {"timeout": {"seconds": 3600}}},
        **times,
    )


def test_success_is_said_plainly() -> None:
    job = _ended("SUCCEEDED")
    ended = ended_of(job, lambda _: True)
    assert (exit_code_of(job), ended.succeeded) == (0, True)
    assert ended.message == "Vertex AI job 42 (sly-fox) succeeded."


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("The following quota metrics exceed quota limits: custom_model_training_cpus", "higher quota"),
        ("Resources are insufficient in region: us-central1. Please try a different region.", "FLEX_START"),
        (
            "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of 137(SIGKILL).",
            "more memory",
        ),
        ("You do not have permission to act as service account x.", "service_account_name"),
        ("Image gcr.io/p/x not found.", "roles/artifactregistry.reader"),
        ("", "JOB_STATE_FAILED"),
    ],
    ids=["quota", "stock-out", "memory", "account", "image", "silence"],
)
def test_a_failure_says_why_and_what_to_do(message: str, said: str) -> None:
    text = ended_of(_ended("FAILED", message), lambda _: True).message
    assert message.rstrip(".") in text
    assert said in text


@pytest.mark.parametrize(
    ("message", "code"),
    [("exited with a non-zero status of 7", 7), ("exited with a non-zero status of 137(SIGKILL)", 137), ("no idea", 1)],
)
def test_the_status_code_is_the_containers_where_it_is_told(message: str, code: int) -> None:
    assert exit_code_of(_ended("FAILED", message)) == code


def test_a_job_that_ran_for_as_long_as_it_may_is_told_so() -> None:
    assert "maximum of 1 hours" in ended_of(_ended("CANCELLED", seconds=3605.0), lambda _: True).message
    assert "maximum of" not in ended_of(_ended("CANCELLED", seconds=10.0), lambda _: True).message


def test_a_job_that_never_ran_is_told_so() -> None:
    assert "before its container started" in ended_of(_ended("FAILED", "No.", seconds=None), lambda _: True).message
