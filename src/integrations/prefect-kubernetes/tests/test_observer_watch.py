"""What happens in the cluster is heard of, whatever becomes of connections, versions, permissions and credentials."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from prefect.states import Running

from prefect_kubernetes import _clients
from prefect_kubernetes._clients import open_api
from prefect_kubernetes._observer import observation as observed
from prefect_kubernetes._observer import watching
from prefect_kubernetes._observer.health import HealthMonitor
from prefect_kubernetes._observer.places import Places
from prefect_kubernetes._observer.watching import PODS, Listener, Watch

from ._observed import EVERYWHERE, FastClock, Stage, until

READING = [{"apiGroups": ["", "batch"], "resources": ["jobs", "pods", "pods/log"], "verbs": ["get", "list", "watch"]}]


def config_path() -> Path:
    return Path(os.environ["KUBECONFIG"])


async def running_job(stage: Stage, name: str = "job", namespace: str = "default", **options: Any) -> Any:
    run = await stage.run_in(Running(), name, namespace)
    stage.start(run, name, namespace=namespace, **options)
    stage.play.start(name, namespace=namespace)
    return run


def lists(stage: Stage, resource: str) -> int:
    return len(stage.api.calls_of("list", resource))


# Watches that break


async def test_a_dropped_watch_goes_on_where_it_was(stage: Stage) -> None:
    run = await running_job(stage)
    async with stage.observing():
        await until(lambda: stage.api.open_streams("jobs") and stage.api.open_streams("pods"))
        stage.api.fail("watch", "*", 503, times=4)
        stage.api.drop_watches("jobs")
        stage.api.drop_watches("pods")
        stage.play.oom_kill("job")  # nobody is watching
        await stage.becomes(run, "Crashed")
        assert (lists(stage, "jobs"), lists(stage, "pods")) == (1, 1)


async def test_a_watch_that_the_server_ends_is_resumed_and_no_failure(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    run = await running_job(stage)
    async with stage.observing() as observation:
        for _ in range(3):
            await until(lambda: stage.api.open_streams("jobs"))
            before = len(stage.api.calls_of("watch", "jobs"))
            stage.api.end_watches()
            await until(lambda before=before: len(stage.api.calls_of("watch", "jobs")) > before)
        assert observation.health.consecutive_failures == 0
        stage.play.oom_kill("job")
        await stage.becomes(run, "Crashed")
        assert lists(stage, "jobs") == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and "watch" in record.message]


@pytest.mark.parametrize("how", ["expire_watches", "compact"])
async def test_a_version_that_is_too_old_is_listed_anew_and_what_happened_meanwhile_is_found(
    stage: Stage, how: str
) -> None:
    killed, deleted = await running_job(stage, "killed"), await running_job(stage, "deleted")
    async with stage.observing():
        await until(lambda: stage.api.open_streams("jobs") and stage.api.open_streams("pods"))
        stage.api.fail("watch", "*", 503, times=2)
        stage.api.drop_watches("jobs")
        stage.api.drop_watches("pods")
        stage.play.oom_kill("killed")
        stage.play.delete_job("deleted")
        if how == "compact":
            stage.api.compact()
        await stage.becomes(killed, "Crashed")
        await stage.becomes(deleted, "Crashed")
        if how == "expire_watches":
            before = lists(stage, "jobs")
            await until(lambda: stage.api.open_streams("jobs"))
            stage.api.expire_watches()
            await until(lambda: lists(stage, "jobs") > before)
        assert lists(stage, "jobs") >= 2
    assert (await stage.history_of(deleted)).count("Crashed") == 1


async def test_bookmarks_move_the_version_on(stage: Stage) -> None:
    async with stage.observing():
        await until(lambda: stage.api.open_streams("jobs"))
        stage.api.create("configmaps", {"metadata": {"name": "other"}}, "default")
        first = int(stage.api.calls_of("watch", "jobs")[0].query["resourceVersion"])
        assert stage.api.calls_of("watch", "jobs")[0].query["allowWatchBookmarks"] == "true"
        stage.api.send_bookmarks()
        stage.api.end_watches()
        await until(lambda: len(stage.api.calls_of("watch", "jobs")) > 1)
        assert int(stage.api.calls_of("watch", "jobs")[-1].query["resourceVersion"]) > first


async def test_a_connection_that_says_nothing_any_more_is_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_SILENCE_SECONDS", -0.5)
    run = await running_job(stage)
    async with stage.observing(watch_timeout_seconds=1):
        await until(lambda: stage.api.open_streams("jobs"))
        stage.api.silence_watches()
        stage.play.oom_kill("job")
        before = len(stage.api.calls_of("watch", "jobs"))
        await until(lambda: len(stage.api.calls_of("watch", "jobs")) > before)
        stage.api.silence_watches(False)
        stage.api.drop_watches("jobs")
        await stage.becomes(run, "Crashed")


# Failures


@contextlib.asynccontextmanager
async def watching_pods(stage: Stage, clock: Any, **told: Any) -> Any:
    def nothing(*args: Any) -> None: ...

    monitor = HealthMonitor("pods", logging.getLogger("prefect_kubernetes.observer"), clock)
    listener = Listener(**{"listed": nothing, "complete": nothing, "changed": nothing, **told})
    async with open_api() as api:
        watch = Watch(
            api, PODS, "default", "", listener, monitor, logger=logging.getLogger("prefect_kubernetes"), clock=clock
        )
        task = asyncio.create_task(watch.run())
        try:
            yield watch, monitor
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("status", [500, 503, 429, 504, 400])
async def test_failures_are_backed_off_for_ever_with_a_bound_and_told_once(
    stage: Stage, fake_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    monkeypatch.setattr(_clients, "_clock", fake_clock)
    monkeypatch.setattr(watching, "BACKOFF", watching.BACKOFF.__class__(1.0, 2.0, 60.0, random=lambda: 1.0))
    stage.api.fail("list", "pods", status)
    async with watching_pods(stage, fake_clock) as (watch, monitor):
        await until(lambda: monitor.health.consecutive_failures >= 10)
        assert monitor.health.state == "degraded"
        assert fake_clock.sleeps.count(60.0) >= 2
        assert max(fake_clock.sleeps) <= 60.0
        stage.api.heal()
        await until(watch.is_listed.is_set)
        assert monitor.health.is_healthy
    said = [record.levelname for record in caplog.records if "Cannot watch pods" in record.getMessage()]
    assert said == ["WARNING"]


async def test_an_object_that_cannot_be_handled_stops_none_of_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await running_job(stage, "bad")
    seen: list[str] = []

    def see(*args: Any) -> None:
        name = args[-1]["metadata"]["name"]
        if name.startswith("bad"):
            raise ValueError("a bug")
        seen.append(name)

    async with watching_pods(stage, FastClock(), listed=see, changed=see) as (watch, _):
        await until(watch.is_listed.is_set)
        await until(lambda: stage.api.open_streams("pods"))
        stage.play.oom_kill("bad")
        await running_job(stage, "good")
        await until(lambda: seen)
    assert all(name.startswith("good") for name in seen)
    assert "a bug" in caplog.text


async def test_a_watch_that_is_down_for_a_minute_is_seen_in_the_health(stage: Stage) -> None:
    clock = FastClock()
    async with stage.observing(clock=clock) as observation:
        await until(lambda: stage.api.open_streams("pods"))
        stage.api.fail("watch", "pods", 503)
        stage.api.drop_watches("pods")
        await until(lambda: observation.health.consecutive_failures)
        clock.advance(61)
        assert observation.health.state == "degraded"
        assert observation.health.down == ("pods in namespace 'default'",)
        stage.api.heal()
        await until(lambda: observation.health.is_healthy)


# Permissions


async def test_a_missing_permission_is_told_once_with_the_rule_and_asked_for_seldom(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]}]
    token = stage.api.add_user("watcher", rules, namespace="default")
    stage.api.write_kubeconfig(config_path(), token)
    run = await running_job(stage)
    async with stage.observing(clock=FastClock(100), is_listed=False) as observation:
        await until(lambda: len(stage.api.calls_of("list", "pods")) >= 3)
        assert observation.health.state == "degraded"
        stage.play.fail("job", exit_code=1)  # jobs are watched all the same
        await stage.becomes(run, "Crashed")
        stage.api.access.grant("watcher", READING, namespace="default")
        await until(lambda: observation.health.is_healthy)
    said = [record.getMessage() for record in caplog.records if "Cannot watch pods" in record.getMessage()]
    assert len(said) == 1
    assert 'resources: ["pods"], verbs: ["list"]' in said[0]


async def test_who_may_not_watch_the_whole_cluster_watches_its_own_namespace(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "namespace").write_text("flows\n")
    monkeypatch.setattr(observed, "_NAMESPACE_FILE", tmp_path / "namespace")
    stage.api.add_namespace("flows")
    token = stage.api.add_user("watcher", READING, namespace="flows")
    stage.api.write_kubeconfig(config_path(), token)
    run = await running_job(stage, namespace="flows")
    async with stage.observing(EVERYWHERE):
        stage.play.fail("job", exit_code=1, namespace="flows")
        await stage.becomes(run, "Crashed")
    said = [record.getMessage() for record in caplog.records if "may not watch all namespaces" in record.getMessage()]
    assert len(said) == 1
    assert "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES" in said[0]


async def test_new_credentials_are_read_when_the_old_ones_are_refused(stage: Stage) -> None:
    token = stage.api.add_user("watcher", READING)
    stage.api.write_kubeconfig(config_path(), token)
    run = await running_job(stage)
    async with stage.observing() as observation:
        await until(lambda: stage.api.open_streams("jobs"))
        stage.api.access.expire(token)
        stage.api.write_kubeconfig(config_path(), stage.api.access.new_token("watcher"))
        stage.api.drop_watches("jobs")
        stage.api.drop_watches("pods")
        stage.play.oom_kill("job")
        await stage.becomes(run, "Crashed")
        assert observation.health.is_healthy


# What is watched


async def test_only_the_namespaces_in_use_are_watched_and_new_ones_when_they_come(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        stage.api.add_namespace(name)
    places = Places()
    places.add("one")
    runs = {name: await running_job(stage, name, namespace=name) for name in ("one", "two")}
    async with stage.observing(places_known=places):
        stage.play.fail("one", exit_code=1, namespace="one")
        await stage.becomes(runs["one"], "Crashed")
        await asyncio.to_thread(places.add, "two")
        stage.play.fail("two", exit_code=1, namespace="two")
        await stage.becomes(runs["two"], "Crashed")
    assert {call.namespace for call in stage.api.calls_of("list", "jobs")} == {"one", "two"}
    assert {call.namespace for call in stage.api.calls_of("watch", "pods")} <= {"one", "two"}


async def test_the_settings_say_which_namespaces_and_labels(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.api.add_namespace(name)
    ours = await running_job(stage, "ours", namespace="one", labels={"team": "data"})
    theirs = await running_job(stage, "theirs", namespace="one", labels={"team": "other"})
    async with stage.observing("two", namespaces={"one"}, additional_label_filters={"team": "data"}) as observation:
        stage.play.fail("ours", exit_code=1, namespace="one")
        stage.play.fail("theirs", exit_code=1, namespace="one")
        await stage.becomes(ours, "Crashed")
        assert len(observation.records) <= 1
    assert (await stage.state_of(theirs)).is_running()
    for resource in ("jobs", "pods"):
        for verb in ("list", "watch"):
            calls = stage.api.calls_of(verb, resource)
            assert {call.namespace for call in calls} == {"one"}
            assert {call.query["labelSelector"] for call in calls} == {"prefect.io/flow-run-id,team=data"}


async def test_without_any_namespace_the_whole_cluster_is_watched(stage: Stage) -> None:
    stage.api.add_namespace("far")
    run = await running_job(stage, namespace="far")
    async with stage.observing(EVERYWHERE):
        stage.play.fail("job", exit_code=1, namespace="far")
        await stage.becomes(run, "Crashed")
    assert [call.path for call in stage.api.calls_of("list", "jobs")] == ["/apis/batch/v1/jobs"]


async def test_another_cluster_is_watched_with_its_own_configuration(
    stage: Stage, make_cluster_config: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    places = Places()
    places.add("default", make_cluster_config())
    run = await running_job(stage)
    async with stage.observing(places_known=places):
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")


async def test_a_cluster_that_cannot_be_reached_yet_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "later"))
    run = await running_job(stage)
    async with stage.observing(is_listed=False) as observation:
        await until(lambda: observation.health.consecutive_failures >= 3)
        assert not observation.health.is_healthy
        stage.api.write_kubeconfig(tmp_path / "later", stage.api.token)
        await until(lambda: observation.health.is_healthy)
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
    said = [record for record in caplog.records if "Cannot watch" in record.getMessage()]
    assert len(said) == 1
