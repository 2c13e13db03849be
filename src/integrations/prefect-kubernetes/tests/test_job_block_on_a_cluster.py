"""The job block and the tasks on a real control plane: what the played one promises is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, KubernetesJob
from prefect_kubernetes.errors import KubernetesAccessDenied, KubernetesInvalid
from prefect_kubernetes.exceptions import KubernetesJobFailedError, KubernetesJobTimeoutError
from prefect_kubernetes.jobs import list_namespaced_job
from prefect_kubernetes.pods import list_namespaced_pod

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(300)]


@pytest.fixture
def namespace(kubernetes_cluster: Any) -> Iterator[str]:
    name = kubernetes_cluster.new_namespace("jobs")
    yield name
    kubernetes_cluster.remove_namespace(name)


@pytest.fixture
def credentials(kubernetes_cluster: Any) -> KubernetesCredentials:
    return credentials_of(kubernetes_cluster.config)


def credentials_of(config: dict[str, Any]) -> KubernetesCredentials:
    block = KubernetesClusterConfig(config=config, context_name=config["current-context"])
    return KubernetesCredentials(cluster_config=block)


@pytest.fixture
def make_job(
    kubernetes_cluster: Any, credentials: KubernetesCredentials, namespace: str, busybox_image: str
) -> Callable[..., KubernetesJob]:
    """A maker of jobs that run a shell script in a real pod, beside others if wanted."""
    image = kubernetes_cluster.load_image(busybox_image)

    def make(script: str, *, backoff_limit: int = 0, sidecar: str | None = None, **fields: Any) -> KubernetesJob:
        scripts = {"main": script} if sidecar is None else {"main": script, "sidecar": sidecar}
        containers = [
            {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", text]}
            for name, text in scripts.items()
        ]
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": containers}
        v1_job = {
            "metadata": {"generateName": "say-"},
            "spec": {"backoffLimit": backoff_limit, "template": {"spec": pod}},
        }
        defaults: dict[str, Any] = {"credentials": credentials, "namespace": namespace, "interval_seconds": 1}
        return KubernetesJob(v1_job=v1_job, **{**defaults, **fields})

    return make


async def test_lines_of_a_real_pod_are_followed_and_the_job_is_deleted(
    make_job: Any, credentials: KubernetesCredentials, namespace: str
) -> None:
    lines: list[str] = []
    run = await make_job("for n in 1 2 3; do echo line $n; sleep 0.5; done", sidecar="echo from the sidecar").atrigger()
    await run.await_for_completion(print_func=lines.append)
    assert lines == ["line 1", "line 2", "line 3"]
    assert list((await run.afetch_result()).values()) == ["line 1\nline 2\nline 3\n"]
    assert (await list_namespaced_job.fn(credentials, namespace)).items == []


async def test_a_real_failure_names_exit_code_and_last_line(make_job: Any) -> None:
    run = await make_job("echo about to fail; exit 7").atrigger()
    with pytest.raises(KubernetesJobFailedError, match=r"(?s)exit code 7.*about to fail"):
        await run.await_for_completion()


async def test_a_job_whose_time_is_up_is_deleted_with_its_pod(
    make_job: Any, credentials: KubernetesCredentials, namespace: str
) -> None:
    from prefect_integration_kit.waiting import apoll

    run = await make_job("sleep 600", timeout_seconds=3).atrigger()
    with pytest.raises(KubernetesJobTimeoutError):
        await run.await_for_completion(print_func=print)

    async def is_gone() -> bool | None:
        return True if not (await list_namespaced_pod.fn(credentials, namespace)).items else None

    await apoll(is_gone, subject="the end of the pod", interval_seconds=0.5, timeout_seconds=60)


async def test_a_real_denial_and_a_real_refusal_are_read(
    kubernetes_cluster: Any, make_job: Any, namespace: str
) -> None:
    job = make_job("true")
    user = kubernetes_cluster.user_with_rules(
        [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}], namespace=namespace
    )
    denied = job.model_copy(update={"credentials": credentials_of(user.config)})
    with pytest.raises(KubernetesAccessDenied) as caught:
        await denied.atrigger()
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == ("create", "jobs", namespace)

    job.v1_job["spec"]["template"]["metadata"] = {"labels": {"app": "x" * 64}}
    with pytest.raises(KubernetesInvalid) as refused:
        await job.atrigger()
    assert refused.value.fields[0][0].endswith("labels")
