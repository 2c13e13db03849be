"""Clients that last: new credentials when refused or due, time limits, new connections, transient failures."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import stat
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
import yaml
from kubernetes_asyncio.client import Configuration, CoreV1Api
from kubernetes_asyncio.client.exceptions import ApiException
from pydantic import PrivateAttr

from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, _clients, _sources
from prefect_kubernetes._api_client import FAILURES_BEFORE_REBUILD
from prefect_kubernetes._clients import call, open_api
from prefect_kubernetes.errors import (
    KubernetesAccessDenied,
    KubernetesConfigInvalid,
    KubernetesConfigMissing,
    KubernetesCredentialsRefused,
    KubernetesThrottled,
    KubernetesTimeout,
    KubernetesTlsRefused,
    KubernetesUnavailable,
)

if TYPE_CHECKING:
    from prefect_integration_tests.backends.kube_api import KubeApi
    from prefect_integration_tests.clock import FakeClock

MakeConfig = Callable[..., KubernetesClusterConfig]

TRIES = 2
"""aiohttp itself sends a GET once more when its connection breaks."""


@pytest.fixture
def clock(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Waits between attempts take no time."""
    monkeypatch.setattr(_clients, "_clock", fake_clock)
    return fake_clock


class Plugin:
    """An exec plugin that prints the token in a file, and counts how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.answer = folder / "answer.json"
        self.runs = folder / "runs"
        self.runs.touch()
        self.script = folder / "plugin"
        self.script.write_text(
            f"#!{sys.executable}\nimport pathlib\n"
            f"with open({str(self.runs)!r}, 'a') as runs: runs.write('x')\n"
            f"print(pathlib.Path({str(self.answer)!r}).read_text())\n"
        )
        self.script.chmod(self.script.stat().st_mode | stat.S_IEXEC)

    def say(self, token: str, expires_in: timedelta | None = None) -> None:
        status = {"token": token}
        if expires_in is not None:
            status["expirationTimestamp"] = (datetime.now(timezone.utc) + expires_in).strftime("%Y-%m-%dT%H:%M:%SZ")
        version = "client.authentication.k8s.io/v1"
        self.answer.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))

    @property
    def user(self) -> dict[str, Any]:
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(self.script)}}

    @property
    def count(self) -> int:
        return len(self.runs.read_text())


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def everything(api: KubeApi, name: str) -> str:
    """A token that may do everything and can be rotated."""
    return api.add_user(name, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])


# Who makes clients in another way


class OwnClient(KubernetesClusterConfig):
    """A block with another way to make a client."""

    _block_type_name = "Cluster Config with an own client"

    async def get_api_client(self) -> Any:
        api: Any = await super().get_api_client()
        api.user_agent = "my-own"
        return api


class OwnSetup(KubernetesClusterConfig):
    """A block with another way to set the SDK up."""

    _block_type_name = "Cluster Config with an own setup"
    _other: Any = PrivateAttr(default=None)

    async def configure_client(self) -> None:
        await self._other.configure_client()


async def test_a_block_with_a_client_of_its_own_gives_that(make_cluster_config: MakeConfig) -> None:
    own = OwnClient(**make_cluster_config().model_dump(include={"config", "context_name"}))
    async with KubernetesCredentials(cluster_config=own).get_client("core") as core, open_api(own) as api:
        assert (await core.list_namespaced_pod("default")).items == []
        assert {cast("Any", core).api_client.user_agent, api.user_agent} == {"my-own"}
    assert api.rest_client.pool_manager.closed


async def test_a_block_that_sets_the_sdk_up_in_its_own_way_does_so(
    make_cluster_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Configuration, "_default", None)
    own = OwnSetup(config={}, context_name="none")
    own._other = make_cluster_config()
    async with KubernetesCredentials(cluster_config=own).get_client("core") as core:
        assert (await core.list_namespaced_pod("default")).items == []


@pytest.mark.parametrize("name", ["load_incluster_config", "load_kube_config"])
async def test_what_a_test_puts_in_the_place_of_the_sdks_search_is_asked(
    name: str, empty_kube_api: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Configuration, "_default", None)

    def found() -> None:
        configuration: Any = Configuration()
        configuration.host = empty_kube_api.url
        configuration.api_key = {"BearerToken": f"Bearer {empty_kube_api.token}"}
        cast("Any", Configuration).set_default(configuration)

    monkeypatch.setattr(f"kubernetes_asyncio.config.{name}", found)
    async with KubernetesCredentials().get_client("core") as core:
        assert (await core.list_namespaced_pod("default")).items == []


# Where the cluster comes from


async def test_without_a_block_kubectls_files_count(
    empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(empty_kube_api.write_kubeconfig(tmp_path / "config")))
    async with KubernetesCredentials().get_client("core") as core:
        assert (await core.list_namespaced_pod("default")).items == []


async def test_a_pods_service_account_comes_before_kubectls_files(
    empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = be_in_a_pod(empty_kube_api, tmp_path, monkeypatch)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "unused"))
    async with open_api() as api:
        await CoreV1Api(api).list_namespaced_pod("default")
    assert token.read_text().strip() == empty_kube_api.token
    assert empty_kube_api.calls_of("list", "pods")[-1].status == 200


def be_in_a_pod(api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from kubernetes_asyncio.config import incluster_config

    host, _, port = api.tls_url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    token = tmp_path / "token"
    token.write_text(f"{api.token}\n")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(api.ca_file))
    return token


async def test_nowhere_to_go_is_said_with_the_places_that_were_looked_at(clean_surroundings: Path) -> None:
    with pytest.raises(KubernetesConfigMissing, match=r"does not run in a pod.*\.kube/config.*Give the block"):
        async with KubernetesCredentials().get_client("core"):
            pass


async def test_a_pod_without_a_token_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(KubernetesConfigMissing, match="automountServiceAccountToken"):
        async with open_api():
            pass


async def test_options_go_with_the_address_of_the_block(make_cluster_config: MakeConfig) -> None:
    options: Any = Configuration()
    options.connection_pool_maxsize = 7
    credentials = KubernetesCredentials(cluster_config=make_cluster_config())
    async with credentials.get_client("core", configuration=options) as core:
        await core.list_namespaced_pod("default")
        configuration: Any = core.api_client.configuration
        assert configuration.connection_pool_maxsize == 7
    assert options.host == Configuration().host, "the caller's object stays as it is"  # type: ignore[attr-defined]


async def test_a_configuration_with_a_host_of_its_own_is_enough(empty_kube_api: KubeApi) -> None:
    configuration: Any = Configuration()
    configuration.host = empty_kube_api.url
    configuration.api_key = {"BearerToken": f"Bearer {empty_kube_api.token}"}
    async with KubernetesCredentials().get_client("core", configuration=configuration) as core:
        await core.list_namespaced_pod("default")


# Credentials that change


async def test_a_refused_token_file_is_read_again_and_the_call_repeated(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(everything(empty_kube_api, "worker"))
    async with open_api(make_cluster_config(user={"tokenFile": str(token)})) as api:
        core = CoreV1Api(api)
        await core.list_namespaced_pod("default")
        rotate(empty_kube_api, token)
        await core.list_namespaced_pod("default")
    assert [call.status for call in empty_kube_api.calls] == [200, 401, 200]


def rotate(api: KubeApi, file: Path) -> None:
    old = file.read_text()
    file.write_text(api.access.new_token("worker"))
    api.access.expire(old)


async def test_a_refused_token_of_a_pod_is_read_again(
    empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = be_in_a_pod(empty_kube_api, tmp_path, monkeypatch)
    file.write_text(everything(empty_kube_api, "worker"))
    async with open_api() as api:
        await CoreV1Api(api).list_namespaced_pod("default")
        rotate(empty_kube_api, file)
        await CoreV1Api(api).list_namespaced_pod("default")
    assert [call.status for call in empty_kube_api.calls] == [200, 401, 200]


async def test_a_kubeconfig_file_is_read_again(
    empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = everything(empty_kube_api, "worker")
    path = Path(empty_kube_api.write_kubeconfig(tmp_path / "config", old))
    monkeypatch.setenv("KUBECONFIG", str(path))
    async with open_api() as api:
        await CoreV1Api(api).list_namespaced_pod("default")
        empty_kube_api.write_kubeconfig(path, empty_kube_api.access.new_token("worker"))
        empty_kube_api.access.expire(old)
        await CoreV1Api(api).list_namespaced_pod("default")


async def test_the_exec_plugin_runs_once_for_all_who_were_refused(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, plugin: Plugin
) -> None:
    old = everything(empty_kube_api, "worker")
    plugin.say(old)
    async with open_api(make_cluster_config(user=plugin.user)) as api:
        core = CoreV1Api(api)
        await core.list_namespaced_pod("default")
        plugin.say(empty_kube_api.access.new_token("worker"))
        empty_kube_api.access.expire(old)
        await asyncio.gather(*(core.list_namespaced_pod("default") for _ in range(10)))
    assert plugin.count == 2


async def test_the_exec_plugin_runs_once_for_all_threads(make_cluster_config: MakeConfig, plugin: Plugin) -> None:
    plugin.say("a-token", timedelta(hours=1))
    source = _sources.find(make_cluster_config(user=plugin.user))
    loaded = await asyncio.gather(*(asyncio.to_thread(asyncio.run, _sources.load(source)) for _ in range(4)))
    assert plugin.count == 1
    assert all(each is loaded[0] for each in loaded)


async def test_a_certificate_is_whole_whichever_thread_writes_it(
    make_cluster_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = f"-----BEGIN CERTIFICATE-----\n{uuid.uuid4()}\n"
    config = make_cluster_config(is_tls=True).config
    (cluster,) = config["clusters"]
    cluster["cluster"]["certificate-authority-data"] = base64.b64encode(certificate.encode()).decode()
    (context,) = config["contexts"]
    config["contexts"].append({**context, "name": "another"})  # read by itself, while the file is the same
    is_begun, is_read = threading.Event(), threading.Event()

    def slow_open(*arguments: Any) -> Any:
        is_begun.set()
        is_read.wait(
            0.5
        )  # a busy machine: the name of the file is known, nothing is in it, and another thread reads it
        return open(*arguments)

    def load(name: str) -> str:
        block = KubernetesClusterConfig(config=config, context_name=name)
        loaded = asyncio.run(_sources.load(_sources.find(block)))
        content = Path(cast("Any", loaded.configuration).ssl_ca_cert).read_text()
        is_read.set()
        return content

    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.open", slow_open, raising=False)
    first = asyncio.create_task(asyncio.to_thread(load, context["name"]))
    await asyncio.to_thread(is_begun.wait, 30)
    assert [await asyncio.to_thread(load, "another"), await first] == [certificate, certificate]


async def test_clients_of_one_cluster_share_what_the_exec_plugin_said(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, plugin: Plugin
) -> None:
    plugin.say(everything(empty_kube_api, "worker"))

    async def use() -> None:
        async with open_api(make_cluster_config(user=plugin.user)) as api:
            await CoreV1Api(api).list_namespaced_pod("default")

    await asyncio.gather(*(use() for _ in range(5)))
    assert plugin.count == 1


async def test_a_token_that_is_about_to_expire_is_renewed_before_it_does(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin.say(everything(empty_kube_api, "worker"), expires_in=timedelta(hours=1))
    async with open_api(make_cluster_config(user=plugin.user)) as api:
        core = CoreV1Api(api)
        await core.list_namespaced_pod("default")
        await core.list_namespaced_pod("default")
        assert plugin.count == 1
        now = _sources.time.monotonic()
        monkeypatch.setattr(_sources.time, "monotonic", lambda: now + 56 * 60)
        plugin.say(empty_kube_api.access.new_token("worker"), expires_in=timedelta(hours=1))
        await core.list_namespaced_pod("default")
    assert plugin.count == 2
    assert {call.status for call in empty_kube_api.calls_of("list", "pods")} == {200}


async def test_a_fixed_token_that_is_refused_is_an_error_at_once(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig
) -> None:
    token = everything(empty_kube_api, "worker")
    async with open_api(make_cluster_config(token)) as api:
        empty_kube_api.access.expire(token)
        with pytest.raises(KubernetesCredentialsRefused, match="Sign in again"):
            await call("Pods", lambda: CoreV1Api(api).list_namespaced_pod("default"))
    assert [call.status for call in empty_kube_api.calls] == [401]


async def test_streams_renew_their_credentials_too(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(everything(empty_kube_api, "worker"))
    async with open_api(make_cluster_config(user={"tokenFile": str(token)})) as api:
        rotate(empty_kube_api, token)
        response: Any = await CoreV1Api(api).list_namespaced_pod("default", _preload_content=False)
        assert response.status == 200
        response.close()


async def test_an_exec_plugin_that_is_missing_is_named_with_its_hint(make_cluster_config: MakeConfig) -> None:
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-plugin",
            "installHint": "Get it from example.com.",
        }
    }
    with pytest.raises(KubernetesConfigInvalid, match=r"'no-such-plugin'.*is not there.*Get it from example\.com"):
        await make_cluster_config(user=user).get_api_client()


async def test_an_exec_plugin_without_an_answer_is_named(make_cluster_config: MakeConfig, plugin: Plugin) -> None:
    plugin.answer.write_text(
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}'
    )
    with pytest.raises(KubernetesConfigInvalid, match=r"exec plugin .*gave no credentials\. Run it by hand"):
        await make_cluster_config(user=plugin.user).get_api_client()


# Time limits and connections


async def test_a_server_that_is_silent_is_given_up(empty_kube_api: KubeApi, make_cluster_config: MakeConfig) -> None:
    empty_kube_api.fail("list", "pods", delay_seconds=5)
    async with open_api(make_cluster_config(), timeout_seconds=0.1) as api:
        with pytest.raises(asyncio.TimeoutError):
            await CoreV1Api(api).list_namespaced_pod("default")


async def test_every_call_of_every_client_has_a_time_limit(
    make_cluster_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[aiohttp.ClientTimeout] = []
    request: Any = aiohttp.ClientSession.request

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        limits.append(kwargs["timeout"])
        return request(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.ClientSession, "request", watched)
    async with await make_cluster_config().get_api_client() as api:
        await CoreV1Api(api).list_namespaced_pod("default")
        (await CoreV1Api(api).list_namespaced_pod("default", _preload_content=False)).close()  # type: ignore[attr-defined]
        await CoreV1Api(api).list_namespaced_pod("default", _request_timeout=3)
    assert [(limit.sock_connect, limit.sock_read, limit.total) for limit in limits] == [
        (10.0, _clients.TIMEOUT_SECONDS, None),
        (10.0, _clients.STREAM_TIMEOUT_SECONDS, None),
        (None, None, 3),
    ]


async def test_connections_are_probed_by_the_kernel(make_cluster_config: MakeConfig) -> None:
    options: list[tuple[int, int]] = []
    for tcp_keepalive in (True, False):
        async with open_api(make_cluster_config(), tcp_keepalive=tcp_keepalive) as api:
            response: Any = await CoreV1Api(api).list_namespaced_pod("default", watch=True, _preload_content=False)
            found = response.connection.transport.get_extra_info("socket")
            idle: Any = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
            options.append((found.getsockopt(socket.IPPROTO_TCP, idle), 0))
            response.close()
    assert options[0][0] == 60
    assert options[1][0] != 60


async def test_connections_are_built_anew_after_failures_in_a_row(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig
) -> None:
    async with open_api(make_cluster_config()) as api:
        core, first = CoreV1Api(api), api.rest_client
        empty_kube_api.fail("list", "pods", is_reset=True, times=TRIES * FAILURES_BEFORE_REBUILD)
        for _ in range(FAILURES_BEFORE_REBUILD):
            assert api.rest_client is first
            with pytest.raises(aiohttp.ClientConnectionError):
                await core.list_namespaced_pod("default")
        assert api.rest_client is not first
        await core.list_namespaced_pod("default")


async def test_a_success_between_failures_keeps_the_connections(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig
) -> None:
    async with open_api(make_cluster_config()) as api:
        core, first = CoreV1Api(api), api.rest_client
        for _ in range(FAILURES_BEFORE_REBUILD):
            empty_kube_api.fail("list", "pods", is_reset=True, times=TRIES)
            with pytest.raises(aiohttp.ClientConnectionError):
                await core.list_namespaced_pod("default")
            await core.list_namespaced_pod("default")
        assert api.rest_client is first


async def test_a_cluster_that_has_moved_is_found_again(
    empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = empty_kube_api.kubeconfig()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    async with open_api() as api:
        empty_kube_api.write_kubeconfig(path)
        for _ in range(FAILURES_BEFORE_REBUILD):
            with pytest.raises(aiohttp.ClientConnectionError):
                await CoreV1Api(api).list_namespaced_pod("default")
        await CoreV1Api(api).list_namespaced_pod("default")


async def test_tls_is_spoken_with_the_clusters_own_authority(make_cluster_config: MakeConfig) -> None:
    async with open_api(make_cluster_config(is_tls=True)) as api:
        await CoreV1Api(api).list_namespaced_pod("default")


async def test_a_certificate_that_does_not_fit_is_an_error_with_a_remedy(
    make_cluster_config: MakeConfig, clock: FakeClock
) -> None:
    block = make_cluster_config(is_tls=True)
    del block.config["clusters"][0]["cluster"]["certificate-authority-data"]
    async with open_api(block) as api:
        with pytest.raises(KubernetesTlsRefused, match="certificate-authority"):
            await call("Pods", lambda: CoreV1Api(api).list_namespaced_pod("default"))
    assert clock.sleeps == [], "it would fail again"


# Calls


@pytest.fixture
async def core(make_cluster_config: MakeConfig) -> Any:
    async with open_api(make_cluster_config()) as api:
        yield CoreV1Api(api)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_transient_failure_is_tried_again(
    empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock, status: int
) -> None:
    empty_kube_api.fail("list", "pods", status, times=2)
    assert (await call("Pods", lambda: core.list_namespaced_pod("default"))).items == []
    assert len(clock.sleeps) == 2


async def test_a_server_says_when_to_come_back(empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock) -> None:
    empty_kube_api.fail("list", "pods", 429, retry_after_seconds=13, times=1)
    await call("Pods", lambda: core.list_namespaced_pod("default"))
    assert clock.sleeps == [13]


async def test_a_lost_connection_is_tried_again(empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock) -> None:
    empty_kube_api.fail("list", "pods", is_reset=True, times=TRIES)
    await call("Pods", lambda: core.list_namespaced_pod("default"))
    assert len(clock.sleeps) == 1


async def test_a_request_that_may_have_been_done_is_not_repeated_unless_it_may_be(
    empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock
) -> None:
    empty_kube_api.fail("create", "pods", is_reset=True, is_done=True, times=1)
    body: Any = {"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    with pytest.raises(KubernetesUnavailable):
        await call("Pod", lambda: core.create_namespaced_pod("default", body), is_repeatable=False)
    assert len(empty_kube_api.list("pods")) == 1


async def test_a_request_that_was_turned_away_is_repeated_in_any_case(
    empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock
) -> None:
    empty_kube_api.fail("list", "pods", 429, times=1)
    await call("Pods", lambda: core.list_namespaced_pod("default"), is_repeatable=False)
    assert len(clock.sleeps) == 1


@pytest.mark.parametrize(("status", "cls"), [(429, KubernetesThrottled), (503, KubernetesUnavailable)])
async def test_patience_ends(
    empty_kube_api: KubeApi, core: CoreV1Api, clock: FakeClock, status: int, cls: type[Exception]
) -> None:
    empty_kube_api.fail("list", "pods", status)
    with pytest.raises(cls):
        await call("Pods", lambda: core.list_namespaced_pod("default"))
    assert sum(clock.sleeps) <= _clients.BACKOFF.deadline_seconds


async def test_a_permanent_failure_is_raised_at_once(
    empty_kube_api: KubeApi, make_cluster_config: MakeConfig, clock: FakeClock
) -> None:
    token = empty_kube_api.add_user("nobody", [])
    async with open_api(make_cluster_config(token)) as api:
        with pytest.raises(KubernetesAccessDenied) as caught:
            await call("Pods", lambda: CoreV1Api(api).list_namespaced_pod("default"))
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == ("list", "pods", "default")
    assert isinstance(caught.value, ApiException)
    assert clock.sleeps == []


async def test_a_cluster_that_is_not_there_is_named(clock: FakeClock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
    }
    async with open_api(KubernetesClusterConfig(config=config, context_name="x")) as api:
        with pytest.raises(KubernetesUnavailable, match=rf"127\.0\.0\.1:{port} cannot be reached") as caught:
            await call("Pods", lambda: CoreV1Api(api).list_namespaced_pod("default"))
    assert not isinstance(caught.value, KubernetesTimeout)
    assert caught.value.was_sent is False
