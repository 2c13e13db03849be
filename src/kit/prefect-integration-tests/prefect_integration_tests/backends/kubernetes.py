"""A real Kubernetes cluster of one node: API server, controllers, scheduler, and pods on the tests' Docker engine.

The programs come from the folder that `KUBERNETES_BIN` names, else from `PATH`; all processes of a run share one
cluster. `KUBERNETES_TEST_KUBECONFIG` names a cluster that is there already, such as one of `kind`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from ._kubernetes_api import Api, ApiError, Json
from ._kubernetes_keeper import ALIVE, pod_containers
from ._kubernetes_plane import (
    API_SERVER,
    BINARIES_VARIABLE,
    KUBELET,
    NODE,
    compact,
    find_programs,
    is_ready,
    node_is_ready,
)
from ._lifetime import Stopped
from ._sharing import Shared
from .docker import DockerEngine, machine_lock, skipped_when_missing
from .processes import ServerError

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient
    from typing_extensions import Self

__all__ = ["Api", "ApiError", "KubernetesCluster", "KubernetesUser", "kubernetes_cluster", "kubernetes_namespace"]

KUBECONFIG_VARIABLE = "KUBERNETES_TEST_KUBECONFIG"
"""Environment variable that names the kubeconfig of a cluster to use as it is."""

PAUSE = "pause:dev"
"""Tag of the image that holds a pod's network. The shell ends at once when told to, and takes in orphans."""

_PAUSE_COMMAND = ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"]

_START_SECONDS = 180
_STOP_SECONDS = 60
_BACK_SECONDS = 60
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class KubernetesUser:
    """Somebody with few rights."""

    name: str
    """Name that the API server knows the user by, as in its messages."""

    config: Json
    """A kubeconfig with the user's token."""

    @cached_property
    def api(self) -> Api:
        """Requests as this user."""
        return Api(self.config)


class KubernetesCluster(Stopped):
    """A Kubernetes cluster, and what tests need of it.

    ```python
    with DockerEngine.start() as engine, KubernetesCluster.start(engine) as cluster:
        namespace = cluster.new_namespace()
        cluster.api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", {...})
    ```

    What breaks the cluster for a while (`lost_node`, `without_api_server`) waits until no other process of this user
    has a namespace in it.
    """

    def __init__(
        self,
        config: Json,
        engine: DockerEngine | None = None,
        folder: Path | None = None,
        users: IO[str] | None = None,
    ) -> None:
        """Describe a running cluster; `start` finds or starts one.

        Args:
            config: Kubeconfig of somebody who may do everything.
            engine: The Docker engine of this machine.
            folder: Folder of a cluster of our own.
            users: The lock that keeps a cluster of our own running.
        """
        self.config = config
        self.api = Api(config)
        self._engine = engine
        self._folder = folder
        self._users = users
        self._namespaces: set[str] = set()
        self._presence: IO[str] | None = None
        self._is_alone = False

    @property
    def is_ours(self) -> bool:
        """Whether it was started for the tests. Only then can its node and API server be taken away."""
        return self._folder is not None

    # Beginning and end

    @classmethod
    def start(cls, engine: DockerEngine) -> Self:
        """Use the cluster of `KUBERNETES_TEST_KUBECONFIG`, else one of our own on the engine (some 10 s to start).

        Raises:
            ServerError: If there is neither. The message says why, and what to do.
        """
        if path := os.environ.get(KUBECONFIG_VARIABLE):
            return cls._existing(path, engine)
        programs = find_programs()
        if os.getuid() != 0:
            raise ServerError(f"Only root may start a Kubernetes node; this is user {os.getuid()}.")
        with machine_lock("image"):
            if not engine.has_image(PAUSE):
                _make_pause_image(engine)
        described = {
            "programs": programs,
            "docker_url": engine.socket_url,
            "node_address": engine.bridge_address,
            "pause_image": PAUSE,
        }
        shared = _shared()
        _refuse_foreign_pods(engine, shared)
        folder, users = shared.join(json.dumps(described))
        try:
            return cls(_read(folder / "admin.json"), engine, folder, users)
        except BaseException:
            shared.leave(users)
            raise

    @classmethod
    def _existing(cls, path: str, engine: DockerEngine) -> Self:
        import yaml

        try:
            cluster = cls(yaml.safe_load(Path(path).read_text(encoding="utf-8")), engine)
            cluster.api.get("/version")
        except (OSError, ServerError, yaml.YAMLError) as exc:
            raise ServerError(f"{KUBECONFIG_VARIABLE} is {path}, but: {exc}") from exc
        return cluster

    def stop(self) -> None:
        """Give the cluster back: its namespaces of ours go. One of our own ends when this was its last user."""
        users, self._users = self._users, None
        if users is not None or not self.is_ours:
            for name in [*self._namespaces]:
                with contextlib.suppress(ServerError, OSError):
                    self.remove_namespace(name)
        if self._presence is not None:
            self._presence.close()
            self._presence = None
        if users is not None:
            _shared().leave(users)

    # Who asks

    def kubeconfig(self, path: Path, *, config: Json | None = None) -> Path:
        """Write the kubeconfig to a file that only we may read, and return its path.

        Args:
            path: The file.
            config: That of somebody else, such as a `KubernetesUser`.
        """
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.config if config is None else config), encoding="utf-8")  # JSON is YAML, too
        return path

    @contextlib.asynccontextmanager
    async def api_client(self, config: Json | None = None) -> AsyncGenerator[ApiClient]:
        """Open a client of the `kubernetes_asyncio` package.

        Args:
            config: Whose kubeconfig to use; that of somebody who may do everything, by default.
        """
        from kubernetes_asyncio import client
        from kubernetes_asyncio.config import kube_config

        settings = client.Configuration()
        load: Any = getattr(kube_config, "load_kube_config_from_dict")  # noqa: B009 - it has no types
        await load(self.config if config is None else config, client_configuration=settings)
        opened: Any = client.ApiClient(settings)
        async with opened:
            yield opened

    def user_with_rules(
        self, rules: Iterable[Mapping[str, Any]], *, namespace: str, cluster_rules: Iterable[Mapping[str, Any]] = ()
    ) -> KubernetesUser:
        """Make a service account that may do what is listed and nothing else, with a token for an hour.

        Args:
            rules: Rules of a role, as `{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}`.
            namespace: Where they hold, and where the account is.
            cluster_rules: Rules that hold in all namespaces.
        """
        name = f"user-{secrets.token_hex(4)}"
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.api.post(accounts, {"metadata": {"name": name}})
        self._bind(name, namespace, list(rules), kind="Role")
        self._bind(name, namespace, list(cluster_rules), kind="ClusterRole")
        return KubernetesUser(
            f"system:serviceaccount:{namespace}:{name}",
            self._config_of(name, namespace, self.new_token(name, namespace)),
        )

    def new_token(self, account: str, namespace: str) -> str:
        """Return a new token of a service account, for an hour. It ends with the account.

        Args:
            account: The account; of a `KubernetesUser`, the last part of its name.
            namespace: Where it is.
        """
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": 3600},
        }
        return self.api.post(path, body)["status"]["token"]

    def _config_of(self, name: str, namespace: str, token: str) -> Json:
        config = json.loads(json.dumps(self.config))
        context = next(item["context"] for item in config["contexts"] if item["name"] == config["current-context"])
        context.update(user=name, namespace=namespace)
        config["users"] = [{"name": name, "user": {"token": token}}]
        return config

    def _bind(self, name: str, namespace: str, rules: list[Mapping[str, Any]], *, kind: str) -> None:
        if not rules:
            return
        group = "/apis/rbac.authorization.k8s.io/v1"
        if kind == "Role":
            path, name_there = f"{group}/namespaces/{namespace}", name
        else:
            path, name_there = group, f"{namespace}-{name}"
        plural = f"{kind.lower()}s"
        self.api.post(f"{path}/{plural}", {"metadata": {"name": name_there}, "rules": rules})
        self.api.post(
            f"{path}/{kind.lower()}bindings",
            {
                "metadata": {"name": name_there},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name_there},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        )

    # Where pods are

    def new_namespace(self, prefix: str = "tests") -> str:
        """Make an empty namespace and return its name. `stop` removes it, if `remove_namespace` has not.

        Args:
            prefix: First part of the name.
        """
        name = f"{prefix}-{secrets.token_hex(4)}"
        self._namespaces.add(name)
        self._show_presence()
        self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def remove_namespace(self, name: str) -> None:
        """Remove a namespace with all that is in it, without grace for its pods and without waiting for the end."""
        self._namespaces.discard(name)
        self._show_presence()
        with contextlib.suppress(ServerError):  # Jobs first, which would make pods anew
            self.api.delete(f"/apis/batch/v1/namespaces/{name}/jobs", propagationPolicy="Background")
        with contextlib.suppress(ServerError):
            self.api.delete(f"/api/v1/namespaces/{name}/pods", gracePeriodSeconds="0")
        try:
            self.api.delete(f"/api/v1/namespaces/{name}")
        except ApiError as exc:
            if exc.status != 404:
                raise

    @cached_property
    def host_address(self) -> str:
        """Address at which pods reach servers of this machine, such as `172.17.0.1`. A server must listen there.

        Raises:
            ServerError: If this is somebody's cluster and has no network of `kind` on this machine.
        """
        assert self._engine is not None
        if self.is_ours:
            return self._engine.bridge_address
        from docker.errors import NotFound

        try:
            network = self._engine.client().networks.get("kind")
        except NotFound as exc:
            raise ServerError("Pods of this cluster may not reach this machine: it has no network of kind.") from exc
        gateways = [item.get("Gateway") for item in network.attrs["IPAM"]["Config"]]
        return next(address for address in gateways if address and ":" not in address)

    def load_image(self, tag: str) -> str:
        """See to it that pods can use an image of this machine's Docker engine, and return its tag.

        Pods of a cluster of our own can in any case. Set `imagePullPolicy` to `IfNotPresent`.
        """
        if not self.is_ours:
            kind = shutil.which("kind")
            if kind is None:
                raise ServerError(
                    "Images reach a cluster that is there already by the program 'kind', which is missing."
                )
            name = self.config["current-context"].removeprefix("kind-")
            subprocess.run([kind, "load", "docker-image", tag, "--name", name], check=True, capture_output=True)
        return tag

    # What can go wrong

    def evict(self, namespace: str, pod: str) -> None:
        """Evict a pod by the API, as `kubectl drain` does: it is deleted with its grace period."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        if self._minor_version < 22:
            body["apiVersion"] = "policy/v1beta1"
        self.api.post(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)

    @cached_property
    def _minor_version(self) -> int:
        return int("".join(filter(str.isdigit, self.api.get("/version")["minor"])))

    @cached_property
    def node(self) -> str:
        """Name of the (first) node."""
        return NODE if self.is_ours else self.api.get("/api/v1/nodes")["items"][0]["metadata"]["name"]

    def limited_resource(self, count: int = 1) -> str:
        """Give the node something that pods can ask for and run short of, and return its name.

        With a count of 1 two pods that ask for it cannot run at the same time, whatever else runs on the node.
        """
        name = f"tests.invalid/{secrets.token_hex(4)}"
        # https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/
        path = f"/api/v1/nodes/{self.node}/status"
        self.api.patch(path, {"status": {"capacity": {name: str(count)}, "allocatable": {name: str(count)}}})
        return name

    @contextlib.contextmanager
    def lost_node(self) -> Generator[None]:
        """Cut the node off while inside: nobody hears of it, its containers go on. Afterwards it comes back.

        The cluster counts it as lost at once; Kubernetes would wait for 40 s. Pods are deleted after the seconds that
        they tolerate `node.kubernetes.io/unreachable`, 300 by default. `delete_node` inside makes the loss final.
        """
        with self._alone():
            pid = self._pid(KUBELET)
            os.kill(pid, signal.SIGSTOP)
            try:
                self._report_loss()
                yield
            finally:
                os.kill(pid, signal.SIGCONT)
                if not self._has_node():
                    os.kill(pid, signal.SIGKILL)  # a kubelet registers its node when it starts, and only then
                self._wait("the node is back", lambda: node_is_ready(self.api))

    def delete_node(self) -> None:
        """Remove the lost node from the cluster, as a cloud does when the machine has gone: its pods are deleted."""
        self.api.delete(f"/api/v1/nodes/{self.node}")

    def _has_node(self) -> bool:
        try:
            self.api.get(f"/api/v1/nodes/{self.node}")
        except ApiError as exc:
            if exc.status != 404:
                raise
            return False
        return True

    def _report_loss(self) -> None:
        path = f"/api/v1/nodes/{self.node}"
        conditions = self.api.get(path)["status"]["conditions"]
        for condition in conditions:
            if condition["type"] == "Ready":
                condition.update(
                    status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting status."
                )
        self.api.patch(f"{path}/status", {"status": {"conditions": conditions}})

    @contextlib.contextmanager
    def without_api_server(self) -> Generator[None]:
        """Have no API server while inside: connections break, new ones are refused. Afterwards it is back."""
        with self._alone():
            hold = self._own_folder / f"hold-{API_SERVER}"
            hold.touch()
            try:
                os.kill(self._pid(API_SERVER), signal.SIGKILL)
                yield
            finally:
                before = self._pid(API_SERVER)
                hold.unlink()
                self._wait("the API server is back", lambda: self._pid(API_SERVER) != before and is_ready(self.api))

    def restart_api_server(self) -> None:
        """End the API server as a crash does and start it again (some 4 s). Watches break off."""
        with self.without_api_server():
            pass

    def forget_history(self) -> None:
        """Forget all versions but the present one: who watches from an older one is told 410 Gone (some 4 s)."""
        with self.without_api_server():  # it keeps recent versions in memory
            compact((self._own_folder / "etcd.url").read_text(encoding="utf-8"))

    @property
    def _own_folder(self) -> Path:
        if self._folder is None:
            raise ServerError("This cluster was there already: its node and its API server are left alone.")
        return self._folder

    def _pid(self, program: str) -> int:
        return int((self._own_folder / f"{program}.pid").read_text(encoding="utf-8"))

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _BACK_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                raise ServerError(f"After {_BACK_SECONDS} seconds it is still not so that {what}.")
            time.sleep(_POLL_SECONDS)

    def _show_presence(self) -> None:
        """Tell other processes whether we have pods here, or take the cluster for ourselves."""
        if self._folder is None:
            return
        import fcntl

        if self._presence is None:
            self._presence = (self._folder / "presence.lock").open("a")
        if self._is_alone:
            fcntl.flock(self._presence, fcntl.LOCK_EX)
        else:
            fcntl.flock(self._presence, fcntl.LOCK_SH if self._namespaces else fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        """Wait until no other process has pods here, and keep them from making some."""
        _ = self._own_folder
        self._is_alone = True
        try:
            self._show_presence()
            yield
        finally:
            self._is_alone = False
            self._show_presence()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.api.server}>"


def _shared() -> Shared:
    from . import _kubernetes_keeper

    return Shared(
        "kubernetes", _kubernetes_keeper.__name__, _is_kept, start_seconds=_START_SECONDS, stop_seconds=_STOP_SECONDS
    )


def _is_kept(folder: Path) -> bool:
    import fcntl

    try:
        with (folder / ALIVE).open("a") as alive:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _read(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def _make_pause_image(engine: DockerEngine) -> None:
    from .docker_images import busybox_files, pack

    engine.import_image(PAUSE, pack(busybox_files()), ["ENV PATH=/bin", f"ENTRYPOINT {json.dumps(_PAUSE_COMMAND)}"])


def _refuse_foreign_pods(engine: DockerEngine, shared: Shared) -> None:
    """Leave an engine alone that runs the pods of another cluster: a kubelet ends all that it does not know."""
    if not engine.is_ours and not shared.is_running and pod_containers(engine.socket_url):
        raise ServerError(
            f"The Docker engine at {engine.socket_url} has containers of a Kubernetes cluster, which a second one "
            f"would remove. Remove them, or set {KUBECONFIG_VARIABLE} to use that cluster."
        )


@pytest.fixture(scope="session")
def kubernetes_cluster(docker_engine: DockerEngine) -> Iterator[KubernetesCluster]:
    """A Kubernetes cluster for the whole session; see `KubernetesCluster` for what it offers.

    Without its programs, which no package index carries, the test is skipped with the recipe to build them. Where
    `KUBERNETES_BIN` or `KUBERNETES_TEST_KUBECONFIG` promises them, it fails on CI: `CI` is set there.
    """
    if not (os.environ.get(BINARIES_VARIABLE) or os.environ.get(KUBECONFIG_VARIABLE)):
        try:
            find_programs()
        except ServerError as exc:
            pytest.skip(str(exc))
    with skipped_when_missing():
        cluster = KubernetesCluster.start(docker_engine)
    with cluster:
        yield cluster


@pytest.fixture
def kubernetes_namespace(kubernetes_cluster: KubernetesCluster) -> Iterator[str]:
    """Name of an empty namespace, which goes with all that is in it when the test ends."""
    name = kubernetes_cluster.new_namespace()
    yield name
    kubernetes_cluster.remove_namespace(name)
