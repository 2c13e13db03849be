"""A real control plane takes the jobs of the worker, with all that variables can say, and removes what they own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes import KubernetesClusterConfig, errors
from prefect_kubernetes.worker import KubernetesWorker, parse_identifier

from ._configurations import a_run, configuration_of

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.usefixtures("prefect_harness")]

CANARY = "canary-4711"
JOBS = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "delete"]}]


@pytest.fixture
def submit(kubernetes_cluster: Any, kubernetes_namespace: str, busybox_image: str) -> Callable[..., Any]:
    """Runs a shell command as a flow run's job; gives its identifier and its configuration."""
    image = kubernetes_cluster.load_image(busybox_image)

    async def submit(script: str, *, config: Any = None, **variables: Any) -> Any:
        configuration = configuration_of(
            **{"stream_output": False, "namespace": kubernetes_namespace, "image": image, **variables}
        )
        configuration.cluster_config = KubernetesClusterConfig(
            config=config or kubernetes_cluster.config,
            context_name=(config or kubernetes_cluster.config)["current-context"],
        )
        flow_run = a_run()
        configuration.command = "unused"
        configuration.job_manifest["spec"]["template"]["spec"]["containers"][0]["args"] = ["sh", "-c", script]
        configuration.prepare_for_flow_run(flow_run)
        result = await KubernetesWorker("any").run(flow_run, configuration)
        return result.identifier, configuration

    return submit


@pytest.fixture
def read(kubernetes_cluster: Any, kubernetes_namespace: str) -> Callable[..., Any]:
    """Reads the objects of a kind, or one of them."""

    def read(kind: str, **query: Any) -> list[dict[str, Any]]:
        group = "/apis/batch/v1" if kind == "jobs" else "/api/v1"
        return kubernetes_cluster.api.get(f"{group}/namespaces/{kubernetes_namespace}/{kind}", **query)["items"]

    return read


async def until(look: Callable[[], Any], subject: str, seconds: float = 60) -> Any:
    async def look_later() -> Any:
        return look() or None

    return await apoll(look_later, subject=subject, interval_seconds=0.3, timeout_seconds=seconds)


async def test_a_job_gets_its_environment_from_its_secret_and_both_go_together(submit: Any, read: Any) -> None:
    checks = f'[ "${{#PREFECT_API_KEY}}" = {len(CANARY)} ] && [ "$A" = 1 ] && [ -d /data ] || exit 1'
    script = f"{checks}; trap exit TERM; while :; do sleep 0.2; done"
    identifier, configuration = await submit(
        script,
        env={"PREFECT_API_KEY": CANARY, "A": "1"},
        labels={"Team": "Shop A"},
        node_selector={"kubernetes.io/os": "linux"},
        tolerations=[{"key": "any", "operator": "Exists"}],
        affinity={"nodeAffinity": {}},
        volumes=[{"name": "data", "emptyDir": {}}],
        volume_mounts=[{"name": "data", "mountPath": "/data"}],
        env_from=[{"configMapRef": {"name": "not-there", "optional": True}}],
        image_pull_secrets=["registry"],
        active_deadline_seconds=300,
        backoff_limit=2,
        finished_job_ttl=600,
        pod_overrides={"spec": {"terminationGracePeriodSeconds": 1}},
    )
    (job,) = read("jobs")
    assert CANARY not in json.dumps(job)
    assert job["metadata"]["labels"]["Team"] == "Shop-A"
    name = parse_identifier(identifier).job_name
    assert name in {secret["metadata"]["name"] for secret in read("secrets")}
    await until(lambda: read("pods", fieldSelector="status.phase=Running"), "The running pod")
    await KubernetesWorker("any").kill_infrastructure(identifier, configuration)
    await until(lambda: not read("jobs") and not read("pods"), "The end of job and pod")
    await until(lambda: name not in {secret["metadata"]["name"] for secret in read("secrets")}, "The end of the Secret")


async def test_what_is_not_allowed_is_named_and_leaves_nothing(
    submit: Any, read: Any, kubernetes_cluster: Any, kubernetes_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_WORKER_PROTECT_SECRETS", "always")
    user = kubernetes_cluster.user_with_rules(JOBS, namespace=kubernetes_namespace)
    with pytest.raises(errors.KubernetesAccessDenied, match="`create` on `secrets`"):
        await submit("true", config=user.config, env={"PREFECT_API_KEY": CANARY})
    nobody = kubernetes_cluster.user_with_rules([], namespace=kubernetes_namespace)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_WORKER_PROTECT_SECRETS", "when_allowed")
    with pytest.raises(errors.KubernetesAccessDenied) as caught:
        await submit("true", config=nobody.config)
    assert (caught.value.verb, caught.value.resource) == ("create", "jobs")
    assert (read("jobs"), read("pods")) == ([], [])


async def test_what_the_server_refuses_is_named_by_its_field(submit: Any, read: Any) -> None:
    with pytest.raises(errors.KubernetesInvalid, match=r"dnsPolicy"):
        await submit("true", pod_overrides={"spec": {"dnsPolicy": "Sometimes"}})
    assert read("jobs") == []
