"""A cluster of one node runs pods on the Docker engine, fails where it is told to, and ends with its last user."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("docker")
pytest.importorskip("kubernetes_asyncio")

from prefect_integration_tests.backends import _kubernetes_plane, kubernetes
from prefect_integration_tests.backends.docker import DockerEngine, skipped_when_missing
from prefect_integration_tests.backends.kubernetes import ApiError, KubernetesCluster
from prefect_integration_tests.backends.processes import ServerError

pytestmark = pytest.mark.xdist_group("kubernetes")

FOREVER = "trap exit TERM; while :; do sleep 0.2; done"


class Pods:
    """The pods of a namespace."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, image: str) -> None:
        self.api = cluster.api
        self.path = f"/api/v1/namespaces/{namespace}/pods"
        self.image = image

    def start(self, name: str, script: str, *, mounts: Any = (), resources: Any = None, **spec: Any) -> None:
        container = {
            "volumeMounts": list(mounts),
            "name": "main",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", script],
            "resources": resources or {},
        }
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **spec}
        self.api.post(self.path, {"metadata": {"name": name}, "spec": spec})

    def get(self, name: str) -> dict[str, Any] | None:
        try:
            return self.api.get(f"{self.path}/{name}")
        except ApiError as exc:
            if exc.status != 404:
                raise
            return None

    def wait(self, name: str, phase: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            pod = self.get(name)
            return pod if pod is not None and pod["status"].get("phase") == phase else None

        return until(look, f"{name} {phase}")


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 90
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


@pytest.fixture
def pods(kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, busybox_image: str) -> Pods:
    return Pods(kubernetes_cluster, kubernetes_namespace, kubernetes_cluster.load_image(busybox_image))


@pytest.fixture
def own_cluster(kubernetes_cluster: KubernetesCluster) -> KubernetesCluster:
    if not kubernetes_cluster.is_ours:
        pytest.skip("this cluster was there already")
    return kubernetes_cluster


def test_a_pod_ends_as_its_program_does_and_its_output_can_be_read(pods: Pods):
    pods.start("quick", "echo hello; exit 7")
    state = pods.wait("quick", "Failed")["status"]["containerStatuses"][0]["state"]
    assert state["terminated"]["exitCode"] == 7
    assert pods.api.get(f"{pods.path}/quick/log") == "hello\n"


async def test_the_asyncio_client_sees_what_is_there(kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str):
    from kubernetes_asyncio.client import CoreV1Api

    async with kubernetes_cluster.api_client() as api_client:
        found = await CoreV1Api(api_client).list_namespace()
    assert kubernetes_namespace in [item.metadata.name for item in found.items]


def test_a_user_may_do_what_its_rules_say_and_nothing_else(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str
):
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    user = kubernetes_cluster.user_with_rules(rules, namespace=kubernetes_namespace)
    assert user.api.get(f"/api/v1/namespaces/{kubernetes_namespace}/pods")["items"] == []
    with pytest.raises(ApiError, match=f'"{user.name}" cannot list resource "secrets"') as caught:
        user.api.get(f"/api/v1/namespaces/{kubernetes_namespace}/secrets")
    assert caught.value.status == 403


def test_a_kubeconfig_is_for_our_eyes_only(kubernetes_cluster: KubernetesCluster, tmp_path: Path):
    path = kubernetes_cluster.kubeconfig(tmp_path / "config")
    assert path.stat().st_mode & 0o777 == 0o600


def test_too_much_memory_and_too_much_on_disk_end_a_pod(pods: Pods):
    limits = {"memory": "16Mi", "cpu": "100m"}
    pods.start("hungry", "x=a; while true; do x=$x$x; done", resources={"limits": limits})
    volume = {"name": "disk", "emptyDir": {"sizeLimit": "1Mi"}}
    script = f"dd if=/dev/zero of=/disk/file bs=1M count=4; {FOREVER}"
    pods.start("untidy", script, mounts=[{"name": "disk", "mountPath": "/disk"}], volumes=[volume])
    container = pods.wait("hungry", "Failed")["status"]["containerStatuses"][0]
    ended = container["state"]["terminated"]
    # Docker misses the kernel's message now and then, and says no reason.
    assert ended["reason"] == "OOMKilled" or (ended["reason"], ended["exitCode"]) == ("Error", 137)
    assert pods.wait("untidy", "Failed")["status"]["reason"] == "Evicted"


def test_a_pod_makes_room_for_one_that_matters_more(own_cluster: KubernetesCluster, pods: Pods):
    resources = {"limits": {own_cluster.limited_resource(): "1"}}
    pods.start("little", FOREVER, resources=resources)
    pods.wait("little", "Running")
    pods.start("great", FOREVER, resources=resources, priorityClassName="system-cluster-critical")
    pods.wait("great", "Running")
    little = pods.get("little")
    assert little is None or "deletionTimestamp" in little["metadata"]


def test_pods_of_a_lost_node_are_deleted_and_it_comes_back(own_cluster: KubernetesCluster, pods: Pods):
    key = "node.kubernetes.io/unreachable"
    toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    pods.start("lost", FOREVER, tolerations=[toleration])
    pods.wait("lost", "Running")
    with own_cluster.lost_node():
        lost = until(lambda: "deletionTimestamp" in (pods.get("lost") or {})["metadata"], "deleted")
        assert lost
    until(lambda: pods.get("lost") is None, "gone")
    pods.start("next", "true")
    pods.wait("next", "Succeeded")


def test_a_version_from_before_history_was_forgotten_is_gone(own_cluster: KubernetesCluster, pods: Pods):
    version = pods.api.get(pods.path)["metadata"]["resourceVersion"]
    pods.start("later", "true")
    own_cluster.forget_history()
    event = pods.api.get(pods.path, watch="1", resourceVersion=version, timeoutSeconds="5")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    pods.wait("later", "Succeeded")


def test_an_evicted_pod_goes(kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, pods: Pods):
    pods.start("sent-away", FOREVER)
    pods.wait("sent-away", "Running")
    kubernetes_cluster.evict(kubernetes_namespace, "sent-away")
    pod = pods.get("sent-away")
    assert pod is None or "deletionTimestamp" in pod["metadata"]


# Finding and starting


@pytest.fixture
def none_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (kubernetes.KUBECONFIG_VARIABLE, _kubernetes_plane.BINARIES_VARIABLE, "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("none_there")
def test_without_programs_the_test_is_skipped_with_the_recipe():
    expected = pytest.raises(pytest.skip.Exception, match=r"(?s)kube-apiserver.*KUBERNETES_BIN.*apt-get source")
    with expected, skipped_when_missing():
        KubernetesCluster.start(DockerEngine("unix:///none.sock"))


@pytest.mark.usefixtures("none_there")
def test_a_folder_that_lacks_a_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(_kubernetes_plane.BINARIES_VARIABLE, str(tmp_path))
    with pytest.raises(ServerError, match=f"etcd, .* neither in {tmp_path}"):
        KubernetesCluster.start(DockerEngine("unix:///none.sock"))


def test_a_cluster_that_is_there_is_used_and_left_alone(
    own_cluster: KubernetesCluster, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv(kubernetes.KUBECONFIG_VARIABLE, str(own_cluster.kubeconfig(tmp_path / "config")))
    with KubernetesCluster.start(docker_engine) as cluster:
        namespace = cluster.new_namespace()
        assert not cluster.is_ours
        with pytest.raises(ServerError, match="left alone"):
            cluster.restart_api_server()
    path = f"/api/v1/namespaces/{namespace}"
    assert own_cluster.api.get(path)["status"]["phase"] == "Terminating"


_USE = """
import sys
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.kubernetes import KubernetesCluster
with DockerEngine.start() as engine, KubernetesCluster.start(engine) as cluster:
    print(cluster.api.server, flush=True)
"""


def test_processes_share_one_cluster(own_cluster: KubernetesCluster):
    found = subprocess.run([sys.executable, "-c", _USE], stdout=subprocess.PIPE, text=True, check=True, timeout=100)
    assert found.stdout.strip() == own_cluster.api.server
    assert own_cluster.api.get("/version")
