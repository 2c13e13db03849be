"""Secrets of Prefect and of runs stand in no manifest, where the cluster lets the worker put them elsewhere."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    temporary_settings,
)

from prefect_kubernetes import KubernetesClusterConfig, errors
from prefect_kubernetes._worker import own_pod, secrets
from prefect_kubernetes._worker.manifest import name_job
from prefect_kubernetes.settings import KubernetesWorkerSettings
from prefect_kubernetes.worker import KubernetesWorker, parse_identifier

from ._configurations import a_run, configuration_of, container_of, env_of, manifest_of

SETTING = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_"
CANARY = "canary-4711"
JOBS_ONLY = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]}]


# What goes where: pure


def protected(manifest: dict[str, Any], may_create: bool = True, **settings: Any) -> secrets.Protected:
    return secrets.protect(
        manifest, KubernetesWorkerSettings(**settings), secret_name="the-secret", may_create=may_create
    )


def reference(name: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


def test_settings_that_are_secret_move_and_others_stay() -> None:
    with temporary_settings({PREFECT_API_KEY: f"pnu_{CANARY}", PREFECT_API_AUTH_STRING: f"me:{CANARY}"}):
        found = protected(manifest_of(env={"A": "1", "PREFECT_CLIENT_CUSTOM_HEADERS": f'{{"X": "{CANARY}"}}'}))
    assert CANARY not in json.dumps(found.manifest)
    assert CANARY not in repr(found.data.keys())
    env = env_of(found.manifest)
    assert env["A"] == "1"
    assert env["PREFECT_API_KEY"] == reference("the-secret", "PREFECT_API_KEY")
    assert found.data["PREFECT_API_KEY"] == f"pnu_{CANARY}"
    assert found.data["PREFECT_API_AUTH_STRING"] == f"me:{CANARY}"
    assert CANARY in found.data["PREFECT_CLIENT_CUSTOM_HEADERS"]
    assert "A" not in found.data
    assert found.plain == ()


def test_all_of_the_environment_moves_when_that_is_asked_for() -> None:
    manifest = manifest_of(env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": reference("own", "b")}])
    found = protected(manifest, store_env_as_secret=True)
    env = env_of(found.manifest)
    assert env["A"] == reference("the-secret", "A")
    assert env["B"] == reference("own", "b")
    assert all(isinstance(value, dict) for value in env.values())
    assert found.data["A"] == "1"


def test_references_between_variables_are_expanded_where_the_kubelet_would_not() -> None:
    entries = [
        {"name": "HOST", "value": "db"},
        {"name": "URL", "value": "pg://$(HOST)/$(LATER)/$$(HOST)"},
        {"name": "LATER", "value": "x"},
        {"name": "PASSWORD", "valueFrom": reference("own", "p")},
        {"name": "FULL", "value": "pg://$(PASSWORD)@$(HOST)"},
    ]
    found = protected(manifest_of(env=entries), store_env_as_secret=True)
    assert found.data["URL"] == "pg://db/$(LATER)/$(HOST)"
    assert env_of(found.manifest)["FULL"] == "pg://$(PASSWORD)@$(HOST)"  # only the kubelet knows the password


def test_a_secret_that_exists_is_referred_to() -> None:
    with temporary_settings({PREFECT_API_KEY: CANARY}):
        manifest = manifest_of()
    found = protected(
        manifest,
        api_key_secret_name="keys",
        api_key_secret_key="prefect",
        api_auth_string_secret_name="auth",
        protect_secrets="never",
    )
    env = env_of(found.manifest)
    assert env["PREFECT_API_KEY"] == reference("keys", "prefect")
    assert env["PREFECT_API_AUTH_STRING"] == reference("auth", "value")
    assert CANARY not in json.dumps(found.manifest)


def test_a_reference_of_the_run_itself_is_kept() -> None:
    manifest = manifest_of(env=[{"name": "PREFECT_API_KEY", "valueFrom": reference("mine", "k")}])
    found = protected(manifest, api_key_secret_name="keys")
    assert env_of(found.manifest)["PREFECT_API_KEY"] == reference("mine", "k")


@pytest.mark.parametrize(("may_create", "settings"), [(False, {}), (True, {"protect_secrets": "never"})])
def test_what_stays_in_plain_text_is_said(may_create: bool, settings: dict[str, Any]) -> None:
    with temporary_settings({PREFECT_API_KEY: CANARY}):
        found = protected(manifest_of(), may_create=may_create, **settings)
    assert "PREFECT_API_KEY" in found.plain
    assert env_of(found.manifest)["PREFECT_API_KEY"] == CANARY


def test_more_than_a_secret_holds_is_refused_by_the_largest_variable() -> None:
    manifest = manifest_of()
    container_of(manifest)["env"] = [{"name": f"V{n}", "value": "x" * (100_000 + n)} for n in range(11)]
    with pytest.raises(ValueError, match=r"a Secret holds 1048576 at most.*V10"):
        protected(manifest, store_env_as_secret=True)


def test_the_secret_settings_of_prefect_are_known_with_all_their_names() -> None:
    known = secrets.secret_variables()
    assert {"PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"} <= known
    assert {"PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL"} <= known
    assert "PREFECT_API_URL" not in known


def test_protecting_changes_nothing_but_the_environment() -> None:
    manifest = name_job(manifest_of(), "run/1")
    found = protected(manifest, store_env_as_secret=True)
    container_of(found.manifest)["env"] = container_of(manifest)["env"]
    assert found.manifest == manifest


# At a cluster


pytestmark = pytest.mark.usefixtures("no_observer")


@pytest.fixture
def no_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "false")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_POLL_INTERVAL_SECONDS", "3600")


@pytest.fixture
def api(empty_kube_api: Any) -> Any:
    return empty_kube_api


@pytest.fixture
def submit(prefect_harness: Any, api: Any) -> Callable[..., Any]:
    """Runs one flow run with a secret API key through a worker."""

    async def submit(token: str | None = None) -> Any:
        flow_run = a_run()
        configuration = configuration_of(stream_output=False, env={"PREFECT_API_KEY": CANARY})
        configuration.cluster_config = KubernetesClusterConfig(config=api.kubeconfig(token), context_name="played")
        configuration.prepare_for_flow_run(flow_run)
        return await KubernetesWorker("any").run(flow_run, configuration)

    return submit


def secret_of(api: Any, identifier: str) -> dict[str, str]:
    """What the Secret of a job holds."""
    data = api.get("secrets", parse_identifier(identifier).job_name)["data"]
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


async def test_a_job_owns_its_secret_which_goes_when_it_goes(submit: Any, api: Any) -> None:
    result = await submit()
    assert secret_of(api, result.identifier)["PREFECT_API_KEY"] == CANARY
    name = parse_identifier(result.identifier).job_name
    job, secret = api.get("jobs", name), api.get("secrets", name)
    assert secret["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"]}
    ]
    assert CANARY not in json.dumps(job)
    assert CANARY not in json.dumps(api.list("pods"))
    api.play.delete_job(name)
    assert api.list("secrets") == []


async def test_without_the_right_to_create_secrets_the_worker_warns_and_goes_on(
    submit: Any, api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    token = api.add_user("worker", JOBS_ONLY)
    with caplog.at_level(logging.WARNING, "prefect"):
        result = await submit(token)
    assert api.list("secrets") == []
    assert env_of(api.get("jobs", parse_identifier(result.identifier).job_name))["PREFECT_API_KEY"] == CANARY
    assert "PREFECT_API_KEY is passed to Kubernetes jobs as a plain environment variable" in caplog.text
    assert CANARY not in caplog.text
    assert api.calls_of("create", "secrets") == []  # it asked before, and was not refused


async def test_a_cluster_that_does_not_say_what_is_allowed_gets_no_secret(submit: Any, api: Any) -> None:
    api.fail("create", "selfsubjectaccessreviews", 403)
    assert (await submit()).identifier
    assert api.list("secrets") == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [("CREATE_SECRET_FOR_API_KEY", "true"), ("STORE_ENV_AS_SECRET", "true"), ("PROTECT_SECRETS", "always")],
)
async def test_a_run_does_not_start_when_its_secrets_must_be_protected_and_cannot(
    submit: Any, api: Any, setting: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING + setting, value)
    token = api.add_user("worker", JOBS_ONLY)
    with pytest.raises(errors.KubernetesAccessDenied, match=r"`create` on `secrets`"):
        await submit(token)
    assert (api.list("jobs"), api.list("secrets"), api.list("pods")) == ([], [], [])


async def test_a_job_whose_secret_cannot_be_created_is_taken_back(submit: Any, api: Any) -> None:
    api.fail("create", "secrets", 422)
    with pytest.raises(errors.KubernetesInvalid) as caught:
        await submit()
    assert CANARY not in str(caught.value)
    assert (api.list("jobs"), api.list("secrets"), api.list("pods")) == ([], [], [])


async def test_nothing_is_left_when_the_job_cannot_be_created(submit: Any, api: Any) -> None:
    api.fail("create", "jobs", 403)
    with pytest.raises(errors.KubernetesAccessDenied):
        await submit()
    assert (api.list("jobs"), api.list("secrets")) == ([], [])


async def test_a_lost_answer_makes_no_second_secret(submit: Any, api: Any) -> None:
    api.fail("create", "secrets", is_reset=True, is_done=True, times=1)
    result = await submit()
    assert secret_of(api, result.identifier)["PREFECT_API_KEY"] == CANARY
    assert len(api.list("secrets")) == len(api.list("jobs")) == 1


async def test_what_the_workers_own_pod_takes_from_a_secret_its_jobs_take_from_there(
    api: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env = [{"name": "PREFECT_API_KEY", "valueFrom": reference("worker-keys", "key")}]
    pod = {"containers": [{"name": "worker", "image": "w", "env": env}]}
    api.create("pods", {"metadata": {"name": "worker-0"}, "spec": pod})
    namespace = tmp_path / "namespace"
    namespace.write_text("default\n")
    monkeypatch.setattr(own_pod, "NAMESPACE_FILE", namespace)
    monkeypatch.setenv("HOSTNAME", "worker-0")
    monkeypatch.setenv("PREFECT_API_KEY", CANARY)
    monkeypatch.setenv("KUBECONFIG", str(api.write_kubeconfig(tmp_path / "config")))
    without_block = KubernetesWorker("any")
    configuration = configuration_of(env={"PREFECT_API_KEY": CANARY})
    configuration.prepare_for_flow_run(a_run())
    manifest = name_job(configuration.job_manifest, "run/1")
    async with without_block._submissions.clusters.at(None) as cluster:
        found = await without_block._submissions.protect(cluster, configuration, manifest)
    assert env_of(found.manifest)["PREFECT_API_KEY"] == reference("worker-keys", "key")
    assert "PREFECT_API_KEY" not in found.data
