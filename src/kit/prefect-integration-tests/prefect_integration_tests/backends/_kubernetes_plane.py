"""The programs of a Kubernetes control plane with one node, and how each is started.

They are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and a kubelet that runs containers on a Docker
engine (kubelet could do that up to release 1.23). The API server listens on the loopback address and the kubelet on the
engine's bridge address, both with certificates of an authority that is made anew; nothing is open to strangers.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ._kubernetes_api import Api
from .processes import HOST, LocalServer, ServerError, answers_http, free_port

BINARIES_VARIABLE = "KUBERNETES_BIN"
"""Environment variable that names the folder of the programs; `PATH` is looked through after it."""

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
API_SERVER = "kube-apiserver"
KUBELET = "kubelet"

NODE = "node-1"

SPARE_NODE = "node-2"
"""A node without a kubelet. Kubernetes evicts nothing while all of a cluster's nodes are lost, and so wants another."""

RECIPE = """\
Debian's source package `kubernetes` (1.20) builds them in some 15 minutes, with what Debian 12 has:
    apt-get install --no-install-recommends etcd-server golang-go jq rsync dpkg-dev
    apt-get source --download-only kubernetes && dpkg-source -x --no-check kubernetes_*.dsc k && cd k
    sed -i 's/-998/1/' pkg/kubelet/dockershim/docker_sandbox.go    # where no process may be spared by the OOM killer
    sed -i -E 's/= -99[79]/= 0/' pkg/kubelet/qos/policy.go
    mkdir -p .go/src/k8s.io && ln -s ../../.. .go/src/k8s.io/kubernetes
    env GOPATH=$PWD/.go GOPROXY=off KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 \\
        KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean \\
        make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet"
    export KUBERNETES_BIN=$PWD/_output/local/go/bin"""

_POD_CIDR_SERVICES = "10.96.0.0/16"


def find_programs() -> dict[str, str]:
    """Find the programs in the folder of `KUBERNETES_BIN`, then on `PATH`.

    Raises:
        ServerError: If one is missing. The message says how to get it.
    """
    folder = os.environ.get(BINARIES_VARIABLE, "")
    path = os.pathsep.join(part for part in (folder, os.environ.get("PATH", "")) if part)
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    if missing := [name for name, program in found.items() if program is None]:
        where = f"neither in {folder}, which {BINARIES_VARIABLE} names," if folder else f"not in {BINARIES_VARIABLE}"
        raise ServerError(
            f"{', '.join(missing)}: {where} nor on PATH. Set {BINARIES_VARIABLE} to a folder with the programs of a "
            f"Kubernetes control plane, or KUBERNETES_TEST_KUBECONFIG to use a cluster that is there.\n{RECIPE}"
        )
    return {name: program for name, program in found.items() if program is not None}


def kubeconfig(server: str, authority: str, user: str, token: str, namespace: str = "default") -> dict[str, Any]:
    """Return a kubeconfig of one cluster, one user and the context of both.

    Args:
        server: Address of the API server.
        authority: Certificate of the authority that the server's is signed by, as PEM.
        user: Name of the user.
        token: What the user shows.
        namespace: Namespace of requests that name none.
    """
    data = base64.b64encode(authority.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user, "namespace": namespace}}],
        "current-context": "tests",
    }


@dataclass(frozen=True)
class Plane:
    """A control plane that keeps all it has below one folder."""

    folder: Path
    programs: dict[str, str]
    docker_url: str
    node_address: str
    pause_image: str

    def servers(self) -> dict[str, LocalServer]:
        """Write what the programs read, and describe each of them, in the order to start them."""
        from .certificates import PrivateCA

        for name in ("etcd", "kubelet", "kubelet-pki", "certificates", "plugins"):
            (self.folder / name).mkdir()
        authority = PrivateCA(self.folder / "certificates")
        serving = authority.issue("apiserver", HOST, "localhost")
        node = authority.issue("node", self.node_address)
        visitor = authority.issue("apiserver-visits-kubelet")
        accounts = authority.issue("service-accounts")
        etcd_port, peer_port, api_port, node_port = (free_port() for _ in range(4))
        etcd_url, peer_url = f"http://{HOST}:{etcd_port}", f"http://{HOST}:{peer_port}"
        server = f"https://{HOST}:{api_port}"

        token = secrets.token_urlsafe(32)
        self._write("tokens.csv", f"{token},admin,admin,system:masters\n")
        config = kubeconfig(server, authority.ca_file.read_text(encoding="utf-8"), "admin", token)
        admin = self._write("admin.json", json.dumps(config))  # JSON is YAML, too
        self._write("etcd.url", etcd_url)
        settings = self._write("kubelet.json", json.dumps(self._kubelet_settings(node_port, authority.ca_file, node)))

        etcd = [
            *("--name", "tests", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", etcd_url, "--advertise-client-urls", etcd_url),
            *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
            *("--initial-cluster", f"tests={peer_url}", "--log-level", "error", "--logger", "zap"),
        ]
        api_server = [
            *(f"--etcd-servers={etcd_url}", f"--bind-address={HOST}", f"--advertise-address={HOST}"),
            *(f"--secure-port={api_port}", "--endpoint-reconciler-type=none"),
            *(f"--tls-cert-file={serving.cert_file}", f"--tls-private-key-file={serving.key_file}"),
            *(f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=RBAC", "--anonymous-auth=false"),
            *("--service-account-issuer=https://tests.invalid", f"--service-account-key-file={accounts.cert_file}"),
            f"--service-account-signing-key-file={accounts.key_file}",
            *(f"--service-cluster-ip-range={_POD_CIDR_SERVICES}", "--allow-privileged=true"),
            "--disable-admission-plugins=ServiceAccount",  # no token is mounted: pods start faster
            f"--kubelet-certificate-authority={authority.ca_file}",
            *(f"--kubelet-client-certificate={visitor.cert_file}", f"--kubelet-client-key={visitor.key_file}"),
            "--kubelet-preferred-address-types=InternalIP",
        ]
        controllers = [
            *(f"--kubeconfig={admin}", f"--service-account-private-key-file={accounts.key_file}"),
            *("--leader-elect=false", "--port=0", "--secure-port=0"),
            *("--node-monitor-period=1s", "--node-eviction-rate=100"),
        ]
        scheduler = [f"--kubeconfig={admin}", "--leader-elect=false", "--port=0", "--secure-port=0"]
        kubelet = [
            *(f"--kubeconfig={admin}", f"--config={settings}", f"--root-dir={self.folder / 'kubelet'}"),
            *(f"--cert-dir={self.folder / 'kubelet-pki'}", f"--hostname-override={NODE}"),
            *(f"--node-ip={self.node_address}", "--container-runtime=docker", "--network-plugin="),
            *(f"--docker-endpoint={self.docker_url}", f"--docker={self.docker_url}"),
            *(f"--pod-infra-container-image={self.pause_image}", "--image-pull-progress-deadline=10s"),
            f"--volume-plugin-dir={self.folder / 'plugins'}",
        ]
        return {
            "etcd": self._server("etcd", etcd, lambda: answers_http(f"{etcd_url}/health")),
            API_SERVER: self._server(API_SERVER, api_server, lambda: is_ready(Api(config))),
            "kube-controller-manager": self._server("kube-controller-manager", controllers),
            "kube-scheduler": self._server("kube-scheduler", scheduler),
            KUBELET: self._server(KUBELET, kubelet),
        }

    def _kubelet_settings(self, port: int, authority: Path, certificate: Any) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.node_address,
            "port": port,
            "healthzPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(authority)},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "tlsCertFile": str(certificate.cert_file),
            "tlsPrivateKeyFile": str(certificate.key_file),
            # Containers go where the engine puts them; the machine's own groups stay as they are.
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "makeIPTablesUtilChains": False,
            "failSwapOn": False,
            "oomScoreAdj": 1,
            "maxPods": 250,
            # Without a name server: a look-up in a pod fails at once, and no event complains of a missing one.
            "clusterDNS": [HOST],
            # Only what a test asks for is evicted.
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # A fresh node is ready when it first says so, an overfull volume is noticed soon.
            "nodeStatusUpdateFrequency": "1s",
            "volumeStatsAggPeriod": "1s",
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
        }

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def _server(self, name: str, arguments: list[str], is_ready: Any = lambda: True) -> LocalServer:
        return LocalServer(
            [self.programs[name], *arguments],
            is_ready,
            name=name,
            env={"GOMAXPROCS": "2", "NO_PROXY": "*", "no_proxy": "*"},
            cwd=self.folder,
            log_path=self.folder / f"{name}.log",
            start_timeout_seconds=90,
            stop_timeout_seconds=3,
        )


def is_ready(api: Api) -> bool:
    """Say whether an API server answers requests."""
    try:
        api.request("GET", "/readyz", timeout_seconds=5)
    except (ServerError, OSError):
        return False
    return True


def node_is_ready(api: Api) -> bool:
    """Say whether the node takes pods."""
    try:
        node = api.get(f"/api/v1/nodes/{NODE}")
    except (ServerError, OSError):
        return False
    if node["spec"].get("taints"):
        return False
    return any(item["type"] == "Ready" and item["status"] == "True" for item in node["status"]["conditions"])


def spare_node() -> dict[str, Any]:
    """Return a node that is well at this moment and takes no pods."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "Spare", "message": "", "lastHeartbeatTime": now}
    return {
        "metadata": {"name": SPARE_NODE},
        "spec": {"unschedulable": True, "taints": [{"key": "tests.invalid/spare", "effect": "NoSchedule"}]},
        "status": {"conditions": [ready]},
    }


def compact(etcd_url: str) -> None:
    """Make etcd forget every revision but the current one."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(f"{etcd_url}{path}", json.dumps(body).encode(), method="POST")
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read())

    revision = call("/v3/kv/range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
    call("/v3/kv/compaction", {"revision": revision, "physical": True})
