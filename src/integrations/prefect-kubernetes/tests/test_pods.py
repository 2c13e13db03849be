"""Tasks about pods: create, read, change, delete, and logs that are followed across broken connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest
from kubernetes_asyncio.client import V1Container, V1ObjectMeta, V1Pod, V1PodSpec
from kubernetes_asyncio.client.exceptions import ApiValueError
from prefect import flow

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes import KubernetesCredentials, _logs
from prefect_kubernetes.errors import (
    KubernetesAccessDenied,
    KubernetesAlreadyExists,
    KubernetesInvalid,
    KubernetesQuotaExceeded,
)
from prefect_kubernetes.exceptions import KubernetesResourceNotFoundError
from prefect_kubernetes.pods import (
    create_namespaced_pod,
    delete_namespaced_pod,
    list_namespaced_pod,
    patch_namespaced_pod,
    read_namespaced_pod,
    read_namespaced_pod_log,
    replace_namespaced_pod,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prefect_integration_tests.backends.kube_api import KubeApi
    from prefect_integration_tests.clock import FakeClock


def pod(name: str = "greeter", **labels: str) -> V1Pod:
    containers = [V1Container(name="main", image="busybox"), V1Container(name="proxy", image="envoy")]
    spec = V1PodSpec(restart_policy="Never", containers=containers)
    return V1Pod(metadata=V1ObjectMeta(name=name, labels=labels), spec=spec)


@pytest.fixture
def no_pauses(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_logs, "_clock", fake_clock)


async def test_a_pod_is_created_read_changed_and_deleted(kube_credentials: KubernetesCredentials) -> None:
    created = await create_namespaced_pod.fn(kube_credentials, pod(app="web"))
    assert isinstance(created, V1Pod)
    await create_namespaced_pod.fn(kube_credentials, pod("other"))
    found = await list_namespaced_pod.fn(kube_credentials, label_selector="app=web")
    assert [one.metadata.name for one in found.items] == ["greeter"]
    changes: Any = {"metadata": {"labels": {"app": "api"}}}
    await patch_namespaced_pod.fn(kube_credentials, "greeter", changes)
    read = await read_namespaced_pod.fn(kube_credentials, "greeter")
    assert read.metadata.labels == {"app": "api"}
    read.metadata.labels = {"app": "third"}
    replaced = await replace_namespaced_pod.fn(kube_credentials, "greeter", read)
    assert replaced.metadata.labels == {"app": "third"}
    await delete_namespaced_pod.fn(kube_credentials, "greeter", grace_period_seconds=0)
    with pytest.raises(KubernetesResourceNotFoundError, match="Pod 'greeter' in namespace 'default'"):
        await read_namespaced_pod.fn(kube_credentials, "greeter")


@pytest.mark.usefixtures("prefect_harness")
def test_a_sync_flow_calls_the_tasks_without_await(kube_credentials: KubernetesCredentials) -> None:
    @flow
    def pods_in_a_sync_flow() -> list[str]:
        created: Any = create_namespaced_pod(kube_credentials, pod())
        found: Any = list_namespaced_pod(kube_credentials)
        return [created.metadata.name, *(one.metadata.name for one in found.items)]

    assert pods_in_a_sync_flow() == ["greeter", "greeter"]


@pytest.mark.usefixtures("prefect_harness")
async def test_an_async_flow_awaits_the_tasks(kube_credentials: KubernetesCredentials) -> None:
    @flow
    async def pods_in_an_async_flow() -> str:
        await create_namespaced_pod(kube_credentials, pod())
        return (await read_namespaced_pod(kube_credentials, "greeter")).metadata.name

    assert await pods_in_an_async_flow() == "greeter"


async def test_options_reach_the_api(kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    await create_namespaced_pod.fn(kube_credentials, pod(), dry_run="All")
    assert empty_kube_api.list("pods") == []
    assert empty_kube_api.calls_of("create", "pods")[0].query["dryRun"] == "All"


@pytest.mark.parametrize(
    "task", [read_namespaced_pod, patch_namespaced_pod, delete_namespaced_pod], ids=lambda t: t.name
)
async def test_a_name_that_is_missing_is_refused_before_any_request(
    kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi, task: Any
) -> None:
    arguments = (None, {}) if task is patch_namespaced_pod else (None,)
    with pytest.raises(ApiValueError, match="pod_name is None"):  # of the SDK, and a ValueError
        await task.fn(kube_credentials, *arguments)
    assert empty_kube_api.calls == []


async def test_a_second_pod_of_one_name_is_refused(kube_credentials: KubernetesCredentials) -> None:
    await create_namespaced_pod.fn(kube_credentials, pod())
    with pytest.raises(KubernetesAlreadyExists, match="generateName"):
        await create_namespaced_pod.fn(kube_credentials, pod())


async def test_a_label_that_is_too_long_is_named(kube_credentials: KubernetesCredentials) -> None:
    with pytest.raises(KubernetesInvalid, match=r"metadata\.labels") as caught:
        await create_namespaced_pod.fn(kube_credentials, pod(app="x" * 64))
    assert caught.value.fields


async def test_a_legal_label_comes_back_as_it_was_given(kube_credentials: KubernetesCredentials) -> None:
    labels = {"App": "Web-2.0_beta", "team": "x" * 63}
    created = await create_namespaced_pod.fn(kube_credentials, pod(**labels))
    assert created.metadata.labels == labels


async def test_an_exceeded_quota_is_said(kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    empty_kube_api.set_quota({"pods": "0"})
    with pytest.raises(KubernetesQuotaExceeded, match="exceeded quota"):
        await create_namespaced_pod.fn(kube_credentials, pod())
    assert empty_kube_api.list("pods") == []


@pytest.mark.parametrize(
    ("verb", "resource", "act"),
    [
        ("create", "pods", lambda who: create_namespaced_pod.fn(who, pod("new"))),
        ("get", "pods", lambda who: read_namespaced_pod.fn(who, "greeter")),
        ("list", "pods", lambda who: list_namespaced_pod.fn(who)),
        ("patch", "pods", lambda who: patch_namespaced_pod.fn(who, "greeter", {"metadata": {}})),
        ("update", "pods", lambda who: replace_namespaced_pod.fn(who, "greeter", pod())),
        ("delete", "pods", lambda who: delete_namespaced_pod.fn(who, "greeter")),
        ("get", "pods/log", lambda who: read_namespaced_pod_log.fn(who, "greeter", "main")),
        ("get", "pods/log", lambda who: read_namespaced_pod_log.fn(who, "greeter", "main", print_func=print)),
    ],
    ids=["create", "get", "list", "patch", "replace", "delete", "log", "followed log"],
)
async def test_each_missing_permission_is_named(
    empty_kube_api: KubeApi,
    kube_credentials: KubernetesCredentials,
    make_credentials: Callable[..., KubernetesCredentials],
    verb: str,
    resource: str,
    act: Callable[[KubernetesCredentials], Any],
) -> None:
    await create_namespaced_pod.fn(kube_credentials, pod())
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"] if resource == "pods/log" else []}]
    who = make_credentials(empty_kube_api.add_user("limited", rules, namespace="default"))
    with pytest.raises(KubernetesAccessDenied, match="Add the rule") as caught:
        await act(who)
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == (verb, resource, "default")


# Logs


@pytest.fixture
async def running(kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi) -> KubernetesCredentials:
    """Credentials for a server with a running pod `greeter`."""
    await create_namespaced_pod.fn(kube_credentials, pod())
    empty_kube_api.play.start("greeter")
    return kube_credentials


async def test_a_log_is_read_as_the_container_wrote_it(running: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    for text in ('{"level": "info", "n": 1}', "two: ü"):
        empty_kube_api.play.write("greeter", text, container="main")
    empty_kube_api.play.write("greeter", "from the sidecar", container="proxy")
    assert await read_namespaced_pod_log.fn(running, "greeter", "main") == '{"level": "info", "n": 1}\ntwo: ü\n'


async def test_a_log_that_is_one_json_document_stays_text(
    running: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    empty_kube_api.play.write("greeter", '{"ok": true}', container="main")
    assert await read_namespaced_pod_log.fn(running, "greeter", "main") == '{"ok": true}\n'


class Follow:
    """A followed log, and the lines that have come."""

    def __init__(self, credentials: KubernetesCredentials, **options: Any) -> None:
        self.lines: list[str] = []
        self.task = asyncio.ensure_future(
            read_namespaced_pod_log.fn(credentials, "greeter", "main", print_func=self.lines.append, **options)
        )

    async def until(self, *lines: str) -> None:
        async def look() -> bool | None:
            if self.task.done():
                self.task.result()
            return True if len(self.lines) >= len(lines) else None

        await apoll(look, subject=f"{lines}", interval_seconds=0.01, timeout_seconds=10)
        assert self.lines == list(lines)


async def test_a_followed_log_comes_line_by_line_until_the_container_ends(
    running: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    follow = Follow(running)
    empty_kube_api.play.write("greeter", "one", container="main")
    await follow.until("one")
    empty_kube_api.play.write("greeter", "two\nthree", container="main")
    await follow.until("one", "two", "three")
    empty_kube_api.play.succeed("greeter")
    assert await asyncio.wait_for(follow.task, 10) is None
    assert follow.lines == ["one", "two", "three"]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("how", ["drop_watches", "end_watches"])
async def test_a_followed_log_goes_on_after_a_break_without_loss_or_repeats(
    running: KubernetesCredentials, empty_kube_api: KubeApi, how: str
) -> None:
    follow = Follow(running)
    expected: list[str] = []
    for batch in range(4):
        texts = [f"line {batch}.{number}" for number in range(20)] + ["the same", "the same"]
        empty_kube_api.play.write("greeter", "\n".join(texts), container="main")
        expected += texts
        await follow.until(*expected)
        getattr(empty_kube_api, how)()
    empty_kube_api.play.succeed("greeter")
    await asyncio.wait_for(follow.task, 10)
    assert follow.lines == expected


@pytest.mark.usefixtures("no_pauses")
async def test_what_was_written_while_the_connection_was_down_is_not_lost(
    running: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    follow = Follow(running)
    empty_kube_api.play.write("greeter", "before", container="main")
    await follow.until("before")
    empty_kube_api.fail("get", "pods/log", 503, times=2)
    empty_kube_api.drop_watches("pods")
    empty_kube_api.play.write("greeter", "meanwhile", container="main")
    empty_kube_api.play.succeed("greeter")
    await asyncio.wait_for(follow.task, 20)
    assert follow.lines == ["before", "meanwhile"]


async def test_timestamps_are_shown_only_when_asked_for(
    running: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    empty_kube_api.play.write("greeter", "one", container="main")
    empty_kube_api.play.succeed("greeter")
    for wanted in (False, True):
        lines: list[str] = []
        await read_namespaced_pod_log.fn(running, "greeter", "main", print_func=lines.append, timestamps=wanted)
        assert [line.endswith("Z one") for line in lines] == [wanted]


async def test_the_beginning_can_be_left_out(running: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    empty_kube_api.play.write("greeter", "one\ntwo\nthree", container="main")
    empty_kube_api.play.succeed("greeter")
    lines: list[str] = []
    await read_namespaced_pod_log.fn(running, "greeter", "main", print_func=lines.append, tail_lines=1)
    assert lines == ["three"]


async def test_a_container_that_is_not_there_is_an_error(running: KubernetesCredentials) -> None:
    with pytest.raises(KubernetesInvalid, match="container 'nobody' of pod 'greeter'"):
        await read_namespaced_pod_log.fn(running, "greeter", "nobody")


async def test_a_pod_that_is_deleted_ends_its_log(running: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    follow = Follow(running)
    empty_kube_api.play.write("greeter", "one", container="main")
    await follow.until("one")
    empty_kube_api.play.delete("greeter")
    await asyncio.wait_for(follow.task, 10)


async def test_what_print_func_raises_reaches_the_caller(
    running: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    def refuse(line: str) -> None:
        raise RuntimeError(f"no room for {line}")

    empty_kube_api.play.write("greeter", "one", container="main")
    with pytest.raises(RuntimeError, match="no room for one"):
        await read_namespaced_pod_log.fn(running, "greeter", "main", print_func=refuse)


def test_a_very_long_line_comes_in_pieces_and_memory_stays_bounded() -> None:
    class Response:
        class content:
            @staticmethod
            async def iter_any() -> Any:
                for _ in range(5):
                    yield b"x" * 600_000
                yield b"\nend"

    async def split() -> list[str]:
        return [line async for line in _logs._split(Response())]

    lines = asyncio.run(split())
    assert sum(map(len, lines)) == 3_000_003
    assert max(map(len, lines)) <= 2 * 600_000
    assert lines[-1] == "end"


async def test_a_client_of_the_callers_own_may_give_the_log_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    core = AsyncMock()
    core.read_namespaced_pod_log.return_value = "one\ntwo\n"

    @asynccontextmanager
    async def own_client(self: KubernetesCredentials, client_type: str) -> AsyncIterator[AsyncMock]:
        yield core

    monkeypatch.setattr(KubernetesCredentials, "get_client", own_client)
    assert await read_namespaced_pod_log.fn(KubernetesCredentials(), "greeter", "main") == "one\ntwo\n"
    lines: list[str] = []
    await read_namespaced_pod_log.fn(KubernetesCredentials(), "greeter", "main", print_func=lines.append)
    assert lines == ["one", "two"]


async def test_answers_of_a_stub_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async def content() -> AsyncIterator[bytes]:
        for line in (b"one\n", b"two\n"):
            yield line

    core = AsyncMock()

    @asynccontextmanager
    async def own_client(self: KubernetesCredentials, client_type: str) -> AsyncIterator[AsyncMock]:
        yield core

    monkeypatch.setattr(KubernetesCredentials, "get_client", own_client)
    answer = core.read_namespaced_pod_log.return_value
    assert await read_namespaced_pod_log.fn(KubernetesCredentials(), "greeter", "main") is answer
    answer.content = content()
    lines: list[str] = []
    await read_namespaced_pod_log.fn(KubernetesCredentials(), "greeter", "main", print_func=lines.append)
    assert lines == ["one", "two"]
