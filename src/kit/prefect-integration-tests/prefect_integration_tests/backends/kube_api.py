"""A Kubernetes API server, played in this process: where a real control plane is absent, or cannot be made to fail.

It speaks the protocol: create, get, list by pages, watch, patch, replace and delete, with the refusals, messages and
defaults of the real one. Behind it, a job controller makes pods and ends jobs; what becomes of the pods is for the test
to say, see `Play`. Bodies are read with the client's own models. The real control plane is `kubernetes_cluster`.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import pytest

from ._kube.access import Access, Rule
from ._kube.admission import Admission, read_body
from ._kube.crowd import finished_pods
from ._kube.deletion import DeleteOptions, Deletions
from ._kube.faults import Fault, Faults, KubeCall
from ._kube.jobs import JobController
from ._kube.json import Json
from ._kube.logs import Logs
from ._kube.play import Play, PodScript
from ._kube.resources import Catalogue, Resource
from ._kube.selectors import label_selector
from ._kube.server import KubeServer
from ._kube.status import Refusal
from ._kube.store import Selection, Store
from ._kube.verbs import Verbs
from .certificates import PrivateCA
from .processes import HOST

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient
    from typing_extensions import Self

__all__ = ["KubeApi", "KubeCall", "Play", "PodScript", "Refusal"]


CLUSTER_UID = "5c1f9b52-7d0e-4d6c-9a5e-0d8f3c1b2a40"
"""Uid of the namespace kube-system, which stands for the cluster's own."""


class KubeApi:
    """The server, what it holds, and what a test may do to it. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start to listen on a free loopback port."""
        self._generation = 0
        self._catalogue = Catalogue()
        self._store = Store(self._catalogue)
        self._admission = Admission(self._store)
        self._deletions = Deletions(self._store)
        self._logs = Logs()
        self._faults = Faults()
        self.access = Access()
        """Tokens and rules."""

        self._controller = JobController(self._store, self._admission, self._deletions, self._after)
        self.play = Play(self._store, self._deletions, self._controller, self._logs, self._after)
        """What becomes of pods and jobs."""

        verbs = Verbs(self._store, self._admission, self._deletions)
        self._server = KubeServer(self._catalogue, self._store, verbs, self.access, self._faults, self._logs)
        self.port = self._server.port
        self._tls_port: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="kube-api-")
        self._fill()

    @property
    def url(self) -> str:
        """The server, by HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same server by HTTPS, with a certificate of `ca_file`."""
        return f"https://{HOST}:{self._listen_by_tls()}"

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority that signs the server's own."""
        self._listen_by_tls()
        return Path(self._folder.name) / "ca.pem"

    @property
    def token(self) -> str:
        """A token that may do everything."""
        return self.access.admin_token

    @property
    def calls(self) -> list[KubeCall]:
        """All requests since the last reset, in order."""
        return self._server.calls

    def calls_of(self, verb: str, resource: str) -> list[KubeCall]:
        """Give the requests of one verb on one resource, such as `create` and `jobs`, so far."""
        return [call for call in list(self.calls) if (call.verb, call.resource) == (verb, resource)]

    def reset(self) -> None:
        """Forget everything: objects, users, faults, calls, scripts. Open connections are broken."""
        self._generation += 1
        self._server.streams.is_silent = False
        self._server.streams.bookmark_seconds = 60.0
        self._server.streams.drop()
        self._faults.clear()
        self.access.reset()
        self._controller.reset()
        self.play.reset()
        self._logs.reset()
        self._catalogue.reset()
        self._store.reset()
        self.calls.clear()
        self._fill()

    def close(self) -> None:
        """Stop to listen."""
        self._server.close()
        self._folder.cleanup()

    def kubeconfig(self, token: str | None = None, *, is_tls: bool = False, context: str = "played") -> Json:
        """Write a kubeconfig, as a dictionary.

        Args:
            token: Token of its user; by default one that may do everything.
            is_tls: Speak HTTPS.
            context: Name of its one context.
        """
        cluster: Json = {"server": self.tls_url if is_tls else self.url}
        if is_tls:
            cluster["certificate-authority-data"] = base64.b64encode(self.ca_file.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "played", "cluster": cluster}],
            "users": [{"name": "tester", "user": {"token": token or self.token}}],
            "contexts": [{"name": context, "context": {"cluster": "played", "user": "tester", "namespace": "default"}}],
        }

    def write_kubeconfig(self, path: Path, token: str | None = None, *, is_tls: bool = False) -> Path:
        """Write a kubeconfig file, for `KUBECONFIG`; JSON is YAML, too."""
        path.write_text(json.dumps(self.kubeconfig(token, is_tls=is_tls)))
        return path

    def client(self, token: str | None = None, *, is_tls: bool = False) -> ApiClient:
        """Open a client of `kubernetes_asyncio`; close it with `async with`."""
        from kubernetes_asyncio.client import ApiClient, Configuration

        configuration = Configuration(host=self.tls_url if is_tls else self.url)
        configuration.api_key = {"BearerToken": f"Bearer {token or self.token}"}
        if is_tls:
            configuration.ssl_ca_cert = str(self.ca_file)
        return ApiClient(configuration)

    def create(self, plural: str, body: Json, namespace: str = "default") -> Json:
        """Create an object, as an administrator would.

        Args:
            plural: Resource, such as `pods`, `jobs`, `widgets.example.com`.
            body: The manifest; kind and API version may be left out.
            namespace: Where, for what has a namespace.

        Raises:
            Refusal: If the server refuses it.
        """
        resource = self._catalogue[plural]
        data, _ = read_body(resource, body)
        return self._admission.create(resource, namespace if resource.is_namespaced else "", data).data

    def get(self, plural: str, name: str, namespace: str = "default") -> Json:
        """Read an object.

        Raises:
            Refusal: 404.
        """
        resource = self._catalogue[plural]
        return self._store.read(resource, namespace if resource.is_namespaced else "", name).data

    def list(self, plural: str, namespace: str = "", labels: str = "") -> list[Json]:
        """Read all objects of a resource, of one namespace or of all.

        Args:
            plural: Resource.
            namespace: Where.
            labels: Label selector.
        """
        selection = Selection(self._catalogue[plural], namespace, label_selector(labels))
        return [stored.data for stored in self._store.select(selection)]

    def delete(self, plural: str, name: str, namespace: str = "default", propagation: str | None = None) -> None:
        """Delete an object, as by hand."""
        resource = self._catalogue[plural]
        stored = self._store.read(resource, namespace if resource.is_namespaced else "", name)
        self._deletions.delete(stored, DeleteOptions(propagation))

    def change(self, plural: str, name: str, change: Callable[[Json], None], namespace: str = "default") -> Json:
        """Change an object in place, past all checks.

        Args:
            plural: Resource.
            name: Its name.
            change: Told the object, to change it.
            namespace: Where it is.
        """
        resource = self._catalogue[plural]
        stored = self._store.read(resource, namespace if resource.is_namespaced else "", name)
        return self._store.update(stored, change).data

    def add_namespace(self, name: str) -> None:
        """Create a namespace with its default service account."""
        self.create("namespaces", {"metadata": {"name": name}})
        self.create("serviceaccounts", {"metadata": {"name": "default"}}, name)

    def add_custom_resource(
        self, group: str, version: str, plural: str, kind: str, *, is_namespaced: bool = True, has_status: bool = True
    ) -> None:
        """Serve a custom resource, as after the creation of its definition."""
        self._catalogue.add(Resource(group, version, plural, kind, is_namespaced=is_namespaced, has_status=has_status))

    def add_finished_pods(
        self,
        count: int,
        *,
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        labels_of: Callable[[int], Mapping[str, str]] | None = None,
        image: str = "prefecthq/prefect:3-latest",
    ) -> None:
        """Add pods of jobs that ended well before anybody looked; tens of thousands take a second.

        Args:
            count: How many.
            namespace: Where.
            labels: Labels of all.
            labels_of: More labels, by the number of the pod, such as the id of its flow run.
            image: Image of their one container.
        """
        made = finished_pods(
            self._catalogue,
            count,
            self._store.version,
            namespace=namespace,
            labels=labels or {},
            labels_of=labels_of,
            image=image,
        )
        self._store.add(self._catalogue["pods"], made)

    def set_quota(self, hard: Mapping[str, str], namespace: str = "default", name: str = "quota") -> None:
        """Limit a namespace: `pods`, `secrets`, `count/jobs.batch` and the like. An empty mapping lifts the limit."""
        resource = self._catalogue["resourcequotas"]
        old = self._store.find(resource, namespace, name)
        if old is not None:
            self._store.remove(old)
        if hard:
            used = {key: str(self._admission.usage(namespace, key)) for key in hard}
            self.create(resource.plural, {"metadata": {"name": name}, "spec": {"hard": dict(hard)}}, namespace)
            self.change(
                resource.plural, name, lambda data: data.update(status={"hard": dict(hard), "used": used}), namespace
            )
        self._controller.sync_all()

    def add_user(self, name: str, rules: Iterable[Rule] = (), *, namespace: str | None = None) -> str:
        """Add a user with rules as in a Role, and give it a token; see `Access`."""
        return self.access.add_user(name, rules, namespace=namespace)

    def fail(
        self,
        verb: str,
        resource: str,
        status: int | None = None,
        *,
        times: int | None = None,
        delay_seconds: float = 0.0,
        is_reset: bool = False,
        is_done: bool = False,
        reason: str = "",
        message: str = "",
        retry_after_seconds: int | None = None,
        namespace: str | None = None,
        name: str | None = None,
    ) -> None:
        """Let requests fail, or be slow.

        Args:
            verb: As in a Role, such as `create`; `*` for all.
            resource: As in a Role, such as `jobs` or `pods/log`; `*` for all, discovery too.
            status: HTTP status of the refusal; none for a delay or a reset.
            times: How many requests; all by default.
            delay_seconds: Wait before anything else.
            is_reset: Break the connection instead of an answer.
            is_done: Do what is asked first, then refuse, or break the connection: the answer is lost.
            reason: Reason in the `Status`; the usual one by default.
            message: Message in the `Status`; the usual one by default.
            retry_after_seconds: Send `Retry-After`.
            namespace: Only requests for this namespace.
            name: Only requests for this name.
        """
        much = verb, resource, status, times, delay_seconds, is_reset, is_done
        self._faults.add(Fault(*much, reason, message, retry_after_seconds, namespace, name))

    def heal(self) -> None:
        """End all faults, and let silent watches speak again."""
        self._faults.clear()
        self.silence_watches(False)

    def open_streams(self, plural: str = "") -> int:
        """Count open watches and followed logs, of one resource or of all."""
        return self._server.streams.count(plural)

    def drop_watches(self, plural: str = "") -> None:
        """Break open watches (and followed logs of `pods`) by RST."""
        self._server.streams.drop(plural)

    def end_watches(self, plural: str = "") -> None:
        """End open watches in the orderly way, as when `timeoutSeconds` is over."""
        self._server.streams.end(plural)

    def expire_watches(self, plural: str = "") -> None:
        """Send open watches an ERROR event of 410, then end them."""
        self._server.streams.expire(plural)

    def silence_watches(self, is_silent: bool = True) -> None:
        """Keep watches open without a word, as through a proxy that has lost the server."""
        self._server.streams.is_silent = is_silent
        self._server.streams.wake()

    def send_bookmarks(self, plural: str = "") -> None:
        """Send a bookmark to the watches that asked for bookmarks; otherwise each gets one a minute."""
        self._server.streams.bookmark(plural)

    def compact(self) -> None:
        """Forget history: new watches from before get an ERROR event of 410, pages of lists begun before a 410."""
        self._store.compact()

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        generation = self._generation

        def act_unless_reset() -> None:
            if generation == self._generation:
                act()

        self._server.after(seconds, act_unless_reset)

    def _fill(self) -> None:
        for name in ("default", "kube-system"):
            self.add_namespace(name)
        self.change("namespaces", "kube-system", lambda data: data["metadata"].update(uid=CLUSTER_UID))
        node = {
            "metadata": {"name": "node1", "labels": {"kubernetes.io/hostname": "node1", "kubernetes.io/os": "linux"}}
        }
        self.create("nodes", node)

    def _listen_by_tls(self) -> int:
        if self._tls_port is None:
            ca = PrivateCA(Path(self._folder.name))
            certificate = ca.issue("server", HOST, "localhost")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
            self._tls_port = self._server.listen(context)
        return self._tls_port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


@pytest.fixture(scope="session")
def kube_api() -> Iterator[KubeApi]:
    """The played API server; tests share it, see `empty_kube_api`."""
    with KubeApi() as api:
        yield api


@pytest.fixture
def empty_kube_api(kube_api: KubeApi) -> KubeApi:
    """The played API server after a reset."""
    kube_api.reset()
    return kube_api
